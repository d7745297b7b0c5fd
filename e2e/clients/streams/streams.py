"""A data stream with boto3. ENDPOINT is for versions that do not find
AWS_ENDPOINT_URL themselves."""

import json
import os

import boto3

NAME = os.environ["STREAM"]
AT = {"endpoint_url": os.environ["ENDPOINT"]} if "ENDPOINT" in os.environ else {}
client = boto3.client("kinesis", **AT)
SOON = {"Delay": 1, "MaxAttempts": 20}


def create():
    client.create_stream(StreamName=NAME, ShardCount=2)
    client.get_waiter("stream_exists").wait(StreamName=NAME, WaiterConfig=SOON)
    d = client.describe_stream(StreamName=NAME)["StreamDescription"]
    print("created", d["StreamStatus"], "with", len(d["Shards"]), "shards for", d["RetentionPeriodHours"], "hours")


def put():
    one = client.put_record(StreamName=NAME, PartitionKey="ann", Data=b"b\x00")
    print("put one to", one["ShardId"])
    records = [{"PartitionKey": "bob", "ExplicitHashKey": key, "Data": b"Rome"} for key in ("0", "340282366920938463463374607431768211455")]
    out = client.put_records(StreamName=NAME, Records=records)
    print("put", *(r["ShardId"] for r in out["Records"]), out["FailedRecordCount"], "failed")


def read():
    for shard in client.list_shards(StreamName=NAME)["Shards"]:
        at = client.get_shard_iterator(StreamName=NAME, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
        for r in client.get_records(ShardIterator=at["ShardIterator"])["Records"]:
            data = json.dumps(r["Data"].decode()).replace("\\u0000", "\\x00")
            arrived = str(r["ApproximateArrivalTimestamp"].timestamp() > 0).lower()
            print("read", r["PartitionKey"], data + ",", len(r["SequenceNumber"]), "digits,", arrived)


for step in (create, put, read):
    step()
try:
    client.put_record(StreamName="missing", PartitionKey="k", Data=b"x")
except client.exceptions.ResourceNotFoundException as e:
    print("put failed:", e.response["Error"]["Code"])
client.delete_stream(StreamName=NAME)
client.get_waiter("stream_not_exists").wait(StreamName=NAME, WaiterConfig=SOON)
print("deleted")
