/*
 * Copyright (C) the tscast authors
 */

/* global uPlot */

/* A small line of the last two minutes, by uPlot. */

const KEPT = 120000;            /* ms */
const LEAST = 30000;            /* ms that are shown of a new stream */
const HEIGHT = 30;


export class Chart {
    #times = [];
    #values = [];
    #plot;
    #resizing;

    constructor(element) {
        this.#plot = new uPlot({
            width: 1,
            height: HEIGHT,
            padding: [2, 0, 2, 0],
            legend: { show: false },
            cursor: { show: false },
            select: { show: false },
            axes: [{ show: false }, { show: false }],
            scales: {
                x: { time: false,
                     range: (plot, min, max) => [
                         Math.min(min, max - LEAST), max] },
                y: { range: (plot, min, max) => [0, max || 1] },
            },
            series: [{}, {
                stroke: () => colour(element, '--accent'),
                fill: () => `${colour(element, '--accent')}22`,
                width: 1.5,
                points: { show: false },
            }],
        }, [[], []], element);

        this.#resizing = new ResizeObserver(() => this.#plot.setSize({
            width: Math.max(element.clientWidth, 1),
            height: HEIGHT,
        }));
        this.#resizing.observe(element);
    }

    push(now, value) {
        this.#times.push(now);
        this.#values.push(value ?? null);

        while (this.#times[0] < now - KEPT) {
            this.#times.shift();
            this.#values.shift();
        }

        this.#plot.setData([this.#times, this.#values]);
    }

    destroy() {
        this.#resizing.disconnect();
        this.#plot.destroy();
    }
}


export function colour(element, name) {
    return getComputedStyle(element).getPropertyValue(name).trim();
}
