/*
 * Copyright (C) the tscast authors
 */

/*
 * node players.js URL FOLDER URL=PID URL=PID
 *
 * Plays what the nginx at URL serves, by the pages of demo/client, in
 * Chromium. Says "ok - WHAT" or "not ok - WHAT" a line for each test, and
 * keeps screenshots in FOLDER. The others are its mirrors, of which one is
 * killed.
 */

import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { chromium } from 'playwright-core';

const [base, folder, ...mirrors] = process.argv.slice(2);

const DEADLINE = 45000;         /* for anything that is waited for */
const LIMIT = 240000;           /* for all of it */
const MOVE = 10000;             /* from a mirror to the other */

const STREAMS = {
    test: { width: 640, height: 360, codecs: [
        '-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency',
        '-pix_fmt', 'yuv420p', '-g', '25', '-b:v', '800k', '-c:a', 'aac',
    ] },

    mpeg1: { width: 512, height: 288, codecs: [
        '-c:v', 'mpeg1video', '-bf', '0', '-g', '25', '-b:v', '1200k',
        '-c:a', 'mp2',
    ] },
};

const publishers = new Set();
const complaints = [];


/* every process is ended by its pid, whatever happens */

process.on('exit', () => publishers.forEach((child) => child.kill('SIGKILL')));
process.stdout.on('error', () => process.exit(1));

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => process.exit(1));
}

setTimeout(() => {
    console.log(`not ok - all within ${LIMIT / 1000} s`);
    process.exit(1);
}, LIMIT).unref();


/* TAP, but for the numbers */

async function test(what, run) {
    const started = Date.now();

    try {
        await run();
        console.log(`ok - ${what}`);

    } catch (error) {
        console.log(`not ok - ${what}`);
        console.log(error.stack.replace(/\x1b\[\d+m/g, '')
                               .replace(/^/gm, '# '));
        process.exitCode = 1;
    }

    console.log(`# ${Date.now() - started} ms`);
}


function same(got, expected, what) {
    if (got !== expected) {
        throw new Error(`${what}: got ${got}, expected ${expected}`);
    }
}


function publish(name, stream) {
    const { width, height, codecs } = STREAMS[stream];

    const child = spawn('ffmpeg', [
        '-nostdin', '-v', 'error',
        '-re', '-f', 'lavfi', '-i', `testsrc2=size=${width}x${height}:rate=25`,
        '-re', '-f', 'lavfi', '-i', 'sine=frequency=440',
        ...codecs, '-flush_packets', '1', '-pes_payload_size', '0',
        '-f', 'mpegts',
        `${base}/push/${name}`,
    ], { stdio: 'ignore' });

    publishers.add(child);
    child.ended = new Promise((resolve) => child.on('exit', resolve));
    child.ended.then(() => publishers.delete(child));

    return child;
}


async function stop(child, signal) {
    child.kill(signal);
    await child.ended;
}


async function open(browser, path, options) {
    const page = await browser.newPage(options);

    page.setDefaultTimeout(DEADLINE);
    await page.addInitScript(countSounds);
    page.sockets = [];
    page.requests = [];

    page.on('websocket', (socket) => page.sockets.push(socket.url()));
    page.on('request', (request) => page.requests.push(request.url()));
    page.on('pageerror', (error) => complaints.push(error.stack));

    await page.goto(base + path);

    return page;
}


/* runs in the page: what JSMpeg does with its sound */

function countSounds() {
    const start = AudioBufferSourceNode.prototype.start;

    window.sounds = { contexts: [], started: 0 };

    window.AudioContext = class extends AudioContext {
        constructor(...options) {
            super(...options);
            window.sounds.contexts.push(this);
        }
    };

    AudioBufferSourceNode.prototype.start = function (...when) {
        window.sounds.started++;
        return start.apply(this, when);
    };
}


function card(page, number = 0) {
    return page.locator('.card').nth(number);
}


function reaches(card, state) {
    return card.and(card.page().locator(`[data-state="${state}"]`)).waitFor();
}


/*
 * Waits until the picture in the card has changed, and tells its size. A
 * canvas of WebGL can be read in the frame in which it was drawn only.
 */

function picture(card, tag) {
    return card.locator(tag).evaluate((element, deadline) => {
        const small = document.createElement('canvas');
        const context = small.getContext('2d', { willReadFrequently: true });

        small.width = 64;
        small.height = 36;

        const look = () => {
            context.drawImage(element, 0, 0, small.width, small.height);

            return context.getImageData(0, 0, small.width, small.height).data
                          .join();
        };

        const isPicture = (pixels) => new Set(pixels.split(',')).size > 16;

        return new Promise((resolve, reject) => {
            const giveUp = performance.now() + deadline;
            const from = element.currentTime;
            let first = null;

            const next = () => {
                const now = look();

                if (first === null) {
                    first = isPicture(now) ? now : null;

                } else if (isPicture(now) && now !== first
                           && !(element.currentTime <= from))
                {
                    resolve({
                        width: element.videoWidth ?? element.width,
                        height: element.videoHeight ?? element.height,
                    });
                    return;
                }

                if (performance.now() > giveUp) {
                    reject(new Error(first ? 'the picture does not change'
                                           : 'there is no picture'));
                    return;
                }

                requestAnimationFrame(next);
            };

            next();
        });
    }, DEADLINE);
}


async function plays(card, tag, stream) {
    await reaches(card, 'playing');

    const { width, height } = await picture(card, tag);

    same(width, STREAMS[stream].width, 'width');
    same(height, STREAMS[stream].height, 'height');
    same(await card.getByRole('status').textContent(), 'Playing',
         'what the page says');

    await card.getByText(`${width} × ${height}`).waitFor();
}


async function measures(card) {
    const delay = card.locator('[data-part="delay"]');
    const rate = card.locator('[data-part="rate"]');

    await delay.and(card.page().getByText(/^\d+\.\d\d s$/)).waitFor();
    await rate.and(card.page().getByText(/^\d+(\.\d+)? [kM]bit\/s$/)).waitFor();

    const seconds = parseFloat(await delay.textContent());

    if (seconds > 3) {
        throw new Error(`${seconds} s in the player`);
    }
}


async function moves(browser) {
    const pids = new Map(mirrors.map((mirror) => mirror.split('=')));
    const path = `/?stream=live/test&mirror=${[...pids.keys()]
                                              .join('&mirror=')}`;

    const page = await open(browser, path);
    const server = (socket) => socket.replace(/^ws(:\/\/[^/]+).*/, 'http$1');

    await plays(card(page), 'video', 'test');

    const first = server(page.sockets[0]);
    const next = page.waitForEvent('websocket', { timeout: MOVE });
    const killed = Date.now();

    same(pids.has(first), true, 'it plays at a mirror');
    process.kill(pids.get(first));
    pids.delete(first);

    same(pids.has(server((await next).url())), true, 'it goes to the other');
    await plays(card(page), 'video', 'test');
    same(Date.now() - killed < MOVE, true, 'soon');

    await page.close();
}


async function main() {
    mkdirSync(folder, { recursive: true });

    let test1 = publish('test', 'test');
    const mpeg1 = publish('mpeg1', 'mpeg1');
    let asFlv = publish('flv', 'test');

    /* the browser's own rules for autoplay hold */

    const browser = await chromium.launch({
        executablePath: '/usr/bin/chromium',
        args: [
            '--no-sandbox', '--disable-gpu', '--disable-quic',
            '--no-first-run', '--disable-background-networking',
            '--disable-component-update', '--disable-sync',
        ],
    });

    const page = await open(browser, '/', {
        viewport: { width: 1360, height: 820 },
        colorScheme: 'light',
    });

    const [left, right] = [card(page, 0), card(page, 1)];
    const ws = base.replace('http', 'ws');

    await test('mpegts.js plays live/test by WebSocket', async () => {
        await plays(left, 'video', 'test');
        same(page.sockets.includes(`${ws}/live/test.ts`), true, 'a WebSocket');
        await measures(left);
    });

    await test('JSMpeg plays live/mpeg1 by WebSocket', async () => {
        await plays(right, 'canvas', 'mpeg1');
        same(page.sockets.includes(`${ws}/live/mpeg1.ts`), true, 'a WebSocket');
        await measures(right);
    });

    await page.screenshot({ path: `${folder}/light.png` });

    await test('both play muted, and a click unmutes', async () => {
        same(await left.locator('video').evaluate((video) => video.muted),
             true, 'muted');
        same(await page.evaluate(() => window.sounds.contexts.length), 0,
             'audio contexts before a click');

        await left.getByRole('button', { name: 'Unmute' }).click();
        await right.getByRole('button', { name: 'Unmute' }).click();

        same(await left.locator('video').evaluate((video) => video.muted),
             false, 'muted after the click');

        await page.waitForFunction(() => window.sounds.started > 20
            && window.sounds.contexts[0].state === 'running'
            && window.sounds.contexts[0].currentTime > 0);

        await plays(left, 'video', 'test');
        await plays(right, 'canvas', 'mpeg1');
    });

    await test('mpegts.js plays live/test by HTTP', async () => {
        await left.getByRole('radio', { name: 'HTTP' }).check();
        await plays(left, 'video', 'test');
        same(page.requests.includes(`${base}/live/test.ts`), true,
             'a request');
        await measures(left);
    });

    await test('JSMpeg plays live/mpeg1 by HTTP', async () => {
        await right.getByRole('radio', { name: 'HTTP' }).check();
        await plays(right, 'canvas', 'mpeg1');
        same(page.requests.includes(`${base}/live/mpeg1.ts`), true,
             'a request');
    });

    await test('the page remembers what it shows, and says how', async () => {
        const address = new URL(page.url());

        same(address.searchParams.getAll('stream').join(),
             'live/test,live/mpeg1', 'streams in the address');
        same(address.searchParams.get('transport'), 'http',
             'transport in the address');

        await left.getByText('Commands for this stream').click();
        await left.getByText(`vlc --network-caching=300 ${base}/live/test.ts`)
                  .waitFor();
        await page.screenshot({ path: `${folder}/commands.png`,
                                fullPage: true });
    });

    await test('a mirror that is killed: the other one plays',
               () => moves(browser));

    await test('a publisher that comes again is seen at once', async () => {
        await stop(test1, 'SIGTERM');
        await reaches(left, 'waiting');

        test1 = publish('test', 'test');
        await plays(left, 'video', 'test');
    });

    await test('other codecs on the same connection', async () => {
        await stop(test1, 'SIGKILL');

        test1 = publish('test', 'mpeg1');
        await plays(left, 'canvas', 'mpeg1');
    });

    const flv = await open(browser, '/?stream=live/flv.flv');

    await test('mpegts.js plays live/flv.flv by WebSocket', async () => {
        await plays(card(flv), 'video', 'test');
        same(flv.sockets.includes(`${ws}/live/flv.flv`), true, 'a WebSocket');
        await card(flv).getByText('FLV, by mpegts.js').waitFor();
        await measures(card(flv));
    });

    await test('mpegts.js plays live/flv.flv by HTTP', async () => {
        await card(flv).getByRole('radio', { name: 'HTTP' }).check();
        await plays(card(flv), 'video', 'test');
        same(flv.requests.includes(`${base}/live/flv.flv`), true, 'a request');
    });

    await test('FLV goes on when its publisher comes again', async () => {
        await stop(asFlv, 'SIGTERM');
        await reaches(card(flv), 'waiting');

        asFlv = publish('flv', 'test');
        await plays(card(flv), 'video', 'test');
    });

    await test('a stream that FLV does not have', async () => {
        await card(flv).getByLabel('Stream').fill('live/mpeg1.flv');
        await card(flv).getByLabel('Stream').press('Enter');
        await reaches(card(flv), 'not-flv');
    });

    await flv.close();
    await page.close();

    const phone = await open(browser, '/?stream=live/nobody', {
        viewport: { width: 390, height: 844 },
        colorScheme: 'dark',
    });

    const only = card(phone);

    await test('a stream that is not there', async () => {
        await reaches(only, 'not-found');
        await only.getByText('Nobody publishes it now.').waitFor();
        same(await phone.locator('.card').count(), 1, 'cards');
        await phone.screenshot({ path: `${folder}/not-found.png` });
    });

    await test('a whole URL as the address, not there, then there',
               async () => {
        await only.getByRole('radio', { name: 'HTTP' }).check();
        await only.getByLabel('Stream').fill(`${ws}/short/late.ts`);
        await only.getByLabel('Stream').press('Enter');
        await only.getByRole('heading', { name: 'short/late' }).waitFor();
        await reaches(only, 'not-found');

        const late = publish('late', 'test');

        await plays(only, 'video', 'test');
        same(phone.sockets.includes(`${ws}/short/late.ts`), true,
             'a WebSocket');
        await phone.screenshot({ path: `${folder}/dark.png` });
        await stop(late, 'SIGTERM');
    });

    await test('a stream that ends, and is gone', async () => {
        await reaches(only, 'ended');
        await reaches(only, 'not-found');
    });

    await test('no error in any page', async () => {
        same(complaints.join('\n'), '', 'errors');
    });

    await browser.close();
    await stop(test1, 'SIGTERM');
    await stop(mpeg1, 'SIGTERM');
    await stop(asFlv, 'SIGTERM');
}


await main();
process.exit();
