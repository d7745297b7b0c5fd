package clients

import (
	"testing"

	"github.com/gatepost-dev/gatepost/internal/conformance"
)

func TestGoV1(t *testing.T) {
	t.Parallel()
	conformance.Covers(t, "management.sdk-go-v1", "management.sdk-retries-429")
	answers(t, traits{run: goV1, attempts: 4, invalidSignature: 1})
}

func TestGoV2(t *testing.T) {
	t.Parallel()
	conformance.Covers(t, "management.sdk-go-v2", "management.sdk-retries-429")
	answers(t, traits{run: goV2, attempts: 3, invalidSignature: 1, silent: []string{"LimitExceededException", "ForbiddenException"}})
}

func TestJavaScriptV2(t *testing.T) {
	t.Parallel()
	answers(t, traits{run: jsV2, attempts: 4, invalidSignature: 1, gone: "410"})
	conformance.Covers(t, "management.sdk-js-v2", "management.sdk-retries-429")
}

func TestJavaScriptV3(t *testing.T) {
	t.Parallel()
	answers(t, traits{run: jsV3, attempts: 3, invalidSignature: 1, gone: "UnknownError"})
	conformance.Covers(t, "management.sdk-js-v3", "management.sdk-retries-429")
}

func TestBoto3(t *testing.T) {
	t.Parallel()
	answers(t, traits{run: boto3, attempts: 5, invalidSignature: 1})
	conformance.Covers(t, "management.sdk-boto3", "management.sdk-retries-429")
}

func TestAWSCLI(t *testing.T) {
	t.Parallel()
	answers(t, traits{run: awsCLI, invalidSignature: 1, noStatus: true, only: []string{"POST", "GET", "DELETE", "POST to one that is gone", "too large", "a wrong stage", "a wrong secret"}})
}
