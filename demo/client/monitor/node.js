/*
 * Copyright (C) the tscast authors
 */

/*
 * A node, as its status tells once a second. One that does not answer is
 * `silent` before five seconds are over, and is asked on.
 */

const PATIENCE = 2000;          /* ms for an answer */
const SILENT = 3500;            /* ms without one */


export class Node {
    status = null;
    problem = '';

    #asking = false;

    constructor(url, now) {
        this.url = url;
        this.answered = null;
        this.first = now;
    }

    get known() {
        return this.answered !== null;
    }

    isSilent(now) {
        return now - (this.answered ?? this.first) > SILENT;
    }

    /* resolves to true when there is something new */

    async ask() {
        if (this.#asking) {
            return false;
        }

        this.#asking = true;

        try {
            this.status = await load(this.url);
            this.answered = performance.now();
            this.problem = '';

            return true;

        } catch (error) {
            this.problem = error.message;

            return false;

        } finally {
            this.#asking = false;
        }
    }
}


async function load(url) {
    const address = new URL(url);

    address.searchParams.set('format', 'json');

    const response = await fetch(address, {
        cache: 'no-store',
        signal: AbortSignal.timeout(PATIENCE),
    });

    if (!response.ok) {
        throw new Error(`answers ${response.status}`);
    }

    const status = await response.json();

    if (!Array.isArray(status?.streams)) {
        throw new Error('answers what is not a status');
    }

    return status;
}


/* where the node at the other end of a link would tell its status, or null */

export function statusBehind(link, from) {
    try {
        const peer = new URL(link.url);

        if (!/^https?:$/.test(peer.protocol)) {
            return null;
        }

        return new URL(new URL(from).pathname, peer.origin).href;

    } catch {
        return null;
    }
}


/* the other end as text, without the secrets that its path may hold */

export function peerOf(link) {
    const [, scheme, host] = /^(\w+):\/\/(?:[^/@]*@)?([^/?#]*)/.exec(link.url)
                             ?? [];

    return host ? `${scheme}://${host}` : String(link.url);
}
