// The console against a real server: live plays, and going into the past plays the past.
//
//   node live_console_test.mjs BASE_URL STREAM [SCREENSHOT.png] [SECONDS_BACK]
// or by environment: MILLRACE_URL, MILLRACE_STREAM, MILLRACE_SCREENSHOT, MILLRACE_SECONDS_BACK (default 20).
// The stream must be live and have footage from SECONDS_BACK ago on (it waits for that, up to a minute beyond it).
// Also read: MILLRACE_TEST_MODULES (directory with node_modules/playwright-core), CHROMIUM. Exit code 0: all is well.
import assert from 'node:assert/strict';
import { Browser, screenshot, state, until, untilMoving } from './harness.mjs';

const [baseUrl = process.env.MILLRACE_URL, stream = process.env.MILLRACE_STREAM, picture = process.env.MILLRACE_SCREENSHOT,
  secondsBack = process.env.MILLRACE_SECONDS_BACK ?? '20'] = process.argv.slice(2);
if (!baseUrl || !stream) {
  console.error('usage: node live_console_test.mjs BASE_URL STREAM [SCREENSHOT.png] [SECONDS_BACK]');
  process.exit(2);
}
const base = baseUrl.replace(/\/$/, '');
const name = encodeURIComponent(stream);
const backMs = Number(secondsBack) * 1000;

async function json(path) {
  const response = await fetch(base + path);
  assert.ok(response.ok, `GET ${path}: ${response.status} ${await response.clone().text()}`);
  return response.json();
}

const say = (words) => console.log(`ok: ${words}`);
const browser = await Browser.launch();
let page = null;
try {
  await until(`'${stream}' to be live, with ${secondsBack} s of footage`, async () => {
    const s = await json(`/v1/streams/${name}`).catch(() => null);
    return s?.live && s.first && Date.now() - Date.parse(s.first) > backMs + 2000;
  }, backMs + 60_000);

  const answer = await fetch(`${base}/`, { headers: { accept: 'text/html' } });
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-type') ?? '', /^text\/html/);
  assert.match(answer.headers.get('content-security-policy') ?? '', /default-src 'self'/);
  say('the server hands out the console, with its content security policy');

  page = await browser.open();
  await page.goto(`${base}/#/stream/${name}`);
  const live = await untilMoving(page, 'LIVE');
  assert.equal(live.hash, `#/stream/${name}`);
  assert.ok(Math.abs(Date.now() - live.wall) < 60_000, `live shows ${new Date(live.wall).toISOString()}`);
  say(`live plays: ${live.facts}; ${live.behind}`);

  // Coverage answers for where we are about to go; so this fails in words rather than by waiting.
  const wanted = Date.now() - backMs;
  const { intervals } = await json(`/v1/streams/${name}/coverage?start=${new Date(wanted - 1000).toISOString()}`);
  assert.ok(intervals.some((i) => i.state === 'recorded' && Date.parse(i.start) <= wanted && wanted < Date.parse(i.end)),
    `footage at ${new Date(wanted).toISOString()}; coverage: ${JSON.stringify(intervals)}`);
  const asked = Date.now();
  await page.evaluate((hash) => { location.hash = hash; }, `#/stream/${name}?t=${new Date(wanted).toISOString()}`);
  const past = await untilMoving(page, 'RECORDED');
  // Shown are whole seconds, and some have passed since the picture began to move.
  assert.ok(past.wall >= wanted - 1500 && past.wall <= wanted + 3000 + Math.max(9000, Date.now() - asked),
    `shows ${new Date(past.wall).toISOString()}, wanted ${new Date(wanted).toISOString()}`);
  say(`going to ${new Date(wanted).toISOString()} plays ${new Date(past.wall).toISOString()}`);

  const from = await state(page);
  await page.keyboard.press('ArrowLeft');
  await until('ten seconds back', async () => {
    const s = await state(page);
    return s.wall !== null && s.wall < from.wall - 5000 && s.badge === 'RECORDED';
  });
  await untilMoving(page, 'RECORDED');
  say('stepping back plays');
  if (picture) await screenshot(page, 'console', picture);

  await page.keyboard.press('l');
  const again = await untilMoving(page, 'LIVE');
  assert.ok(Math.abs(Date.now() - again.wall) < 60_000);
  say('live again');
  browser.assertClean();
  say('no errors in the page');
} catch (error) {
  console.error(error);
  if (page) {
    console.error('the page says:', await state(page).catch(() => null), browser.problems);
    if (picture) await screenshot(page, 'console', picture).catch(() => {});
  }
  process.exitCode = 1;
} finally {
  await browser.close();
}
