// The console's WebRTC against a real server: its page publishes Chromium's fake camera, a second one watches by WebRTC with a
// measured delay, a third, which has no WebRTC, watches by HLS; then the publisher stops, and everyone notices.
//
// By environment: MILLRACE_URL, MILLRACE_SCREENSHOT (kept); as live_console_test.mjs. Exit code 0: all is well.
import assert from 'node:assert/strict';
import { kFakeMedia } from './fake_webrtc.mjs';
import { Browser, screenshot, state, until, untilMoving } from './harness.mjs';

const { MILLRACE_URL: base, MILLRACE_SCREENSHOT: kept } = process.env;
const kStream = 'phone';
const say = (words) => console.log(`ok: ${words}`);

const browser = await Browser.launch();
try {
  const publisher = await browser.open({ args: kFakeMedia });
  await publisher.goto(`${base}/#/publish`);
  await publisher.getByLabel('Name of the stream').fill(kStream);
  await publisher.getByRole('button', { name: 'Start', exact: true }).click();
  const status = () => publisher.locator('.publish-state').textContent();
  await until('to be live', async () => (await status()).startsWith(`Publishing to ${kStream} for`));
  await until('H.264', async () => /H\.264 · \d+×\d+/.test(await status()));
  say(`publishes: ${await status()}`);

  const viewer = await browser.context.newPage();
  await viewer.goto(`${base}/#/stream/${kStream}`);
  await until('the stream by WebRTC', async () => (await viewer.locator('.stamp .way').textContent()) === 'WebRTC');
  const live = await untilMoving(viewer, 'LIVE');
  assert.ok(Math.abs(Date.now() - live.wall) < 10_000, new Date(live.wall).toISOString());
  // Sound and picture have come: the delay is that of the picture's own time.
  await until('the delay since the picture was taken', async () => /is the present less the time at which the picture/
    .test(await viewer.locator('.stamp .way').getAttribute('title')));
  assert.match((await state(viewer)).behind, /^\d+\.\d+ s behind$/);
  say(`live by WebRTC, ${(await state(viewer)).behind}: ${live.facts}`);
  if (kept) await screenshot(viewer, 'webrtc', kept);

  const other = await browser.context.newPage();
  await other.addInitScript(() => { delete window.RTCPeerConnection; });
  await other.goto(`${base}/#/stream/${kStream}`);
  await untilMoving(other, 'LIVE');
  assert.equal(await other.locator('.stamp .way').textContent(), 'HLS');
  say(`live by HLS, ${(await state(other)).behind}`);
  await other.close();

  await publisher.bringToFront();
  await publisher.getByRole('button', { name: 'Stop', exact: true }).click();
  await until('nothing to be published', async () => {
    const stream = await (await fetch(`${base}/v1/streams/${kStream}`)).json();
    return !stream.live;
  });
  await until('the viewer to be told', async () => /no live picture|nothing|Nothing/.test((await state(viewer)).message));
  say(`stopped; the viewer reads: ${(await state(viewer)).message}`);
  browser.assertClean();
} catch (error) {
  console.error(error, browser.problems);
  process.exitCode = 1;
} finally {
  await browser.close();
}
