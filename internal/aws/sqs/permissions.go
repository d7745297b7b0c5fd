package sqs

import (
	"context"
	"encoding/json"
	"slices"
)

// Nobody is told apart by a policy here. AddPermission and RemovePermission write
// it all the same, so that what tools set up can be read back.

// policyDocument is a queue's Policy, as far as these operations need it.
type policyDocument struct {
	Version   string            `json:"Version,omitempty"`
	ID        string            `json:"Id,omitempty"`
	Statement []json.RawMessage `json:"Statement"`
}

// labelOf is the Sid of a statement.
func labelOf(statement json.RawMessage) string {
	var s struct{ Sid string }
	json.Unmarshal(statement, &s) // a statement without one has no label
	return s.Sid
}

type addPermissionInput struct {
	QueueUrl      string
	Label         string
	AWSAccountIds []string `query:"AWSAccountId,flat"`
	Actions       []string `query:"ActionName,flat"`
}

func addPermission(ctx context.Context, c *caller, in *addPermissionInput) (*none, error) {
	switch {
	case in.Label == "":
		return nil, missingParameter("Label")
	case len(in.Label) > 80 || !validName.MatchString(in.Label):
		return nil, invalidParameter("Value %s for parameter Label is invalid. Reason: Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.", clip(in.Label))
	case len(in.AWSAccountIds) == 0:
		return nil, missingParameter("AWSAccountIds")
	case len(in.Actions) == 0:
		return nil, missingParameter("Actions")
	}
	principals, actions := make([]string, len(in.AWSAccountIds)), make([]string, len(in.Actions))
	for i, account := range in.AWSAccountIds {
		if !accountKey.MatchString(account) {
			return nil, invalidParameter("Value [%s] for parameter PrincipalId is invalid. Reason: Unable to verify.", clip(account))
		}
		principals[i] = "arn:aws:iam::" + account + ":root"
	}
	for i, action := range in.Actions {
		if _, known := shared[action]; action != "*" && !known {
			return nil, invalidParameter("Value SQS:%s for parameter ActionName is invalid. Reason: Only the queue owner is allowed to invoke this action.", clip(action))
		}
		actions[i] = "SQS:" + action
	}
	return nil, c.changePolicy(ctx, in.QueueUrl, func(p *policyDocument, arn string) error {
		if slices.ContainsFunc(p.Statement, func(s json.RawMessage) bool { return labelOf(s) == in.Label }) {
			return invalidParameter("Value %s for parameter Label is invalid. Reason: Already exists.", in.Label)
		}
		statement, err := json.Marshal(map[string]any{
			"Sid": in.Label, "Effect": "Allow", "Principal": map[string]any{"AWS": principals}, "Action": actions, "Resource": arn,
		})
		p.Statement = append(p.Statement, statement)
		return err
	})
}

// shared are the actions that an owner can share ("Overview of managing
// access in Amazon SQS", actions without the owner's own).
var shared = map[string]bool{
	"SendMessage": true, "ReceiveMessage": true, "DeleteMessage": true, "ChangeMessageVisibility": true,
	"GetQueueAttributes": true, "GetQueueUrl": true, "ListDeadLetterSourceQueues": true, "PurgeQueue": true,
}

type removePermissionInput struct {
	QueueUrl string
	Label    string
}

func removePermission(ctx context.Context, c *caller, in *removePermissionInput) (*none, error) {
	if in.Label == "" {
		return nil, missingParameter("Label")
	}
	return nil, c.changePolicy(ctx, in.QueueUrl, func(p *policyDocument, _ string) error {
		left := slices.DeleteFunc(slices.Clone(p.Statement), func(s json.RawMessage) bool { return labelOf(s) == in.Label })
		if len(left) == len(p.Statement) {
			return invalidParameter("Value %s for parameter Label is invalid. Reason: can't find label on existing policy.", clip(in.Label))
		}
		p.Statement = left
		return nil
	})
}

// changePolicy stores a queue's policy as change leaves it.
func (c *caller) changePolicy(ctx context.Context, queueURL string, change func(p *policyDocument, arn string) error) error {
	c.admin.Lock()
	defer c.admin.Unlock()
	q, err := c.queue(queueURL)
	if err != nil {
		return err
	}
	r := q.record()
	p := policyDocument{Version: "2012-10-17", ID: r.Address.arn() + "/SQSDefaultPolicy"}
	if text, ok := r.Settings.Kept["Policy"]; ok {
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			return invalidAttribute("Policy")
		}
	}
	if err := change(&p, r.Address.arn()); err != nil {
		return err
	}
	text := ""
	if len(p.Statement) > 0 {
		encoded, err := json.Marshal(p)
		if err != nil {
			return err
		}
		text = string(encoded)
	}
	if r.Settings, err = r.Settings.with(map[string]string{"Policy": text}); err != nil {
		return err
	}
	return q.update(ctx, r)
}
