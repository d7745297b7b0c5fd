// A chat of two stacks and a nested one, once plain and once in a stage.
const { App, CfnOutput, NestedStack, Stack, Stage } = require('aws-cdk-lib');
const { WebSocketApi, WebSocketStage } = require('aws-cdk-lib/aws-apigatewayv2');
const { WebSocketLambdaIntegration, WebSocketMockIntegration } = require('aws-cdk-lib/aws-apigatewayv2-integrations');
const { WebSocketLambdaAuthorizer } = require('aws-cdk-lib/aws-apigatewayv2-authorizers');
const { AttributeType, StreamViewType, Table } = require('aws-cdk-lib/aws-dynamodb');
const { Code, Function, Runtime, StartingPosition } = require('aws-cdk-lib/aws-lambda');
const { DynamoEventSource, SqsEventSource } = require('aws-cdk-lib/aws-lambda-event-sources');
const { Queue } = require('aws-cdk-lib/aws-sqs');

const handler = (scope, id, environment) =>
  new Function(scope, id, { runtime: Runtime.PROVIDED_AL2023, handler: 'bootstrap', code: Code.fromAsset(`${__dirname}/fn`), environment });

class Data extends Stack {
  constructor(scope, id, props) {
    super(scope, id, props);
    this.queue = new Queue(this, 'Orders', { queueName: `${this.node.tryGetContext('queue')}-${id}` });
    this.table = new Table(this, 'Roster', { partitionKey: { name: 'id', type: AttributeType.STRING }, stream: StreamViewType.NEW_IMAGE });
  }
}

class Letters extends NestedStack {
  constructor(scope, id, props) {
    super(scope, id, props);
    this.queue = new Queue(this, 'Dead');
  }
}

class Chat extends Stack {
  constructor(scope, id, { data, ...props }) {
    super(scope, id, props);
    const letters = new Letters(this, 'Letters');
    const fn = handler(this, 'Handler', { TABLE: data.table.tableName, DEAD: letters.queue.queueUrl });
    fn.addEventSource(new SqsEventSource(data.queue, { batchSize: 5 }));
    fn.addEventSource(new DynamoEventSource(data.table, { startingPosition: StartingPosition.LATEST }));
    const authorizer = new WebSocketLambdaAuthorizer('Door', handler(this, 'Door'));
    const api = new WebSocketApi(this, 'Api', { connectRouteOptions: { integration: new WebSocketLambdaIntegration('Connect', fn), authorizer } });
    api.addRoute('send', { integration: new WebSocketLambdaIntegration('Send', fn), returnResponse: true });
    api.addRoute('ping', { integration: new WebSocketMockIntegration('Ping') });
    const stage = new WebSocketStage(this, 'Stage', { webSocketApi: api, stageName: 'main', autoDeploy: true });
    stage.grantManagementApiAccess(fn);
    new CfnOutput(this, 'Url', { value: stage.url });
  }
}

const build = (scope, suffix) => new Chat(scope, `Chat${suffix}`, { data: new Data(scope, `Data${suffix}`) });
const app = new App();
build(app, '');
build(new Stage(app, 'Prod'), '');
