/*
 * Copyright (C) the tscast authors
 */

/* global cytoscape */

/*
 * The links as a picture, by cytoscape: an arrow goes from who feeds to who
 * is fed, and has the worst colour of the links that it stands for.
 */

import { colour } from './chart.js';
import { peerOf, statusBehind } from './node.js';
import { LINK_TONES } from './panel.js';

const TONES = ['idle', 'good', 'busy', 'bad'];      /* the worst last */
const WIDE = 640;               /* px: from here on it grows to the right */


export class Topology {
    #shape = '';

    constructor(element) {
        this.element = element;

        this.graph = cytoscape({
            container: element,
            userZoomingEnabled: false,
            userPanningEnabled: false,
            boxSelectionEnabled: false,
            autoungrabify: true,
            style: [],
        });

        const restyle = () => this.#style();

        matchMedia('(prefers-color-scheme: dark)')
            .addEventListener('change', restyle);
        new ResizeObserver(() => this.#arrange()).observe(element);
        restyle();
    }

    /* nodes: those that have answered */

    update(nodes, now) {
        const { boxes, arrows } = draw(nodes, now);
        const shape = [...boxes.keys(), ...arrows.keys()].join(' ');

        if (shape !== this.#shape) {
            this.#shape = shape;
            this.graph.elements().remove();
            this.graph.add([...boxes.values(), ...arrows.values()]
                               .map((data) => ({ data })));
            this.#arrange();
        }

        for (const data of [...boxes.values(), ...arrows.values()]) {
            this.graph.getElementById(data.id).data(data);
        }

        this.element.setAttribute('aria-label', [...arrows.values()].map(
            ({ source, target, tone }) => `${boxes.get(source).label} feeds `
                + `${boxes.get(target).label}: ${tone}`).join('; '));

        return arrows.size > 0;
    }

    #arrange() {
        const wide = this.element.clientWidth >= WIDE;
        const roots = this.graph.nodes().roots();

        this.graph.resize();
        this.graph.layout({
            name: 'breadthfirst',
            directed: true,
            roots: roots.length ? roots : undefined,
            spacingFactor: 1.3,
            nodeDimensionsIncludeLabels: true,
            animate: false,
            fit: false,
            transform: (node, { x, y }) => wide ? { x: y * 2.4, y: x * 0.36 }
                                                : { x, y: y * 0.8 },
        }).run();
        this.graph.fit(undefined, 18);

        if (this.graph.zoom() > 1) {
            this.graph.zoom(1);
            this.graph.center();
        }
    }

    #style() {
        const take = (name) => colour(this.element, name);
        const tones = { idle: '--faint', good: '--good', busy: '--busy',
                        bad: '--bad' };

        this.graph.style([{
            selector: 'node',
            style: {
                'shape': 'round-rectangle',
                'width': 150,
                'height': 40,
                'background-color': take('--inset'),
                'border-width': 2,
                'label': 'data(label)',
                'color': take('--text'),
                'font-size': 12,
                'text-valign': 'center',
                'text-wrap': 'ellipsis',
                'text-max-width': 138,
            },
        }, {
            selector: 'edge',
            style: {
                'width': 2,
                'curve-style': 'bezier',
                'target-arrow-shape': 'triangle',
                'label': 'data(label)',
                'color': take('--faint'),
                'font-size': 11,
                'text-background-color': take('--card'),
                'text-background-opacity': 1,
                'text-background-padding': 3,
            },
        }, {
            selector: '[tone = "idle"]',
            style: { 'line-style': 'dashed', 'border-style': 'dashed' },
        }, ...TONES.map((tone) => ({
            selector: `[tone = "${tone}"]`,
            style: {
                'border-color': take(tones[tone]),
                'line-color': take(tones[tone]),
                'target-arrow-color': take(tones[tone]),
            },
        }))]);
    }
}


/* a peer that tells no status is a box as well, by its address */

function draw(nodes, now) {
    const boxes = new Map();
    const arrows = new Map();

    for (const node of nodes) {
        boxes.set(node.url, {
            id: node.url,
            label: new URL(node.url).host,
            tone: node.isSilent(now) ? 'bad' : 'good',
        });
    }

    for (const node of nodes) {
        for (const link of node.status.links ?? []) {
            const behind = statusBehind(link, node.url);
            const peer = boxes.has(behind) ? behind : peerOf(link);

            if (!boxes.has(peer)) {
                boxes.set(peer, { id: peer, label: peer, tone: 'idle' });
            }

            const ends = link.kind === 'pull' ? [peer, node.url]
                                                   : [node.url, peer];
            const id = ends.join(' > ');
            const arrow = arrows.get(id)
                ?? { id, source: ends[0], target: ends[1], tone: 'idle',
                     count: 0 };

            arrow.count++;
            arrow.tone = worse(arrow.tone, node.isSilent(now) ? 'bad'
                                           : LINK_TONES[link.state] ?? 'idle');
            arrow.label = arrow.count > 1 ? `${arrow.count} links`
                                          : String(link.stream);
            arrows.set(id, arrow);
        }
    }

    return { boxes, arrows };
}


function worse(a, b) {
    return TONES.indexOf(a) > TONES.indexOf(b) ? a : b;
}
