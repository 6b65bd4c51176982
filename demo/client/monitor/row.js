/*
 * Copyright (C) the tscast authors
 */

/* A stream of a node: its figures, charts, lamps, and its picture on click. */

import { Chart } from './chart.js';
import { Health, LAMPS, trouble } from './health.js';
import { bits, make, say, span } from './text.js';
import { Thumbnail } from './thumbnail.js';


export class Row {
    tone = 'idle';

    #health = new Health();
    #lamps = {};
    #figures = {};
    #player = null;

    constructor(name, origin, now) {
        Object.assign(this, make('stream'));

        this.name = name;
        this.origin = origin;
        this.seen = now;
        this.element.dataset.stream = name;

        this.charts = {};

        for (const figure of ['in', 'out', 'viewers']) {
            this.charts[figure] = new Chart(this.parts[`chart-${figure}`]);
        }

        for (const lamp of Object.keys(LAMPS)) {
            this.#lamps[lamp] = document.createElement('span');
            this.#lamps[lamp].className = 'lamp';
            this.#lamps[lamp].setAttribute('role', 'img');
        }

        this.parts.lamps.append(...Object.values(this.#lamps));
        this.parts.figures.append(...Object.keys(LAMPS).flatMap((lamp) => {
            const term = document.createElement('dt');

            term.textContent = lamp;
            this.#figures[lamp] = document.createElement('dd');

            return [term, this.#figures[lamp]];
        }));

        say(this.parts.name, name);
        this.parts.name.addEventListener('click', () => this.#toggle());
    }

    update(stream, now) {
        const lamps = this.#health.look(stream, now);
        const wrong = trouble(stream, lamps);

        this.seen = now;

        this.#show('in', bits(stream.live ? stream.bitrate?.in : NaN),
                   stream.live ? stream.bitrate?.in : 0, now);
        this.#show('out', bits(stream.viewers?.bitrate),
                   stream.viewers?.bitrate, now);
        this.#show('viewers', String(stream.viewers?.now ?? '–'),
                   stream.viewers?.now, now);

        for (const [lamp, { tone, figures }] of Object.entries(lamps)) {
            const said = figures
                         || (tone === 'idle' ? 'not known' : 'no errors');
            const text = `${lamp}: ${said}`;

            this.#lamps[lamp].dataset.tone = tone;
            this.#figures[lamp].dataset.tone = tone;
            say(this.#figures[lamp], said);
            this.#lamps[lamp].title = text;
            this.#lamps[lamp].setAttribute('aria-label', text);
        }

        this.#mark(wrong ? 'bad' : 'good', wrong);
        say(this.parts.about, describe(stream));
    }

    /* the node tells of it no more */

    missing(now) {
        this.#show('in', '–', 0, now);
        this.#show('out', '–', 0, now);
        this.#show('viewers', '–', 0, now);

        for (const lamp of Object.values(this.#lamps)) {
            lamp.dataset.tone = 'idle';
        }

        this.#mark('bad', 'gone');
    }

    remove() {
        this.#player?.close();
        Object.values(this.charts).forEach((chart) => chart.destroy());
        this.element.remove();
    }

    #mark(tone, wrong) {
        this.tone = tone;
        this.element.dataset.tone = tone;
        say(this.parts.trouble, wrong);
    }

    #show(figure, text, value, now) {
        say(this.parts[figure], text);
        this.charts[figure].push(now, value);
    }

    #toggle() {
        const open = !this.#player;

        this.parts.name.setAttribute('aria-expanded', String(open));
        this.parts.opened.hidden = !open;
        this.#player?.close();

        this.#player = open
            ? new Thumbnail(this.parts.stage, this.name, this.origin,
                            (text) => say(this.parts.player, text))
            : null;
    }
}


/* what it carries and who brings it */

function describe({ programs, publisher }) {
    const pids = (programs ?? []).flatMap((program) => program.pids ?? []);
    const video = pids.find((pid) => pid.kind === 'video');
    const audio = pids.find((pid) => pid.kind === 'audio');
    const said = [];

    if (video) {
        said.push(video.width ? `${video.codec} ${video.width}×${video.height}`
                              : video.codec);
    }

    said.push(audio?.codec);

    if (publisher) {
        const seconds = Date.now() / 1000 - publisher.since;

        said.push(`by ${publisher.protocol}, ${span(Math.max(0, seconds))}`);
    }

    return said.filter(Boolean).join(' · ');
}
