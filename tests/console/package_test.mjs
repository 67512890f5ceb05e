// What is built and what it is built from: no registry in the lock files, nothing from outside in the page.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { kConsoleDir } from './harness.mjs';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '../..');

describe('lock files', () => {
  for (const file of ['console/package-lock.json', 'tests/console/package-lock.json']) {
    it(`${file} names hashes and no hosts`, () => {
      const text = fs.readFileSync(path.join(root, file), 'utf8');
      assert.doesNotMatch(text, /https?:\/\//);
      const { packages } = JSON.parse(text);
      for (const [name, entry] of Object.entries(packages)) {
        if (name === '') continue;
        assert.ok(!('resolved' in entry), name);
        assert.match(entry.integrity ?? '', /^sha512-/, name);
      }
      // An optional package that is missing here makes `npm ci` refuse the lock file on another machine.
      for (const [name, entry] of Object.entries(packages)) {
        for (const optional of Object.keys(entry.optionalDependencies ?? {})) {
          assert.ok(packages[`node_modules/${optional}`], `${name} may need ${optional}`);
        }
      }
    });
  }
});

describe('the built console', () => {
  const html = fs.readFileSync(path.join(kConsoleDir, 'index.html'), 'utf8');
  const assets = fs.readdirSync(path.join(kConsoleDir, 'assets'));
  it('has assets with hashed names, and all that index.html names', () => {
    for (const name of assets) assert.match(name, /-[\w-]{8}\.(js|css|svg)$/);
    const named = [...html.matchAll(/(?:src|href)="\.\/assets\/([^"]+)"/g)].map((m) => m[1]);
    assert.ok(named.length >= 3);
    for (const name of named) assert.ok(assets.includes(name), name);
  });
  it('needs no exception from a strict content security policy', () => {
    assert.doesNotMatch(html, /<style|\sstyle=|\son\w+=/);
    for (const [tag] of html.matchAll(/<script[^>]*>/g)) assert.match(tag, /\ssrc="\.\//);
  });
  it('loads nothing from outside', () => {
    const known = ['http://www.w3.org/2000/svg', 'https://aomedia.org/emsg/ID3']; // names, not places
    for (const name of ['../index.html', ...assets]) {
      const text = fs.readFileSync(path.join(kConsoleDir, 'assets', name), 'utf8');
      for (const [url] of text.matchAll(/(?:https?|wss?):\/\/[\w./-]+/g)) assert.ok(known.includes(url), `${name}: ${url}`);
    }
  });
  it('stays small', () => {
    const bytes = assets.reduce((sum, name) => sum + fs.statSync(path.join(kConsoleDir, 'assets', name)).size, 0);
    assert.ok(bytes < 520_000, `${bytes} bytes`);
  });
});
