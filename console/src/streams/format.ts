// How data streams are put into words. Pure.
import type { DataRecord, Shard } from '../api.js';
import { formatBytes } from '../time.js';

/** "12.5%". */
export function formatShare(part: number): string {
  const percent = part * 100;
  return `${percent >= 10 || percent === 0 ? Math.round(percent * 10) / 10 : Number(percent.toPrecision(2))}%`;
}

/** "1.2 k", "340", "0.4". */
export function formatCount(value: number): string {
  if (value >= 999_500) return `${(value / 1e6).toFixed(1)} M`;
  if (value >= 9995) return `${(value / 1e3).toFixed(1)} k`;
  return value >= 10 || value === 0 ? String(Math.round(value)) : value.toFixed(1);
}

/** "12 records/s, 3.4 kB/s"; empty where it is not known. */
export function formatRate(shard: Shard): string {
  if (shard.records_per_second === null || shard.bytes_per_second === null) return '';
  return `${formatCount(shard.records_per_second)} records/s, ${formatBytes(shard.bytes_per_second)}/s`;
}

/** "0" of "shardId-000000000000": what is left where all begin alike. */
export function shortShard(id: string): string {
  const match = /^shardId-0*(\d+)$/.exec(id);
  return match ? match[1]! : id;
}

export interface Preview {
  readonly line: string; // for the list
  readonly whole: string; // as far as the server gave it
  readonly kind: 'JSON' | 'text' | 'bytes';
}

/** A record's data as a person reads it: JSON laid out, text as it is, bytes as hexadecimal digits. */
export function previewOf(record: DataRecord): Preview {
  const more = record.truncated ? ' …' : '';
  if (record.text === null) {
    const pairs = (record.hex ?? '').match(/../g) ?? [];
    const rows = [];
    for (let i = 0; i < pairs.length; i += 16) rows.push(pairs.slice(i, i + 16).join(' '));
    return { line: pairs.slice(0, 24).join(' ') + (pairs.length > 24 ? ' …' : more), whole: rows.join('\n') + more, kind: 'bytes' };
  }
  const line = record.text.replace(/\s+/g, ' ').slice(0, 300) + more;
  if (!record.truncated && /^\s*[[{]/.test(record.text)) {
    try {
      return { line, whole: JSON.stringify(JSON.parse(record.text), null, 2), kind: 'JSON' };
    } catch {
      // It only begins like JSON.
    }
  }
  return { line, whole: record.text + more, kind: 'text' };
}

/** The first hash key of the upper half, for a split. */
export function middleOf(shard: Shard): string {
  const first = BigInt(shard.first_hash_key);
  return String(first + (BigInt(shard.last_hash_key) - first) / 2n + 1n);
}

/** The open shard whose range follows, that this one can be merged with. */
export function nextOf(shard: Shard, shards: readonly Shard[]): Shard | null {
  const next = String(BigInt(shard.last_hash_key) + 1n);
  return shards.find((other) => other.open && other.first_hash_key === next) ?? null;
}

/** Text as the protocol has data: base64 of its UTF-8. */
export function toBase64(text: string): string {
  let binary = '';
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
}
