/*
 * Copyright (C) the tscast authors
 */

/*
 * node monitor.js URL BRANCH EDGE SHY FOLDER
 *
 * The page of demo/client/monitor at URL, in Chromium: says "ok - WHAT" or
 * "not ok - WHAT" a line for each test, "kill the edge" when its turn has
 * come, and keeps screenshots in FOLDER. BRANCH pulls from URL, pushes to EDGE
 * and, in vain, to the port SHY, which allows no other page.
 */

import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { get } from 'node:http';
import { chromium } from 'playwright-core';

const [base, branch, edge, shy, folder] = process.argv.slice(2);

const DEADLINE = 45000;         /* for anything that is waited for */
const LIMIT = 240000;           /* for all of it */

const children = new Set();
const complaints = [];


/* every process is ended by its pid, whatever happens */

process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));
process.stdout.on('error', () => process.exit(1));

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => process.exit(1));
}

setTimeout(() => {
    console.log(`not ok - all within ${LIMIT / 1000} s`);
    process.exit(1);
}, LIMIT).unref();


async function test(what, run) {
    try {
        await run();
        console.log(`ok - ${what}`);

    } catch (error) {
        console.log(`not ok - ${what}`);
        console.log(error.stack.replace(/\x1b\[\d+m/g, '')
                               .replace(/^/gm, '# '));
        process.exitCode = 1;
    }
}


function same(got, expected, what) {
    if (got !== expected) {
        throw new Error(`${what}: got ${got}, expected ${expected}`);
    }
}


/* a constant bit rate, of null packets for the most part */

function publish(server, name, rate) {
    const child = spawn('ffmpeg', [
        '-nostdin', '-v', 'error',
        '-re', '-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25',
        '-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency',
        '-pix_fmt', 'yuv420p', '-g', '25', '-b:v', '200k',
        '-flush_packets', '1', '-muxrate', String(rate), '-f', 'mpegts',
        `${server}/push/${name}`,
    ], { stdio: 'ignore' });

    children.add(child);
    child.ended = new Promise((resolve) => child.on('exit', resolve));
    child.ended.then(() => children.delete(child));

    return child;
}


/* resolves when the first bytes are there */

function watch(name) {
    return new Promise((resolve, reject) => {
        const request = get(`${base}/live/${name}.ts`, (response) => {
            response.on('error', () => {});
            response.once('data', () => resolve(request));
            response.resume();
        });

        request.on('error', reject);
    });
}


async function open(browser, path, options) {
    const page = await browser.newPage(options);

    page.setDefaultTimeout(DEADLINE);
    page.on('pageerror', (error) => complaints.push(error.stack));
    await page.goto(base + path);

    return page;
}


function panel(page, url) {
    return page.locator(`.node[data-url="${url}"]`);
}


function row(panel, name) {
    return panel.locator(`[data-stream="${name}"]`);
}


function says(element, part, text) {
    return element.locator(`[data-part="${part}"]`)
                  .filter({ hasText: text }).waitFor();
}


/* until the page shows so many Mbit/s, within a tenth */

function rate(row, part, expected) {
    return row.locator(`[data-part="${part}"]`).evaluate(
        (element, [expected, deadline]) => new Promise((resolve, reject) => {
            const end = performance.now() + deadline;

            const look = () => {
                const [number, unit] = element.textContent.split(' ');
                const got = number * (unit === 'Mbit/s' ? 1 : 0.001);

                if (Math.abs(got - expected) < expected / 10) {
                    resolve();
                } else if (performance.now() > end) {
                    reject(new Error(`shows ${element.textContent}`));
                } else {
                    setTimeout(look, 50);
                }
            };

            look();
        }), [expected, DEADLINE]);
}


/* nothing is wider than the page */

async function fits(page) {
    same(await page.evaluate(() => Math.max(0,
        document.documentElement.scrollWidth - window.innerWidth)), 0,
        'pixels beyond the right edge');
}


async function main() {
    mkdirSync(folder, { recursive: true });

    const one = publish(base, 'one', 1000000);
    const two = publish(base, 'two', 2000000);
    const far = publish(edge, 'far', 500000);

    const browser = await chromium.launch({
        executablePath: '/usr/bin/chromium',
        args: [
            '--no-sandbox', '--disable-gpu', '--disable-quic',
            '--no-first-run', '--disable-background-networking',
            '--disable-component-update', '--disable-sync',
        ],
    });

    const page = await open(browser,
        `/monitor/?status=/status&status=${branch}/status&forget=5`, {
            viewport: { width: 1280, height: 900 }, colorScheme: 'light',
        });

    const here = panel(page, `${base}/status`);
    const middle = panel(page, `${branch}/status`);
    const viewers = [];

    await test('bit rates are those that are sent', async () => {
        await rate(row(here, 'live/one'), 'in', 1);
        await rate(row(here, 'live/two'), 'in', 2);
    });

    await test('viewers are counted, and what they get', async () => {
        viewers.push(await watch('one'), await watch('one'),
                     await watch('one'), await watch('two'));

        /* and one more, which is the pull of the branch */

        await says(row(here, 'live/one'), 'viewers', /^4$/);
        await says(row(here, 'live/two'), 'viewers', /^2$/);
        await rate(row(here, 'live/one'), 'out', 4);
        await rate(row(here, 'live/two'), 'out', 4);

        viewers.shift().destroy();
        await says(row(here, 'live/one'), 'viewers', /^3$/);
    });

    await test('what is in a stream', () =>
        says(row(here, 'live/one'), 'about', /h264 320×180 · by http/));

    await test('lamps of a good stream', async () => {
        same(await row(here, 'live/one').locator('.lamp').count(), 7, 'lamps');
        await row(here, 'live/one').getByRole('img',
            { name: 'Continuity: no errors' }).waitFor();
    });

    await test('links are followed to nodes that allow it', async () => {
        await rate(row(panel(page, `${edge}/status`), 'live/far'), 'in', 0.5);
        same(await panel(page, `http://127.0.0.1:${shy}/status`).count(), 0,
             'panels of the other one');
    });

    await test('an error turns a lamp red, and the stream', async () => {
        const far = row(panel(page, `${edge}/status`), 'live/far');

        await page.route(`${edge}/status?*`, async (route) => {
            const response = await route.fetch();
            const status = await response.json();

            status.streams.find(({ name }) => name === 'live/far')
                  .health.continuity_errors += 3;
            await route.fulfill({ response, json: status });
        });

        try {
            await far.locator('.lamp[data-tone="bad"]')
                     .and(page.getByRole('img', {
                         name: 'Continuity: continuity errors 3',
                     })).waitFor();
            await says(far, 'trouble', /^continuity errors 3$/);
            same(await far.getAttribute('data-tone'), 'bad', 'the stream');
            same(await far.locator('.lamp[data-tone="good"]').count(), 6,
                 'lamps that are green');

        } finally {
            await page.unroute(`${edge}/status?*`);
        }
    });

    await test('what was pulled and pushed arrives', async () => {
        await rate(row(middle, 'live/one'), 'in', 1);
        await rate(row(panel(page, `${edge}/status`), 'live/two'), 'in', 2);
    });

    await test('links, and those that are down', async () => {
        const links = middle.locator('.link');

        await middle.locator('.link[data-tone="good"]').nth(3).waitFor();
        await middle.locator('.link[data-tone="bad"]').nth(1).waitFor();

        same((await links.allInnerTexts())
                 .map((text) => text.replace(/\s+/g, ' ').trim())
                 .sort().join('; '), [
            `running pull live/one from ${base}`,
            `running pull live/two from ${base}`,
            `running push live/one to ${edge}`,
            `running push live/two to ${edge}`,
            'waiting pull live/news from http://127.0.0.1:1 connect() failed',
            `waiting push live/one to http://127.0.0.1:${shy}`
                + ' it has no such stream, status 404',
        ].join('; '), 'the links');
        same((await page.content()).includes('k7s3cr3t'), false,
             'a secret on the page');
    });

    await test('the picture tells who feeds whom', async () => {
        const host = (url) => new URL(url).host;
        const text = await page.locator('#topology')
                               .getAttribute('aria-label');

        same(text.split('; ').sort().join('; '), [
            `${host(base)} feeds ${host(branch)}: good`,
            `${host(branch)} feeds ${host(edge)}: good`,
            `http://127.0.0.1:1 feeds ${host(branch)}: bad`,
            `${host(branch)} feeds http://127.0.0.1:${shy}: bad`,
        ].sort().join('; '), 'what the picture tells');
    });

    await test('a click plays the stream', async () => {
        await row(here, 'live/one').getByRole('button').click();
        await page.waitForFunction(() => {
            const video = document.querySelector('.thumbnail video');

            return video?.videoWidth === 320 && video.currentTime > 0;
        });
        same(await page.locator('.thumbnail:visible').count(), 1,
             'streams that are open');
        await fits(page);
        await page.screenshot({ path: `${folder}/monitor.png`,
                                fullPage: true });
        await row(here, 'live/one').getByRole('button').click();
        same(await page.locator('.thumbnail video').count(), 0, 'players');
    });

    const phone = await open(browser,
        `/monitor/?status=/status&status=${branch}/status`, {
            viewport: { width: 390, height: 844 }, colorScheme: 'dark',
        });

    await test('it fits a phone', async () => {
        await row(panel(phone, `${edge}/status`), 'live/far').waitFor();
        await row(panel(phone, `${base}/status`), 'live/two').waitFor();
        await phone.locator('#topology canvas').first().waitFor();
        await fits(phone);
        await phone.screenshot({ path: `${folder}/monitor-phone.png`,
                                 fullPage: true });
    });

    await phone.close();

    await test('a stream that stops', async () => {
        two.kill('SIGTERM');
        await two.ended;
        await page.locator('[data-stream="live/two"][data-tone="bad"]')
                  .first().waitFor();
        await says(row(here, 'live/two'), 'trouble', /no publisher|gone/);
        await row(here, 'live/one').and(page.locator('[data-tone="good"]'))
                                   .waitFor();
    });

    await test('a node that is killed, and forgotten', async () => {
        const killed = panel(page, `${edge}/status`);

        far.kill('SIGTERM');
        await far.ended;
        console.log('kill the edge');

        await killed.and(page.locator('[data-tone="bad"]')).waitFor();
        await says(killed, 'state', /^No answer for [34] s$/);

        await middle.locator('.link[data-tone="bad"]').filter({
            hasText: `push live/one to ${edge}`,
        }).waitFor();

        await fits(page);
        await page.screenshot({ path: `${folder}/monitor-killed.png`,
                                fullPage: true });
        await killed.waitFor({ state: 'detached' });
    });

    await test('no error in any page', async () => {
        same(complaints.join('\n'), '', 'errors');
    });

    viewers.forEach((request) => request.on('error', () => {}).destroy());
    await browser.close();
    one.kill('SIGTERM');
    await one.ended;
}


await main();
process.exit();
