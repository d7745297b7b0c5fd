package intercept

import "strings"

// AWSHost is a host name of AWS, taken apart.
type AWSHost struct {
	// Service is the service's signing name: "execute-api", "sqs", "sns",
	// "dynamodb" or "lambda".
	Service string
	// Region is for example "eu-west-1".
	Region string
	// API is the API's id, for execute-api only.
	API string
}

// ParseAWSHost takes a host name without a port apart. It knows the forms in
// which SDKs of all ages write the services that Gatepost can answer for:
//
//	API.execute-api.REGION.amazonaws.com[.cn]
//	SERVICE.REGION.amazonaws.com[.cn]        also SERVICE-fips
//	REGION.queue.amazonaws.com, queue.amazonaws.com   SQS until 2016
//	ACCOUNT.ddb.REGION.amazonaws.com         DynamoDB's account endpoints
//
// ok is false for every other host.
func ParseAWSHost(host string) (h AWSHost, ok bool) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	name, ok := strings.CutSuffix(strings.TrimSuffix(host, ".cn"), ".amazonaws.com")
	if !ok {
		return AWSHost{}, false
	}
	labels := strings.Split(name, ".")
	switch last := labels[len(labels)-1]; {
	case len(labels) == 3 && labels[1] == "execute-api":
		h = AWSHost{Service: "execute-api", Region: labels[2], API: labels[0]}
	case len(labels) == 3 && labels[1] == "ddb":
		h = AWSHost{Service: "dynamodb", Region: labels[2]}
	case len(labels) == 2 && last == "queue":
		h = AWSHost{Service: "sqs", Region: labels[0]}
	case len(labels) == 1 && last == "queue":
		return AWSHost{Service: "sqs", Region: "us-east-1"}, true
	case len(labels) == 2:
		h = AWSHost{Service: strings.TrimSuffix(labels[0], "-fips"), Region: last}
	}
	return h, h.Region != "" && (h.API != "" || h.Service == "sqs" || h.Service == "sns" || h.Service == "dynamodb" || h.Service == "lambda")
}
