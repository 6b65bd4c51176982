/*
 * Copyright (C) the tscast authors
 */

/*
 * Servers that have the same streams. Each player begins at one of them by
 * chance, so that many players spread over all, and goes to the next when it
 * fails.
 */

export class Mirrors {
    #servers;
    #at = 0;

    constructor(servers) {
        this.#servers = servers.map(originOf)
                               .filter((origin) => origin !== null)
                               .map((origin) => ({ origin, by: Math.random() }))
                               .sort((a, b) => a.by - b.by)
                               .map(({ origin }) => origin);
    }

    /* where addresses without a server lead to */

    get origin() {
        return this.#servers[this.#at] ?? location.origin;
    }

    /* after so many failures in a row all have been asked */

    get count() {
        return Math.max(this.#servers.length, 1);
    }

    next() {
        this.#at = (this.#at + 1) % this.count;
    }
}


/* null for what is no server's */

function originOf(address) {
    try {
        const url = new URL(address);

        return /^(ws|http)s?:$/.test(url.protocol) ? url.origin : null;

    } catch {
        return null;
    }
}
