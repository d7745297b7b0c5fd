package intercept

import (
	"regexp"
	"slices"
	"strings"
)

// awsDomains are where AWS's services are, in the partitions aws, aws-us-gov and
// aws-cn, with the dual-stack forms.
var awsDomains = []string{"amazonaws.com", "amazonaws.com.cn", "api.aws", "api.amazonwebservices.com.cn"}

// regionForm is the form of a region's name, "us-gov-west-1".
var regionForm = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)

// AWSHost is a host name of AWS, taken apart.
type AWSHost struct {
	// Service is what the host names, "execute-api", "sqs" or
	// "streams.dynamodb"; "" if that cannot be told.
	Service string
	// Region is for example "eu-west-1", or "" for a host without one.
	Region string
	// API is the API's id, for execute-api only.
	API string
}

// ParseAWSHost takes a host name without a port apart. It knows the forms in
// which SDKs of all ages write the services that Gatepost can answer for:
//
//	API.execute-api.REGION.amazonaws.com
//	SERVICE.REGION.amazonaws.com                     SERVICE-fips too
//	SERVICE.REGION.api.aws                           dual stack
//	REGION.queue.amazonaws.com, queue.amazonaws.com  SQS until 2016
//	ACCOUNT.ddb.REGION.amazonaws.com                 DynamoDB's account endpoints
//	VPCE.SERVICE.REGION.vpce.amazonaws.com           interface endpoints
//
// each in China's domains as well. ok is true for every host of AWS, whether it
// has such a form or not.
func ParseAWSHost(host string) (h AWSHost, ok bool) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, domain := range awsDomains {
		if name, below := strings.CutSuffix(host, "."+domain); below && name != "" && !slices.Contains(strings.Split(name, "."), "") {
			return parseAWSName(strings.Split(name, ".")), true
		}
	}
	return AWSHost{}, false
}

// parseAWSName reads the labels before AWS's domain.
func parseAWSName(labels []string) AWSHost {
	if last := len(labels) - 1; last > 1 && labels[last] == "vpce" && strings.HasPrefix(labels[0], "vpce-") {
		labels = labels[1:last]
	}
	last := len(labels) - 1
	if labels[last] == "queue" {
		return legacyQueue(labels[:last])
	}
	h := AWSHost{}
	if regionForm.MatchString(labels[last]) && last > 0 {
		h.Region, labels = labels[last], labels[:last]
		last--
	}
	h.Service = strings.TrimSuffix(labels[last], "-fips")
	before := labels[:last]
	switch {
	case h.Service == "execute-api" && len(before) == 1:
		h.API = before[0]
	case h.Service == "ddb" && len(before) == 1:
		h.Service = "dynamodb"
	case h.Service == "dynamodb" && slices.Equal(before, []string{"streams"}):
		h.Service = "streams.dynamodb"
	case len(before) > 0 && slices.Contains(plainServices, h.Service):
		h.Service = "" // a name below one of these is not theirs
	}
	return h
}

// plainServices are the services whose hosts have nothing before their names.
var plainServices = []string{"sqs", "sns", "dynamodb", "lambda", "kinesis"}

// legacyQueue is SQS under its first name; without a region that is us-east-1.
func legacyQueue(before []string) AWSHost {
	switch {
	case len(before) == 0:
		return AWSHost{Service: "sqs", Region: "us-east-1"}
	case len(before) == 1 && regionForm.MatchString(before[0]):
		return AWSHost{Service: "sqs", Region: before[0]}
	}
	return AWSHost{}
}
