"""A table and its stream with boto3. ENDPOINT is for versions that do not find
AWS_ENDPOINT_URL themselves."""

import json
import os
from decimal import Decimal

import boto3
from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError

NAME = os.environ["TABLE"]
AT = {"endpoint_url": os.environ["ENDPOINT"]} if "ENDPOINT" in os.environ else {}
db = boto3.resource("dynamodb", **AT)
client = db.meta.client
streams = boto3.client("dynamodbstreams", **AT)


def create():
    table = db.create_table(
        TableName=NAME,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}, {"AttributeName": "city", "AttributeType": "S"}],
        GlobalSecondaryIndexes=[{"IndexName": "byCity", "KeySchema": [{"AttributeName": "city", "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"}}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    client.get_waiter("table_exists").wait(TableName=NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    client.update_time_to_live(TableName=NAME, TimeToLiveSpecification={"AttributeName": "ends", "Enabled": True})
    ttl = client.describe_time_to_live(TableName=NAME)
    print("created, items end by", ttl["TimeToLiveDescription"]["AttributeName"])
    return table


def items(table):
    big = Decimal("12345678901234567890.123456789012345678")
    table.put_item(Item={"id": "ann", "city": "Bern", "n": 1, "big": big, "bytes": b"b\x00", "yes": True, "none": None, "set": {"x"}, "list": [{"deep": 1}]})
    got = table.get_item(Key={"id": "ann"}, ConsistentRead=True)["Item"]
    quoted = json.dumps(bytes(got["bytes"]).decode()).replace("\\u0000", "\\x00")
    print("got", got["city"], got["big"], quoted, str(got["yes"]).lower(), str(got["none"] is None).lower(), *got["set"], got["list"][0]["deep"])
    updated = table.update_item(
        Key={"id": "ann"},
        UpdateExpression="SET #c = :c ADD n :one",
        ReturnValues="ALL_NEW",
        ExpressionAttributeNames={"#c": "city"},
        ExpressionAttributeValues={":c": "Rome", ":one": 1},
    )["Attributes"]
    print("updated to", updated["city"], updated["n"])


def several(table):
    with table.batch_writer() as batch:
        for id in ("bob", "cyd"):
            batch.put_item(Item={"id": id, "city": "Rome"})
    pages, found, more = 0, 0, {}
    while True:
        page = table.query(IndexName="byCity", KeyConditionExpression=Key("city").eq("Rome"), Limit=2, **more)
        pages, found = pages + 1, found + len(page["Items"])
        if "LastEvaluatedKey" not in page:
            break
        more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    scan = table.scan(FilterExpression=Attr("n").exists())
    print("found", found, "on", pages, "pages,", scan["Count"], "of", scan["ScannedCount"])


def fails(what, exception, call, **arguments):
    try:
        call(**arguments)
    except exception as e:
        assert isinstance(e, ClientError)
        print(what, "failed:", e.response["Error"]["Code"])
        return
    raise AssertionError(what + " has not failed")


def failures(table):
    absent = "attribute_not_exists(id)"
    fails("put", client.exceptions.ConditionalCheckFailedException, table.put_item, Item={"id": "ann"}, ConditionExpression=absent)
    fails(
        "transact",
        client.exceptions.TransactionCanceledException,
        client.transact_write_items,
        TransactItems=[
            {"Put": {"TableName": NAME, "Item": {"id": "dan"}}},
            {"ConditionCheck": {"TableName": NAME, "Key": {"id": "bob"}, "ConditionExpression": absent}},
        ],
    )
    fails("get", client.exceptions.ResourceNotFoundException, client.get_item, TableName="missing", Key={"id": "ann"})


def changes(table):
    table.delete_item(Key={"id": "ann"})
    arn = streams.list_streams(TableName=NAME)["Streams"][0]["StreamArn"]
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    for record in streams.get_records(ShardIterator=iterator)["Records"]:
        change = record["dynamodb"]
        old, new = (change.get(image, {}).get("city", {}).get("S", "none") for image in ("OldImage", "NewImage"))
        print(record["eventName"], change["Keys"]["id"]["S"], old, new)


made = create()
for step in (items, several, failures, changes):
    step(made)
made.delete()
client.get_waiter("table_not_exists").wait(TableName=NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
print("deleted")
