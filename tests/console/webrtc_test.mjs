// Live by WebRTC, in the single view and on the wall, with every way back to HLS; and publishing from this device. Connections
// are real: their other end is a second page of the same Chromium (fake_webrtc.mjs).
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { auditPage } from './audit.mjs';
import { kFakeMedia } from './fake_webrtc.mjs';
import { closeConsole, openConsole, screenshot, state, until, untilMoving } from './harness.mjs';

const kSizes = { phone: { width: 390, height: 844 }, desk: { width: 1280, height: 800 } };

describe('webrtc', () => {
  let server;
  let base;
  let browser;
  let page;
  before(async () => {
    ({ server, base, browser, page } = await openConsole(null, { args: kFakeMedia }));
    // What is open: a connection that nobody closes stays in the list.
    await page.addInitScript(() => {
      window.connections = new Set();
      const Real = window.RTCPeerConnection;
      window.RTCPeerConnection = class extends Real {
        constructor(...args) {
          super(...args);
          window.connections.add(this);
        }

        close() {
          window.connections.delete(this);
          super.close();
        }
      };
      let visibility = 'visible';
      Object.defineProperty(document, 'visibilityState', { get: () => visibility });
      window.see = (seen) => {
        visibility = seen ? 'visible' : 'hidden';
        document.dispatchEvent(new Event('visibilitychange'));
      };
    });
    await server.webrtc.usePeer(await browser.context.newPage());
    await page.bringToFront();
  });
  after(() => closeConsole({ server, browser }));
  beforeEach(async () => {
    server.webrtc.refusals.clear();
    server.webrtc.ways.clear();
    server.hlsRefusal = null;
    server.reset();
    await page.goto('about:blank'); // forgets what did not work
  });
  afterEach(() => browser.assertClean());

  const open = (hash) => page.goto(`${base}/${hash}`);
  const connections = () => page.evaluate(() => window.connections.size);
  const way = () => page.locator('.stamp .way').textContent();
  const wayWords = () => page.locator('.stamp .way').getAttribute('title');
  const untilWay = (name) => until(`live by ${name}`, async () => (await way()) === name);
  const sessions = (kind, stream) => server.webrtc.of(kind, stream);
  const button = (name) => page.getByRole('button', { name, exact: true });

  it('plays live by WebRTC, with a measured delay and what that means', async () => {
    await open('#/stream/front-door');
    const shown = await untilMoving(page, 'LIVE');
    assert.equal(await way(), 'WebRTC');
    await until('a measured delay', async () => /^0\.\d\d s behind$/.test((await state(page)).behind));
    assert.ok(Math.abs(Date.now() - shown.wall) < 5000);
    await until('what is measured', async () => /^WebRTC\. The delay is /.test(await wayWords()));
    assert.match(shown.facts, /320×180/);
    assert.equal(await connections(), 1);
    const [session] = sessions('whep', 'front-door');
    await until('candidates that trickle', () => /a=candidate:.*a=end-of-candidates/s.test(session.candidates));
    assert.match(session.candidates, /^a=ice-ufrag:.+\r\na=ice-pwd:.+\r\nm=video .*\r\na=mid:0\r\na=candidate:/);
    assert.equal(await page.evaluate(() => document.querySelector('.unmute').hidden), false, 'there is sound to unmute');
  });

  it('closes the connection when something else is shown, and when the page is left', async () => {
    await open('#/stream/front-door');
    await untilWay('WebRTC');
    await page.keyboard.press('ArrowLeft'); // ten seconds back: recorded
    await untilMoving(page, 'RECORDED');
    await until('no connection', async () => await connections() === 0 && sessions('whep', 'front-door').length === 0);
    await page.keyboard.press('l');
    await untilWay('WebRTC');
    await page.evaluate(() => { location.hash = '#/streams'; });
    await until('no connection', async () => await connections() === 0 && sessions('whep', 'front-door').length === 0);
    await page.goBack();
    await untilWay('WebRTC');
    await page.goto('about:blank');
    await until('the session\'s end', () => sessions('whep', 'front-door').length === 0);
  });

  it('falls back to HLS where the stream does not fit, and says why', async () => {
    server.webrtc.refusals.set('whep/front-door', { status: 406, code: 'unsupported', message: 'the stream has B-frames, which WebRTC players show out of order' });
    await open('#/stream/front-door');
    await untilMoving(page, 'LIVE');
    assert.equal(await way(), 'HLS');
    assert.match(await wayWords(), /Not by WebRTC: the stream has B-frames/);
    assert.equal(await connections(), 0);
    // It is not asked for again and again.
    const asked = () => server.requests.filter((request) => request === 'POST /whep/front-door').length;
    const before_ = asked();
    await page.evaluate(() => { location.hash = '#/streams'; });
    await page.goBack();
    await untilMoving(page, 'LIVE');
    assert.equal(asked(), before_);
    // Who insists is heard.
    server.webrtc.refusals.clear();
    await button('Low delay').click();
    await untilWay('WebRTC');
    await button('Low delay').click();
    await untilWay('HLS');
    assert.match(await wayWords(), /switched off/);
  });

  it('falls back to HLS where there is no way through the network', async () => {
    server.webrtc.ways.set('whep', 'nowhere');
    await open('#/stream/front-door');
    await untilMoving(page, 'LIVE');
    assert.equal(await way(), 'HLS');
    assert.match(await wayWords(), /UDP may be blocked/);
    await until('no connection', async () => await connections() === 0 && sessions('whep', 'front-door').length === 0);
  });

  it('falls back to HLS where no picture comes', async () => {
    server.webrtc.ways.set('whep', 'nothing');
    await open('#/stream/front-door');
    // It may come with the next fragment.
    await until('HLS for now', async () => /No picture came by WebRTC yet/.test(await wayWords()));
    await untilMoving(page, 'LIVE');
    assert.equal(await way(), 'HLS');
    await until('no connection', async () => await connections() === 0);
    await until('why', async () => /No picture came by WebRTC\./.test(await wayWords()));
    assert.equal(await way(), 'HLS');
  });

  it('waits on for a picture by WebRTC while HLS fails again and again', async () => {
    server.webrtc.ways.set('whep', 'nothing');
    server.hlsRefusal = { status: 415, code: 'unsupported', message: 'the stream has vp8, which HLS does not carry' };
    const opened = server.webrtc.opened;
    const asked = () => server.requests.filter((request) => request.startsWith('GET /hls/front-door/index.m3u8')).length;
    const before_ = asked();
    await open('#/stream/front-door');
    await until('the reason', async () => /which HLS does not carry/.test((await state(page)).message));
    await until('HLS to be tried again', () => asked() >= before_ + 6); // twice a try: by hls.js, and for the words
    assert.equal(server.webrtc.opened, opened + 1, 'the connection that waits is not begun anew');
    assert.match((await state(page)).message, /which HLS does not carry/);
  });

  it('shows HLS while a lost connection is mended, and takes WebRTC again by itself', async () => {
    await open('#/stream/front-door');
    await untilWay('WebRTC');
    const [session] = sessions('whep', 'front-door');
    await server.webrtc.end(session);
    await untilWay('HLS');
    assert.match(await wayWords(), /lost|any more/);
    await untilWay('WebRTC');
    await untilMoving(page, 'LIVE');
    assert.equal(await connections(), 1);
  });

  it('plays nothing while the page is hidden, and goes on when it is seen', async () => {
    await open('#/stream/front-door');
    await untilWay('WebRTC');
    await page.evaluate(() => window.see(false));
    await until('no connection', async () => await connections() === 0 && sessions('whep', 'front-door').length === 0);
    await page.evaluate(() => window.see(true));
    await untilWay('WebRTC');
    // Who listens is not cut off.
    await page.keyboard.press('m');
    await page.evaluate(() => window.see(false));
    await new Promise((resolve) => setTimeout(resolve, 6000));
    assert.equal(await connections(), 1);
    await page.evaluate(() => window.see(true));
  });

  it('leaves no connection behind, however often streams are changed', async () => {
    server.streams.set('garage', [[Date.now() - 60_000, null]]);
    await open('#/stream/front-door');
    for (let i = 0; i < 8; i += 1) {
      await page.evaluate((to) => { location.hash = to; }, i % 2 ? '#/stream/front-door' : '#/stream/garage');
      await until('it to be asked for', () => sessions('whep', i % 2 ? 'front-door' : 'garage').length > 0);
    }
    await untilWay('WebRTC');
    await until('one connection', async () => await connections() === 1 && server.webrtc.sessions.size === 1);
  });

  describe('the wall', () => {
    const tile = (name) => page.locator('.tile', { hasText: name });
    const tileWay = async (name) => (await tile(name).locator('.way').textContent()).split(' ')[0];
    const names = (count) => Array.from({ length: count }, (_, i) => `yard-${String(i + 1).padStart(2, '0')}`);
    const addStreams = (count) => {
      for (const name of names(count)) server.streams.set(name, [[Date.now() - 60_000, null]]);
    };

    it('plays each live stream its own way, says why others do not, and leads to them', async () => {
      server.streams.set('lobby', [[Date.now() - 60_000, null]]);
      server.webrtc.refusals.set('whep/lobby', { status: 406, code: 'unsupported', message: 'browsers\' WebRTC does not play h265' });
      await open('#/stream/front-door');
      await untilWay('WebRTC');
      await page.keyboard.press('w');
      await until('its title', async () => (await page.title()) === 'Live wall · Millrace');
      await until('front-door by WebRTC', async () => await tileWay('front-door') === 'WebRTC');
      await until('lobby by HLS', async () => await tileWay('lobby') === 'HLS');
      await until('delays', async () => /^WebRTC 0\.\d\d s$/.test(await tile('front-door').locator('.way').textContent())
        && /^HLS \d+\.\d s$/.test(await tile('lobby').locator('.way').textContent()));
      assert.match(await tile('lobby').locator('.way').getAttribute('title'), /does not play h265/);
      assert.match(await tile('garage').locator('.tile-message').textContent(), /Waiting: connection refused/);
      assert.equal(await tile('attic').count(), 0, 'a camera that is switched off has no tile');
      assert.equal(await connections(), 1);
      await tile('lobby').locator('a').click();
      await until('the stream\'s page', async () => (await state(page)).title === 'lobby');
      await until('one connection at most', async () => await connections() <= 1);
    });

    it('plays what is on the screen, and nothing else', async () => {
      addStreams(16);
      await page.setViewportSize(kSizes.phone);
      await open('#/wall');
      await until('the first to play', async () => await tileWay('yard-01') === 'WebRTC' || await tileWay('front-door') === 'WebRTC');
      const playing = () => [...server.webrtc.sessions.values()].map((session) => session.stream).sort();
      await until('some', () => playing().length > 0);
      assert.ok(playing().length < 10, `${playing()}`);
      assert.ok(!playing().includes('yard-16'));
      await tile('yard-16').scrollIntoViewIfNeeded();
      await until('the last to play', async () => await tileWay('yard-16') === 'WebRTC');
      await until('the first to be let go', () => !playing().includes('front-door'));
      assert.equal(await connections(), playing().length);
      await page.evaluate(() => window.see(false));
      await until('none while hidden', async () => await connections() === 0 && playing().length === 0);
      await page.evaluate(() => window.see(true));
      await until('the last to play again', async () => await tileWay('yard-16') === 'WebRTC');
      await page.evaluate(() => { location.hash = '#/streams'; });
      await until('none on another page', async () => await connections() === 0 && playing().length === 0);
      await page.setViewportSize(kSizes.desk);
    });

    it('is legible and named in every size and theme', async () => {
      addStreams(3);
      server.webrtc.refusals.set('whep/yard-02', { status: 406, code: 'unsupported', message: 'it has B-frames' });
      await open('#/wall');
      await until('all to play', async () => await tileWay('yard-03') !== '' && await tileWay('yard-02') === 'HLS');
      await audit('wall');
    });
  });

  async function audit(name) {
    for (const colorScheme of ['dark', 'light']) {
      await page.emulateMedia({ colorScheme });
      for (const [size, viewport] of Object.entries(kSizes)) {
        await page.setViewportSize(viewport);
        assert.deepEqual(await page.evaluate(auditPage), [], `${name}, ${size}, ${colorScheme}`);
        await screenshot(page, `${name}_${size}_${colorScheme}`);
      }
    }
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.setViewportSize(kSizes.desk);
  }

  describe('publishing', () => {
    const status = () => page.locator('.publish-state').textContent();
    const failure = () => page.locator('.publish-form .form-error').textContent();
    const start = async (stream) => {
      await open('#/publish');
      await page.getByLabel('Name of the stream').fill(stream);
      await button('Start').click();
    };
    const untilLive = (stream) => until('to be live', async () => (await status()).startsWith(`Publishing to ${stream} for`));

    it('shows a preview first, with the devices by name', async () => {
      await open('#/publish');
      assert.match(await status(), /Nothing is sent before you press Start/);
      assert.deepEqual(await page.evaluate(auditPage), []);
      await screenshot(page, 'publish_before_dark');
      await button('Preview').click();
      await until('a moving preview', () => page.evaluate(() => document.querySelector('.publish video').videoWidth > 0));
      const labels = await page.getByLabel('Camera', { exact: true }).locator('option').allTextContents();
      assert.ok(labels.some((label) => /fake_device/.test(label)), `${labels}`);
      assert.equal(labels.at(-1), 'No camera');
      assert.equal(sessions('whip', 'phone').length, 0);
      assert.match(await status(), /Ready/);
    });

    it('publishes picture and sound, as H.264 first, until it is stopped', async () => {
      await start('yard');
      await untilLive('yard');
      const [session] = sessions('whip', 'yard');
      assert.match(session.offer, /a=sendonly/);
      const video = /^m=video \S+ \S+ (\d+)/m.exec(session.offer)[1];
      assert.match(session.offer, new RegExp(`a=rtpmap:${video} H264/90000`));
      await until('pictures and sound', async () => {
        const got = await server.webrtc.received(session);
        return got.video > 10 && got.audio > 10;
      });
      await until('what is sent', async () => /H\.264 · \d+×\d+ · \d+ fps · [\d.]+ [kM]bit\/s/.test(await status()));
      await audit('publish');
      // It goes on while other pages are looked at, and the link says so.
      await page.evaluate(() => { location.hash = '#/streams'; });
      await page.getByRole('link', { name: 'Publishing' }).click();
      assert.equal(sessions('whip', 'yard').length, 1);
      await until('the preview to move', () => page.evaluate(() => !document.querySelector('.publish video').paused));
      await button('Stop').click();
      await until('the end', async () => sessions('whip', 'yard').length === 0 && await connections() === 0);
      await page.getByRole('link', { name: 'Publish', exact: true }).waitFor();
    });

    it('changes the camera without a break', async () => {
      await start('yard');
      await untilLive('yard');
      const [session] = sessions('whip', 'yard');
      const options = await page.getByLabel('Camera', { exact: true }).locator('option').evaluateAll((all) => all.map((o) => o.value));
      await page.getByLabel('Picture', { exact: true }).selectOption('360');
      await until('the other size', async () => /640×360/.test(await status()));
      assert.deepEqual(sessions('whip', 'yard'), [session]);
      await page.getByLabel('Microphone', { exact: true }).selectOption('none');
      await until('a session without sound', () => sessions('whip', 'yard').some((each) => each !== session && !/m=audio/.test(each.offer)));
      await untilLive('yard');
      assert.ok(options.length >= 2);
    });

    it('takes the last of several choices', async () => {
      await start('yard');
      await untilLive('yard');
      await page.evaluate(() => {
        const { mediaDevices } = navigator;
        const ask = mediaDevices.getUserMedia.bind(mediaDevices);
        mediaDevices.getUserMedia = async (wanted) => {
          await new Promise((resolve) => { setTimeout(resolve, 500); });
          return ask(wanted);
        };
      });
      await page.getByLabel('Picture', { exact: true }).selectOption('1080');
      await page.getByLabel('Picture', { exact: true }).selectOption('360');
      await until('the other size', async () => /640×360/.test(await status()));
    });

    it('keeps the screen on once more when the page is seen again', async () => {
      await open('#/publish');
      await page.evaluate(() => {
        window.locks = [];
        const request = async () => {
          const lock = new EventTarget();
          lock.release = async () => lock.dispatchEvent(new Event('release'));
          window.locks.push(lock);
          return lock;
        };
        Object.defineProperty(navigator, 'wakeLock', { value: { request }, configurable: true });
      });
      await page.getByLabel('Name of the stream').fill('yard');
      await button('Start').click();
      await untilLive('yard');
      const locks = () => page.evaluate(() => window.locks.length);
      assert.equal(await locks(), 1);
      await page.evaluate(() => window.locks[0].release()); // as browsers do when a page is hidden
      await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
      await until('another lock', async () => await locks() === 2);
    });

    it('tries again when the connection breaks, and says so', async () => {
      await start('yard');
      await untilLive('yard');
      server.webrtc.refusals.set('whip/yard', { status: 503, code: 'unavailable', message: 'as many publishers as there may be' });
      await server.webrtc.end(sessions('whip', 'yard')[0]);
      await until('words', async () => /as many publishers.*Trying again/.test(await status()));
      server.webrtc.refusals.clear();
      await untilLive('yard');
      assert.equal(await connections(), 1);
    });

    it('gives way to whoever took the stream', async () => {
      await start('yard');
      await untilLive('yard');
      server.streams.set('yard', [[Date.now() - 60_000, null]]);
      const asked = server.webrtc.opened;
      await server.webrtc.end(sessions('whip', 'yard')[0]);
      await until('words', async () => /Somebody else publishes to yard/.test(await failure()));
      assert.equal(server.webrtc.opened, asked);
      assert.ok(await button('Start').isEnabled());
    });

    it('shows the server\'s words when it refuses, and does not ask again', async () => {
      server.webrtc.refusals.set('whip/gate', { status: 409, code: 'already_exists', message: 'the camera \'gate\' records this stream: publish to one with another name' });
      await start('gate');
      await until('words', async () => /The server refuses: the camera 'gate' records this stream/.test(await failure()));
      assert.deepEqual(await page.evaluate(auditPage), []);
      await page.getByLabel('Name of the stream').fill('a stream');
      await button('Start').click();
      await until('words', async () => /1 to 256 letters/.test(await failure()));
    });

    it('says what the browser refuses', async () => {
      await open('#/publish');
      await page.evaluate(() => {
        navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));
      });
      await button('Start').click();
      await until('words', async () => /was not allowed to use camera or microphone/.test(await failure()));
      await page.getByLabel('Camera', { exact: true }).selectOption('none');
      await page.getByLabel('Microphone', { exact: true }).selectOption('none');
      await button('Start').click();
      await until('words', async () => /Choose a camera, a microphone, or both/.test(await failure()));
    });

    it('ends when the camera is taken away', async () => {
      await start('yard');
      await untilLive('yard');
      await page.evaluate(() => {
        const [track] = document.querySelector('.publish video').srcObject.getVideoTracks();
        track.stop();
        track.dispatchEvent(new Event('ended'));
      });
      await until('words', async () => /The camera is gone/.test(await failure()));
      await until('the end', () => sessions('whip', 'yard').length === 0);
    });

    it('ends when the page is left', async () => {
      await start('yard');
      await untilLive('yard');
      await page.goto('about:blank');
      await until('the session\'s end', () => sessions('whip', 'yard').length === 0);
    });
  });
});
