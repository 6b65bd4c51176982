/*
 * Copyright (C) the tscast authors
 */

/*
 * What comes of a stream, shown by views: each shows one time line, and where
 * that breaks a new view begins.
 *
 * on.options()     those of a view, but for onError
 * on.shown(view)   there is a new view
 * on.failed(text)  what comes cannot be shown; text may be undefined
 */

import { Inspector, PACKET } from './ts.js';
import { viewFor, viewForFlv } from './views.js';


export class Player {
    view = null;

    #inspector = new Inspector();
    #closed = false;

    constructor(flv, on) {
        this.flv = flv;
        this.on = on;
    }

    get codecs() {
        return this.flv ? 'FLV' : this.#inspector.codecs;
    }

    receive(bytes) {
        if (this.flv) {
            this.#feed(bytes, []);
            return;
        }

        let from = 0;

        for (let i = 0; i < bytes.length; i += PACKET) {
            if (this.#inspector.look(bytes.subarray(i, i + PACKET))) {
                this.#feedPackets(bytes.subarray(from, i));
                this.#dropView();
                from = i;
            }
        }

        this.#feedPackets(bytes.subarray(from));
    }

    close() {
        this.#closed = true;
        this.#dropView();
    }

    #feedPackets(bytes) {
        if (this.#inspector.isComplete) {
            this.#feed(bytes, [this.#inspector.pat, this.#inspector.pmt]);
        }
    }

    /* a new view begins with what is to lead */

    #feed(bytes, lead) {
        if (!this.view) {
            if (this.#closed || !this.#makeView()) {
                return;
            }

            lead.forEach((packet) => this.view.push(packet));
        }

        this.view.push(bytes);
    }

    #makeView() {
        let view;

        const options = {
            ...this.on.options(),
            onError: () => {
                if (view === this.view) {
                    this.on.failed();
                }
            },
        };

        try {
            view = this.flv ? viewForFlv(options)
                            : viewFor(this.#inspector, options);

        } catch (error) {
            this.on.failed(error.message);
            return false;
        }

        this.view = view;
        this.on.shown(view);

        return true;
    }

    #dropView() {
        this.view?.destroy();
        this.view = null;
    }
}
