import { CfnOutput, Duration, RemovalPolicy, Stack, StackProps } from 'aws-cdk-lib';
import { WebSocketApi, WebSocketStage } from 'aws-cdk-lib/aws-apigatewayv2';
import { WebSocketLambdaAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { WebSocketLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Alarm, ComparisonOperator, IAlarmAction, MathExpression, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { AttributeType, Billing, ProjectionType, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Rule, Schedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { EventSourceMapping, Function, FunctionUrlAuthType, StartingPosition } from 'aws-cdk-lib/aws-lambda';
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations';
import { SqsDlq, SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription, LambdaSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { allow, Functions, roster } from './functions';

const stageName = 'main';

/** The system. Its settings are the context of cdk.json; README.md lists them. */
export class SocketsStack extends Stack {
  private readonly table = this.makeTable();
  private readonly deadLetters = new Queue(this, 'SocketDeadLetters', {
    queueName: 'socket-dlq',
    retentionPeriod: Duration.days(14),
    encryption: QueueEncryption.SQS_MANAGED,
  });
  private readonly queue = new Queue(this, 'SocketQueue', {
    queueName: 'socket-queue',
    visibilityTimeout: Duration.seconds(this.number('visibilitySeconds')),
    encryption: QueueEncryption.SQS_MANAGED,
    deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: this.number('maxReceiveCount') },
  });
  private readonly topic = new Topic(this, 'SocketTopic', { topicName: 'socket-topic' });
  private readonly functions = new Functions(this, new LogGroup(this, 'Logs', { retention: RetentionDays.TWO_WEEKS, removalPolicy: RemovalPolicy.DESTROY }));
  private readonly api = new WebSocketApi(this, 'SocketsApi', { apiName: 'sockets-api', routeSelectionExpression: '$request.body.action' });
  private readonly stage = new WebSocketStage(this, 'SocketsStage', { webSocketApi: this.api, stageName, autoDeploy: true });

  constructor(scope: Construct, id: string, props?: StackProps) {
    super(scope, id, props);
    const behindRoutes = this.addRoutes();
    const publishing = this.addPublishers();
    this.addAlarms(behindRoutes, publishing);
    this.addOutputs();
  }

  private text(name: string): string {
    return String(this.node.tryGetContext(name) ?? '');
  }

  private number(name: string): number {
    const value = Number(this.node.tryGetContext(name));
    if (!Number.isInteger(value)) {
      throw new Error(`the context ${name} is ${JSON.stringify(this.node.tryGetContext(name))}; it must be a whole number`);
    }
    return value;
  }

  /** The roster's table, as push/README.md describes it. */
  private makeTable(): TableV2 {
    return new TableV2(this, 'SocketRoster', {
      tableName: 'SocketRoster',
      partitionKey: { name: 'PK', type: AttributeType.STRING },
      sortKey: { name: 'SK', type: AttributeType.STRING },
      billing: Billing.onDemand(),
      timeToLiveAttribute: 'ExpiresAt',
      removalPolicy: RemovalPolicy.DESTROY, // who is connected is known anew after everybody has connected again
      globalSecondaryIndexes: [
        {
          indexName: 'Recent',
          partitionKey: { name: 'RecencyShard', type: AttributeType.NUMBER },
          sortKey: { name: 'EstablishedTime', type: AttributeType.STRING },
          projectionType: ProjectionType.ALL,
        },
        {
          indexName: 'Users',
          partitionKey: { name: 'UserId', type: AttributeType.STRING },
          sortKey: { name: 'EstablishedTime', type: AttributeType.STRING },
          projectionType: ProjectionType.ALL,
        },
      ],
    });
  }

  private addRoutes(): Function[] {
    const TABLE_NAME = this.table.tableName;
    const ALLOWED_GROUPS = this.text('allowedGroups');
    const connect = this.functions.make('connect', 'connect', { environment: { TABLE_NAME, ALLOWED_GROUPS, REQUIRE_USER: this.text('requireUser') } });
    roster.add(connect, this.table);
    this.route('$connect', connect, false);
    const disconnect = this.functions.make('disconnect', 'disconnect', { environment: { TABLE_NAME } });
    roster.remove(disconnect, this.table);
    this.route('$disconnect', disconnect, false);
    const fallback = this.functions.make('default', 'default', { environment: { KNOWN_ACTIONS: 'echo, send, join, leave' } });
    this.route('$default', fallback, true);
    const echo = this.functions.make('echo', 'echo');
    this.route('echo', echo, true);
    const send = this.functions.make('send', 'send', {
      environment: { TABLE_NAME, ALLOWED_GROUPS, CALLBACK_URL: this.stage.callbackUrl },
      memorySize: 512,
      timeout: Duration.seconds(10),
    });
    roster.publish(send, this.table);
    this.mayPost(send);
    this.route('send', send, true);
    const join = this.functions.make('join', 'join', { environment: { TABLE_NAME, ALLOWED_GROUPS } });
    roster.join(join, this.table);
    this.route('join', join, true);
    const leave = this.functions.make('leave', 'leave', { environment: { TABLE_NAME } });
    roster.leave(leave, this.table);
    this.route('leave', leave, true);
    return [connect, disconnect, fallback, echo, send, join, leave];
  }

  /** A route to a function; a two-way one answers its client. */
  private route(key: string, fn: Function, twoWay: boolean): void {
    const authorizer = key === '$connect' && this.text('jwtIssuer') !== '' ? this.makeAuthorizer() : undefined;
    this.api.addRoute(key, { integration: new WebSocketLambdaIntegration(`${fn.node.id}Integration`, fn), returnResponse: twoWay, authorizer });
  }

  private makeAuthorizer(): WebSocketLambdaAuthorizer {
    const fn = this.functions.make('authorizer', 'authorizer', {
      environment: {
        JWT_ISSUER: this.text('jwtIssuer'),
        JWT_AUDIENCE: this.text('jwtAudience'),
        JWKS_URL: this.text('jwksUrl'),
        JWT_SECRET: this.text('jwtSecret'),
      },
    });
    // The function itself looks for the token, in the query or in a subprotocol.
    return new WebSocketLambdaAuthorizer('token', fn, { identitySource: [] });
  }

  private addPublishers(): Function[] {
    const publish = this.makePublisher('publish', 'publish', Duration.seconds(5), { LAST_ATTEMPT: String(this.number('maxReceiveCount')) });
    publish.addEventSource(new SqsEventSource(this.queue, { batchSize: 10, reportBatchItemFailures: true }));

    const publishTopic = this.makePublisher('publishTopic', 'publish-topic', Duration.minutes(1));
    publishTopic.configureAsyncInvoke({ retryAttempts: 2, onFailure: new SqsDestination(this.deadLetters) });
    this.topic.addSubscription(new LambdaSubscription(publishTopic));

    const publishHttp = this.functions.make('publishHttp', 'publish-http', { environment: { TOPIC_ARN: this.topic.topicArn } });
    allow(publishHttp, ['sns:Publish'], this.topic.topicArn);
    const url = publishHttp.addFunctionUrl({ authType: FunctionUrlAuthType.AWS_IAM });
    new CfnOutput(this, 'PublishURL', { description: 'Where messages are taken by HTTP, signed.', value: url.url });

    const sweep = this.functions.make('sweep', 'sweep', { environment: { TABLE_NAME: this.table.tableName }, timeout: Duration.minutes(1) });
    roster.sweep(sweep, this.table);
    new Rule(this, 'SweepRule', { schedule: Schedule.rate(Duration.hours(1)), targets: [new LambdaFunction(sweep)] });
    this.addStreams();
    return [publish, publishTopic, publishHttp, sweep];
  }

  private makePublisher(id: string, program: string, timeout: Duration, environment: Record<string, string> = {}): Function {
    const fn = this.functions.make(id, program, {
      environment: {
        TABLE_NAME: this.table.tableName,
        CALLBACK_URL: this.stage.callbackUrl,
        DEAD_LETTER_QUEUE_URL: this.deadLetters.queueUrl,
        ...environment,
      },
      memorySize: 1024, // posts sign and send; more memory is more CPU
      timeout,
    });
    roster.publish(fn, this.table);
    allow(fn, ['sqs:SendMessage'], this.deadLetters.queueArn);
    this.mayPost(fn);
    return fn;
  }

  /** Allows posts to the clients of this stage. */
  private mayPost(fn: Function): void {
    const resource = this.formatArn({ service: 'execute-api', resource: this.api.apiId, resourceName: `${stageName}/POST/@connections/*` });
    allow(fn, ['execute-api:ManageConnections'], resource);
  }

  /** The streams of a table and of Kinesis, if the context names some. */
  private addStreams(): void {
    const table = this.text('tableStreamArn');
    if (table !== '') {
      const fn = this.makePublisher('publishTable', 'publish-table', Duration.minutes(1));
      allow(fn, ['dynamodb:GetRecords', 'dynamodb:GetShardIterator', 'dynamodb:DescribeStream'], table);
      allow(fn, ['dynamodb:ListStreams'], '*'); // this action knows no resources
      this.mapStream('TableStreamMapping', fn, table);
    }
    const data = this.text('dataStreamArn');
    if (data !== '') {
      const fn = this.makePublisher('publishStream', 'publish-stream', Duration.minutes(1));
      allow(fn, ['kinesis:GetRecords', 'kinesis:GetShardIterator', 'kinesis:DescribeStream', 'kinesis:DescribeStreamSummary', 'kinesis:ListShards'], data);
      this.mapStream('DataStreamMapping', fn, data);
    }
  }

  private mapStream(id: string, target: Function, eventSourceArn: string): void {
    new EventSourceMapping(this, id, {
      target,
      eventSourceArn,
      startingPosition: StartingPosition.LATEST,
      batchSize: 100,
      retryAttempts: 3,
      reportBatchItemFailures: true,
      onFailure: new SqsDlq(this.deadLetters),
    });
  }

  private addAlarms(behindRoutes: Function[], publishing: Function[]): void {
    const common = { threshold: 0, evaluationPeriods: 1, comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD, treatMissingData: TreatMissingData.NOT_BREACHING };
    const errors = (functions: Function[]) =>
      new MathExpression({
        expression: 'SUM(METRICS())',
        label: 'errors',
        usingMetrics: Object.fromEntries(functions.map((fn) => [fn.node.id, fn.metricErrors()])),
      });
    const alarms = [
      new Alarm(this, 'DeadLetterAlarm', {
        ...common,
        alarmDescription: 'There are messages in the dead-letter queue; each says why in its attribute Reason.',
        metric: this.deadLetters.metricApproximateNumberOfMessagesVisible({ statistic: 'Maximum' }),
      }),
      new Alarm(this, 'ClientErrorAlarm', { ...common, alarmDescription: 'A function behind a route has failed.', metric: errors(behindRoutes) }),
      new Alarm(this, 'PublishErrorAlarm', { ...common, alarmDescription: 'A function that publishes or sweeps has failed.', metric: errors(publishing) }),
    ];
    const email = this.text('alarmEmail');
    if (email !== '') {
      const topic = new Topic(this, 'AlarmTopic');
      topic.addSubscription(new EmailSubscription(email));
      const action: IAlarmAction = new SnsAction(topic);
      alarms.forEach((alarm) => alarm.addAlarmAction(action));
    }
  }

  private addOutputs(): void {
    const outputs: Record<string, [string, string]> = {
      WebSocketURL: ['Where clients connect.', this.stage.url],
      CallbackURL: ['Where messages for single connections are posted.', this.stage.callbackUrl],
      QueueURL: ['The queue whose messages go to the clients.', this.queue.queueUrl],
      DeadLetterQueueURL: ['Where messages end that could not be delivered.', this.deadLetters.queueUrl],
      TopicARN: ['The topic whose messages go to the clients.', this.topic.topicArn],
      TableName: ['The roster.', this.table.tableName],
    };
    for (const [name, [description, value]] of Object.entries(outputs)) {
      new CfnOutput(this, name, { description, value });
    }
  }
}
