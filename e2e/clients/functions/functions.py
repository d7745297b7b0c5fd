"""Functions with boto3. ENDPOINT is for versions that do not find
AWS_ENDPOINT_URL themselves."""

import base64
import json
import os

import boto3

AT = {"endpoint_url": os.environ["ENDPOINT"]} if "ENDPOINT" in os.environ else {}
client = boto3.client("lambda", **AT)


def event(kind):
    """What a function of the demo gets when a client connects."""
    return json.dumps({"requestContext": {"connectionId": os.environ["NAME"] + "-" + kind}})


def shown(truth):
    return str(truth).lower()


def refused(error, **arguments):
    try:
        client.invoke(**arguments)
    except error as e:
        status, told = e.response["ResponseMetadata"]["HTTPStatusCode"], e.response["Error"]
        print("refused:", status, told["Code"], told["Message"].split(": ")[0])


out = client.invoke(FunctionName="connect", LogType="Tail", Payload=event("waited"))
print("invoked", out["StatusCode"], out["ExecutedVersion"], json.load(out["Payload"])["statusCode"], shown("FunctionError" not in out))
text = base64.b64decode(out["LogResult"]).decode()
print("logged", *(shown(part in text) for part in ("START RequestId: ", '"msg":"connected"', "END RequestId: ", "REPORT RequestId: ")))
for kind in ("Event", "DryRun"):
    out = client.invoke(FunctionName="connect", InvocationType=kind, Payload=event(kind))
    print(kind, out["StatusCode"], len(out["Payload"].read()), "bytes", shown("FunctionError" not in out))
out = client.invoke(FunctionName="connect", Payload=b'"text"')
print("function failed:", out["StatusCode"], out["FunctionError"], json.load(out["Payload"])["errorType"])
refused(client.exceptions.ResourceNotFoundException, FunctionName="missing")
refused(client.exceptions.InvalidRequestContentException, FunctionName="connect", Payload=b"{")
