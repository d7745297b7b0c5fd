#!/bin/sh
# Queues and topics with the AWS CLI, as people type it: a message that was
# received too often is moved back, and a topic reaches a queue.
set -eu
export AWS_PAGER= AWS_DEFAULT_OUTPUT=text
aws="aws --endpoint-url $ENDPOINT"

dead=$($aws sqs create-queue --queue-name "$NAME-dead")
arn=$($aws sqs get-queue-attributes --queue-url "$dead" --attribute-names QueueArn --query Attributes.QueueArn)
jobs=$($aws sqs create-queue --queue-name "$NAME" --attributes '{"VisibilityTimeout":"0","RedrivePolicy":"{\"deadLetterTargetArn\":\"'"$arn"'\",\"maxReceiveCount\":\"1\"}"}')
$aws sqs send-message --queue-url "$jobs" --message-body one >"$TMPDIR/sent"
echo received "$($aws sqs receive-message --queue-url "$jobs" --wait-time-seconds 20 --query 'Messages[0].Body')"
echo then "$($aws sqs receive-message --queue-url "$jobs" --query 'length(Messages || `[]`)')"
$aws sqs start-message-move-task --source-arn "$arn" >"$TMPDIR/task"
until [ "$($aws sqs list-message-move-tasks --source-arn "$arn" --query 'Results[0].Status')" = COMPLETED ]; do :; done
echo moved "$($aws sqs receive-message --queue-url "$jobs" --wait-time-seconds 20 --query 'Messages[0].Body')"

topic=$($aws sns create-topic --name "$NAME")
$aws sns subscribe --topic-arn "$topic" --protocol sqs --notification-endpoint "$arn" --attributes RawMessageDelivery=true >"$TMPDIR/subscription"
$aws sns publish --topic-arn "$topic" --message news >"$TMPDIR/published"
echo topic "$($aws sqs receive-message --queue-url "$dead" --wait-time-seconds 20 --query 'Messages[0].Body')"
$aws sns delete-topic --topic-arn "$topic"
$aws sqs delete-queue --queue-url "$jobs"
$aws sqs get-queue-url --queue-name "$NAME" 2>&1 | sed -n 's/.*(\(.*\)) when calling the GetQueueUrl operation: .*/missing: \1/p'
