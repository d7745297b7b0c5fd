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

// fifoSuffix ends the names of FIFO queues.
const fifoSuffix = ".fifo"

func (a address) fifo() bool { return strings.HasSuffix(a.Name, fifoSuffix) }

// arn is the queue's Amazon Resource Name.
func (a address) arn() string {
	return "arn:aws:sqs:" + a.Region + ":" + a.Account + ":" + a.Name
}

// stream names the queue's work queue on the bus: for people to read, and with
// a hash, since queue names are told apart by case and names of folders, on some
// systems, are not.
func (a address) stream() string {
	sum := sha256.Sum256([]byte(a.arn()))
	return "SQS-" + strings.ReplaceAll(strings.ToLower(a.Name), ".", "-") + "-" + hex.EncodeToString(sum[:10])
}

func parseARN(arn string) (address, error) {
	parts := strings.Split(arn, ":")
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "sqs" || parts[3] == "" || parts[4] == "" || parts[5] == "" {
		return address{}, fmt.Errorf("%.200q is not the ARN of a queue", arn)
	}
	return address{parts[3], parts[4], parts[5]}, nil
}

// parseQueueURL takes the account and the name from a queue's URL, which are
// its last two parts: clients carry URLs of AWS (also of its older hosts), of
// other hosts and ports of ours, of other tools (/queue/name, and
// /queue/region/account/name), and, in the query protocol, bare paths. The account
// is "" in a URL that has none.
func parseQueueURL(text string) (account, name string, err error) {
	invalid := awswire.Errorf("InvalidAddress", "The address %s is not valid for this endpoint.", clip(text))
	u, err := url.Parse(text)
	if err != nil || !strings.HasPrefix(u.Path, "/") {
		return "", "", invalid
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	name = parts[len(parts)-1]
	if len(parts) > 1 {
		account = parts[len(parts)-2]
	}
	if account == "queue" {
		account = ""
	}
	if name == "" || len(parts) > 1 && parts[len(parts)-2] == "" {
		return "", "", invalid
	}
	return account, name, nil
}

var validName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// checkName checks a queue's name; only those of FIFO queues have a suffix.
func checkName(name string, fifo bool) error {
	base := name
	if fifo {
		base = strings.TrimSuffix(name, fifoSuffix)
	}
	switch {
	case fifo && (base == name || len(name) > 80 || !validName.MatchString(base)):
		return invalidParameter("The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.")
	case len(name) > 80 || !validName.MatchString(base):
		return invalidParameter("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	return nil
}

var accountKey = regexp.MustCompile(`^[0-9]{12}$`)

// account is whose queues a call is about. An access key of twelve digits names
// it, as in other tools; those given out here belong to the configured one.
func (s *Service) account(call *awswire.Call) string {
	if accountKey.MatchString(call.AccessKeyID) {
		return call.AccessKeyID
	}
	return s.config.Account
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
