package sns

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// address names a topic: each region of each account has its own.
type address struct {
	Region  string `json:"region"`
	Account string `json:"account"`
	Name    string `json:"name"`
}

// arn is the topic's Amazon Resource Name.
func (a address) arn() string {
	return "arn:aws:sns:" + a.Region + ":" + a.Account + ":" + a.Name
}

// fifoSuffix ends the names of FIFO topics and queues.
const fifoSuffix = ".fifo"

func (a address) fifo() bool { return strings.HasSuffix(a.Name, fifoSuffix) }

// key is where the topic's record lies: a hash, since a record's key may not
// have every character that a topic's name may.
func (a address) key() string { return topicKeys + hashOf(a.arn()) }

// hashOf makes a key of texts: no two lists of them have the same.
func hashOf(texts ...string) string {
	h := sha256.New()
	for _, text := range texts {
		sum := sha256.Sum256([]byte(text))
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

var (
	validTopicName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)
	validRegion    = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
)

// checkTopicName checks a name against the attribute FifoTopic.
func checkTopicName(name string, fifo bool) error {
	base, hasSuffix := strings.CutSuffix(name, fifoSuffix)
	if fifo != hasSuffix || len(name) > 256 || !validTopicName.MatchString(base) {
		return invalidParameter("Topic Name")
	}
	return nil
}

// splitARN returns the parts of an ARN that a parameter holds, at least six.
func splitARN(parameter, arn string) ([]string, error) {
	parts := strings.Split(arn, ":")
	if len(parts) < 6 {
		return nil, invalidParameter("%s Reason: An ARN must have at least 6 elements, not %d", parameter, len(parts))
	}
	if parts[0] != "arn" || parts[2] != "sns" {
		return nil, invalidParameter("%s", parameter)
	}
	return parts, nil
}

// parseTopicARN reads a topic's ARN. The error is SNS's and names the parameter.
func parseTopicARN(parameter, arn string) (address, error) {
	parts, err := splitARN(parameter, arn)
	if err != nil {
		return address{}, err
	}
	if len(parts) != 6 || parts[5] == "" {
		return address{}, invalidParameter("%s", parameter)
	}
	return address{parts[3], parts[4], parts[5]}, nil
}

var validSubscriptionID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// parseSubscriptionARN returns the id at the end of a subscription's ARN.
func parseSubscriptionARN(arn string) (topic address, id string, err error) {
	if arn == "" {
		return topic, "", invalidParameter("SubscriptionArn Reason: no value for required parameter")
	}
	parts, err := splitARN("SubscriptionArn", arn)
	if err != nil {
		return topic, "", err
	}
	if len(parts) != 7 || !validSubscriptionID.MatchString(parts[6]) {
		return topic, "", invalidParameter("SubscriptionId")
	}
	return address{parts[3], parts[4], parts[5]}, parts[6], nil
}

// isQueueARN and isFunctionARN look at the form only: like SNS, Subscribe takes
// what does not exist yet.
func isQueueARN(arn string) bool {
	parts := strings.Split(arn, ":")
	return len(arn) <= maxEndpoint && len(parts) == 6 && parts[0] == "arn" && parts[2] == "sqs" && parts[3] != "" && parts[4] != "" && parts[5] != ""
}

func isFunctionARN(arn string) bool {
	parts := strings.Split(arn, ":")
	return len(arn) <= maxEndpoint && (len(parts) == 7 || len(parts) == 8) && parts[0] == "arn" && parts[2] == "lambda" && parts[5] == "function" && parts[6] != ""
}

// region is where a call's topics live.
func (s *Service) region(call *awswire.Call) (string, error) {
	if call.Region == "" {
		return s.config.Region, nil
	}
	if !validRegion.MatchString(call.Region) {
		return "", invalidParameter("the credential's region %s is not valid", clip(call.Region))
	}
	return call.Region, nil
}

// clip keeps hostile input from filling an error message.
func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}
