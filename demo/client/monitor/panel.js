/*
 * Copyright (C) the tscast authors
 */

/* A node on the page: its state, a row for each stream, its links. */

import { peerOf } from './node.js';
import { Row } from './row.js';
import { bits, make, say, span } from './text.js';

const GONE = 30000;             /* ms that a stream is shown when it is gone */

export const LINK_TONES = {
    idle: 'idle',
    connecting: 'busy',
    running: 'good',
    waiting: 'bad',
    yielding: 'idle',
};


export class Panel {
    #rows = new Map();

    constructor(node) {
        Object.assign(this, make('node'));

        this.node = node;
        this.element.dataset.url = node.url;
    }

    /* how many things are wrong */

    get troubles() {
        const rows = [...this.#rows.values()];
        const links = this.node.status.links ?? [];

        return this.element.dataset.tone === 'bad' ? 1
            : rows.filter((row) => row.tone === 'bad').length
              + links.filter((link) => LINK_TONES[link.state] === 'bad').length;
    }

    /* the node has answered */

    update(now) {
        const { status, url } = this.node;
        const there = new Set();

        for (const stream of status.streams) {
            there.add(stream.name);

            if (!this.#rows.has(stream.name)) {
                this.#add(new Row(stream.name, new URL(url).origin, now));
            }

            this.#rows.get(stream.name).update(stream, now);
        }

        for (const [name, row] of this.#rows) {
            if (now - row.seen > GONE) {
                row.remove();
                this.#rows.delete(name);

            } else if (!there.has(name)) {
                row.missing(now);
            }
        }

        this.parts.table.hidden = !this.#rows.size;
        this.parts.empty.hidden = this.#rows.size > 0;
        this.#showLinks(status.links ?? []);

        say(this.parts.name, `${status.node} · ${new URL(url).host}`);
        say(this.parts.about, [
            `${status.viewers?.now ?? 0} viewers`,
            `${bits(status.viewers?.bitrate)} out`,
            ...(status.zones ?? []).map((zone) => `zone ${zone.name} `
                + `${Math.round(100 * zone.used / zone.media)} %`),
            `up ${span(status.uptime)}`,
        ].join(' · '));
    }

    /* time passes, whether it answers or not */

    tick(now) {
        const silent = this.node.isSilent(now);
        const seconds = Math.round((now - this.node.answered) / 1000);

        this.element.dataset.tone = silent ? 'bad' : 'good';
        this.parts.state.dataset.tone = this.element.dataset.tone;
        say(this.parts.state, silent ? `No answer for ${seconds} s`
                                     : 'Answers');
    }

    remove() {
        this.#rows.forEach((row) => row.remove());
        this.element.remove();
    }

    /* by name */

    #add(row) {
        const after = [...this.#rows.values()]
            .filter(({ name }) => name > row.name)
            .sort((a, b) => a.name < b.name ? -1 : 1)[0];

        this.#rows.set(row.name, row);
        this.parts.table.insertBefore(row.element, after?.element ?? null);
    }

    #showLinks(links) {
        this.parts.links.hidden = !links.length;

        this.parts.links.replaceChildren(...links.map((link) => {
            const { element, parts } = make('link');
            const tone = LINK_TONES[link.state] ?? 'idle';
            const arrow = link.kind === 'pull' ? 'from' : 'to';

            element.dataset.tone = tone;
            say(parts.state, String(link.state));
            say(parts.what, `${link.kind} ${link.stream} ${arrow} `
                            + peerOf(link));
            say(parts.trouble, tone === 'bad' && link.error || '');

            return element;
        }));
    }
}
