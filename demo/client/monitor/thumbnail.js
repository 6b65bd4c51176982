/*
 * Copyright (C) the tscast authors
 */

/* A stream in a small picture, without sound, until it is closed. */

import { streamUrl } from '../address.js';
import { Player } from '../player.js';
import { connect } from '../transport.js';

const REASONS = {
    'ended':       'The stream has ended.',
    'lost':        'The connection is lost.',
    'not-found':   'Nobody publishes it.',
    'refused':     'The node refuses it.',
    'unreachable': 'The node is not reachable.',
};


export class Thumbnail {
    #player;
    #close;

    /* say(text) tells what there is instead of a picture */

    constructor(stage, name, origin, say) {
        this.say = say;

        say('Connecting');

        this.#player = new Player(false, {
            options: () => ({
                muted: true,
                onBlocked: () => say('The browser does not let it play.'),
            }),
            shown: ({ element }) => {
                element.setAttribute('aria-label', `${name}, live`);
                stage.prepend(element);
                say('');
            },
            failed: (text) => this.#end(text ?? 'It cannot be played here.'),
        });

        this.#close = connect(streamUrl(name, 'ws', origin), {
            open: () => {},
            data: (bytes) => this.#player.receive(bytes),
            end: (reason) => this.#end(REASONS[reason]),
        });
    }

    close() {
        this.#close();
        this.#player.close();
    }

    #end(text) {
        this.close();
        this.say(text);
    }
}
