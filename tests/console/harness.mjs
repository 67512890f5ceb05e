// What the console's browser tests share: one Chromium with a fresh profile, a page that reports what goes wrong in it,
// and waiting for conditions (with a deadline) rather than for time.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { FakeServer } from './fake_server.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const require = createRequire(path.join(process.env.MILLRACE_TEST_MODULES ?? here, 'package.json'));

export const kConsoleDir = process.env.MILLRACE_CONSOLE_DIR ?? path.join(here, '../../console/dist');
export const kModulesDir = process.env.MILLRACE_CONSOLE_MODULES ?? path.join(here, '../../console/modules');

const kArguments = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

let watched = null; // the page that a wait in vain tells about

/** In the page: what it said last for all to see, which it hides after some seconds, as `shownToast`. */
function keepToasts() {
  window.shownToast = '';
  new MutationObserver(() => {
    const toast = document.querySelector('.toast');
    if (toast && !toast.hidden) window.shownToast = toast.textContent;
  }).observe(document, { subtree: true, childList: true, characterData: true, attributeFilter: ['hidden'] });
}

export class Browser {
  static async launch() {
    const { chromium } = require('playwright-core');
    const browser = new Browser();
    browser.profile = fs.mkdtempSync(path.join(os.tmpdir(), 'millrace-chromium-'));
    browser.chromium = chromium;
    return browser;
  }

  /** A page in a Chromium of its own. `options` are Playwright's of a context; `args` more of Chromium's. */
  async open({ args = [], ...options } = {}) {
    await this.context?.close();
    this.context = await this.chromium.launchPersistentContext(fs.mkdtempSync(path.join(this.profile, 'p-')), {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: [...kArguments, ...args], viewport: { width: 1280, height: 800 },
      colorScheme: 'dark', ...options,
    });
    const page = this.context.pages()[0] ?? await this.context.newPage();
    page.setDefaultTimeout(60_000);
    this.problems = [];
    watched = page;
    await page.addInitScript(keepToasts);
    page.on('pageerror', (error) => this.problems.push(String(error?.stack ?? error)));
    page.on('console', (message) => {
      // Chromium's own note of a failed request is no fault of the page; a refusal by the security policy is.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) this.problems.push(message.text());
    });
    return page;
  }

  /** Fails when the page threw, logged an error, or broke the content security policy. */
  assertClean() {
    assert.deepEqual(this.problems, []);
  }

  async close() {
    await this.context?.close();
    fs.rmSync(this.profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

/** A fake server and a page of a browser of its own, which has opened `at` (null: nothing yet). For `before`. */
export async function openConsole(at = '/', options = {}) {
  const opened = { server: new FakeServer(kConsoleDir) };
  try {
    opened.base = await opened.server.listen();
    opened.browser = await Browser.launch();
    opened.page = await opened.browser.open(options);
    if (at !== null) await opened.page.goto(`${opened.base}${at}`);
    return opened;
  } catch (error) {
    await closeConsole(opened); // what is left open would keep the test's process from ending
    throw error;
  }
}

/** Ends what openConsole began. For `after`. */
export async function closeConsole({ server, browser }) {
  await browser?.close();
  await server?.close();
}

/** What the page was like when a wait was in vain: one line. */
async function account() {
  if (!watched || watched.isClosed()) return 'no page';
  const focus = () => watched.evaluate(() => ({
    focus: document.activeElement?.outerHTML.slice(0, 120), dialogs: [...document.querySelectorAll('dialog')].map((d) => d.textContent.slice(0, 40)),
    visible: document.visibilityState,
  }));
  return Promise.all([state(watched), focus()]).then((parts) => JSON.stringify(Object.assign({}, ...parts)), String);
}

/** Asks `probe` until it answers something true, and returns that. `what` is said when it never does, and how the page is. */
export async function until(what, probe, timeoutMs = 60_000) {
  const deadline = Date.now() + timeoutMs;
  let last;
  for (;;) {
    last = await probe();
    if (last) return last;
    if (Date.now() > deadline) {
      throw new Error(`waited ${timeoutMs / 1000} s in vain: ${what}; last: ${JSON.stringify(last)}; page: ${await account()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** What the page plays and says. `wall`: the time shown over the picture, ms; null while there is none. `toast`: what it said last. */
export function state(page) {
  return page.evaluate(() => {
    const video = document.querySelector('video');
    const text = (selector) => {
      const element = document.querySelector(selector);
      return element && !element.closest('[hidden]') ? element.textContent : '';
    };
    const quality = video.getVideoPlaybackQuality();
    const clock = text('.clock');
    const date = text('.date');
    return {
      currentTime: video.currentTime, frames: quality.totalVideoFrames, paused: video.paused, muted: video.muted,
      rate: video.playbackRate, badge: text('.badge'), wall: clock && date ? new Date(`${date}T${clock}`).getTime() : null,
      behind: text('.behind'), message: text('.message'), banner: text('.banner'), toast: window.shownToast, facts: text('.facts'),
      title: text('.stream-name'), hash: location.hash, scheme: getComputedStyle(document.documentElement).colorScheme,
    };
  });
}

/** Waits until the picture moves: time and decoded frames both grow from one look to a later one. */
export async function untilMoving(page, badge) {
  let first = null;
  return until(`a moving picture, ${badge}`, async () => {
    const now = await state(page);
    if (now.badge !== badge || now.wall === null) first = null;
    // Two tenths of a second: more than a decoder shows of what it had before a jump.
    else if (first === null || now.currentTime < first.currentTime) first = now;
    else if (now.currentTime >= first.currentTime + 0.2 && now.frames > first.frames) return now;
    return null;
  });
}

/** Keeps a screenshot where the build keeps its artifacts (or at `file`). */
export async function screenshot(page, name, file = null) {
  const to = file ?? path.join(process.env.MILLRACE_ARTIFACTS ?? os.tmpdir(), `${name}.png`);
  fs.mkdirSync(path.dirname(to), { recursive: true });
  await page.screenshot({ path: to });
}
