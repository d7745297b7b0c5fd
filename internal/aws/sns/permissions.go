package sns

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
)

// Nobody is told apart by a policy here. AddPermission and RemovePermission write
// it all the same, so that what tools set up can be read back.

// policyDocument is a topic's Policy, as far as these operations need it.
type policyDocument struct {
	Version   string            `json:"Version,omitempty"`
	ID        string            `json:"Id,omitempty"`
	Statement []json.RawMessage `json:"Statement"`
}

var validAccount = regexp.MustCompile(`^[0-9]{12}$`)

// labelOf is the Sid of a statement.
func labelOf(statement json.RawMessage) string {
	var s struct{ Sid string }
	json.Unmarshal(statement, &s) // a statement without one has no label
	return s.Sid
}

// shared are the actions that an owner can share (API reference, AddPermission).
var shared = map[string]bool{
	"GetTopicAttributes": true, "SetTopicAttributes": true, "AddPermission": true, "RemovePermission": true, "DeleteTopic": true,
	"Subscribe": true, "ListSubscriptionsByTopic": true, "Publish": true, "Receive": true,
}

type addPermissionInput struct {
	TopicArn, Label          string
	AWSAccountId, ActionName []string
}

func addPermission(ctx context.Context, c *caller, in *addPermissionInput) (*none, error) {
	if in.Label == "" || len(in.AWSAccountId) == 0 || len(in.ActionName) == 0 {
		return nil, validationError("AddPermission needs a Label, an AWSAccountId and an ActionName")
	}
	principals, actions := make([]string, len(in.AWSAccountId)), make([]string, len(in.ActionName))
	for i, account := range in.AWSAccountId {
		if !validAccount.MatchString(account) {
			return nil, invalidParameter("AWSAccountId: %s is not an account", clip(account))
		}
		principals[i] = "arn:aws:iam::" + account + ":root"
	}
	for i, action := range in.ActionName {
		if !shared[action] {
			return nil, invalidParameter("Policy statement action out of service scope!")
		}
		actions[i] = "SNS:" + action
	}
	return nil, c.changePolicy(ctx, in.TopicArn, func(p *policyDocument) error {
		if slices.ContainsFunc(p.Statement, func(s json.RawMessage) bool { return labelOf(s) == in.Label }) {
			return invalidParameter("Statement already exists")
		}
		p.Statement = append(p.Statement, json.RawMessage(compactJSON(map[string]any{
			"Sid": in.Label, "Effect": "Allow", "Principal": map[string]any{"AWS": oneOrAll(principals)}, "Action": oneOrAll(actions), "Resource": in.TopicArn,
		})))
		return nil
	})
}

// oneOrAll writes a list of one as the one, as SNS does in policies.
func oneOrAll(texts []string) any {
	if len(texts) == 1 {
		return texts[0]
	}
	return texts
}

type removePermissionInput struct {
	TopicArn, Label string
}

// removePermission succeeds for a label that is not there.
func removePermission(ctx context.Context, c *caller, in *removePermissionInput) (*none, error) {
	return nil, c.changePolicy(ctx, in.TopicArn, func(p *policyDocument) error {
		p.Statement = slices.DeleteFunc(p.Statement, func(s json.RawMessage) bool { return labelOf(s) == in.Label })
		return nil
	})
}

// changePolicy stores a topic's policy as change leaves it.
func (c *caller) changePolicy(ctx context.Context, topicARN string, change func(*policyDocument) error) error {
	c.admin.Lock()
	defer c.admin.Unlock()
	t, err := c.topicOf("TopicArn", topicARN)
	if err != nil {
		return err
	}
	r := *t.record()
	var p policyDocument
	if err := json.Unmarshal([]byte(r.texts()["Policy"]), &p); err != nil {
		return invalidParameter("Policy Reason: its statements are not a list")
	}
	if err := change(&p); err != nil {
		return err
	}
	if err := r.set("Policy", compactJSON(p)); err != nil {
		return err
	}
	return c.storeTopic(ctx, r)
}
