"""Queues and topics with boto3, which finds AWS_ENDPOINT_URL itself."""

import os

import boto3
from botocore.exceptions import ClientError

NAME = os.environ["NAME"]
AT = {"endpoint_url": os.environ["ENDPOINT"]} if "ENDPOINT" in os.environ else {}
sqs = boto3.client("sqs", **AT)
sns = boto3.client("sns", **AT)


def code(call, **arguments):
    try:
        call(**arguments)
    except ClientError as e:
        return e.response["Error"]["Code"]
    raise AssertionError("the call has not failed")


def create(name, **attributes):
    """Makes a queue twice."""
    first, again = (sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"] for _ in range(2))
    assert first == again
    return first


def receive(url):
    """Waits for one message with its attributes."""
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20, AttributeNames=["All"], MessageAttributeNames=["All"])["Messages"]
    return message


def remove(url, message):
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def messages(url):
    attributes = {
        "color": {"DataType": "String", "StringValue": "red"},
        "n": {"DataType": "Number", "StringValue": "4"},
        "raw": {"DataType": "Binary", "BinaryValue": b"b\x00"},
    }
    sqs.send_message(QueueUrl=url, MessageBody="one", MessageAttributes=attributes)
    m = receive(url)
    a = m["MessageAttributes"]
    raw = " ".join(str(b) for b in a["raw"]["BinaryValue"])
    print("received", m["Body"], a["color"]["StringValue"], a["n"]["StringValue"], f"[{raw}]")
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=m["ReceiptHandle"], VisibilityTimeout=0)
    m = receive(url)
    print("again", m["Body"], m["Attributes"]["ApproximateReceiveCount"])
    remove(url, m)
    entries = [{"Id": id, "MessageBody": id} for id in "abc"]
    entries[2]["DelaySeconds"] = 901
    sent = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    print("sent", len(sent["Successful"]), "not", sent["Failed"][0]["Id"], sent["Failed"][0]["Code"])


def handles(url):
    entries = [{"Id": "bad", "ReceiptHandle": "bad"}] + [{"Id": id, "ReceiptHandle": receive(url)["ReceiptHandle"]} for id in "xy"]
    done = sqs.delete_message_batch(QueueUrl=url, Entries=entries)
    left = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    bad = done["Failed"][0]
    print("deleted", len(done["Successful"]), "not", bad["Id"], bad["Code"], "left", left["ApproximateNumberOfMessages"], left["ApproximateNumberOfMessagesNotVisible"])


def tags(url):
    sqs.tag_queue(QueueUrl=url, Tags={"team": "orders"})
    print("tagged", sqs.list_queue_tags(QueueUrl=url)["Tags"]["team"])


def bodies(url, n):
    """Takes and deletes messages."""
    found = []
    for _ in range(n):
        m = receive(url)
        found.append(m["Body"])
        remove(url, m)
    return " ".join(found)


def in_order(url):
    sent = (("first", "1"), ("again", "1"), ("second", "2"))
    ids = [sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="g", MessageDeduplicationId=id)["MessageId"] for body, id in sent]
    print("ordered", bodies(url, 2), str(ids[0] == ids[1]).lower(), str(ids[1] == ids[2]).lower())


def topic(name, url, says, attributes, kinds, order):
    """Makes a topic with a subscription of a queue, which wants one kind of message only, and publishes."""
    arn = sns.create_topic(Name=name, Attributes=attributes)["TopicArn"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    wants = {"RawMessageDelivery": "true", "FilterPolicy": '{"kind":["big"]}'}
    subscription = sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue, Attributes=wants)["SubscriptionArn"]
    for i, kind in enumerate(kinds):
        sns.publish(TopicArn=arn, Message=f"{kind}{i}", MessageAttributes={"kind": {"DataType": "String", "StringValue": kind}}, **order(i))
    print(says, bodies(url, len(kinds) - 1))
    sns.unsubscribe(SubscriptionArn=subscription)
    return arn


jobs = create(NAME)
print("made twice, otherwise", code(sqs.create_queue, QueueName=NAME, Attributes={"VisibilityTimeout": "7"}))
for step in (messages, handles, tags):
    step(jobs)
ordered = create(NAME + ".fifo", FifoQueue="true")
in_order(ordered)
print("missing:", code(sqs.get_queue_url, QueueName="missing"))
arns = [
    topic(NAME, jobs, "topic", {}, ["small", "big"], lambda i: {}),
    topic(NAME + ".fifo", ordered, "ordered topic", {"FifoTopic": "true"}, ["small", "big", "big"], lambda i: {"MessageGroupId": "g", "MessageDeduplicationId": f"t{i}"}),
]
for arn in arns:
    sns.delete_topic(TopicArn=arn)
print("no topic:", code(sns.get_topic_attributes, TopicArn=arns[0]))
for url in (jobs, ordered):
    sqs.delete_queue(QueueUrl=url)
print("deleted")
