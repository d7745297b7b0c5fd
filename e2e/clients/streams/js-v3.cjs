// A data stream with the AWS SDK for JavaScript v3, whose Kinesis client speaks
// HTTP/2 only. It finds the endpoint in its environment.
const { createRequire } = require("node:module");
const need = createRequire(process.env.TEST_PACKAGES + "/");
const k = need("@aws-sdk/client-kinesis");

const StreamName = process.env.STREAM;
const client = new k.KinesisClient({});
const waiting = { client, minDelay: 1, maxWaitTime: 20 };

async function create() {
  await client.send(new k.CreateStreamCommand({ StreamName, ShardCount: 2 }));
  await k.waitUntilStreamExists(waiting, { StreamName });
  const { StreamDescription: d } = await client.send(new k.DescribeStreamCommand({ StreamName }));
  console.log("created", d.StreamStatus, "with", d.Shards.length, "shards for", d.RetentionPeriodHours, "hours");
}

async function put() {
  const one = await client.send(new k.PutRecordCommand({ StreamName, PartitionKey: "ann", Data: new Uint8Array([98, 0]) }));
  console.log("put one to", one.ShardId);
  const Records = ["0", "340282366920938463463374607431768211455"].map((ExplicitHashKey) => ({ PartitionKey: "bob", ExplicitHashKey, Data: Buffer.from("Rome") }));
  const { Records: [a, b], FailedRecordCount } = await client.send(new k.PutRecordsCommand({ StreamName, Records }));
  console.log("put", a.ShardId, b.ShardId, FailedRecordCount, "failed");
}

async function read() {
  const { Shards } = await client.send(new k.ListShardsCommand({ StreamName }));
  for (const { ShardId } of Shards) {
    const { ShardIterator } = await client.send(new k.GetShardIteratorCommand({ StreamName, ShardId, ShardIteratorType: "TRIM_HORIZON" }));
    const { Records } = await client.send(new k.GetRecordsCommand({ ShardIterator }));
    for (const r of Records) {
      const data = '"' + Buffer.from(r.Data).toString("latin1").replace("\0", "\\x00") + '"';
      console.log("read", r.PartitionKey, data + ",", r.SequenceNumber.length, "digits,", r.ApproximateArrivalTimestamp > 0);
    }
  }
}

async function main() {
  for (const step of [create, put, read]) await step();
  try {
    await client.send(new k.PutRecordCommand({ StreamName: "missing", PartitionKey: "k", Data: Buffer.from("x") }));
  } catch (e) {
    if (!(e instanceof k.ResourceNotFoundException)) throw e;
    console.log("put failed:", e.name);
  }
  await client.send(new k.DeleteStreamCommand({ StreamName }));
  await k.waitUntilStreamNotExists(waiting, { StreamName });
  console.log("deleted");
  client.destroy(); // its HTTP/2 session would keep Node.js running
}

main().catch((e) => { console.error(e); process.exit(1); });
