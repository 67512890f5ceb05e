// The server goes away and comes back: the page says so, and recovers by itself, player included.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { closeConsole, openConsole, screenshot, state, until, untilMoving } from './harness.mjs';

describe('server away', () => {
  let server;
  let browser;
  let page;
  before(async () => {
    ({ server, browser, page } = await openConsole());
  });
  after(() => closeConsole({ server, browser }));

  const untilBanner = () => until('the banner', async () => /does not answer/.test((await state(page)).banner));
  const untilNoBanner = () => until('no banner', async () => (await state(page)).banner === '');

  it('says so while live, and goes on when it is back', async () => {
    await untilMoving(page, 'LIVE');
    await server.away();
    await untilBanner();
    await until('words in the player', async () => (await state(page)).message !== '' || (await state(page)).badge === '');
    await screenshot(page, 'server_away_dark');
    await server.listen(server.port);
    await untilNoBanner();
    await untilMoving(page, 'LIVE');
  });

  it('goes on in the past from where it was', async () => {
    const wanted = server.started - 100 * 60_000;
    await page.evaluate((t) => { location.hash = `#/stream/front-door?t=${new Date(t).toISOString()}`; }, wanted);
    await untilMoving(page, 'RECORDED');
    await server.away();
    await untilBanner();
    // A jump to what is not loaded, while nobody answers.
    await page.evaluate((t) => { location.hash = `#/stream/front-door?t=${new Date(t).toISOString()}`; }, wanted - 600_000);
    await until('words in the player', async () => /goes on when the server is back/.test((await state(page)).message));
    await server.listen(server.port);
    await untilNoBanner();
    const shown = await untilMoving(page, 'RECORDED');
    assert.ok(shown.wall >= wanted - 601_000 && shown.wall < wanted - 560_000, new Date(shown.wall).toISOString());
    assert.equal(shown.message, '');
  });

  it('says so when it was away from the start of a visit', async () => {
    // The page itself comes from the server, so this is a server that goes between the page and its first answer.
    const fleet = server.api;
    server.api = (method, parts, query, body, json, error) => error(503, 'unavailable', 'the store is opening; try again');
    await page.goto(`http://127.0.0.1:${server.port}/#/stream/front-door`);
    await page.reload();
    await until('the server\'s words', async () => /the store is opening/.test((await state(page)).banner));
    server.api = fleet;
    await untilNoBanner();
    await untilMoving(page, 'LIVE');
  });

  it('broke nothing on the way', () => browser.assertClean());
});
