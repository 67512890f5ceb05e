// What the AWS SDK for JavaScript v3 makes of a running server, over HTTP/2 with prior knowledge: run by aws_clients_test.py.
//
//   node aws_checks.mjs PACKAGES ENDPOINT PREFIX RECORDING
//
// PACKAGES: the directory that has node_modules. Into RECORDING goes one JSON object a line for each answer, as it came from
// the connection: {operation, status, headers, body (base64)}; the caller checks them against the service model.
import assert from "node:assert/strict";
import { appendFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";

const [packages, endpoint, prefix, recording] = process.argv.slice(2);
const require = createRequire(join(packages, "package.json"));
const sdk = require("@aws-sdk/client-kinesis");

const client = new sdk.KinesisClient({ endpoint, region: "us-east-1", maxAttempts: 3,
                                       credentials: { accessKeyId: "any", secretAccessKey: "any" } });
const closing = [];

function note(operation, response, body) {
  const { statusCode: status, headers } = response;
  appendFileSync(recording, JSON.stringify({ operation, status, headers, body: body.toString("base64") }) + "\n");
}

// Nearest to the connection, before the SDK looks at the answer.
client.middlewareStack.add((next, context) => async (args) => {
  const result = await next(args);
  const { response } = result;
  const operation = context.commandName.replace(/Command$/, "");
  const parts = [];
  if (operation === "SubscribeToShard" && response.statusCode === 200) {
    const source = response.body;
    response.body = source.pipe(new PassThrough());
    source.on("data", (part) => parts.push(part));
    closing.push(() => note(operation, response, Buffer.concat(parts)));
  } else {
    for await (const part of response.body) parts.push(part);
    const body = Buffer.concat(parts);
    response.body = Readable.from(body.length ? [body] : []);
    note(operation, response, body);
  }
  return result;
}, { step: "deserialize", priority: "low", name: "recordAnswers" });

const send = (name, input) => client.send(new sdk[`${name}Command`](input));
const text = (record) => Buffer.from(record.Data).toString();

async function refused(error, name, input) {
  await assert.rejects(send(name, input), (thrown) => thrown.name === error || assert.fail(`${name}: ${thrown.name}, not ${error}`));
}

async function active(stream) {
  await sdk.waitUntilStreamExists({ client, maxWaitTime: 60, minDelay: 1, maxDelay: 1 }, { StreamName: stream });
}

async function shardsOf(stream) {
  return (await send("ListShards", { StreamName: stream })).Shards;
}

// All records of a shard up to its tip or its end, and the children that the end names.
async function readShard(stream, shard, position = { ShardIteratorType: "TRIM_HORIZON" }) {
  let { ShardIterator: iterator } = await send("GetShardIterator", { StreamName: stream, ShardId: shard, ...position });
  const records = [];
  for (;;) {
    const page = await send("GetRecords", { ShardIterator: iterator, Limit: 1000 });
    records.push(...page.Records);
    iterator = page.NextShardIterator;
    if (!iterator) return { records, children: page.ChildShards };
    if (!page.Records.length && page.MillisBehindLatest === 0) return { records };
  }
}

const isOpen = (shard) => !shard.SequenceNumberRange.EndingSequenceNumber;
const halfOf = ({ HashKeyRange: range }) => String((BigInt(range.StartingHashKey) + BigInt(range.EndingHashKey)) / 2n);

const stream = `${prefix}-js`;
await send("CreateStream", { StreamName: stream, ShardCount: 2, Tags: { site: "north" } });
await active(stream);
const { StreamDescriptionSummary: summary } = await send("DescribeStreamSummary", { StreamName: stream });
assert.equal(summary.OpenShardCount, 2);
const byArn = { StreamARN: summary.StreamARN };

const first = await send("PutRecord", { ...byArn, PartitionKey: "k", Data: Buffer.from("first") });
const second = await send("PutRecord", { StreamName: stream, PartitionKey: "k", Data: Buffer.from("second"),
                                         SequenceNumberForOrdering: first.SequenceNumber });
assert(BigInt(second.SequenceNumber) > BigInt(first.SequenceNumber));
const many = Array.from({ length: 100 }, (_, i) => ({ PartitionKey: `key-${i % 7}`, Data: Buffer.from(String(i)) }));
const put = await send("PutRecords", { StreamName: stream, Records: many });
assert.equal(put.FailedRecordCount, 0);
assert.equal(put.Records.length, 100);
// Each on a connection of its own, since the SDK has it so.
await Promise.all(Array.from({ length: 8 }, (_, i) =>
  send("PutRecord", { StreamName: stream, PartitionKey: `side-${i}`, Data: Buffer.alloc(50000, "x") })));

const parents = await shardsOf(stream);
const whole = (await Promise.all(parents.map((shard) => readShard(stream, shard.ShardId)))).flatMap((one) => one.records);
assert.deepEqual(whole.map(text).sort(), ["first", "second", ...many.map((one) => one.Data.toString()),
                                          ...Array(8).fill("x".repeat(50000))].sort());
const behind = await readShard(stream, first.ShardId, { ShardIteratorType: "AFTER_SEQUENCE_NUMBER",
                                                        StartingSequenceNumber: first.SequenceNumber });
assert.equal(text(behind.records[0]), "second");

await refused("ResourceInUseException", "CreateStream", { StreamName: stream, ShardCount: 1 });
await refused("ResourceNotFoundException", "DescribeStream", { StreamName: `${prefix}-nothing` });
await refused("InvalidArgumentException", "GetRecords", { ShardIterator: "AAAA" });

await send("SplitShard", { StreamName: stream, ShardToSplit: parents[0].ShardId, NewStartingHashKey: halfOf(parents[0]) });
await active(stream);
const { children } = await readShard(stream, parents[0].ShardId);
assert.equal(children.length, 2);
assert(children.every((child) => child.ParentShards.includes(parents[0].ShardId)));
await send("MergeShards", { StreamName: stream, ShardToMerge: children[0].ShardId, AdjacentShardToMerge: children[1].ShardId });
await active(stream);
await send("UpdateShardCount", { StreamName: stream, TargetShardCount: 4, ScalingType: "UNIFORM_SCALING" });
await active(stream);
assert.equal((await shardsOf(stream)).filter(isOpen).length, 4);

const { Consumer: consumer } = await send("RegisterStreamConsumer", { ...byArn, ConsumerName: "reader" });
for (let tries = 0; ; ++tries) {
  const { ConsumerDescription: told } = await send("DescribeStreamConsumer", { ConsumerARN: consumer.ConsumerARN });
  if (told.ConsumerStatus === "ACTIVE") break;
  assert(tries < 600, "the consumer does not become active");
  await new Promise((resolve) => setTimeout(resolve, 100));
}
assert.equal((await send("ListStreamConsumers", byArn)).Consumers.length, 1);
// A closed shard: all of its records, then its children; the stream ends.
const pushed = [];
let ended;
const closed = await send("SubscribeToShard", { ConsumerARN: consumer.ConsumerARN, ShardId: parents[0].ShardId,
                                                StartingPosition: { Type: "TRIM_HORIZON" } });
for await (const { SubscribeToShardEvent: event } of closed.EventStream) {
  pushed.push(...event.Records);
  if (event.ChildShards?.length) ended = event;
}
assert.equal(ended.ContinuationSequenceNumber, undefined);
assert.deepEqual(pushed.map((one) => one.SequenceNumber),
                 (await readShard(stream, parents[0].ShardId)).records.map((one) => one.SequenceNumber));
// An open one, at its tip: what is put from now on comes.
const live = await send("PutRecord", { StreamName: stream, PartitionKey: "live", Data: Buffer.from("before") });
const open = await send("SubscribeToShard", { ConsumerARN: consumer.ConsumerARN, ShardId: live.ShardId,
                                              StartingPosition: { Type: "AFTER_SEQUENCE_NUMBER", SequenceNumber: live.SequenceNumber } });
await send("PutRecord", { StreamName: stream, PartitionKey: "live", Data: Buffer.from("pushed") });
for await (const { SubscribeToShardEvent: event } of open.EventStream) {
  if (!event.Records.length) continue;
  assert.equal(text(event.Records[0]), "pushed");
  break;
}
await refused("ResourceNotFoundException", "SubscribeToShard", { ConsumerARN: `${summary.StreamARN}/consumer/no:1`,
                                                                 ShardId: live.ShardId, StartingPosition: { Type: "LATEST" } });
await refused("ResourceInUseException", "DeleteStream", { StreamName: stream });
await send("DeregisterStreamConsumer", { ConsumerARN: consumer.ConsumerARN });
await send("DeleteStream", { StreamName: stream, EnforceConsumerDeletion: true });
for (const end of closing) end();
client.destroy();
console.log(JSON.stringify({ version: require("@aws-sdk/client-kinesis/package.json").version, node: process.version }));
process.exit(0);
