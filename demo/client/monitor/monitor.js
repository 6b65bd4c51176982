/*
 * Copyright (C) the tscast authors
 */

/*
 * The page: asks the nodes once a second, beginning with the ?status= of its
 * address or /status of its own server, and follows their links to others.
 */

import { Node, statusBehind } from './node.js';
import { Panel } from './panel.js';
import { say } from './text.js';
import { Topology } from './topology.js';

const PERIOD = 1000;            /* ms */
const FORGET = 60;              /* seconds without an answer, unless ?forget= */
const TRY_AGAIN = 10000;        /* ms until a peer is asked that told nothing */
const NODES = 64;               /* at most */

const query = new URLSearchParams(location.search);
const forget = 1000 * (Number(query.get('forget')) || FORGET);
const wanted = query.getAll('status');

const roots = new Set((wanted.length ? wanted : ['/status'])
                          .map((url) => new URL(url, location).href));
const nodes = new Map();        /* by the address of the status */
const panels = new Map();
const asked = new Map();        /* when those that told nothing were asked */

const page = {
    missing: document.getElementById('missing'),
    nodes: document.getElementById('nodes'),
    picture: document.getElementById('picture'),
    sum: document.getElementById('sum'),
};

let topology;


function follow(url, now) {
    if (!url || nodes.has(url) || nodes.size >= NODES
        || now - asked.get(url) < TRY_AGAIN)
    {
        return;
    }

    nodes.set(url, new Node(url, now));
}


/* a peer that was never heard, and a node that was not for long, make room */

function drop(node, now) {
    const stays = node.known ? now - node.answered < forget
                             : roots.has(node.url);

    if (stays || !node.isSilent(now)) {
        return;
    }

    nodes.delete(node.url);
    asked.set(node.url, now);
    panels.get(node.url)?.remove();
    panels.delete(node.url);
}


function heard(node) {
    if (!nodes.has(node.url)) {
        return;
    }

    if (!panels.has(node.url)) {
        const panel = new Panel(node);

        panels.set(node.url, panel);
        page.nodes.append(panel.element);
    }

    const now = performance.now();

    panels.get(node.url).update(now);
    (node.status.links ?? []).forEach(
        (link) => follow(statusBehind(link, node.url), now));

    show(now);
}


function show(now) {
    const known = [...nodes.values()].filter((node) => node.known);

    panels.forEach((panel) => panel.tick(now));
    page.picture.hidden = !topology.update(known, now);

    const troubles = [...panels.values()]
        .reduce((sum, panel) => sum + panel.troubles, 0);
    const problem = [...nodes.values()].find((node) => node.problem)?.problem;

    page.sum.dataset.tone = troubles || !known.length && problem ? 'bad'
                            : known.length ? 'good' : 'idle';

    say(page.sum, known.length
        ? troubles ? `${troubles} wrong` : 'All well'
        : problem ? `No status: ${problem}` : 'Asking');
}


function tick() {
    const now = performance.now();

    nodes.forEach((node) => drop(node, now));
    roots.forEach((url) => follow(url, now));

    for (const node of nodes.values()) {
        node.ask().then((news) => news && heard(node));
    }

    show(now);
}


if ('uPlot' in window && 'cytoscape' in window) {
    topology = new Topology(document.getElementById('topology'));
    setInterval(tick, PERIOD);
    tick();

} else {
    page.missing.hidden = false;
}
