// The data streams' page: the list, the shards and what is done to them, the newest records, keys, sizes and themes.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { auditPage } from './audit.mjs';
import { FakeDataStreams } from './fake_data_streams.mjs';
import { closeConsole, openConsole, screenshot, until, untilMoving } from './harness.mjs';

const kSizes = { phone: { width: 390, height: 844 }, desk: { width: 1280, height: 800 }, wall: { width: 2560, height: 1440 } };

describe('data streams', () => {
  let server;
  let base;
  let browser;
  let page;
  before(async () => {
    ({ server, base, browser, page } = await openConsole());
    await untilMoving(page, 'LIVE');
  });
  after(() => closeConsole({ server, browser }));
  beforeEach(async () => {
    server.dataStreams = new FakeDataStreams();
    await page.evaluate(() => {
      for (const dialog of document.querySelectorAll('dialog')) dialog.close();
      document.activeElement?.blur();
    });
  });

  const open = async (name = 'events') => {
    await page.evaluate((to) => { location.hash = '#/'; location.hash = to; }, `#/streams/${name}`);
    await page.locator('.stream-stage').waitFor();
    await until('the stream', async () => (await page.locator('.stream-stage .stream-name').textContent()) === name);
    await until('its shards alone', async () => (await page.locator('.shards tbody tr').count())
      === server.dataStreams.streams.get(name).shards.filter((shard) => shard.open).length);
  };
  const button = (name) => page.getByRole('button', { name, exact: true });
  const dialog = () => page.getByRole('dialog');
  const records = () => page.locator('.records li');
  const lastCall = () => server.dataStreams.calls.at(-1);
  const toast = () => page.locator('.toast').textContent();

  it('is reached by a link, by a key and by its address, and stops the picture', async () => {
    await page.getByRole('link', { name: 'Data streams' }).click();
    await page.locator('.stream-stage').waitFor();
    assert.match(page.url(), /#\/streams\/events$/);
    await until('its title', async () => (await page.title()) === 'events · Millrace');
    assert.ok(await page.locator('.stage').isHidden());
    assert.equal(await page.evaluate(() => document.querySelector('video').paused), true);
    await page.keyboard.press('s');
    await untilMoving(page, 'LIVE');
    await page.keyboard.press('s');
    await page.locator('.stream-stage').waitFor();
    await page.goBack();
    await untilMoving(page, 'LIVE');
  });

  it('lists streams with mode, shards and retention, and internal ones when asked', async () => {
    await open();
    const rows = page.locator('.data-streams .row');
    assert.deepEqual(await rows.allTextContents(), ['eventsProvisioned3 shards · kept for 1 d', 'clicksOn demand4 shards · kept for 1 d']);
    await page.getByLabel('Internal ones too').check();
    await until('the internal one', async () => (await rows.count()) === 3);
    assert.match(await rows.nth(2).textContent(), /millrace-fragments.*internal/);
    await rows.nth(2).click();
    await until('the internal one shown', async () => (await page.locator('.stream-stage .stream-name').textContent()) === 'millrace-fragments');
    assert.ok(await button('Put a record').isHidden());
    await page.getByLabel('Internal ones too').uncheck();
  });

  it('draws the shards to scale, and says their rates', async () => {
    await open();
    const widths = await page.locator('.shard-block').evaluateAll((blocks) => blocks.map((block) => block.getBoundingClientRect().width));
    const all = widths.reduce((sum, width) => sum + width, 0);
    for (const width of widths) assert.ok(Math.abs(width / all - 1 / 3) < 0.01, `${widths}`);
    assert.match(await page.locator('.shards tbody tr').nth(1).textContent(), /33\.3% – 66\.7%.*33\.3%.*13 records\/s, 4\.0 kB\/s/);
    assert.match(await page.locator('.shard-map').getAttribute('aria-label'), /^3 shards share the hash keys/);
    assert.match(await page.locator('.stream-stage .stream-state').textContent(), /Provisioned · 3 shards · kept for 1 d · made .* · 38 records\/s/);
  });

  it('splits and merges behind a confirmation', async () => {
    await open();
    await button('Split shard 1').click();
    await dialog().getByText('share its 33.3% of the hash keys').waitFor();
    await dialog().getByRole('button', { name: 'Cancel' }).click();
    assert.equal(server.dataStreams.calls.length, 0);
    await button('Split shard 1').click();
    await dialog().getByRole('button', { name: 'Split' }).click();
    await until('the children', async () => (await page.locator('.shards tbody tr').count()) === 4);
    assert.deepEqual(lastCall(), ['SplitShard', { StreamName: 'events', ShardToSplit: 'shardId-000000000001',
      NewStartingHashKey: String(2n ** 127n) }]);
    assert.match(await toast(), /shardId-000000000001 is split/);
    await page.getByLabel('1 closed').check();
    assert.equal(await page.locator('.shards tbody tr.closed').count(), 1);
    await page.getByLabel('1 closed').uncheck();
    await button('Merge shards 3 and 4').click();
    await dialog().getByRole('button', { name: 'Merge' }).click();
    await until('the child', async () => (await page.locator('.shards tbody tr').count()) === 3);
    assert.deepEqual(lastCall()[1], { StreamName: 'events', ShardToMerge: 'shardId-000000000003', AdjacentShardToMerge: 'shardId-000000000004' });
  });

  it('shows the server\'s words when it refuses to scale', async () => {
    await open();
    await button('Scale').click();
    await dialog().getByLabel('Shards').fill('9');
    await dialog().getByRole('button', { name: 'Scale' }).click();
    await dialog().getByText('TargetShardCount 9 is more than double the current count.').waitFor();
    assert.deepEqual(lastCall()[1], { StreamName: 'events', TargetShardCount: 9, ScalingType: 'UNIFORM_SCALING' });
    assert.deepEqual(await page.evaluate(auditPage), []);
    await dialog().getByRole('button', { name: 'Cancel' }).click();
    await open('clicks');
    assert.ok(await button('Scale').isHidden(), 'an on-demand stream scales itself');
    assert.equal(await page.getByRole('button', { name: /^Split shard/ }).count(), 0);
  });

  it('puts a test record and shows it', async () => {
    await open();
    await button('Put a record').click();
    await dialog().getByLabel('Partition key').fill('dör');
    await dialog().getByLabel('Data').fill('{"temperature": 21.5, "söm": [1, 2]}');
    await dialog().getByRole('button', { name: 'Put record' }).click();
    await until('the record', async () => (await records().count()) === 1);
    assert.match(await toast(), /The record is in shardId-000000000000/);
    assert.match(await records().first().textContent(), /dör/);
    await records().first().locator('summary').click();
    assert.equal(await records().first().locator('pre').textContent(), '{\n  "temperature": 21.5,\n  "söm": [\n    1,\n    2\n  ]\n}');
  });

  it('follows what comes, newest on top, and unfolds it', async () => {
    server.dataStreams.put('events', 'a', 'first');
    await open();
    await until('what is there', async () => (await records().count()) === 1);
    server.dataStreams.put('events', 'b', '', { text: null, hex: 'ff00'.repeat(64), bytes: 4000, truncated: true });
    server.dataStreams.put('events', 'c', '<b>no markup</b>\nsecond line', { sub_sequence: 1, aggregated: 3 });
    await until('what is new', async () => (await records().count()) === 3);
    const top = records().first();
    assert.match(await top.textContent(), /2 of 3.*<b>no markup<\/b> second line/);
    assert.match(await records().nth(1).textContent(), /ff 00 ff 00.*…/);
    await records().nth(1).locator('summary').click();
    assert.match(await records().nth(1).textContent(), /4000 bytes of bytes|4000 bytes/);
    // What is unfolded stays so when more comes; a pause holds the list.
    server.dataStreams.put('events', 'd', 'fourth');
    await until('the fourth', async () => (await records().count()) === 4);
    assert.equal(await page.locator('.records details[open]').count(), 1);
    await button('Pause').click();
    server.dataStreams.put('events', 'e', 'fifth');
    await until('some more looks at the stream', () => {
      const from = server.requests.length;
      return until('a look', () => server.requests.slice(from).some((request) => request === 'GET /v1/data-streams/events'));
    });
    assert.equal(await records().count(), 4);
    await button('Go on').click();
    await until('the fifth', async () => (await records().count()) === 5);
    for (let i = 0; i < 300; i += 1) server.dataStreams.put('events', 'many', String(i));
    await until('a mark that some were left out', async () => /Too many/.test(await page.locator('.tail').textContent()));
    assert.ok((await records().count()) <= 200);
  });

  it('says what is wrong in the server\'s words, and goes on when it is back', async () => {
    await open();
    await page.evaluate(() => { location.hash = '#/streams/nowhere'; });
    await page.getByText("data stream 'nowhere' does not exist").waitFor();
    assert.ok(await page.locator('.stream-stage').isHidden());
    await open();
    await server.away();
    await page.locator('.banner').waitFor();
    assert.ok(await page.locator('.stream-stage').isVisible());
    await server.listen(server.port);
    server.dataStreams.put('events', 'k', 'after');
    await page.getByText('after').first().waitFor();
    await page.locator('.banner').waitFor({ state: 'hidden' });
  });

  it('works by keys alone', async () => {
    await open();
    const reached = new Set();
    for (let i = 0; i < 40; i += 1) {
      await page.keyboard.press('Tab');
      reached.add(await page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent));
    }
    for (const name of ['Cameras', 'Data streams', 'Put a record', 'Scale', 'Split shard 0', 'Merge shards 0 and 1', 'Pause']) {
      assert.ok(reached.has(name), `${name} is reached by Tab; reached: ${[...reached].join(', ')}`);
    }
    // Keys that mean something to a picture do nothing here.
    await page.evaluate(() => document.activeElement.blur());
    await page.keyboard.press('l');
    await page.keyboard.press('a');
    assert.match(page.url(), /#\/streams\/events$/);
    assert.equal(await dialog().count(), 0);
  });

  it('is legible and named in every size and theme', async () => {
    for (let i = 0; i < 12; i += 1) {
      server.dataStreams.put('events', `camera-${i % 3}`, JSON.stringify({ kind: 'motion', score: (50 + i) / 100, zones: ['door', 'drive'] }));
    }
    server.dataStreams.put('events', 'sensor', '', { text: null, hex: 'f3899ac2'.repeat(8), bytes: 5120, truncated: true });
    server.dataStreams.put('events', 'user-17', 'a part of an aggregated record', { sub_sequence: 4, aggregated: 120 });
    await open();
    await until('the records', async () => (await records().count()) === 14);
    await records().nth(2).locator('summary').click();
    for (const colorScheme of ['dark', 'light']) {
      await page.emulateMedia({ colorScheme });
      for (const [size, viewport] of Object.entries(kSizes)) {
        await page.setViewportSize(viewport);
        assert.deepEqual(await page.evaluate(auditPage), [], `${size}, ${colorScheme}`);
        const cut = await page.locator('.stream-stage *').evaluateAll((all) => all
          .filter((e) => e.getClientRects().length > 0 && e.getBoundingClientRect().right > innerWidth + 1)
          .map((e) => `${e.tagName} ${e.className}: ${e.textContent.slice(0, 40)}`));
        assert.deepEqual(cut, [], `${size}: behind the right edge`);
        await screenshot(page, `streams_${size}_${colorScheme}`);
      }
    }
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.setViewportSize(kSizes.desk);
  });

  it('says what to do when there are none', async () => {
    server.dataStreams.streams.clear();
    await page.evaluate(() => { location.hash = '#/'; location.hash = '#/streams'; });
    await page.getByText('millrace stream create events').waitFor();
    assert.deepEqual(await page.evaluate(auditPage), []);
  });

  it('broke nothing on the way', () => browser.assertClean());
});
