import { ApiGatewayManagementApi } from '@aws-sdk/client-apigatewaymanagementapi';
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';

const tables = new DynamoDBClient({ region: process.env.AWS_REGION });

export const mark = async ({ connection, by, body }) => {
  const text = JSON.parse(body).text;
  await tables.send(new PutItemCommand({ TableName: process.env.TABLE, Item: { id: { S: text }, by: { S: by } } }));
  const api = new ApiGatewayManagementApi({
    endpoint: 'https://' + process.env.API_ID + '.execute-api.' + process.env.AWS_REGION + '.amazonaws.com/' + process.env.STAGE + '/',
  });
  await api.postToConnection({ ConnectionId: connection, Data: text + ', marked by ' + by });
};

export const guard = (event, context, callback) => {
  if (event.headers.token !== 'open') return callback('Unauthorized');
  callback(null, {
    principalId: 'ann',
    policyDocument: { Version: '2012-10-17', Statement: [{ Action: 'execute-api:Invoke', Effect: 'Allow', Resource: event.methodArn }] },
  });
};
