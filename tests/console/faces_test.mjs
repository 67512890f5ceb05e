// Faces: boxes lie where the records say, only while they say so, live and in the past, in any shape of window; and the
// timeline shows when there were some. (That the records are right is the analyzer's tests' business; that all of it
// together lies on a real face is System.faces_console's.)
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { kFaceSeconds } from './fake_server.mjs';
import { closeConsole, openConsole, screenshot, state, until, untilMoving } from './harness.mjs';
import { alike, boxSeen, kFaceColor, Pixels, sidesSeen } from './png.mjs';

const kLoopMs = 20_000;

describe('faces', () => {
  let server;
  let base;
  let browser;
  let page;
  const boxes = () => page.locator('.face:not([hidden])');
  const goTo = (ms) => page.evaluate((t) => { location.hash = `#/stream/front-door?t=${new Date(t).toISOString()}`; }, ms);
  const loopBefore = (ms) => Math.floor(ms / kLoopMs) * kLoopMs;

  /** Where the picture's face is on the screen, by the footage's 16:9 and the element's own place. */
  async function expected() {
    const area = await page.locator('video').boundingBox();
    const scale = Math.min(area.width / 16, area.height / 9);
    const width = 16 * scale;
    const height = 9 * scale;
    const left = area.x + (area.width - width) / 2;
    const top = area.y + (area.height - height) / 2;
    const face = server.faces.get('front-door');
    return { left: left + face.Left * width, top: top + face.Top * height, right: left + (face.Left + face.Width) * width,
      bottom: top + (face.Top + face.Height) * height };
  }

  async function assertBoxInPlace() {
    await boxes().first().waitFor();
    const at = await expected();
    const seen = await until('a box in its place in the screenshot', async () => {
      const pixels = new Pixels(await page.screenshot());
      return boxSeen(pixels, at) > 0.9 && { beside: sidesSeen(pixels, at, 8) };
    });
    assert.ok(seen.beside < 0.3, `there is more in the box's colour than its sides: ${seen.beside}`);
  }

  before(async () => {
    ({ server, base, browser, page } = await openConsole(null));
  });
  after(() => closeConsole({ server, browser }));

  it('lie on the picture in the past, and are gone when the face is', async () => {
    const loop = loopBefore(server.started - 100 * 60_000);
    await page.goto(`${base}/#/stream/front-door?t=${new Date(loop + 2000).toISOString()}`);
    await untilMoving(page, 'RECORDED');
    await assertBoxInPlace();
    await screenshot(page, 'faces_past');
    await goTo(loop + (kFaceSeconds + 1.5) * 1000);
    await until('no box', async () => await boxes().count() === 0);
    await untilMoving(page, 'RECORDED');
  });

  it('come and go by themselves while the picture plays', async () => {
    await goTo(loopBefore(server.started - 101 * 60_000) + (kFaceSeconds - 2) * 1000);
    await untilMoving(page, 'RECORDED');
    await boxes().first().waitFor();
    await until('the box to go', async () => await boxes().count() === 0);
    await boxes().first().waitFor();
  });

  it('lie on the picture in a window of another shape', async () => {
    const isPaused = () => page.evaluate(() => document.querySelector('video').paused);
    await until('a pause while a face is seen', async () => { // a quarter of the time is without one
      if (await isPaused()) await page.keyboard.press('Space');
      await boxes().first().waitFor();
      await page.keyboard.press('Space');
      await until('a pause', isPaused);
      return await boxes().count() > 0;
    });
    for (const size of [{ width: 1600, height: 620 }, { width: 760, height: 1200 }]) {
      await page.setViewportSize(size);
      await assertBoxInPlace();
    }
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.keyboard.press('Space');
  });

  it('lie on the live picture', async () => {
    await page.keyboard.press('l');
    await untilMoving(page, 'LIVE');
    await assertBoxInPlace();
  });

  it('show in the timeline, with words', async () => {
    await page.click('.span:has-text("10 min")');
    const bar = await page.locator('.timeline-canvas').boundingBox();
    const foot = Math.round(bar.y + 28 + 36 - 3);
    const pixels = await until('marks in the timeline', async () => {
      const seen = new Pixels(await page.screenshot());
      let marked = 0;
      for (let x = Math.round(bar.x) + 2; x < bar.x + bar.width * 0.9; x += 1) marked += alike(seen.at(x, foot), kFaceColor) ? 1 : 0;
      return marked > bar.width * 0.4 && { seen, marked };
    });
    assert.ok(pixels.marked < bar.width * 0.85, 'a quarter of the time is without a face');
    const x = [...Array(Math.floor(bar.width * 0.5)).keys()].map((i) => Math.round(bar.x + bar.width * 0.3) + i)
      .find((i) => [-3, 0, 3].every((d) => alike(pixels.seen.at(i + d, foot), kFaceColor)));
    // The timeline moves on under the pointer, and what it says changes when the pointer moves.
    let moves = 0;
    await until('words', async () => {
      await page.mouse.move(x + moves++ % 2, bar.y + 40);
      return /· a face$/.test(await page.locator('.tip').textContent());
    });
    await page.mouse.move(bar.x, bar.y - 200);
    await screenshot(page, 'faces_live');
  });

  it('are not asked for without end', async () => {
    const before = server.requests.filter((line) => line.includes('/faces')).length;
    const from = (await state(page)).currentTime;
    const began = Date.now();
    await until('4 s of picture', async () => (await state(page)).currentTime >= from + 4);
    const asked = server.requests.filter((line) => line.includes('/faces')).length - before;
    const seconds = Math.max(4, (Date.now() - began) / 1000);
    assert.ok(asked <= 2 * seconds, `${asked} requests in ${seconds} s`);
  });

  it('are none for a stream without them', async () => {
    await page.evaluate(() => { location.hash = '#/stream/garage?t=' + new Date(Date.now() - 100 * 60_000).toISOString(); });
    await untilMoving(page, 'RECORDED');
    assert.equal(await boxes().count(), 0);
    browser.assertClean();
  });
});
