"""A function that calls AWS with boto3 as functions do that know nothing of
Gatepost: by AWS's own hosts."""

import os

NAME = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
REGION = os.environ["AWS_REGION"]


def put():
    boto3.resource("dynamodb").Table(os.environ["TABLE"]).put_item(Item={"id": NAME, "text": "hello"})


def get():
    client = boto3.client("dynamodb", endpoint_url=f"https://dynamodb.{REGION}.amazonaws.com")
    item = client.get_item(TableName=os.environ["TABLE"], Key={"id": {"S": NAME}}).get("Item", {})
    assert item.get("text") == {"S": "hello"}, f"the item is {item}"


def queue():
    assert boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=f"from {NAME}")["MessageId"]


def topic():
    assert boto3.client("sns").publish(TopicArn=os.environ["TOPIC"], Message=f"from {NAME}")["MessageId"]


def invoke():
    answer = boto3.client("lambda").invoke(FunctionName=NAME, Payload=b'{"body":"ping"}')["Payload"].read()
    assert b"pong" in answer, f"the answer is {answer}"


def handler(event, context):
    if event.get("body") == "ping":  # from this function itself
        return {"statusCode": 200, "body": "pong"}
    global boto3
    import boto3  # seconds, on a busy machine, that the init phase does not have

    c = event["requestContext"]
    literal = f"https://{c['apiId']}.execute-api.{REGION}.amazonaws.com/{c['stage']}"
    report = ["report of", NAME]
    for step in (put, get, queue, topic, invoke):
        try:
            step()
            report.append(step.__name__)
        except Exception as error:
            report.append(f"{step.__name__} failed: {error!r}")
    for endpoint, text in (
        (literal, f"literal by boto3 {boto3.__version__}"),
        (f"https://{c['domainName']}/{c['stage']}", "domain"),
        (literal, " ".join(report)),
    ):
        boto3.client("apigatewaymanagementapi", endpoint_url=endpoint).post_to_connection(ConnectionId=c["connectionId"], Data=text.encode())
    return {"statusCode": 200}
