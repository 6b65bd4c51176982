/*
 * Copyright (C) the tscast authors
 */

/*
 * One card of the page: a stream's address, its connection, its player and
 * what is measured. A connection that ends is made again.
 */

import { commandsFor, isFlv, nameOf, streamUrl, transportOf }
    from './address.js';
import { connect } from './transport.js';
import { Inspector, PACKET } from './ts.js';
import { viewFor, viewForFlv } from './views.js';

const STATES = {
    'connecting':  ['Connecting', 'Asking the server for the stream.'],
    'waiting':     ['Waiting for data', 'Connected, but nothing arrives.'],
    'playing':     ['Playing', ''],
    'blocked':     ['Press to play', 'The browser wants a click first.'],
    'no-picture':  ['No picture', 'Data arrives that the player cannot show.'],
    'not-found':   ['Stream not found', 'Nobody publishes it now.'],
    'not-flv':     ['Not for FLV', 'The stream has a codec that FLV has not.'],
    'refused':     ['Not allowed', 'The server refuses this stream.'],
    'ended':       ['Stream ended', 'The publisher has left.'],
    'lost':        ['Connection lost', 'The server closed the connection.'],
    'unreachable': ['Server not reachable', 'There was no answer.'],
    'failed':      ['Cannot be played', 'The player gave up on it.'],
    'bad-address': ['Not an address', ''],
};

const TICK = 500;               /* ms between two looks at the player */
const SILENCE = 2000;           /* ms without a new picture: not playing */
const PATIENCE = 6000;          /* ms of data without any picture */
const RETRY_MIN = 1000;
const RETRY_MAX = 5000;
const RATE_TICKS = 6;           /* the bitrate is taken over 3 s */


export class Card {
    element = document.getElementById('card').content.cloneNode(true)
                      .firstElementChild;

    muted = true;
    view = null;

    #inspector = new Inspector();
    #flv = false;
    #close = null;
    #retry = null;
    #failures = 0;

    constructor(address, transport, mirrors, onChange) {
        this.address = address;
        this.transport = transport;
        this.mirrors = mirrors;
        this.onChange = onChange;

        this.#bind();
        setInterval(() => this.#tick(), TICK);
        this.start();
    }

    /* makes the connection anew, at once */

    start() {
        this.stop();
        this.#describe();

        let url;

        try {
            url = streamUrl(this.address, this.transport, this.mirrors.origin);

        } catch (error) {
            this.#setState('bad-address', error.message);
            return;
        }

        this.#setState('connecting');
        this.#flv = isFlv(url);

        this.#close = connect(url, {
            open: () => this.#setState('waiting'),
            data: (bytes) => this.#receive(bytes),
            end: (reason) => this.#tryLater(reason),
        });
    }

    stop() {
        clearTimeout(this.#retry);
        this.#retry = null;
        this.#close?.();
        this.#close = null;
        this.#dropView();
        this.#inspector.forget();

        this.received = 0;
        this.samples = [];
    }

    /* data: a view shows one time line; where it breaks a new view begins */

    #receive(bytes) {
        let from = 0;

        this.received += bytes.length;
        this.heard = performance.now();

        if (this.#flv) {
            if (this.view || this.#makeView()) {
                this.view.push(bytes);
            }

            return;
        }

        for (let i = 0; i < bytes.length; i += PACKET) {
            if (this.#inspector.look(bytes.subarray(i, i + PACKET))) {
                this.#feed(bytes.subarray(from, i));
                this.#dropView();
                from = i;
            }
        }

        this.#feed(bytes.subarray(from));
    }

    #feed(bytes) {
        if (!this.view) {
            if (!this.#inspector.isComplete || !this.#makeView()) {
                return;
            }

            this.view.push(this.#inspector.pat);
            this.view.push(this.#inspector.pmt);
        }

        this.view.push(bytes);
    }

    #makeView() {
        let view;

        const options = {
            muted: this.muted,
            onBlocked: () => this.#setState('blocked'),
            onError: () => {
                if (view === this.view) {
                    this.#tryLater('failed');
                }
            },
        };

        try {
            view = this.#flv ? viewForFlv(options)
                             : viewFor(this.#inspector, options);

        } catch (error) {
            this.#tryLater('failed', error.message);
            return false;
        }

        this.view = view;
        this.view.element.setAttribute('aria-label',
                                       `${nameOf(this.address)}, live`);
        this.parts.stage.prepend(this.view.element);

        this.lastTime = null;
        this.shown = performance.now();
        this.#describe();

        return true;
    }

    #dropView() {
        this.view?.destroy();
        this.view = null;
    }

    #tryLater(state, text) {
        const rounds = Math.floor(++this.#failures / this.mirrors.count);
        const delay = rounds ? Math.min(RETRY_MIN * 2 ** (rounds - 1),
                                        RETRY_MAX)
                             : 0;

        this.mirrors.next();
        this.stop();
        this.#setState(state, text);
        this.retryAt = performance.now() + delay;
        this.#retry = setTimeout(() => this.start(), delay);
        this.#tick();
    }

    #tick() {
        const now = performance.now();

        if (this.view) {
            this.#follow(now);
        }

        if (this.#retry) {
            const seconds = Math.ceil((this.retryAt - now) / 1000);

            this.parts.retry.textContent = seconds > 0
                ? `Next try in ${seconds} s.` : '';
        }

        this.#measure(now);
    }

    /* is the picture moving? */

    #follow(now) {
        const { time } = this.view.stats();

        if (time && time !== this.lastTime) {
            this.shown = now;
            this.#failures = 0;
            this.#setState('playing');

        } else if (now - this.heard > SILENCE) {
            this.#setState('waiting');

        } else if (now - this.shown > PATIENCE && this.state !== 'blocked') {
            this.#setState('no-picture');
        }

        this.lastTime = time;
    }

    #measure(now) {
        const { parts } = this;
        const stats = this.view?.stats();
        const playing = this.state === 'playing';

        this.samples.push({ now, bytes: this.received });
        this.samples.splice(0, this.samples.length - RATE_TICKS - 1);

        const first = this.samples[0];
        const rate = (this.received - first.bytes) * 8 / (now - first.now);

        parts.delay.textContent = playing && stats.delay !== null
            ? `${Math.max(0, stats.delay).toFixed(2)} s` : '–';

        parts.rate.textContent = playing && rate > 0 ? bits(rate) : '–';

        parts.size.textContent = stats?.width
            ? `${stats.width} × ${stats.height}` : '–';

        parts.frames.textContent = stats ? String(stats.frames) : '–';

        parts.dropped.textContent = stats?.dropped
            ? `${stats.dropped} dropped` : 'shown';
    }

    #setState(state, text) {
        if (this.state === state) {
            return;
        }

        const [title, usual] = STATES[state];

        this.state = state;
        this.element.dataset.state = state;
        this.parts.state.textContent = title;
        this.parts.title.textContent = title;
        this.parts.text.textContent = text || usual;
        this.parts.retry.textContent = '';
    }

    /* everything that follows from the address and the codecs */

    #describe() {
        const { parts, view } = this;

        parts.name.textContent = nameOf(this.address) || 'no stream';
        parts.address.value = this.address;
        parts.form.elements.transport.value = this.transport;

        parts.player.textContent = view
            ? `${this.#flv ? 'FLV' : this.#inspector.codecs}, by ${view.name}`
            : '';

        parts.meaning.textContent = view?.delayMeans ?? 'in the player';
        parts.meaning.title = view?.delayDetail ?? '';

        this.#showCommands(view?.name === 'JSMpeg');
    }

    #showCommands(old) {
        let commands = [];

        try {
            commands = commandsFor(this.address, old, this.mirrors.origin);
        } catch {
            /* the state says it */
        }

        this.parts.commands.replaceChildren(...commands.map(([label, line]) => {
            const item = document.getElementById('command').content
                                 .cloneNode(true).firstElementChild;

            item.querySelector('h3').textContent = label;
            item.querySelector('code').textContent = line;

            const button = item.querySelector('button');

            button.setAttribute('aria-label', `Copy: ${label}`);
            button.addEventListener('click', async () => {
                await copy(item.querySelector('code'));
                button.textContent = 'Copied';
                setTimeout(() => { button.textContent = 'Copy'; }, 1500);
            });

            return item;
        }));
    }

    #bind() {
        this.parts = {};

        for (const part of this.element.querySelectorAll('[data-part]')) {
            this.parts[part.dataset.part] = part;
        }

        const { form, mute, full, notice, stage } = this.parts;

        form.addEventListener('submit', (event) => {
            event.preventDefault();
            this.#take();
        });

        form.addEventListener('change', () => this.#take());

        mute.addEventListener('click', () => {
            this.muted = !this.muted;
            this.view?.setMuted(this.muted);
            mute.setAttribute('aria-pressed', String(!this.muted));
            mute.querySelector('span').textContent = this.muted ? 'Unmute'
                                                                : 'Mute';
        });

        notice.addEventListener('click', () => {
            if (this.state === 'blocked') {
                this.view.resume();
            }
        });

        full.hidden = !document.fullscreenEnabled;
        full.addEventListener('click', () => {
            if (document.fullscreenElement) {
                document.exitFullscreen();
            } else {
                stage.requestFullscreen();
            }
        });
    }

    #take() {
        const { address, transport } = this.parts.form.elements;
        const typed = address.value.trim();
        const isNew = typed !== this.address;
        const wanted = isNew && transportOf(typed) || transport.value;

        if (isNew || wanted !== this.transport) {
            this.address = typed;
            this.transport = wanted;
            this.#failures = 0;
            this.start();
            this.onChange();
        }
    }
}


function bits(kilobits) {
    return kilobits < 1000 ? `${Math.round(kilobits)} kbit/s`
                           : `${(kilobits / 1000).toFixed(2)} Mbit/s`;
}


async function copy(element) {
    if (navigator.clipboard) {
        await navigator.clipboard.writeText(element.textContent);
        return;
    }

    /* a page that did not come by https */

    getSelection().selectAllChildren(element);
    document.execCommand('copy');
    getSelection().removeAllRanges();
}
