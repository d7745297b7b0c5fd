// A function that calls AWS with the AWS SDK for JavaScript v2 as functions do
// that know nothing of Gatepost: by AWS's own hosts.
'use strict';

const AWS = require('aws-sdk');

const name = process.env.AWS_LAMBDA_FUNCTION_NAME;
const region = process.env.AWS_REGION;

async function put() {
  await new AWS.DynamoDB.DocumentClient().put({ TableName: process.env.TABLE, Item: { id: name, text: 'hello' } }).promise();
}

async function get() {
  const client = new AWS.DynamoDB({ endpoint: `https://dynamodb.${region}.amazonaws.com` });
  const { Item } = await client.getItem({ TableName: process.env.TABLE, Key: { id: { S: name } } }).promise();
  if (Item?.text?.S !== 'hello') throw new Error(`the item is ${JSON.stringify(Item)}`);
}

async function queue() {
  const { MessageId } = await new AWS.SQS().sendMessage({ QueueUrl: process.env.QUEUE, MessageBody: `from ${name}` }).promise();
  if (!MessageId) throw new Error('the message has no id');
}

async function topic() {
  const { MessageId } = await new AWS.SNS().publish({ TopicArn: process.env.TOPIC, Message: `from ${name}` }).promise();
  if (!MessageId) throw new Error('the message has no id');
}

async function invoke() {
  const { Payload } = await new AWS.Lambda().invoke({ FunctionName: name, Payload: '{"body":"ping"}' }).promise();
  if (!String(Payload).includes('pong')) throw new Error(`the answer is ${Payload}`);
}

exports.handler = async (event) => {
  if (event.body === 'ping') return { statusCode: 200, body: 'pong' }; // from this function itself
  const { apiId, domainName, stage, connectionId } = event.requestContext;
  const literal = `https://${apiId}.execute-api.${region}.amazonaws.com/${stage}`;
  const report = ['report of', name];
  for (const step of [put, get, queue, topic, invoke]) {
    try {
      await step();
      report.push(step.name);
    } catch (error) {
      report.push(`${step.name} failed: ${error.message}`);
    }
  }
  for (const [endpoint, Data] of [
    [literal, 'literal'], [`https://${domainName}/${stage}`, 'domain'], [`${domainName}/${stage}`, 'without a scheme'], [literal, report.join(' ')],
  ]) {
    await new AWS.ApiGatewayManagementApi({ endpoint }).postToConnection({ ConnectionId: connectionId, Data }).promise();
  }
  return { statusCode: 200 };
};
