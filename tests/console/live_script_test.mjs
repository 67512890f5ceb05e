// live_console_test.mjs itself: it passes against a server that plays, and fails in words against one that does not.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FakeServer } from './fake_server.mjs';
import { kConsoleDir } from './harness.mjs';

const script = path.join(path.dirname(fileURLToPath(import.meta.url)), 'live_console_test.mjs');

function run(...args) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (data) => { output += data; });
    child.stderr.on('data', (data) => { output += data; });
    child.on('close', (code) => resolve({ code, output }));
  });
}

describe('the live test', () => {
  let server;
  let base;
  before(async () => {
    server = new FakeServer(kConsoleDir);
    base = await server.listen();
  });
  after(() => server?.close());

  it('passes, and leaves a screenshot', async () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'millrace-live-script-'));
    const picture = path.join(directory, 'console.png');
    const { code, output } = await run(base, 'front-door', picture, '30');
    assert.equal(code, 0, output);
    assert.ok(fs.statSync(picture).size > 10_000);
    fs.rmSync(directory, { recursive: true });
  });

  it('fails where going into the past would play something else', async () => {
    server.streams.set('front-door', [[server.started - 300 * 60_000, server.started - 30 * 60_000], [Math.floor(Date.now() / 1000) * 1000 - 15_000, null]]);
    const { code, output } = await run(base, 'front-door', '', '600'); // footage grows meanwhile
    assert.equal(code, 1, output);
    assert.match(output, /footage at .*; coverage:/);
  });

  it('says how it is used', async () => {
    const { code, output } = await run();
    assert.equal(code, 2);
    assert.match(output, /usage:/);
  });
});
