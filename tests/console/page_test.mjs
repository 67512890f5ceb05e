// The page around the player: the list, the dialogs and the server's words in them, keys, themes, sizes, accessibility.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { auditPage } from './audit.mjs';
import { closeConsole, openConsole, screenshot, state, until, untilMoving } from './harness.mjs';

const kSizes = { phone: { width: 390, height: 844 }, desk: { width: 1280, height: 800 }, wall: { width: 2560, height: 1440 } };

describe('page', () => {
  let server;
  let base;
  let browser;
  let page;
  before(async () => {
    ({ server, base, browser, page } = await openConsole());
  });
  after(() => closeConsole({ server, browser }));
  beforeEach(async () => {
    server.refuse = null;
    server.fleetEmpty = false;
    server.reset();
    // What a test that failed half way may have left.
    await page.evaluate(() => {
      for (const dialog of document.querySelectorAll('dialog')) dialog.close();
      const filter = document.querySelector('.filter');
      filter.value = '';
      filter.dispatchEvent(new Event('input'));
      document.activeElement?.blur();
    });
  });

  const row = (name) => page.locator(`li[data-name="${name}"]`);
  const go = (hash) => page.evaluate((to) => { location.hash = to; }, hash);
  /** The front door as it was ten minutes ago. */
  const goBack = async () => {
    await go(`#/stream/front-door?t=${Math.floor(Date.now() / 1000) - 600}`);
    return untilMoving(page, 'RECORDED');
  };
  const field = (label) => page.getByRole('dialog').getByLabel(label, { exact: true });

  it('lists every camera with its state in words', async () => {
    await row('front-door').waitFor();
    const texts = {
      'front-door': /Recording.*640×360 · 25 fps · 870 kbit\/s/, garden: /Connecting/, attic: /Disabled/,
      garage: /Waiting.*connection refused by 192\.168\.1\.23:554; next try (in \d+(\.\d)? s|now)/, gate: /Unauthorized.*next try in 1 min/,
      'old-porch': /Footage only.*734 MB/,
    };
    for (const [name, words] of Object.entries(texts)) assert.match(await row(name).textContent(), words);
  });

  it('shows what is recorded in the timeline, soon', async () => {
    // The canvas is opaque where it draws: count the pixels of footage's colour in the middle of the bar.
    const recorded = () => page.evaluate(() => {
      const canvas = document.querySelector('.timeline-canvas');
      const { data } = canvas.getContext('2d').getImageData(0, Math.round(45 * devicePixelRatio), canvas.width, 1);
      let count = 0;
      for (let i = 0; i < data.length; i += 4) if (data[i] === 0x3f && data[i + 1] === 0x9c && data[i + 2] === 0x7c) count += 1;
      return count / canvas.width;
    });
    // Half an hour is seen, and five minutes of it have no footage; a little room is left for the future.
    const share = await until('bars', recorded);
    assert.ok(share > 0.7 && share < 0.85, `${share}`);
    // As soon as it is known which streams there are.
    const waited = await page.evaluate(() => {
      const first = (path) => performance.getEntriesByType('resource').find((entry) => new URL(entry.name).pathname.endsWith(path));
      return first('/coverage').startTime - first('/v1/streams').responseEnd;
    });
    assert.ok(waited < 3000, `${waited} ms`);
  });

  it('says under the pointer why there is no footage', async () => {
    const box = await page.locator('.timeline-canvas').boundingBox();
    const seen = new Set();
    for (let x = 4; x < box.width; x += box.width / 80) {
      await page.mouse.move(box.x + x, box.y + 45);
      seen.add((await page.locator('.timeline .tip').textContent()).replace(/^.* · /, ''));
    }
    await page.mouse.move(0, 0);
    assert.ok([...seen].some((text) => /^no footage for .*: network loss$/.test(text)), [...seen].join('\n'));
  });

  it('filters when there are many', async () => {
    assert.ok(await page.locator('.filter').isHidden());
    for (let i = 0; i < 40; i += 1) {
      server.cameras.set(`hall-${i}`, { ...server.cameras.get('attic'), name: `hall-${i}`, stream: `hall-${i}` });
    }
    await page.locator('.filter').waitFor();
    await page.fill('.filter', 'hall 7');
    await until('the filtered rows', async () => (await page.locator('.rows li').count()) === 4); // 7, 17, 27, 37
  });

  it('adds a camera, and shows the server\'s words when it refuses', async () => {
    await until('the rows', async () => (await page.locator('.rows li').count()) === 6);
    await page.keyboard.press('a');
    await field('Name').fill('no spaces, please');
    const submit = page.getByRole('dialog').getByRole('button', { name: 'Add camera' });
    await submit.click();
    const error = page.locator('.form-error');
    await until('an error', async () => /A name has 1 to 128/.test(await error.textContent()));
    await field('Name').fill('front-door');
    await submit.click();
    await until('an error', async () => /There is a camera 'front-door' already/.test(await error.textContent()));
    await field('Name').fill('porch');
    await field('URL').fill('http://192.168.1.30/');
    await submit.click();
    await until('the server\'s error', async () => (await error.textContent()).includes("url 'http://192.168.1.30/' is not rtsp:// or rtsps://"));
    await screenshot(page, 'add_camera_error_dark');
    assert.deepEqual(await page.evaluate(auditPage), []);
    await field('URL').fill('rtsp://192.168.1.30/');
    await field('User').fill('viewer');
    await field('Password').fill('s3cret');
    await field('Transport').selectOption('udp');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    assert.deepEqual(server.bodies.at(-1),
      { url: 'rtsp://192.168.1.30/', transport: 'udp', enabled: true, retention_hours: 168, username: 'viewer', password: 's3cret' });
    await row('porch').waitFor();
    assert.equal((await state(page)).title, 'porch');
    assert.ok(!(await page.content()).includes('s3cret'));
  });

  it('changes a camera without losing what the form does not show', async () => {
    await page.click('a[href="#/stream/front-door"]');
    await page.getByRole('button', { name: 'Change' }).click();
    assert.ok(await field('Name').isDisabled());
    await field('URL').fill('rtsp://192.168.1.21/front-door');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    assert.deepEqual(server.bodies.at(-1), {
      url: 'rtsp://192.168.1.21/front-door', transport: 'tcp', enabled: true, retention_hours: 168, stream: 'front-door', analyzers: [],
      labels: { place: 'entrance' },
    });
    await page.getByRole('button', { name: 'Change' }).click();
    await page.getByLabel('Remove user and password').check();
    await page.getByLabel('Look for faces').check();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    assert.equal(server.bodies.at(-1).username, '');
    assert.deepEqual(server.bodies.at(-1).analyzers, ['faces']);
    assert.ok(!('password' in server.bodies.at(-1)));
  });

  it('removes a camera, and asks what becomes of its footage', async () => {
    for (const [name, choice, query, words] of [['attic', 'Keep its footage', 'keep', /attic is removed\. Its footage is kept until \d{4}/],
      ['garage', 'Purge its footage', 'purge', /garage is removed\. Its footage is purged/]]) {
      await page.click(`a[href="#/stream/${name}"]`);
      await page.getByRole('button', { name: 'Remove' }).click();
      await page.getByRole('dialog').getByLabel(choice).check();
      await page.getByRole('button', { name: 'Remove camera' }).click();
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      assert.ok(server.requests.includes(`DELETE /v1/cameras/${name}?footage=${query}`));
      assert.match((await state(page)).toast, words);
      await row(name).waitFor({ state: 'detached' });
    }
  });

  it('says when a stream does not exist', async () => {
    await go('#/stream/nowhere');
    await until('words', async () => /There is no camera or stream 'nowhere'/.test((await state(page)).message));
  });

  it('works by keys alone', async () => {
    await go('#/stream/front-door');
    await untilMoving(page, 'LIVE');
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.keyboard.press('ArrowDown');
    await until('the next camera', async () => (await state(page)).title === 'garden');
    // A dialog keeps the focus from when it closes until its close event: no key is lost in between.
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.evaluate(() => {
      document.querySelector('dialog').close();
      document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowUp', bubbles: true, cancelable: true }));
    });
    await untilMoving(page, 'LIVE');
    const range = () => page.locator('.range').textContent();
    const before = await range();
    await page.keyboard.press('-');
    await until('a longer range', async () => (await range()) !== before);
    // On the timeline itself: a mark moves by arrows, and Enter goes there.
    await page.focus('.timeline-canvas');
    const canvas = page.locator('.timeline-canvas');
    for (let i = 0; i < 5; i += 1) await page.keyboard.press('Shift+ArrowLeft');
    const mark = Number(await canvas.getAttribute('aria-valuenow')) * 1000;
    assert.match(await canvas.getAttribute('aria-valuetext'), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/);
    await page.keyboard.press('Enter');
    const asked = Date.now();
    const shown = await untilMoving(page, 'RECORDED');
    assert.ok(shown.wall >= mark - 2000 && shown.wall < mark + 15_000 + (Date.now() - asked));
    // Every control can be reached, in a sensible number of steps, and shows that it has the focus.
    await page.evaluate(() => document.activeElement.blur());
    const reached = new Set();
    for (let i = 0; i < 60; i += 1) {
      await page.keyboard.press('Tab');
      reached.add(await page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent));
    }
    for (const name of ['Pause', 'Live', 'Go', 'Timeline', 'Help', 'Add camera', 'Back 10 seconds', 'Speed', 'Full screen']) {
      assert.ok(reached.has(name), `${name} is reached by Tab; reached: ${[...reached].join(', ')}`);
    }
  });

  it('zooms by the wheel and moves by dragging', async () => {
    await goBack();
    const box = await page.locator('.timeline-canvas').boundingBox();
    const range = () => page.locator('.range').textContent();
    const before = await range();
    await page.mouse.move(box.x + 300, box.y + 45);
    await page.mouse.wheel(0, -400);
    const zoomed = await until('another range', async () => ((await range()) !== before ? range() : null));
    await page.mouse.down();
    await page.mouse.move(box.x + 500, box.y + 45, { steps: 5 });
    await page.mouse.up();
    await until('another range', async () => (await range()) !== zoomed);
    assert.equal((await state(page)).badge, 'RECORDED', 'a drag goes nowhere');
  });

  it('is dark or light as the system is, or as chosen, which it remembers', async () => {
    await goBack();
    assert.equal((await state(page)).scheme, 'dark');
    await page.emulateMedia({ colorScheme: 'light' });
    await until('light', async () => (await state(page)).scheme === 'light');
    await page.click('.theme-button');
    assert.equal((await state(page)).scheme, 'dark');
    await page.reload();
    await untilMoving(page, 'RECORDED');
    assert.equal((await state(page)).scheme, 'dark');
    await page.click('.theme-button');
    assert.equal((await state(page)).scheme, 'light');
    await page.click('.theme-button');
    await page.emulateMedia({ colorScheme: 'dark' });
    await until('dark', async () => (await state(page)).scheme === 'dark');
  });

  it('is legible and named in every size and theme', async () => {
    for (const colorScheme of ['dark', 'light']) {
      await page.emulateMedia({ colorScheme });
      for (const [size, viewport] of Object.entries(kSizes)) {
        await page.setViewportSize(viewport);
        await until('the timeline in its width', () => page.evaluate(() => {
          const canvas = document.querySelector('.timeline-canvas');
          return Math.abs(canvas.width / devicePixelRatio - canvas.parentElement.clientWidth) < 1;
        }));
        assert.deepEqual(await page.evaluate(auditPage), [], `${size}, ${colorScheme}`);
        await screenshot(page, `page_${size}_${colorScheme}`);
        if (size === 'phone') {
          await page.click('.menu-button');
          await page.locator('.row').first().waitFor();
          assert.deepEqual(await page.evaluate(auditPage), [], `${size} with the list, ${colorScheme}`);
          await page.click('.menu-button');
        }
      }
    }
    await page.setViewportSize(kSizes.desk);
  });

  it('says what to do when there are no cameras', async () => {
    server.fleetEmpty = true;
    await page.goto(`${base}/`);
    await page.reload();
    const empty = page.locator('.empty');
    await empty.waitFor();
    assert.match(await empty.textContent(), /millrace camera add/);
    assert.deepEqual(await page.evaluate(auditPage), []);
    await screenshot(page, 'empty_light');
    server.fleetEmpty = false;
    await untilMoving(page, 'LIVE');
  });

  it('asks gently, and not at all while nobody looks', () => {
    const perSecond = (what) => server.requests.filter((r) => r === what).length / ((Date.now() - server.started) / 1000);
    assert.ok(perSecond('GET /v1/cameras') < 1.5, `${perSecond('GET /v1/cameras')}/s`);
    assert.ok(server.requests.filter((r) => r.includes('/coverage')).length / ((Date.now() - server.started) / 1000) < 1.5);
  });

  it('broke nothing on the way', () => browser.assertClean());
});
