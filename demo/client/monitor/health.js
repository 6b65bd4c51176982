/*
 * Copyright (C) the tscast authors
 */

/*
 * What is wrong with a stream: lamps over the counters of its health (ETSI TR
 * 101 290), which only grow. A lamp is bad while an error is fresh.
 */

export const LAMPS = {
    'Sync':       ['sync_losses', 'sync_byte_errors'],
    'Tables':     ['pat_errors', 'pmt_errors', 'crc_errors'],
    'Continuity': ['continuity_errors', 'transport_errors'],
    'PIDs':       ['pid_errors'],
    'Clock':      ['pcr_repetition_errors', 'pcr_discontinuity_errors',
                   'pcr_accuracy_errors'],
    'Times':      ['pts_errors', 'timestamp_jumps'],
    'Flow':       ['silences'],
};

const FRESH = 10000;            /* ms that an error makes a lamp red */
const SILENT = 1.5;             /* seconds without a byte */


export class Health {
    #before = {};
    #since = {};

    /* { LAMP: { tone, figures } } */

    look(stream, now) {
        const lamps = {};

        for (const [lamp, counters] of Object.entries(LAMPS)) {
            lamps[lamp] = this.#lamp(lamp, counters, stream, now);
        }

        return lamps;
    }

    #lamp(lamp, counters, { live, health, publisher }, now) {
        const known = counters.filter((name) => health?.[name] >= 0);
        const errors = known.reduce((sum, name) => sum + health[name], 0);

        const figures = known.filter((name) => health[name])
            .map((name) => `${name.replaceAll('_', ' ')} ${health[name]}`)
            .join(', ');

        if (errors > (this.#before[lamp] ?? errors)) {
            this.#since[lamp] = now;
        }

        this.#before[lamp] = errors;

        const fresh = now - this.#since[lamp] < FRESH;
        const silent = lamp === 'Flow' && publisher?.silent > SILENT;

        if (!live || !known.length) {
            return { tone: 'idle', figures };
        }

        return { tone: fresh || silent ? 'bad' : errors ? 'busy' : 'good',
                 figures };
    }
}


/* in words, the worst first; nothing when all is well */

export function trouble(stream, lamps) {
    const bad = Object.entries(lamps).filter(([, { tone }]) => tone === 'bad');

    if (!stream.live) {
        return 'no publisher';
    }

    if (stream.publisher?.silent > SILENT) {
        return `silent for ${Math.round(stream.publisher.silent)} s`;
    }

    return bad.map(([, { figures }]) => figures).filter(Boolean).join(', ');
}
