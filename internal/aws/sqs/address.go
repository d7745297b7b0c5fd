package sqs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// address names a queue: each region of each account has its own.
type address struct {
	Region  string `json:"region"`
	Account string `json:"account"`
	Name    string `json:"name"`
}

// arn is the queue's Amazon Resource Name.
func (a address) arn() string {
	return "arn:aws:sqs:" + a.Region + ":" + a.Account + ":" + a.Name
}

// stream names the queue's work queue on the bus: for people to read, and with
// a hash, since queue names are told apart by case and names of folders, on some
// systems, are not.
func (a address) stream() string {
	sum := sha256.Sum256([]byte(a.arn()))
	return "SQS-" + strings.ToLower(a.Name) + "-" + hex.EncodeToString(sum[:10])
}

func parseARN(arn string) (address, error) {
	parts := strings.Split(arn, ":")
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "sqs" || parts[3] == "" || parts[4] == "" || parts[5] == "" {
		return address{}, fmt.Errorf("%.200q is not the ARN of a queue", arn)
	}
	return address{parts[3], parts[4], parts[5]}, nil
}

// parseQueueURL takes the account and the name from a queue's URL, which are
// its last two parts: clients carry URLs of AWS, of other hosts and ports of
// ours, and, in the query protocol, bare paths.
func parseQueueURL(text string) (account, name string, err error) {
	u, err := url.Parse(text)
	if err == nil {
		parts := strings.Split(strings.Trim(u.Path, "/"), "/")
		if n := len(parts); n >= 2 && parts[n-2] != "" {
			return parts[n-2], parts[n-1], nil
		}
	}
	return "", "", awswire.Errorf("InvalidAddress", "The address %s is not valid for this endpoint: a queue URL ends in /account/name.", clip(text))
}

var validName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

func checkName(name string) error {
	if strings.HasSuffix(name, ".fifo") {
		return errFIFO()
	}
	if !validName.MatchString(name) {
		return invalidParameter("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	return nil
}

var validRegion = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// region is where a call's queues live.
func (s *Service) region(call *awswire.Call) (string, error) {
	if call.Region == "" {
		return s.config.Region, nil
	}
	if !validRegion.MatchString(call.Region) {
		return "", invalidParameter("The credential's region %s is not valid.", clip(call.Region))
	}
	return call.Region, nil
}

// urlBase begins the URLs in the answer to a call. A Host of AWS's got here
// through the proxy, where it was https.
func (s *Service) urlBase(call *awswire.Call) string {
	switch {
	case s.config.URLBase != "":
		return strings.TrimSuffix(s.config.URLBase, "/")
	case strings.HasSuffix(call.Host, ".amazonaws.com"):
		return "https://" + call.Host
	}
	return "http://" + call.Host
}

// clip keeps hostile input from filling an error message.
func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}
