/*
 * Copyright (C) the tscast authors
 */

/* A stream in a small picture, without sound, until it is closed. */

import { streamUrl } from '../address.js';
import { connect } from '../transport.js';
import { Inspector, PACKET } from '../ts.js';
import { viewFor } from '../views.js';

const REASONS = {
    'ended':       'The stream has ended.',
    'lost':        'The connection is lost.',
    'not-found':   'Nobody publishes it.',
    'refused':     'The node refuses it.',
    'unreachable': 'The node is not reachable.',
};


export class Thumbnail {
    #inspector = new Inspector();
    #view = null;
    #close;

    /* say(text) tells what there is instead of a picture */

    constructor(stage, name, origin, say) {
        this.stage = stage;
        this.say = say;
        this.name = name;

        say('Connecting');

        this.#close = connect(streamUrl(name, 'ws', origin), {
            open: () => {},
            data: (bytes) => this.#receive(bytes),
            end: (reason) => this.#end(REASONS[reason]),
        });
    }

    close() {
        this.#close();
        this.#dropView();
    }

    #end(text) {
        this.close();
        this.say(text);
    }

    /* a view shows one time line; where it breaks a new view begins */

    #receive(bytes) {
        let from = 0;

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
        if (!this.#view) {
            if (!this.#inspector.isComplete || !this.#makeView()) {
                return;
            }

            this.#view.push(this.#inspector.pat);
            this.#view.push(this.#inspector.pmt);
        }

        this.#view.push(bytes);
    }

    #makeView() {
        try {
            this.#view = viewFor(this.#inspector, {
                muted: true,
                onBlocked: () => this.say('The browser does not let it play.'),
                onError: () => this.#end('It cannot be played here.'),
            });

        } catch (error) {
            this.#end(error.message);
            return false;
        }

        this.#view.element.setAttribute('aria-label', `${this.name}, live`);
        this.stage.prepend(this.#view.element);
        this.say('');

        return true;
    }

    #dropView() {
        this.#view?.destroy();
        this.#view = null;
    }
}
