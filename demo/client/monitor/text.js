/*
 * Copyright (C) the tscast authors
 */

/* Figures as people read them, and elements made of templates. */

export function bits(rate) {
    if (!(rate >= 0)) {
        return '–';
    }

    if (rate >= 1e9) {
        return `${(rate / 1e9).toFixed(2)} Gbit/s`;
    }

    return rate < 1e6 ? `${Math.round(rate / 1000)} kbit/s`
                      : `${(rate / 1e6).toFixed(2)} Mbit/s`;
}


export function span(seconds) {
    for (const [unit, size] of [['d', 86400], ['h', 3600], ['min', 60]]) {
        if (seconds >= 2 * size) {
            return `${Math.floor(seconds / size)} ${unit}`;
        }
    }

    return `${Math.floor(seconds)} s`;
}


export function make(template) {
    const element = document.getElementById(template).content.cloneNode(true)
                            .firstElementChild;
    const parts = {};

    for (const part of element.querySelectorAll('[data-part]')) {
        parts[part.dataset.part] = part;
    }

    return { element, parts };
}


/* keeps what is selected or read aloud: text changes only where it differs */

export function say(element, text) {
    if (element.textContent !== text) {
        element.textContent = text;
    }
}
