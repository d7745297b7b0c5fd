// A data stream with the AWS SDK for JavaScript v2.
const { createRequire } = require("node:module");
const AWS = createRequire(process.env.TEST_PACKAGES + "/")("aws-sdk");

const StreamName = process.env.STREAM;
const client = new AWS.Kinesis({ endpoint: process.env.ENDPOINT });
const waiting = { StreamName, $waiter: { delay: 1, maxAttempts: 20 } };

async function create() {
  await client.createStream({ StreamName, ShardCount: 2 }).promise();
  await client.waitFor("streamExists", waiting).promise();
  const { StreamDescription: d } = await client.describeStream({ StreamName }).promise();
  console.log("created", d.StreamStatus, "with", d.Shards.length, "shards for", d.RetentionPeriodHours, "hours");
}

async function put() {
  const one = await client.putRecord({ StreamName, PartitionKey: "ann", Data: Buffer.from([98, 0]) }).promise();
  console.log("put one to", one.ShardId);
  const Records = ["0", "340282366920938463463374607431768211455"].map((ExplicitHashKey) => ({ PartitionKey: "bob", ExplicitHashKey, Data: "Rome" }));
  const { Records: [a, b], FailedRecordCount } = await client.putRecords({ StreamName, Records }).promise();
  console.log("put", a.ShardId, b.ShardId, FailedRecordCount, "failed");
}

async function read() {
  const { Shards } = await client.listShards({ StreamName }).promise();
  for (const { ShardId } of Shards) {
    const { ShardIterator } = await client.getShardIterator({ StreamName, ShardId, ShardIteratorType: "TRIM_HORIZON" }).promise();
    const { Records } = await client.getRecords({ ShardIterator }).promise();
    for (const r of Records) {
      const data = '"' + r.Data.toString("latin1").replace("\0", "\\x00") + '"';
      console.log("read", r.PartitionKey, data + ",", r.SequenceNumber.length, "digits,", r.ApproximateArrivalTimestamp > 0);
    }
  }
}

async function main() {
  for (const step of [create, put, read]) await step();
  try {
    await client.putRecord({ StreamName: "missing", PartitionKey: "k", Data: "x" }).promise();
  } catch (e) {
    console.log("put failed:", e.code);
  }
  await client.deleteStream({ StreamName }).promise();
  await client.waitFor("streamNotExists", waiting).promise();
  console.log("deleted");
}

main().catch((e) => { console.error(e); process.exit(1); });
