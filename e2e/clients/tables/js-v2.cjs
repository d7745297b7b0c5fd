// A table and its stream with the AWS SDK for JavaScript v2, which knows no
// variable for an endpoint.
const { createRequire } = require("node:module");
const AWS = createRequire(process.env.TEST_PACKAGES + "/")("aws-sdk");

const TableName = process.env.TABLE;
const db = new AWS.DynamoDB({ endpoint: process.env.ENDPOINT });
const streams = new AWS.DynamoDBStreams({ endpoint: process.env.ENDPOINT });
const waiting = { delay: 1, maxAttempts: 20 };

async function create() {
  await db.createTable({
    TableName, BillingMode: "PAY_PER_REQUEST", KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }, { AttributeName: "city", AttributeType: "S" }],
    GlobalSecondaryIndexes: [{ IndexName: "byCity", KeySchema: [{ AttributeName: "city", KeyType: "HASH" }], Projection: { ProjectionType: "ALL" } }],
    StreamSpecification: { StreamEnabled: true, StreamViewType: "NEW_AND_OLD_IMAGES" },
  }).promise();
  await db.waitFor("tableExists", { TableName, $waiter: waiting }).promise();
  await db.updateTimeToLive({ TableName, TimeToLiveSpecification: { AttributeName: "ends", Enabled: true } }).promise();
  const ttl = await db.describeTimeToLive({ TableName }).promise();
  console.log("created, items end by", ttl.TimeToLiveDescription.AttributeName);
}

async function items() {
  const Item = {
    id: { S: "ann" }, city: { S: "Bern" }, n: { N: "1" }, big: { N: "12345678901234567890.123456789012345678" }, bytes: { B: Buffer.from([98, 0]) },
    yes: { BOOL: true }, none: { NULL: true }, set: { SS: ["x"] }, list: { L: [{ M: { deep: { N: "1" } } }] },
  };
  await db.putItem({ TableName, Item }).promise();
  const { Item: got } = await db.getItem({ TableName, Key: { id: { S: "ann" } }, ConsistentRead: true }).promise();
  const bytes = '"' + got.bytes.B.toString("latin1").replace("\0", "\\x00") + '"';
  console.log("got", got.city.S, got.big.N, bytes, got.yes.BOOL, got.none.NULL, got.set.SS[0], got.list.L[0].M.deep.N);
  const { Attributes } = await db.updateItem({
    TableName, Key: { id: { S: "ann" } }, UpdateExpression: "SET #c = :c ADD n :one", ReturnValues: "ALL_NEW",
    ExpressionAttributeNames: { "#c": "city" }, ExpressionAttributeValues: { ":c": { S: "Rome" }, ":one": { N: "1" } },
  }).promise();
  console.log("updated to", Attributes.city.S, Attributes.n.N);
}

async function several() {
  const puts = ["bob", "cyd"].map((id) => ({ PutRequest: { Item: { id: { S: id }, city: { S: "Rome" } } } }));
  await db.batchWriteItem({ RequestItems: { [TableName]: puts } }).promise();
  let pages = 0, found = 0, ExclusiveStartKey;
  do {
    const page = await db.query({
      TableName, IndexName: "byCity", KeyConditionExpression: "city = :c", ExpressionAttributeValues: { ":c": { S: "Rome" } }, Limit: 2, ExclusiveStartKey,
    }).promise();
    pages++;
    found += page.Items.length;
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey);
  const scan = await db.scan({ TableName, FilterExpression: "attribute_exists(n)" }).promise();
  console.log("found", found, "on", pages, "pages,", scan.Count, "of", scan.ScannedCount);
}

async function fails(what, request) {
  try {
    await request.promise();
  } catch (e) {
    console.log(what, "failed:", e.code);
    return;
  }
  throw new Error(what + " has not failed");
}

async function failures() {
  const ConditionExpression = "attribute_not_exists(id)";
  await fails("put", db.putItem({ TableName, Item: { id: { S: "ann" } }, ConditionExpression }));
  await fails("transact", db.transactWriteItems({ TransactItems: [
    { Put: { TableName, Item: { id: { S: "dan" } } } }, { ConditionCheck: { TableName, Key: { id: { S: "bob" } }, ConditionExpression } },
  ] }));
  await fails("get", db.getItem({ TableName: "missing", Key: { id: { S: "ann" } } }));
}

async function changes() {
  await db.deleteItem({ TableName, Key: { id: { S: "ann" } } }).promise();
  const { Streams: [{ StreamArn }] } = await streams.listStreams({ TableName }).promise();
  const { StreamDescription: { Shards: [{ ShardId }] } } = await streams.describeStream({ StreamArn }).promise();
  const { ShardIterator } = await streams.getShardIterator({ StreamArn, ShardId, ShardIteratorType: "TRIM_HORIZON" }).promise();
  const { Records } = await streams.getRecords({ ShardIterator }).promise();
  const city = (image) => image?.city?.S ?? "none";
  for (const { eventName, dynamodb: c } of Records) console.log(eventName, c.Keys.id.S, city(c.OldImage), city(c.NewImage));
}

async function main() {
  for (const step of [create, items, several, failures, changes]) await step();
  await db.deleteTable({ TableName }).promise();
  await db.waitFor("tableNotExists", { TableName, $waiter: waiting }).promise();
  console.log("deleted");
}

main().catch((e) => { console.error(e); process.exit(1); });
