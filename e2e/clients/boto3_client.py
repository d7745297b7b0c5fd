"""A client of @connections with boto3. Work comes on standard input and results
go to standard output, both as clients_test.go describes them."""

import base64
import json
import sys
import time

import boto3
from botocore.exceptions import ClientError

# The waits between retries are botocore's matter; their number is ours.
time.sleep = lambda seconds: None


def run(step):
    client = boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=step["endpoint"],
        region_name=step["region"],
        aws_access_key_id=step["accessKeyId"],
        aws_secret_access_key=step["secretAccessKey"],
        aws_session_token=step["sessionToken"] or None,
    )
    if step["op"] == "post":
        return client.post_to_connection(ConnectionId=step["id"], Data=base64.b64decode(step["data"]))
    if step["op"] == "get":
        return client.get_connection(ConnectionId=step["id"])
    return client.delete_connection(ConnectionId=step["id"])


def result(step):
    try:
        out = run(step)
    except ClientError as e:
        return {
            "status": e.response["ResponseMetadata"]["HTTPStatusCode"],
            "code": e.response["Error"]["Code"],
            "message": e.response["Error"]["Message"],
        }
    answer = {"status": out["ResponseMetadata"]["HTTPStatusCode"]}
    if "ConnectedAt" in out:
        answer["connectedAt"] = out["ConnectedAt"].isoformat(timespec="milliseconds").replace("+00:00", "Z")
        answer["sourceIp"] = out["Identity"]["SourceIp"]
    return answer


print(json.dumps([result(step) for step in json.load(sys.stdin)]))
