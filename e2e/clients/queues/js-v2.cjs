// Queues and topics with the AWS SDK for JavaScript v2, which knows no variable
// for an endpoint.
const { createRequire } = require("node:module");
const AWS = createRequire(process.env.TEST_PACKAGES + "/")("aws-sdk");

const name = process.env.NAME;
const queues = new AWS.SQS({ endpoint: process.env.ENDPOINT });
const topics = new AWS.SNS({ endpoint: process.env.ENDPOINT });

async function code(call) {
  try {
    await call;
  } catch (e) {
    if (!e.statusCode) throw e;
    return e.code;
  }
  throw new Error("the call has not failed");
}

// create makes a queue twice.
async function create(QueueName, Attributes) {
  const urls = [];
  for (let i = 0; i < 2; i++) urls.push((await queues.createQueue({ QueueName, Attributes }).promise()).QueueUrl);
  if (urls[0] !== urls[1]) throw new Error("made again, it has another URL");
  return urls[0];
}

// receive waits for one message with its attributes.
async function receive(QueueUrl) {
  const { Messages } = await queues.receiveMessage({ QueueUrl, WaitTimeSeconds: 20, AttributeNames: ["All"], MessageAttributeNames: ["All"] }).promise();
  if (Messages?.length !== 1) throw new Error("received " + JSON.stringify(Messages));
  return Messages[0];
}

const remove = (QueueUrl, { ReceiptHandle }) => queues.deleteMessage({ QueueUrl, ReceiptHandle }).promise();

async function messages(QueueUrl) {
  await queues.sendMessage({ QueueUrl, MessageBody: "one", MessageAttributes: {
    color: { DataType: "String", StringValue: "red" }, n: { DataType: "Number", StringValue: "4" }, raw: { DataType: "Binary", BinaryValue: Buffer.from([98, 0]) },
  } }).promise();
  let m = await receive(QueueUrl);
  const { color, n, raw } = m.MessageAttributes;
  console.log("received", m.Body, color.StringValue, n.StringValue, "[" + [...raw.BinaryValue].join(" ") + "]");
  await queues.changeMessageVisibility({ QueueUrl, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 0 }).promise();
  m = await receive(QueueUrl);
  console.log("again", m.Body, m.Attributes.ApproximateReceiveCount);
  await remove(QueueUrl, m);
  const { Successful, Failed } = await queues.sendMessageBatch({ QueueUrl, Entries: [
    { Id: "a", MessageBody: "a" }, { Id: "b", MessageBody: "b" }, { Id: "c", MessageBody: "c", DelaySeconds: 901 },
  ] }).promise();
  console.log("sent", Successful.length, "not", Failed[0].Id, Failed[0].Code);
}

async function handles(QueueUrl) {
  const Entries = [{ Id: "bad", ReceiptHandle: "bad" }];
  for (const Id of ["x", "y"]) Entries.push({ Id, ReceiptHandle: (await receive(QueueUrl)).ReceiptHandle });
  const { Successful, Failed } = await queues.deleteMessageBatch({ QueueUrl, Entries }).promise();
  const { Attributes: left } = await queues.getQueueAttributes({ QueueUrl, AttributeNames: ["All"] }).promise();
  console.log("deleted", Successful.length, "not", Failed[0].Id, Failed[0].Code, "left", left.ApproximateNumberOfMessages, left.ApproximateNumberOfMessagesNotVisible);
}

async function tags(QueueUrl) {
  await queues.tagQueue({ QueueUrl, Tags: { team: "orders" } }).promise();
  const { Tags } = await queues.listQueueTags({ QueueUrl }).promise();
  console.log("tagged", Tags.team);
}

// bodies takes and deletes messages.
async function bodies(url, n) {
  const all = [];
  for (let i = 0; i < n; i++) {
    const m = await receive(url);
    all.push(m.Body);
    await remove(url, m);
  }
  return all.join(" ");
}

async function inOrder(QueueUrl) {
  const ids = [];
  for (const [MessageBody, MessageDeduplicationId] of [["first", "1"], ["again", "1"], ["second", "2"]]) {
    ids.push((await queues.sendMessage({ QueueUrl, MessageBody, MessageGroupId: "g", MessageDeduplicationId }).promise()).MessageId);
  }
  console.log("ordered", await bodies(QueueUrl, 2), ids[0] === ids[1], ids[1] === ids[2]);
}

// topic makes a topic with a subscription of a queue, which wants one kind of
// message only, and publishes.
async function topic(Name, QueueUrl, fifo) {
  const { TopicArn } = await topics.createTopic({ Name, Attributes: fifo ? { FifoTopic: "true" } : undefined }).promise();
  const { Attributes: { QueueArn } } = await queues.getQueueAttributes({ QueueUrl, AttributeNames: ["QueueArn"] }).promise();
  const { SubscriptionArn } = await topics.subscribe({ TopicArn, Protocol: "sqs", Endpoint: QueueArn,
    Attributes: { RawMessageDelivery: "true", FilterPolicy: '{"kind":["big"]}' } }).promise();
  const kinds = fifo ? ["small", "big", "big"] : ["small", "big"];
  for (const [i, kind] of kinds.entries()) {
    const order = fifo ? { MessageGroupId: "g", MessageDeduplicationId: "t" + i } : {};
    await topics.publish({ TopicArn, Message: kind + i, MessageAttributes: { kind: { DataType: "String", StringValue: kind } }, ...order }).promise();
  }
  console.log(fifo ? "ordered topic" : "topic", await bodies(QueueUrl, kinds.length - 1));
  await topics.unsubscribe({ SubscriptionArn }).promise();
  return TopicArn;
}

async function main() {
  const jobs = await create(name);
  console.log("made twice, otherwise", await code(queues.createQueue({ QueueName: name, Attributes: { VisibilityTimeout: "7" } }).promise()));
  for (const step of [messages, handles, tags]) await step(jobs);
  const ordered = await create(name + ".fifo", { FifoQueue: "true" });
  await inOrder(ordered);
  console.log("missing:", await code(queues.getQueueUrl({ QueueName: "missing" }).promise()));
  const arns = [await topic(name, jobs, false), await topic(name + ".fifo", ordered, true)];
  for (const TopicArn of arns) await topics.deleteTopic({ TopicArn }).promise();
  console.log("no topic:", await code(topics.getTopicAttributes({ TopicArn: arns[0] }).promise()));
  for (const QueueUrl of [jobs, ordered]) await queues.deleteQueue({ QueueUrl }).promise();
  console.log("deleted");
}

main().catch((e) => { console.error(e); process.exit(1); });
