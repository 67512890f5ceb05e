// Live plays; going into the past plays the past, across gaps and back to live; speed, edges and links work.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { closeConsole, openConsole, screenshot, state, until, untilMoving } from './harness.mjs';

const kMinute = 60_000;

describe('playback', () => {
  let server;
  let base;
  let browser;
  let page;
  const minutesAgo = (n) => server.started - n * kMinute;
  const goTo = (ms) => page.evaluate((t) => { location.hash = `#/stream/front-door?t=${new Date(t).toISOString()}`; }, ms);
  const untilPast = async (ms, slackMs = 4000, asked = Date.now()) => {
    const shown = await untilMoving(page, 'RECORDED');
    // A page that is looked at late has played on.
    assert.ok(shown.wall >= ms - 1000 && shown.wall <= ms + Math.max(slackMs, Date.now() - asked) + 3000,
      `shows ${new Date(shown.wall).toISOString()}, wanted ${new Date(ms).toISOString()}`);
    return shown;
  };

  before(async () => {
    ({ server, base, browser, page } = await openConsole());
  });
  after(() => closeConsole({ server, browser }));

  it('starts live with the first camera that records', async () => {
    const shown = await untilMoving(page, 'LIVE');
    assert.equal(shown.title, 'front-door');
    assert.equal(shown.hash, '#/stream/front-door');
    assert.ok(shown.muted, 'starts without sound, as browsers demand');
    assert.match(shown.facts, /H\.264 \+ AAC · 640×360 · 25 fps · .*bit\/s/);
    const behind = Number(/^([\d.]+) s behind$/.exec(shown.behind)?.[1]);
    assert.ok(behind >= 1 && behind < 15, `${shown.behind}`);
    await screenshot(page, 'live_dark');
  });

  it('unmutes', async () => {
    await page.click('.unmute');
    await until('sound', async () => !(await state(page)).muted);
    await page.keyboard.press('m');
    await until('no sound', async () => (await state(page)).muted);
  });

  it('goes to the time that is clicked in the timeline', async () => {
    await page.click('.span:has-text("6 h")');
    await page.locator('.span[aria-pressed="true"]:has-text("6 h")').waitFor();
    const box = await page.locator('.timeline-canvas').boundingBox();
    const wanted = minutesAgo(120);
    // What the timeline says of a place is what a click there plays.
    const { min, max } = await until('the present at its place, to which it goes behind the click', () => page.evaluate(() => {
      const text = document.querySelector('.range').textContent;
      const [from, to] = text.split(' – ');
      const shown = { min: new Date(from.replace(' ', 'T')).getTime(), max: new Date((to.length > 8 ? to : `${from.slice(0, 10)} ${to}`).replace(' ', 'T')).getTime() };
      return Math.abs((Date.now() - shown.min) / (shown.max - shown.min) - 0.96) < 0.002 && shown;
    }));
    const x = box.x + (box.width * (wanted - min)) / (max - min);
    await page.mouse.move(x, box.y + 45);
    const tip = await until('a tip', () => page.locator('.tip').textContent());
    assert.match(tip, /^(\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d$/);
    await page.mouse.click(x, box.y + 45);
    const perPixel = (max - min) / box.width;
    const said = new Date(tip.length > 8 ? tip.replace(' ', 'T') : `${new Date(wanted).toLocaleDateString('sv')}T${tip}`).getTime();
    // The timeline moves on with the time, also while the page is busy.
    assert.ok(Math.abs(said - wanted) <= 4 * perPixel, `the timeline says ${tip} where ${new Date(wanted).toISOString()} is`);
    await untilPast(said - perPixel, 2 * perPixel + 4000);
    await page.mouse.move(box.x, box.y - 200);
    await screenshot(page, 'past_dark');
  });

  it('goes to the time in a link', async () => {
    await goTo(minutesAgo(100));
    await untilPast(minutesAgo(100));
  });

  it('asks only for what it shows', async () => {
    const first = server.requests.length;
    await goTo(minutesAgo(60));
    await untilPast(minutesAgo(60));
    const numbers = server.requests.slice(first).map((r) => Number(/(\d+)\.m4s/.exec(r)?.[1] ?? Number.NaN)).filter((n) => n > 0);
    const wanted = Math.floor(minutesAgo(60) / 1000);
    const late = numbers.filter((n) => n >= wanted - 1 && n < wanted + 60);
    assert.ok(late.length > 0);
    assert.deepEqual(numbers.filter((n) => n < wanted - 1 && n > wanted - 1000), [], 'nothing before the time asked for');
  });

  it('jumps by keys, within what is loaded and beyond it', async () => {
    const asked = Date.now();
    const start = await state(page);
    await page.keyboard.press('ArrowRight');
    await until('10 s on', async () => { const s = await state(page); return s.wall !== null && s.wall - start.wall >= 9000; });
    await page.keyboard.press('Shift+ArrowLeft');
    await page.keyboard.press('Shift+ArrowLeft');
    await untilPast(start.wall + 10_000 - 2 * kMinute, 15_000, asked);
  });

  it('pauses and goes on', async () => {
    await page.keyboard.press('Space');
    await until('a pause', async () => (await state(page)).paused);
    await page.keyboard.press('Space');
    await untilMoving(page, 'RECORDED');
  });

  it('plays faster', async () => {
    await page.selectOption('.rate', '8');
    const from = await untilMoving(page, 'RECORDED');
    assert.equal(from.rate, 8);
    await until('20 s of footage', async () => (await state(page)).wall - from.wall > 20_000);
    await page.selectOption('.rate', '1');
  });

  it('goes on over a gap, and says so', async () => {
    const end = minutesAgo(20); // footage until here, and again five minutes later
    await goTo(end - 6000);
    await untilMoving(page, 'RECORDED');
    let looked = Date.now();
    let between = 0; // the last looks: it has played on meanwhile
    const shown = await until('the footage after the gap', async () => {
      const s = await state(page);
      between = Date.now() - looked;
      looked += between;
      return s.wall !== null && s.wall > end + 60_000 ? s : null;
    });
    assert.ok(shown.wall - minutesAgo(15) < 10_000 + between);
    await until('words about the gap', async () => /Skipped .*5 min.* without footage/.test((await state(page)).toast));
    await untilMoving(page, 'RECORDED');
  });

  it('goes from one window of recorded time into the next', async () => {
    // From 181 minutes before the start there is nothing for a minute; the window of half an hour before it ends there.
    const asked = Date.now();
    await goTo(minutesAgo(300) - 10 * kMinute);
    const shown = await untilMoving(page, 'RECORDED');
    assert.ok(shown.wall >= minutesAgo(300) - 1000 && shown.wall < minutesAgo(300) + 10_000 + (Date.now() - asked), 'begins where footage begins');
    assert.match((await state(page)).toast, /No footage at .*: playing from /);
    // 29.9 minutes on is near the end of the window that begins at the footage's start.
    const end = await page.evaluate(() => { const v = document.querySelector('video'); return v.duration; });
    assert.ok(end > 25 * 60 && end < 40 * 60, `${end}`);
    await page.evaluate(() => { const v = document.querySelector('video'); v.currentTime = v.duration - 3; });
    await until('a picture after the end of the window', async () => {
      const s = await state(page);
      return s.wall !== null && s.wall > minutesAgo(270) + 2000 && s.wall < minutesAgo(268);
    });
    await untilMoving(page, 'RECORDED');
  });

  it('finds the starts of recordings', async () => {
    await goTo(minutesAgo(100));
    await untilPast(minutesAgo(100));
    await page.keyboard.press('[');
    await untilPast(minutesAgo(180));
    await page.keyboard.press('[');
    await untilPast(minutesAgo(300));
    await page.keyboard.press(']');
    await untilPast(minutesAgo(180));
  });

  it('goes to a time that is typed', async () => {
    await page.keyboard.press('t');
    const value = await page.evaluate((ms) => {
      const d = new Date(ms);
      const two = (n) => String(n).padStart(2, '0');
      return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}T${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
    }, minutesAgo(50));
    assert.equal(await page.evaluate(() => document.activeElement.className), 'time-input');
    await page.fill('.time-input', value);
    await page.press('.time-input', 'Enter');
    await page.evaluate(() => document.activeElement.blur());
    await untilPast(minutesAgo(50));
  });

  it('goes back with the browser', async () => {
    await page.goBack();
    await untilPast(minutesAgo(180), 60_000);
  });

  it('returns to live', async () => {
    await page.keyboard.press('l');
    const shown = await untilMoving(page, 'LIVE');
    assert.ok(Date.now() - shown.wall < 20_000);
  });

  it('live that was paused for long goes on from there', async () => {
    await page.keyboard.press('Space');
    const { wall: at, behind } = await state(page);
    await until('a pause that no longer counts as live',
      async () => parseFloat((await state(page)).behind) > parseFloat(behind) + 5.2);
    await page.keyboard.press('Space');
    await untilPast(at - 1000, 6000);
    await page.click('.live-button');
    await untilMoving(page, 'LIVE');
  });

  it('says where there is no footage', async () => {
    await page.click('a[href="#/stream/old-porch"]');
    await until('words', async () => /Nothing feeds this stream/.test((await state(page)).message));
    await page.click('.notice button');
    const shown = await untilMoving(page, 'RECORDED');
    assert.ok(Math.abs(shown.wall - minutesAgo(2900)) < kMinute);
    await page.evaluate((t) => { location.hash = `#/stream/old-porch?t=${new Date(t).toISOString()}`; }, minutesAgo(2000));
    await until('words', async () => /No footage at .*, and none after it/.test((await state(page)).message));
    await page.click('a[href="#/stream/garage"]');
    await until('words', async () => /garage is away: connection refused.*next try in/.test((await state(page)).message));
    await screenshot(page, 'away_dark');
  });

  it('says which codec the browser lacks, and the way round', async () => {
    const { codecs } = server;
    server.codecs = 'hvc1.1.6.L93.90,mp4a.40.2';
    await page.click('a[href="#/stream/old-porch"]');
    await page.click('a[href="#/stream/front-door"]');
    await until('words', async () =>
      /cannot play H\.265\. It has no decoder.*Safari.*export.*H\.264/.test((await state(page)).message));
    server.codecs = codecs;
  });

  it('broke nothing on the way', () => browser.assertClean());
});
