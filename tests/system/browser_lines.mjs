// A real Chromium that does what it is told: one JSON object a line on standard input, one line of JSON in answer to each.
// A request names its page, {"page":"second",…}, which is opened when it is named first; without a name it is for "first".
import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';

const require = createRequire(path.join(process.env.MILLRACE_TEST_MODULES, 'package.json'));
const { chromium } = require('playwright-core');

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required'];
// A camera and a microphone that are none, and nobody who has to allow them.
export const FAKE_DEVICES = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];

// `prepare` gives a new page what it needs to know the actions: window.actions, by the requests' "do". Ends when standard input does.
export async function serve(prepare, flags, options = {}) {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'millrace-browser-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: [...FLAGS, ...flags], ...options,
  });
  const pages = {};
  const pageOf = async (name) => {
    if (!pages[name]) {
      pages[name] = name === 'first' ? context.pages()[0] : await context.newPage();
      pages[name].setDefaultTimeout(60_000);
      await prepare(pages[name]);
    }
    return pages[name];
  };
  await pageOf('first');
  process.stdout.write('{"ready":true}\n');
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { page = 'first', ...request } = JSON.parse(line);
    const answer = await pageOf(page).then((it) => it.evaluate((asked) => window.actions[asked.do](asked), request))
      .catch((error) => ({ failed: String(error) }));
    process.stdout.write(`${JSON.stringify(answer ?? {})}\n`);
  }
  await context.close();
  fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}
