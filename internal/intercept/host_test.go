package intercept

import "testing"

func TestParseAWSHost(t *testing.T) {
	for host, want := range map[string]AWSHost{
		"abc.execute-api.us-east-1.amazonaws.com":      {"execute-api", "us-east-1", "abc"},
		"ABC.execute-api.cn-north-1.amazonaws.com.cn.": {"execute-api", "cn-north-1", "abc"},
		"sqs.eu-west-1.amazonaws.com":                  {"sqs", "eu-west-1", ""},
		"eu-west-1.queue.amazonaws.com":                {"sqs", "eu-west-1", ""},
		"queue.amazonaws.com":                          {"sqs", "us-east-1", ""},
		"dynamodb.us-east-2.amazonaws.com":             {"dynamodb", "us-east-2", ""},
		"123456789012.ddb.us-east-2.amazonaws.com":     {"dynamodb", "us-east-2", ""},
		"dynamodb-fips.us-east-1.amazonaws.com":        {"dynamodb", "us-east-1", ""},
		"sns.us-east-1.amazonaws.com":                  {"sns", "us-east-1", ""},
		"lambda.us-east-1.amazonaws.com":               {"lambda", "us-east-1", ""},
		"s3.us-east-1.amazonaws.com":                   {},
		"sts.amazonaws.com":                            {},
		"amazonaws.com":                                {},
		".amazonaws.com":                               {},
		".execute-api.us-east-1.amazonaws.com":         {},
		"a.b.execute-api.us-east-1.amazonaws.com":      {},
		"sqs.us-east-1.amazonaws.com.evil.org":         {},
		"sqs.us-east-1.notamazonaws.com":               {},
		"localhost":                                    {},
		"":                                             {},
	} {
		got, ok := ParseAWSHost(host)
		if ok != (want != AWSHost{}) || ok && got != want {
			t.Errorf("ParseAWSHost(%q) = %+v, %v, want %+v", host, got, ok, want)
		}
	}
}
