package intercept

import "testing"

func TestParseAWSHost(t *testing.T) {
	for host, want := range map[string]AWSHost{
		"abc.execute-api.us-east-1.amazonaws.com":                 {"execute-api", "us-east-1", "abc"},
		"ABC.execute-api.cn-north-1.amazonaws.com.cn.":            {"execute-api", "cn-north-1", "abc"},
		"abc.execute-api.eu-central-1.api.aws":                    {"execute-api", "eu-central-1", "abc"},
		"abc.execute-api-fips.us-gov-west-1.amazonaws.com":        {"execute-api", "us-gov-west-1", "abc"},
		"abc.execute-api.cn-north-1.api.amazonwebservices.com.cn": {"execute-api", "cn-north-1", "abc"},
		"sqs.eu-west-1.amazonaws.com":                             {"sqs", "eu-west-1", ""},
		"sqs.eu-west-1.api.aws":                                   {"sqs", "eu-west-1", ""},
		"sqs-fips.us-east-1.amazonaws.com":                        {"sqs", "us-east-1", ""},
		"sqs.cn-northwest-1.amazonaws.com.cn":                     {"sqs", "cn-northwest-1", ""},
		"vpce-0a1b-x.sqs.eu-west-1.vpce.amazonaws.com":            {"sqs", "eu-west-1", ""},
		"eu-west-1.queue.amazonaws.com":                           {"sqs", "eu-west-1", ""},
		"cn-north-1.queue.amazonaws.com.cn":                       {"sqs", "cn-north-1", ""},
		"queue.amazonaws.com":                                     {"sqs", "us-east-1", ""},
		"dynamodb.us-east-2.amazonaws.com":                        {"dynamodb", "us-east-2", ""},
		"123456789012.ddb.us-east-2.amazonaws.com":                {"dynamodb", "us-east-2", ""},
		"123456789012.ddb.us-east-2.api.aws":                      {"dynamodb", "us-east-2", ""},
		"dynamodb-fips.us-east-1.amazonaws.com":                   {"dynamodb", "us-east-1", ""},
		"dynamodb-fips.us-east-1.api.aws":                         {"dynamodb", "us-east-1", ""},
		"streams.dynamodb.us-east-1.amazonaws.com":                {"streams.dynamodb", "us-east-1", ""},
		"sns.us-east-1.amazonaws.com":                             {"sns", "us-east-1", ""},
		"sns-fips.us-gov-east-1.amazonaws.com":                    {"sns", "us-gov-east-1", ""},
		"lambda.ap-southeast-2.amazonaws.com":                     {"lambda", "ap-southeast-2", ""},
		"lambda.us-east-1.api.aws":                                {"lambda", "us-east-1", ""},
		"lambda-fips.us-east-1.amazonaws.com":                     {"lambda", "us-east-1", ""},
		"kinesis.us-east-1.amazonaws.com":                         {"kinesis", "us-east-1", ""},

		// Of AWS, and not for us.
		"s3.us-east-1.amazonaws.com":              {"s3", "us-east-1", ""},
		"bucket.s3.us-east-1.amazonaws.com":       {"s3", "us-east-1", ""},
		"bucket.s3.amazonaws.com":                 {"s3", "", ""},
		"sts.amazonaws.com":                       {"sts", "", ""},
		"secretsmanager.eu-west-1.amazonaws.com":  {"secretsmanager", "eu-west-1", ""},
		"a.b.execute-api.us-east-1.amazonaws.com": {"execute-api", "us-east-1", ""},
		"execute-api.us-east-1.amazonaws.com":     {"execute-api", "us-east-1", ""},
		"a.sqs.us-east-1.amazonaws.com":           {"", "us-east-1", ""},
		"other.queue.amazonaws.com":               {"", "", ""},
		"us-east-1.amazonaws.com":                 {"us-east-1", "", ""},
	} {
		if got, ok := ParseAWSHost(host); !ok || got != want {
			t.Errorf("ParseAWSHost(%q) = %+v, %v, want %+v", host, got, ok, want)
		}
	}
	for _, host := range []string{
		"amazonaws.com", ".amazonaws.com", "..amazonaws.com", ".execute-api.us-east-1.amazonaws.com", "a..sqs.amazonaws.com", "sqs.us-east-1.amazonaws.com.evil.org",
		"sqs.us-east-1.notamazonaws.com", "sqs.us-east-1.aws", "api.aws", "sqs.us-east-1.amazonaws.com.de", "localhost", "",
	} {
		if got, ok := ParseAWSHost(host); ok {
			t.Errorf("ParseAWSHost(%q) = %+v", host, got)
		}
	}
}

func FuzzParseAWSHost(f *testing.F) {
	for _, seed := range []string{"queue.amazonaws.com", "vpce-a.vpce.amazonaws.com", ".vpce.amazonaws.com", "a.execute-api.us-east-1.api.aws", "-fips.amazonaws.com"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, host string) {
		if h, ok := ParseAWSHost(host); !ok && h != (AWSHost{}) || h.API != "" && h.Service != "execute-api" {
			t.Errorf("ParseAWSHost(%q) = %+v, %v", host, h, ok)
		}
	})
}
