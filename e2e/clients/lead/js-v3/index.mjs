// A function, as an ES module, that calls AWS with the AWS SDK for JavaScript v3
// as functions do that know nothing of Gatepost: by AWS's own hosts.
import { ApiGatewayManagementApiClient, PostToConnectionCommand } from '@aws-sdk/client-apigatewaymanagementapi';
import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';

const name = process.env.AWS_LAMBDA_FUNCTION_NAME;
const region = process.env.AWS_REGION;

async function put() {
  await new DynamoDBClient({}).send(new PutItemCommand({ TableName: process.env.TABLE, Item: { id: { S: name }, text: { S: 'hello' } } }));
}

async function get() {
  const client = new DynamoDBClient({ endpoint: `https://dynamodb.${region}.amazonaws.com` });
  const { Item } = await client.send(new GetItemCommand({ TableName: process.env.TABLE, Key: { id: { S: name } } }));
  if (Item?.text?.S !== 'hello') throw new Error(`the item is ${JSON.stringify(Item)}`);
}

async function queue() {
  const { MessageId } = await new SQSClient({}).send(new SendMessageCommand({ QueueUrl: process.env.QUEUE, MessageBody: `from ${name}` }));
  if (!MessageId) throw new Error('the message has no id');
}

async function topic() {
  const { MessageId } = await new SNSClient({}).send(new PublishCommand({ TopicArn: process.env.TOPIC, Message: `from ${name}` }));
  if (!MessageId) throw new Error('the message has no id');
}

async function invoke() {
  const { Payload } = await new LambdaClient({}).send(new InvokeCommand({ FunctionName: name, Payload: '{"body":"ping"}' }));
  const text = new TextDecoder().decode(Payload);
  if (!text.includes('pong')) throw new Error(`the answer is ${text}`);
}

export const handler = async (event) => {
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
  for (const [endpoint, Data] of [[literal, 'literal'], [`https://${domainName}/${stage}`, 'domain'], [literal, report.join(' ')]]) {
    await new ApiGatewayManagementApiClient({ endpoint }).send(new PostToConnectionCommand({ ConnectionId: connectionId, Data }));
  }
  return { statusCode: 200 };
};
