/*
 * Copyright (C) the tscast authors
 */

/*
 * One card of the page: a stream's address, its connection, its player and
 * what is measured. A connection that ends is made again.
 */

import { commandsFor, isFlv, nameOf, streamUrl, transportOf }
    from './address.js';
import { Player } from './player.js';
import { connect } from './transport.js';

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

    #player = null;
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

    get view() {
        return this.#player?.view ?? null;
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

        this.#player = new Player(isFlv(url), {
            options: () => ({
                muted: this.muted,
                onBlocked: () => this.#setState('blocked'),
            }),
            shown: (view) => this.#showView(view),
            failed: (text) => this.#tryLater('failed', text),
        });

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
        this.#player?.close();
        this.#player = null;

        this.received = 0;
        this.samples = [];
    }

    #receive(bytes) {
        this.received += bytes.length;
        this.heard = performance.now();

        this.#player.receive(bytes);
    }

    #showView(view) {
        view.element.setAttribute('aria-label',
                                  `${nameOf(this.address)}, live`);
        this.parts.stage.prepend(view.element);

        this.lastTime = null;
        this.shown = performance.now();
        this.#describe();
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

        } else if (this.state === 'playing') {
            /* its time line has broken, the next one has not begun */
            this.#setState('waiting');
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
            ? `${this.#player.codecs}, by ${view.name}` : '';

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
                this.view?.resume();
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
