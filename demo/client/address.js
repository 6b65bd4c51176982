/*
 * Copyright (C) the tscast authors
 */

/*
 * What a user types as a stream: "live/test" is a stream of the server that
 * the page came from; a whole ws, wss, http or https URL may be any other.
 */

export function streamUrl(address, transport, origin = location.origin) {
    const url = hasScheme(address)
                ? new URL(address)
                : new URL(pathOf(address), origin);

    if (!/^(ws|http)s?:$/.test(url.protocol)) {
        throw new Error(`${url.protocol}// is not for browsers`);
    }

    url.protocol = /^(ws|http)s:$/.test(url.protocol) ? `${transport}s:`
                                                      : `${transport}:`;

    return url;
}


/* the transport that the address asks for, if it is a whole URL */

export function transportOf(address) {
    return /^(ws|http)s?:\/\//.exec(address)?.[1];
}


export function nameOf(address) {
    return address.replace(/^\w+:\/\/[^/]*/, '')
                  .replace(/^\/+/, '')
                  .replace(/[?#].*$/, '')
                  .replace(/\.(ts|flv)$/, '');
}


/* FLV, or else packets of a transport stream */

export function isFlv(url) {
    return url.pathname.endsWith('.flv');
}


/* commands to paste into a shell; old: MPEG-1 video and MP2 audio */

export function commandsFor(address, old, origin) {
    const play = streamUrl(address, 'http', origin);
    const name = nameOf(address).split('/').pop();
    const from = quote(play);
    const push = quote(new URL(`/push/${name}`, play));

    const codecs = old
        ? '-c:v mpeg1video -b:v 1500k -bf 0 -g 25 -c:a mp2 -b:a 128k'
        : '-c:v libx264 -preset veryfast -tune zerolatency'
          + ' -pix_fmt yuv420p -g 25 -c:a aac -b:a 128k';

    const picture = '-re -f lavfi -i testsrc2=size=1280x720:rate=25'
                    + ' -f lavfi -i sine=frequency=440';

    return [
        ['Watch with ffplay',
         `ffplay -fflags nobuffer -flags low_delay ${from}`],
        ['Watch with VLC',
         `vlc --network-caching=300 ${from}`],
        ['Record as it is',
         `ffmpeg -i ${from} -c copy recording.${isFlv(play) ? 'flv' : 'ts'}`],
        ['Publish a test picture',
         `ffmpeg ${picture} ${codecs} -pes_payload_size 0 -f mpegts ${push}`],
        ['Publish a file, for ever',
         `ffmpeg -re -stream_loop -1 -i film.mp4 ${old ? codecs : '-c copy'}`
         + ` -f mpegts ${push}`],
    ];
}


/* for a shell: an address may come from a link that somebody else wrote */

function quote(url) {
    const text = url.href.replaceAll("'", '%27');

    return /^[\w:/.~%-]+$/.test(text) ? text : `'${text}'`;
}


function hasScheme(address) {
    return /^[a-z][a-z0-9+.-]*:\/\//i.test(address);
}


function pathOf(address) {
    const path = `/${address.replace(/^\/+/, '')}`;

    return /\.(ts|flv)$/.test(path) ? path : `${path}.ts`;
}
