// What can be done to a data stream: a test record, and changes of its shards, each behind a dialog that says what
// becomes of it.
import * as api from '../api.js';
import { field, openDialog } from '../dialog.js';
import { h } from '../dom.js';
import { formatShare, middleOf, shortShard, toBase64 } from './format.js';

export type Done = (message: string) => void;

const kOrder = 'Records that are there stay where they are, and are read before those that come after.';

export function putDialog(stream: string, done: Done): void {
  const key = h('input', { type: 'text', value: 'test', spellcheck: false, autocapitalize: 'off', maxLength: 256 });
  const data = h('textarea', { rows: 5, spellcheck: false, value: '{"hello":"world"}' });
  openDialog({
    title: `Put a record into ${stream}`,
    body: [field('Partition key', key, 'Decides the shard.'), field('Data', data)],
    action: 'Put record',
    run: async () => {
      if (key.value === '') throw new Error('A partition key has 1 to 256 characters.');
      const answer = await api.dataStreams<{ ShardId: string }>('PutRecord',
        { StreamName: stream, PartitionKey: key.value, Data: toBase64(data.value) });
      done(`The record is in ${answer.ShardId}.`);
    },
  });
  data.focus();
}

export function splitDialog(stream: string, shard: api.Shard, done: Done): void {
  openDialog({
    title: `Split shard ${shortShard(shard.id)}`,
    body: [h('p', null, `${shard.id} is closed, and two new shards share its ${formatShare(shard.end - shard.start)} of the hash keys.`),
      h('p', { className: 'hint' }, kOrder)],
    action: 'Split',
    run: async () => {
      await api.dataStreams('SplitShard', { StreamName: stream, ShardToSplit: shard.id, NewStartingHashKey: middleOf(shard) });
      done(`${shard.id} is split.`);
    },
  });
}

export function mergeDialog(stream: string, shard: api.Shard, next: api.Shard, done: Done): void {
  openDialog({
    title: `Merge shards ${shortShard(shard.id)} and ${shortShard(next.id)}`,
    body: [h('p', null, `Both are closed, and one new shard has their ${formatShare(next.end - shard.start)} of the hash keys.`),
      h('p', { className: 'hint' }, kOrder)],
    action: 'Merge',
    run: async () => {
      await api.dataStreams('MergeShards', { StreamName: stream, ShardToMerge: shard.id, AdjacentShardToMerge: next.id });
      done(`${shard.id} and ${next.id} are merged.`);
    },
  });
}

export function scaleDialog(stream: string, open: number, done: Done): void {
  const count = h('input', { type: 'number', min: '1', step: '1', value: String(open * 2) });
  openDialog({
    title: `Scale ${stream}`,
    body: [h('p', null, `It has ${open} open ${open === 1 ? 'shard' : 'shards'}. New shards of equal ranges take over from them.`),
      field('Shards', count, `From ${Math.ceil(open / 2)} to ${open * 2} at a time.`), h('p', { className: 'hint' }, kOrder)],
    action: 'Scale',
    run: async () => {
      const target = Number(count.value);
      if (!Number.isInteger(target) || target < 1) throw new Error('Give a number of shards.');
      await api.dataStreams('UpdateShardCount', { StreamName: stream, TargetShardCount: target, ScalingType: 'UNIFORM_SCALING' });
      done(`${stream} is scaled to ${target} ${target === 1 ? 'shard' : 'shards'}.`);
    },
  });
}
