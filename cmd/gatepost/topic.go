package main

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/instance"
)

type topicCommand struct {
	Ls      topicLsCommand      `cmd:"" help:"List the topics."`
	Publish topicPublishCommand `cmd:"" help:"Publish a message to a topic."`
}

type topicLsCommand struct {
	target
	JSON bool `name:"json" help:"Print JSON."`
}

// Help gives the example.
func (topicLsCommand) Help() string { return "Example:\n  gatepost topic ls" }

// topicLine is one topic of a listing.
type topicLine struct {
	Name string `json:"name"`
	ARN  string `json:"arn"`
}

// Run prints a line a topic.
func (c topicLsCommand) Run(ctx context.Context, std streams) error {
	r, secrets, err := c.find()
	if err != nil {
		return err
	}
	lines, err := listTopics(ctx, r, secrets)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(std.out, lines)
	}
	if len(lines) == 0 {
		fmt.Fprintln(std.err, "There is no topic.")
	}
	for _, t := range lines {
		fmt.Fprintln(std.out, t.Name)
	}
	return nil
}

// listTopics reads every topic, page by page.
func listTopics(ctx context.Context, r *instance.Run, secrets instance.Credentials) ([]topicLine, error) {
	lines := []topicLine{}
	for token := ""; ; {
		form := url.Values{}
		if token != "" {
			form.Set("NextToken", token)
		}
		var page struct {
			ARNs  []string `xml:"ListTopicsResult>Topics>member>TopicArn"`
			Token string   `xml:"ListTopicsResult>NextToken"`
		}
		if err := sns(ctx, r, secrets, "ListTopics", form, &page); err != nil {
			return nil, fmt.Errorf("list the topics: %w", err)
		}
		for _, arn := range page.ARNs {
			lines = append(lines, topicLine{Name: arn[strings.LastIndex(arn, ":")+1:], ARN: arn})
		}
		if token = page.Token; token == "" {
			return lines, nil
		}
	}
}

type topicPublishCommand struct {
	target
	Name       string            `arg:"" help:"The topic's name, or its ARN."`
	Body       string            `arg:"" help:"The message; - reads it from the input."`
	Subject    string            `name:"subject" help:"The subject."`
	Attributes map[string]string `name:"attribute" mapsep:"none" placeholder:"NAME=VALUE" help:"A message attribute of type String; may be given several times."`
	Group      string            `name:"group" help:"The message group; a FIFO topic needs one."`
	Dedup      string            `name:"dedup" help:"The deduplication id, for a FIFO topic without content-based deduplication."`
	JSON       bool              `name:"json" help:"Print the answer as JSON."`
}

// Help gives the examples.
func (topicPublishCommand) Help() string {
	return "Examples:\n  gatepost topic publish news 'hello, everyone'\n  gatepost topic publish news goal --attribute sport=football --subject '1:0'"
}

// Run publishes one message and prints its id.
func (c topicPublishCommand) Run(ctx context.Context, std streams) error {
	r, secrets, err := c.find()
	if err != nil {
		return err
	}
	body, err := argument(c.Body, std)
	if err != nil {
		return err
	}
	arn, err := topicARN(ctx, r, secrets, c.Name)
	if err != nil {
		return err
	}
	var sent struct {
		MessageId      string `xml:"PublishResult>MessageId"`
		SequenceNumber string `xml:"PublishResult>SequenceNumber" json:",omitempty"`
	}
	if err := sns(ctx, r, secrets, "Publish", c.form(arn, string(body)), &sent); err != nil {
		return fmt.Errorf("publish to the topic %s: %w", c.Name, err)
	}
	if c.JSON {
		return printJSON(std.out, sent)
	}
	_, err = fmt.Fprintln(std.out, sent.MessageId)
	return err
}

func (c topicPublishCommand) form(arn, body string) url.Values {
	form := url.Values{"TopicArn": {arn}, "Message": {body}}
	for name, text := range map[string]string{"Subject": c.Subject, "MessageGroupId": c.Group, "MessageDeduplicationId": c.Dedup} {
		if text != "" {
			form.Set(name, text)
		}
	}
	for i, name := range slices.Sorted(maps.Keys(c.Attributes)) {
		entry := "MessageAttributes.entry." + strconv.Itoa(i+1) + "."
		form.Set(entry+"Name", name)
		form.Set(entry+"Value.DataType", "String")
		form.Set(entry+"Value.StringValue", c.Attributes[name])
	}
	return form
}

// topicARN finds a topic by its name.
func topicARN(ctx context.Context, r *instance.Run, secrets instance.Credentials, name string) (string, error) {
	if strings.HasPrefix(name, "arn:") {
		return name, nil
	}
	topics, err := listTopics(ctx, r, secrets)
	if err != nil {
		return "", err
	}
	var names []string
	for _, t := range topics {
		if t.Name == name {
			return t.ARN, nil
		}
		names = append(names, t.Name)
	}
	if len(names) == 0 {
		return "", fmt.Errorf("find the topic %s: the running instance has no topics", name)
	}
	return "", fmt.Errorf("find the topic %s: there is none of this name; there are: %s", name, strings.Join(names, ", "))
}

// sns makes one call of the running instance's SNS, which speaks the query
// protocol.
func sns(ctx context.Context, r *instance.Run, secrets instance.Credentials, action string, form url.Values, out any) error {
	form.Set("Action", action)
	form.Set("Version", "2010-03-31")
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}
	client := &http.Client{Timeout: callTimeout}
	status, body, err := call(ctx, client, secrets, r.Region, "sns", http.MethodPost, r.AWS+"/", header, []byte(form.Encode()))
	if err != nil {
		return err
	}
	if status == http.StatusOK {
		return xml.Unmarshal(body, out)
	}
	var failure struct {
		Message string `xml:"Error>Message"`
	}
	if xml.Unmarshal(body, &failure) != nil || failure.Message == "" {
		failure.Message = string(body)
	}
	return errors.New(failure.Message)
}
