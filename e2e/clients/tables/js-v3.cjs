// A table and its stream with the AWS SDK for JavaScript v3. It finds the
// endpoints in its environment.
const { createRequire } = require("node:module");
const need = createRequire(process.env.TEST_PACKAGES + "/");
const d = need("@aws-sdk/client-dynamodb");
const s = need("@aws-sdk/client-dynamodb-streams");

const TableName = process.env.TABLE;
const db = new d.DynamoDBClient({});
const streams = new s.DynamoDBStreamsClient({});
const waiting = { client: db, minDelay: 1, maxWaitTime: 20 };

async function create() {
  await db.send(new d.CreateTableCommand({
    TableName, BillingMode: "PAY_PER_REQUEST", KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
    AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }, { AttributeName: "city", AttributeType: "S" }],
    GlobalSecondaryIndexes: [{ IndexName: "byCity", KeySchema: [{ AttributeName: "city", KeyType: "HASH" }], Projection: { ProjectionType: "ALL" } }],
    StreamSpecification: { StreamEnabled: true, StreamViewType: "NEW_AND_OLD_IMAGES" },
  }));
  await d.waitUntilTableExists(waiting, { TableName });
  await db.send(new d.UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification: { AttributeName: "ends", Enabled: true } }));
  const ttl = await db.send(new d.DescribeTimeToLiveCommand({ TableName }));
  console.log("created, items end by", ttl.TimeToLiveDescription.AttributeName);
}

async function items() {
  const Item = {
    id: { S: "ann" }, city: { S: "Bern" }, n: { N: "1" }, big: { N: "12345678901234567890.123456789012345678" }, bytes: { B: new Uint8Array([98, 0]) },
    yes: { BOOL: true }, none: { NULL: true }, set: { SS: ["x"] }, list: { L: [{ M: { deep: { N: "1" } } }] },
  };
  await db.send(new d.PutItemCommand({ TableName, Item }));
  const { Item: got } = await db.send(new d.GetItemCommand({ TableName, Key: { id: { S: "ann" } }, ConsistentRead: true }));
  const bytes = '"' + Buffer.from(got.bytes.B).toString("latin1").replace("\0", "\\x00") + '"';
  console.log("got", got.city.S, got.big.N, bytes, got.yes.BOOL, got.none.NULL, got.set.SS[0], got.list.L[0].M.deep.N);
  const { Attributes } = await db.send(new d.UpdateItemCommand({
    TableName, Key: { id: { S: "ann" } }, UpdateExpression: "SET #c = :c ADD n :one", ReturnValues: "ALL_NEW",
    ExpressionAttributeNames: { "#c": "city" }, ExpressionAttributeValues: { ":c": { S: "Rome" }, ":one": { N: "1" } },
  }));
  console.log("updated to", Attributes.city.S, Attributes.n.N);
}

async function several() {
  const puts = ["bob", "cyd"].map((id) => ({ PutRequest: { Item: { id: { S: id }, city: { S: "Rome" } } } }));
  await db.send(new d.BatchWriteItemCommand({ RequestItems: { [TableName]: puts } }));
  let pages = 0, found = 0;
  const query = { TableName, IndexName: "byCity", KeyConditionExpression: "city = :c", ExpressionAttributeValues: { ":c": { S: "Rome" } } };
  for await (const page of d.paginateQuery({ client: db, pageSize: 2 }, query)) {
    pages++;
    found += page.Items.length;
  }
  const scan = await db.send(new d.ScanCommand({ TableName, FilterExpression: "attribute_exists(n)" }));
  console.log("found", found, "on", pages, "pages,", scan.Count, "of", scan.ScannedCount);
}

async function fails(what, call, exception) {
  try {
    await db.send(call);
  } catch (e) {
    if (!(e instanceof exception)) throw e;
    if (e.CancellationReasons && e.CancellationReasons[1].Code !== "ConditionalCheckFailed") throw e;
    console.log(what, "failed:", e.name);
    return;
  }
  throw new Error(what + " has not failed");
}

async function failures() {
  const ConditionExpression = "attribute_not_exists(id)";
  await fails("put", new d.PutItemCommand({ TableName, Item: { id: { S: "ann" } }, ConditionExpression }), d.ConditionalCheckFailedException);
  await fails("transact", new d.TransactWriteItemsCommand({ TransactItems: [
    { Put: { TableName, Item: { id: { S: "dan" } } } }, { ConditionCheck: { TableName, Key: { id: { S: "bob" } }, ConditionExpression } },
  ] }), d.TransactionCanceledException);
  await fails("get", new d.GetItemCommand({ TableName: "missing", Key: { id: { S: "ann" } } }), d.ResourceNotFoundException);
}

async function changes() {
  await db.send(new d.DeleteItemCommand({ TableName, Key: { id: { S: "ann" } } }));
  const { Streams: [{ StreamArn }] } = await streams.send(new s.ListStreamsCommand({ TableName }));
  const { StreamDescription: { Shards: [{ ShardId }] } } = await streams.send(new s.DescribeStreamCommand({ StreamArn }));
  const { ShardIterator } = await streams.send(new s.GetShardIteratorCommand({ StreamArn, ShardId, ShardIteratorType: "TRIM_HORIZON" }));
  const { Records } = await streams.send(new s.GetRecordsCommand({ ShardIterator }));
  const city = (image) => image?.city?.S ?? "none";
  for (const { eventName, dynamodb: c } of Records) console.log(eventName, c.Keys.id.S, city(c.OldImage), city(c.NewImage));
}

async function main() {
  for (const step of [create, items, several, failures, changes]) await step();
  await db.send(new d.DeleteTableCommand({ TableName }));
  await d.waitUntilTableNotExists(waiting, { TableName });
  console.log("deleted");
}

main().catch((e) => { console.error(e); process.exit(1); });
