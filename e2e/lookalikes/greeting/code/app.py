import json
import os

import boto3

table = boto3.resource("dynamodb").Table(os.environ["ROSTER"])


def rooms(event, context):
    """Takes all routes and tells them apart by the type of the event."""
    about = event["requestContext"]
    who = {"connectionId": about["connectionId"]}
    if about["eventType"] == "CONNECT":
        table.put_item(Item=who)
        endpoint = "https://" + about["domainName"] + "/" + about["stage"]
        boto3.client("lambda").invoke(FunctionName=os.environ["GREETER"], InvocationType="Event", Payload=json.dumps(who | {"endpoint": endpoint}))
    elif about["eventType"] == "DISCONNECT":
        table.delete_item(Key=who)
    else:
        tell_all(event["body"])
    return {"statusCode": 200}


def tell_all(text):
    api = boto3.client("apigatewaymanagementapi", endpoint_url=f"{os.environ['ENDPOINT']}/{os.environ['STAGE']}")
    for row in table.scan(ProjectionExpression="connectionId")["Items"]:
        try:
            api.post_to_connection(ConnectionId=row["connectionId"], Data=text)
        except api.exceptions.GoneException:
            table.delete_item(Key=row)


def greet(event, context):
    """Fails while the client is not there yet, and is then tried again."""
    api = boto3.client("apigatewaymanagementapi", endpoint_url=event["endpoint"])
    since = api.get_connection(ConnectionId=event["connectionId"])["ConnectedAt"]
    api.post_to_connection(ConnectionId=event["connectionId"], Data=f"welcome, connected in {since:%Y}".encode())
