package e2e

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/rogpeppe/go-internal/testscript"
)

// emptyHash is the SHA-256 of nothing, which a handshake's signature covers.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// presign sets a variable to a WebSocket URL signed with the instance's
// credentials in its query, as a browser needs it:
//
//	presign NAME URL
func presign(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: presign NAME URL")
	}
	s := onStage(ts)
	req, err := http.NewRequest(http.MethodGet, strings.Replace(args[1], "ws", "http", 1), nil)
	ts.Check(err)
	signed, _, err := v4.NewSigner().PresignHTTP(context.Background(), aws.Credentials{
		AccessKeyID: s.secrets.AccessKeyID, SecretAccessKey: s.secrets.SecretAccessKey, SessionToken: s.secrets.SessionToken,
	}, req, emptyHash, "execute-api", s.run.Region, time.Now())
	ts.Check(err)
	ts.Setenv(args[0], strings.Replace(signed, "http", "ws", 1))
}

// host sets a variable to the host and port of a URL:
//
//	host NAME URL
func host(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: host NAME URL")
	}
	u, err := url.Parse(args[1])
	ts.Check(err)
	ts.Setenv(args[0], u.Host)
}
