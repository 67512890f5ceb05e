// The data streams of the fake server: those of /v1/data-streams, and the operations of the protocol that the console
// uses, on streams in memory.

const kKeys = 2n ** 128n;
const kPage = 50;

export class FakeDataStreams {
  constructor() {
    this.calls = []; // [operation, request]
    this.streams = new Map();
    this.number = 0n;
    this.add('events', 3, { mode: 'provisioned' });
    this.add('clicks', 4, { mode: 'on_demand' });
    this.add('millrace-fragments', 2, { mode: 'provisioned', internal: true });
  }

  add(name, shards, more) {
    const list = [];
    for (let i = 0n; i < BigInt(shards); i += 1n) {
      list.push(this.shard(Number(i), (kKeys * i) / BigInt(shards), (kKeys * (i + 1n)) / BigInt(shards) - 1n, []));
    }
    this.streams.set(name, { name, created: '2026-11-20T08:00:00.000Z', retention_hours: 24, record_kib_max: 1024, internal: false,
      shards: list, records: [], ...more });
  }

  shard(index, first, last, parents) {
    return { id: `shardId-${String(index).padStart(12, '0')}`, parents, first_hash_key: String(first), last_hash_key: String(last),
      start: Number(first) / Number(kKeys), end: Number(last + 1n) / Number(kKeys), open: true, created: '2026-11-20T08:00:00.000Z', closed: null,
      records_per_second: index * 12.5, bytes_per_second: index * 4000 };
  }

  /** A record in the stream; `more` over what a record says. */
  put(name, partitionKey, text, more = {}) {
    const stream = this.streams.get(name);
    const shard = stream.shards.find((one) => one.open);
    this.number += 1n;
    stream.records.push({ shard: shard.id, sequence_number: String(49n * 10n ** 54n + this.number), sub_sequence: null, aggregated: null,
      time: new Date().toISOString(), partition_key: partitionKey, bytes: Buffer.byteLength(text), text, hex: null, truncated: false, ...more });
    return shard.id;
  }

  summary({ shards, records: _, ...rest }) {
    return { ...rest, shards: shards.length, open_shards: shards.filter((shard) => shard.open).length };
  }

  get([name, what], query, json, error) {
    if (name === undefined) {
      const shown = [...this.streams.values()].filter((stream) => !stream.internal || query.get('internal') === 'true');
      return json(200, { data_streams: shown.map((stream) => this.summary(stream)) });
    }
    const stream = this.streams.get(name);
    if (!stream) return error(404, 'not_found', `data stream '${name}' does not exist; GET /v1/data-streams lists them`);
    if (what === undefined) return json(200, { ...this.summary(stream), shards: stream.shards });
    const from = query.has('after') ? Number(query.get('after')) : Math.max(0, stream.records.length - kPage);
    const records = stream.records.slice(from);
    return json(200, { records: records.slice(-kPage), skipped: records.length > kPage, next: String(stream.records.length) });
  }

  call(target, request, json) {
    const operation = target.replace('Kinesis_20131202.', '');
    this.calls.push([operation, request]);
    const stream = this.streams.get(request.StreamName);
    if (!stream) return json(400, { __type: 'ResourceNotFoundException', message: `Stream ${request.StreamName} under account 000000000000 not found.` });
    const find = (id) => stream.shards.find((shard) => shard.id === id);
    const close = (...ids) => ids.forEach((id) => Object.assign(find(id), { open: false, records_per_second: null, bytes_per_second: null }));
    const open = (first, last, parents) => stream.shards.push(this.shard(stream.shards.length, first, last, parents));
    if (operation === 'PutRecord') {
      const text = Buffer.from(request.Data, 'base64').toString();
      return json(200, { ShardId: this.put(request.StreamName, request.PartitionKey, text), SequenceNumber: '1' });
    }
    if (operation === 'SplitShard') {
      const shard = find(request.ShardToSplit);
      const middle = BigInt(request.NewStartingHashKey);
      close(shard.id);
      open(BigInt(shard.first_hash_key), middle - 1n, [shard.id]);
      open(middle, BigInt(shard.last_hash_key), [shard.id]);
      return json(200, {});
    }
    if (operation === 'MergeShards') {
      const [a, b] = [find(request.ShardToMerge), find(request.AdjacentShardToMerge)];
      close(a.id, b.id);
      open(BigInt(a.first_hash_key), BigInt(b.last_hash_key), [a.id, b.id]);
      return json(200, {});
    }
    return json(400, { __type: 'LimitExceededException', message: `TargetShardCount ${request.TargetShardCount} is more than double the current count.` });
  }
}
