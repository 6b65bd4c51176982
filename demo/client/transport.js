/*
 * Copyright (C) the tscast authors
 */

/*
 * One live connection, by WebSocket or HTTP as the scheme of its URL says.
 *
 * on.open()       the server has accepted
 * on.data(bytes)  whole transport stream packets, or FLV cut anywhere
 * on.end(reason)  once: 'ended', 'lost', 'not-found', 'not-flv', 'refused',
 *                 'unreachable'
 *
 * Returns a function that closes the connection; nothing is called after it.
 */

import { isFlv } from './address.js';
import { Aligner } from './ts.js';

export function connect(url, on) {
    const aligner = new Aligner();
    const abort = new AbortController();
    const receive = isFlv(url) ? on.data
                               : (bytes) => on.data(aligner.align(bytes));

    const run = url.protocol.startsWith('ws') ? overWebSocket : overHttp;

    run(url, on.open, receive, abort.signal).then((reason) => {
        if (!abort.signal.aborted) {
            on.end(reason);
        }
    });

    return () => abort.abort();
}


function overWebSocket(url, open, receive, signal) {
    return new Promise((resolve) => {
        const socket = new WebSocket(url);
        let opened = false;

        socket.binaryType = 'arraybuffer';

        socket.onopen = () => {
            opened = true;
            open();
        };

        socket.onmessage = (event) => receive(new Uint8Array(event.data));

        socket.onclose = (event) => {
            if (!opened) {
                resolve(whyRefused(url, signal));
                return;
            }

            resolve(event.code === 1000 ? 'ended' : 'lost');
        };

        signal.addEventListener('abort', () => {
            socket.onopen = socket.onmessage = socket.onclose = null;
            socket.close();
        });
    });
}


/* a page is not told why a WebSocket was refused, so ask again over HTTP */

async function whyRefused(url, signal) {
    const address = new URL(url);

    address.protocol = url.protocol.replace('ws', 'http');

    try {
        const response = await fetch(address, { method: 'HEAD', signal });

        return response.ok ? 'lost' : reasonOf(response.status);

    } catch {
        return 'unreachable';
    }
}


async function overHttp(url, open, receive, signal) {
    let opened = false;

    try {
        const response = await fetch(url, { cache: 'no-store', signal });

        if (!response.ok) {
            return reasonOf(response.status);
        }

        opened = true;
        open();

        const reader = response.body.getReader();

        for ( ;; ) {
            const { done, value } = await reader.read();

            if (done) {
                return 'ended';
            }

            if (!signal.aborted) {
                receive(value);
            }
        }

    } catch (error) {
        if (!signal.aborted) {
            console.warn(`${url}: ${error.message}`);
        }

        return opened ? 'lost' : 'unreachable';
    }
}


function reasonOf(status) {
    switch (status) {
    case 401:
    case 403:
        return 'refused';
    case 404:
        return 'not-found';
    case 406:
        return 'not-flv';
    default:
        return 'lost';
    }
}
