/*
 * Copyright (C) the tscast authors
 */

/*
 * Looks on while transport stream packets pass by: which tables and codecs
 * they carry, and where their time line breaks (ISO/IEC 13818-1).
 */

export const PACKET = 188;

const CODECS = {
    0x01: { video: 'MPEG-1' },
    0x02: { video: 'MPEG-2' },      /* or MPEG-1, as encoders say it */
    0x10: { video: 'MPEG-4' },
    0x1b: { video: 'H.264' },
    0x24: { video: 'HEVC' },
    0x03: { audio: 'MP2' },
    0x04: { audio: 'MP2' },
    0x0f: { audio: 'AAC' },
    0x11: { audio: 'AAC' },
    0x81: { audio: 'AC-3' },
    0x87: { audio: 'E-AC-3' },
};


/* makes whole packets of bytes that arrive cut anywhere */

export class Aligner {
    rest = new Uint8Array(0);

    align(bytes) {
        if (this.rest.length) {
            const joined = new Uint8Array(this.rest.length + bytes.length);

            joined.set(this.rest);
            joined.set(bytes, this.rest.length);
            bytes = joined;
        }

        const whole = bytes.length - bytes.length % PACKET;

        this.rest = bytes.slice(whole);

        return bytes.subarray(0, whole);
    }
}


export class Inspector {
    constructor() {
        this.forget();
    }

    forget() {
        this.pat = null;
        this.pmt = null;
        this.pmtPid = -1;
        this.pcrPid = -1;
        this.videoPid = -1;
        this.video = null;
        this.audio = null;
        this.isSure = false;
    }

    /* do tables and, where they leave it open, the video tell the codecs? */

    get isComplete() {
        return this.pmt !== null && this.isSure;
    }

    get codecs() {
        return [this.video, this.audio].filter(Boolean).join(' + ');
    }

    /* takes one packet; returns true when a new time line begins with it */

    look(packet) {
        const pid = (packet[1] & 0x1f) << 8 | packet[2];
        const hasField = packet[3] & 0x20;
        const hasPayload = packet[3] & 0x10;
        const isBreak = pid === this.pcrPid && hasField && packet[4]
                        && packet[5] & 0x80;

        if (isBreak && !hasPayload) {
            /* what follows begins with tables of its own */
            this.forget();
            return true;
        }

        if (hasPayload && packet[1] & 0x40) {
            const payload = packet.subarray(hasField ? 5 + packet[4] : 4);

            if (pid === 0) {
                this.#readPat(packet, payload.subarray(1 + payload[0]));

            } else if (pid === this.pmtPid) {
                this.#readPmt(packet, payload.subarray(1 + payload[0]));

            } else if (pid === this.videoPid && !this.isSure) {
                this.#readSequence(payload);
            }
        }

        return Boolean(isBreak);
    }

    #readPat(packet, section) {
        const end = sectionEnd(section);

        if (section[0] !== 0x00) {
            return;
        }

        for (let i = 8; i + 4 <= end; i += 4) {
            if (section[i] << 8 | section[i + 1]) {
                this.pat = packet.slice();
                this.pmtPid = (section[i + 2] & 0x1f) << 8 | section[i + 3];
                return;
            }
        }
    }

    #readPmt(packet, section) {
        const end = sectionEnd(section);

        if (section[0] !== 0x02) {
            return;
        }

        this.pmt = packet.slice();
        this.pcrPid = (section[8] & 0x1f) << 8 | section[9];

        if (this.isSure) {
            return;
        }

        this.video = null;
        this.audio = null;

        let i = 12 + ((section[10] & 0x0f) << 8 | section[11]);

        while (i + 5 <= end) {
            const codec = CODECS[section[i]];

            if (codec?.video && !this.video) {
                this.video = codec.video;
                this.videoPid = (section[i + 1] & 0x1f) << 8 | section[i + 2];
            }

            this.audio ??= codec?.audio;

            i += 5 + ((section[i + 3] & 0x0f) << 8 | section[i + 4]);
        }

        this.isSure = this.video !== 'MPEG-2';
    }

    /* MPEG-2 has an extension right after its sequence header */

    #readSequence(payload) {
        for (let i = findCode(payload, 0); i !== -1; i = findCode(payload, i)) {
            if (payload[i] !== 0xb3) {
                continue;
            }

            if (payload[findCode(payload, i)] !== 0xb5) {
                this.video = 'MPEG-1';
            }

            this.isSure = true;
            return;
        }
    }
}


/* the place of the byte after the next start code prefix, or -1 */

function findCode(bytes, from) {
    for (let i = from; i + 3 < bytes.length; i++) {
        if (bytes[i] === 0 && bytes[i + 1] === 0 && bytes[i + 2] === 1) {
            return i + 3;
        }
    }

    return -1;
}


/* where the entries of a PSI section end and its CRC begins */

function sectionEnd(section) {
    return Math.min(3 + ((section[1] & 0x0f) << 8 | section[2]) - 4,
                    section.length);
}
