/*
 * Copyright (C) the tscast authors
 */

/*
 * The page: a card for each ?stream= of its address, or for the two streams
 * of the demo; each &mirror= is a server that has them.
 */

import { Card } from './card.js';
import { transportOf } from './address.js';
import { Mirrors } from './mirrors.js';

const DEMO = ['live/test', 'live/mpeg1'];

const query = new URLSearchParams(location.search);
const wanted = query.getAll('stream');
const servers = query.getAll('mirror');
const transport = query.get('transport') === 'http' ? 'http' : 'ws';


/* the address of the page says what is watched, so that it can be shared */

function remember() {
    const page = new URL(location);

    page.search = '';
    cards.forEach((card) => page.searchParams.append('stream', card.address));
    servers.forEach((server) => page.searchParams.append('mirror', server));

    if (cards.every((card) => card.transport === 'http')) {
        page.searchParams.set('transport', 'http');
    }

    history.replaceState(null, '', page);
}


const cards = (wanted.length ? wanted : DEMO).map((address) => new Card(
    address, transportOf(address) ?? transport, new Mirrors(servers),
    remember));

document.getElementById('cards').append(...cards.map((card) => card.element));
document.getElementById('missing').hidden = 'mpegts' in window
                                            && 'JSMpeg' in window;


/* a player that draws by itself has piled up a backlog in a hidden page */

document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') {
        cards.filter((card) => card.view?.sleepsWhenHidden)
             .forEach((card) => card.start());
    }
});
