/*
 * Copyright (C) the tscast authors
 */

/*
 * The two players behind one interface: a view is fed with whole transport
 * stream packets, or with FLV, and shows them in its element.
 *
 * onError()           the player gives up
 * onBlocked()         the browser wants a click before it plays
 *
 * view.element        what to put into the page
 * view.push(bytes)    feed it
 * view.setMuted(yes)  call it from a click to unmute
 * view.resume()       call it from a click after onBlocked()
 * view.stats()        { delay, width, height, frames, dropped, time }
 * view.destroy()
 */

/* global mpegts, JSMpeg */


/* FLV has what browsers decode */

export function viewForFlv(options) {
    return new MpegtsView(options, 'flv');
}


/* picks a player by what the stream carries */

export function viewFor({ video, audio }, options) {
    if (video === 'MPEG-2') {
        throw new Error('No player in a browser shows MPEG-2 video.');
    }

    const old = video ? video === 'MPEG-1' : audio === 'MP2';

    return old ? new JsmpegView(options, Boolean(video))
               : new MpegtsView(options);
}


/* H.264, HEVC, AAC: remuxed for the browser's own decoder */

class MpegtsView {
    name = 'mpegts.js';
    delayMeans = 'buffered, not shown';
    delayDetail = 'end of the buffer minus current time';
    sleepsWhenHidden = false;

    #loader = null;
    #waiting = [];

    constructor({ muted, onError, onBlocked }, type = 'mpegts') {
        const view = this;

        mpegts.LoggingControl.applyConfig({
            enableVerbose: false,
            enableDebug: false,
            enableInfo: false,
        });

        this.element = document.createElement('video');
        this.element.muted = muted;
        this.element.playsInline = true;

        class Loader extends mpegts.BaseLoader {
            #received = 0;

            open() {
                this._status = mpegts.LoaderStatus.kBuffering;
                view.#loader = this;
                view.#waiting.splice(0).forEach((bytes) => this.push(bytes));
            }

            abort() {
                this._status = mpegts.LoaderStatus.kComplete;
                view.#loader = null;
            }

            push(bytes) {
                const start = this.#received;

                this.#received += bytes.length;
                this.onDataArrival(bytes.slice().buffer, start,
                                   this.#received);
            }
        }

        this.player = mpegts.createPlayer({
            type,
            isLive: true,
            url: 'live',
        }, {
            customLoader: Loader,
            enableStashBuffer: false,
            lazyLoad: false,

            /* a little late: play faster; far too late: jump */
            liveSync: true,
            liveSyncTargetLatency: 0.3,
            liveSyncMaxLatency: 0.5,
            liveSyncPlaybackRate: 1.2,
            liveBufferLatencyChasing: true,
            liveBufferLatencyMaxLatency: 2,
            liveBufferLatencyMinRemain: 0.4,

            autoCleanupSourceBuffer: true,
            autoCleanupMaxBackwardDuration: 30,
            autoCleanupMinBackwardDuration: 10,
        });

        /* the player is in the midst of something: not now */

        this.player.on(mpegts.Events.ERROR, (type, detail, info) => {
            console.warn(`${detail}: ${info?.msg}`);
            setTimeout(onError);
        });

        this.player.attachMediaElement(this.element);
        this.player.load();

        this.element.play().catch((error) => {
            if (error.name === 'NotAllowedError') {
                onBlocked();
            }
        });
    }

    push(bytes) {
        if (this.#loader) {
            this.#loader.push(bytes);
        } else {
            this.#waiting.push(bytes);
        }
    }

    setMuted(muted) {
        this.element.muted = muted;
    }

    resume() {
        this.element.play();
    }

    stats() {
        const { buffered, currentTime, videoWidth, videoHeight } = this.element;
        const quality = this.element.getVideoPlaybackQuality();

        return {
            delay: buffered.length
                   ? buffered.end(buffered.length - 1) - currentTime : null,
            width: videoWidth,
            height: videoHeight,
            frames: quality.totalVideoFrames,
            dropped: quality.droppedVideoFrames,
            time: currentTime,
        };
    }

    destroy() {
        this.player.destroy();
        this.element.remove();
    }
}


/* MPEG-1 video, MP2 audio: decoded in the page and drawn on a canvas */

class JsmpegView {
    name = 'JSMpeg';
    delayMeans = 'received to drawn';
    delayDetail = 'last byte of a picture received to picture drawn';
    sleepsWhenHidden = true;

    #source = null;
    #waiting = [];
    #arrivals = [];
    #frames = 0;
    #delay = null;
    #bytes = 0;

    constructor({ muted }, hasVideo) {
        const view = this;

        this.hasVideo = hasVideo;

        this.element = document.createElement('canvas');
        this.element.width = this.element.height = 0;

        class Source {
            streaming = true;
            established = false;
            completed = false;
            progress = 0;

            connect(demuxer) {
                this.demuxer = demuxer;
            }

            start() {
                view.#source = this;
                view.#waiting.splice(0).forEach((bytes) => this.push(bytes));
            }

            push(bytes) {
                this.established = true;
                this.demuxer.write(bytes);
            }

            resume() {}

            destroy() {
                view.#source = null;
            }
        }

        /* sound comes with the first click: see setMuted() */

        this.player = new JSMpeg.Player('', {
            source: Source,
            canvas: this.element,
            audio: false,
            pauseWhenHidden: false,
            onVideoDecode: () => this.#drawn(),
        });

        this.#watchPictures();

        if (!muted) {
            this.setMuted(false);
        }
    }

    push(bytes) {
        this.#bytes += bytes.length;

        if (this.#source) {
            this.#source.push(bytes);
        } else {
            this.#waiting.push(bytes);
        }
    }

    /* notes when each picture was complete, on its way to the decoder */

    #watchPictures() {
        const { demuxer, video } = this.player;

        demuxer.connect(JSMpeg.Demuxer.TS.STREAM.VIDEO_1, {
            write: (pts, buffers) => {
                this.#arrivals.push(performance.now());
                video.write(pts, buffers);
            },
        });
    }

    #drawn() {
        const arrival = this.#arrivals.shift();

        this.#frames++;

        if (arrival !== undefined) {
            this.#delay = (performance.now() - arrival) / 1000;
        }
    }

    setMuted(muted) {
        const { player } = this;

        if (!muted && !player.audio) {
            player.audioOut = sound();
            player.audio = new JSMpeg.Decoder.MP2AudioWASM(player.options);
            player.audio.connect(player.audioOut);
            player.demuxer.connect(JSMpeg.Demuxer.TS.STREAM.AUDIO_1,
                                   player.audio);
        }

        player.volume = muted ? 0 : 1;
    }

    stats() {
        const { width, height } = this.element;

        return {
            delay: this.#delay,
            width,
            height,
            frames: this.#frames,
            dropped: 0,
            time: this.hasVideo ? this.#frames : this.#bytes,
        };
    }

    destroy() {
        this.player.destroy();
        this.element.remove();
    }
}


/*
 * An audio context may start in a click only; the first output keeps it alive
 * for the views that come later.
 */

let keeper = null;

function sound() {
    keeper ??= new JSMpeg.AudioOutput.WebAudio();

    const output = new JSMpeg.AudioOutput.WebAudio();

    output.context.resume();
    output.unlock();

    return output;
}
