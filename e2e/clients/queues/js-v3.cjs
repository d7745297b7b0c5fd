// Queues and topics with the AWS SDK for JavaScript v3. It finds the endpoints in
// its environment.
const { createRequire } = require("node:module");
const need = createRequire(process.env.TEST_PACKAGES + "/");
const q = need("@aws-sdk/client-sqs");
const s = need("@aws-sdk/client-sns");

const name = process.env.NAME;
const queues = new q.SQSClient({});
const topics = new s.SNSClient({});

async function code(call) {
  try {
    await call;
  } catch (e) {
    if (!(e instanceof q.SQSServiceException || e instanceof s.SNSServiceException)) throw e;
    return e.Error?.Code ?? e.Code ?? e.name;
  }
  throw new Error("the call has not failed");
}

// create makes a queue twice.
async function create(QueueName, Attributes) {
  const urls = [];
  for (let i = 0; i < 2; i++) urls.push((await queues.send(new q.CreateQueueCommand({ QueueName, Attributes }))).QueueUrl);
  if (urls[0] !== urls[1]) throw new Error("made again, it has another URL");
  return urls[0];
}

// receive waits for one message with its attributes.
async function receive(QueueUrl) {
  const { Messages } = await queues.send(new q.ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20, MessageSystemAttributeNames: ["All"], MessageAttributeNames: ["All"] }));
  if (Messages?.length !== 1) throw new Error("received " + JSON.stringify(Messages));
  return Messages[0];
}

const remove = (QueueUrl, { ReceiptHandle }) => queues.send(new q.DeleteMessageCommand({ QueueUrl, ReceiptHandle }));

async function messages(QueueUrl) {
  await queues.send(new q.SendMessageCommand({ QueueUrl, MessageBody: "one", MessageAttributes: {
    color: { DataType: "String", StringValue: "red" }, n: { DataType: "Number", StringValue: "4" }, raw: { DataType: "Binary", BinaryValue: new Uint8Array([98, 0]) },
  } }));
  let m = await receive(QueueUrl);
  const { color, n, raw } = m.MessageAttributes;
  console.log("received", m.Body, color.StringValue, n.StringValue, "[" + Array.from(raw.BinaryValue).join(" ") + "]");
  await queues.send(new q.ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: 0 }));
  m = await receive(QueueUrl);
  console.log("again", m.Body, m.Attributes.ApproximateReceiveCount);
  await remove(QueueUrl, m);
  const { Successful, Failed } = await queues.send(new q.SendMessageBatchCommand({ QueueUrl, Entries: [
    { Id: "a", MessageBody: "a" }, { Id: "b", MessageBody: "b" }, { Id: "c", MessageBody: "c", DelaySeconds: 901 },
  ] }));
  console.log("sent", Successful.length, "not", Failed[0].Id, Failed[0].Code);
}

async function handles(QueueUrl) {
  const Entries = [{ Id: "bad", ReceiptHandle: "bad" }];
  for (const Id of ["x", "y"]) Entries.push({ Id, ReceiptHandle: (await receive(QueueUrl)).ReceiptHandle });
  const { Successful, Failed } = await queues.send(new q.DeleteMessageBatchCommand({ QueueUrl, Entries }));
  const { Attributes: left } = await queues.send(new q.GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }));
  console.log("deleted", Successful.length, "not", Failed[0].Id, Failed[0].Code, "left", left.ApproximateNumberOfMessages, left.ApproximateNumberOfMessagesNotVisible);
}

async function tags(QueueUrl) {
  await queues.send(new q.TagQueueCommand({ QueueUrl, Tags: { team: "orders" } }));
  const { Tags } = await queues.send(new q.ListQueueTagsCommand({ QueueUrl }));
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
    ids.push((await queues.send(new q.SendMessageCommand({ QueueUrl, MessageBody, MessageGroupId: "g", MessageDeduplicationId }))).MessageId);
  }
  console.log("ordered", await bodies(QueueUrl, 2), ids[0] === ids[1], ids[1] === ids[2]);
}

// topic makes a topic with a subscription of a queue, which wants one kind of
// message only, and publishes.
async function topic(Name, QueueUrl, fifo) {
  const { TopicArn } = await topics.send(new s.CreateTopicCommand({ Name, Attributes: fifo ? { FifoTopic: "true" } : undefined }));
  const { Attributes: { QueueArn } } = await queues.send(new q.GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] }));
  const { SubscriptionArn } = await topics.send(new s.SubscribeCommand({ TopicArn, Protocol: "sqs", Endpoint: QueueArn,
    Attributes: { RawMessageDelivery: "true", FilterPolicy: '{"kind":["big"]}' } }));
  const kinds = fifo ? ["small", "big", "big"] : ["small", "big"];
  for (const [i, kind] of kinds.entries()) {
    const order = fifo ? { MessageGroupId: "g", MessageDeduplicationId: "t" + i } : {};
    await topics.send(new s.PublishCommand({ TopicArn, Message: kind + i, MessageAttributes: { kind: { DataType: "String", StringValue: kind } }, ...order }));
  }
  console.log(fifo ? "ordered topic" : "topic", await bodies(QueueUrl, kinds.length - 1));
  await topics.send(new s.UnsubscribeCommand({ SubscriptionArn }));
  return TopicArn;
}

async function main() {
  const jobs = await create(name);
  console.log("made twice, otherwise", await code(queues.send(new q.CreateQueueCommand({ QueueName: name, Attributes: { VisibilityTimeout: "7" } }))));
  for (const step of [messages, handles, tags]) await step(jobs);
  const ordered = await create(name + ".fifo", { FifoQueue: "true" });
  await inOrder(ordered);
  console.log("missing:", await code(queues.send(new q.GetQueueUrlCommand({ QueueName: "missing" }))));
  const arns = [await topic(name, jobs, false), await topic(name + ".fifo", ordered, true)];
  for (const TopicArn of arns) await topics.send(new s.DeleteTopicCommand({ TopicArn }));
  console.log("no topic:", await code(topics.send(new s.GetTopicAttributesCommand({ TopicArn: arns[0] }))));
  for (const QueueUrl of [jobs, ordered]) await queues.send(new q.DeleteQueueCommand({ QueueUrl }));
  console.log("deleted");
}

main().catch((e) => { console.error(e); process.exit(1); });
