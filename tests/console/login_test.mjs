// Where the server has users: the form to log in is all that there is to see until somebody has, and then the page is.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { auditPage } from './audit.mjs';
import { closeConsole, openConsole, screenshot, state, until, untilMoving } from './harness.mjs';

describe('logging in', () => {
  let server;
  let base;
  let browser;
  let page;
  before(async () => {
    ({ server, base, browser, page } = await openConsole(null));
    server.key = { id: 'MRANN', secret: 'of some length' };
    await page.goto(`${base}/`);
  });
  after(() => closeConsole({ server, browser }));

  const dialog = () => page.locator('dialog[open]');
  const answered = (count) => until(`${count} more answers`, () => {
    const from = server.requests.length;
    return until('an answer', () => server.requests.slice(from).filter((request) => request === 'GET /v1/cameras').length >= count);
  });
  const logIn = async (secret) => {
    await dialog().getByLabel('Access key').fill(server.key.id);
    await dialog().getByLabel('Secret').fill(secret);
    await dialog().getByRole('button', { name: 'Log in' }).click();
  };

  it('asks once, with no banner behind the form', async () => {
    await dialog().getByRole('heading', { name: 'Log in' }).waitFor();
    await answered(2);
    assert.equal(await dialog().count(), 1);
    assert.equal((await state(page)).banner, '');
    assert.deepEqual(await page.evaluate(auditPage), []);
    await screenshot(page, 'log_in_dark');
  });

  it('says what is wrong, and shows the cameras to who is known', async () => {
    await logIn('another');
    await dialog().getByText('there is no such access key, or its secret is another').waitFor();
    // The page begins anew: it cannot be looked at while it does.
    await Promise.all([page.waitForEvent('load'), logIn(server.key.secret)]);
    await untilMoving(page, 'LIVE');
    assert.equal(await dialog().count(), 0);
    assert.equal((await state(page)).banner, '');
  });

  it('says what is refused to who is known', async () => {
    server.forbid = 'User ann is not authorized to perform: millrace:ListCameras';
    await until('the banner', async () => /The server refuses: .*not authorized/.test((await state(page)).banner));
    assert.equal(await dialog().count(), 0);
    server.forbid = null;
    await until('no banner', async () => (await state(page)).banner === '');
  });

  it('asks again when the session is over', async () => {
    server.key = { ...server.key, id: 'MRANN2' };
    await dialog().getByRole('heading', { name: 'Log in' }).waitFor();
    await answered(1);
    assert.equal((await state(page)).banner, '');
  });

  it('broke nothing on the way', () => browser.assertClean());
});
