package e2e

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// commandWithin bounds one command of the AWS CLI, which starts slowly.
const commandWithin = time.Minute

// awsCall runs the AWS CLI against the running instance and holds that the call
// succeeds and prints something that a regular expression matches; with a leading
// !, that it fails and says so. >NAME in the place of the expression sets a
// variable to what is printed.
//
//	aws REGEXP SERVICE OPERATION [ARG...]
//	aws >NAME SERVICE OPERATION [ARG...]
//	! aws REGEXP SERVICE OPERATION [ARG...]
func awsCall(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: aws REGEXP|>NAME SERVICE OPERATION [ARG...]")
	}
	ctx, cancel := context.WithTimeout(context.Background(), commandWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, "aws", append([]string{"--endpoint-url", ts.Getenv("AWS")}, args[1:]...)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + ts.MkAbs("."), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		"AWS_DEFAULT_REGION=us-east-1", "AWS_DEFAULT_OUTPUT=text", "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1"}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	ts.Logf("%s%s", &stdout, &stderr)
	if failed := err != nil; failed != neg {
		ts.Fatalf("aws %s: %v", strings.Join(args[1:], " "), err)
	}
	said := strings.TrimSpace(stdout.String())
	if neg {
		said = strings.TrimSpace(stderr.String())
	}
	if name, ok := strings.CutPrefix(args[0], ">"); ok {
		ts.Setenv(name, said)
		return
	}
	want, err := regexp.Compile("(?s)" + args[0])
	ts.Check(err)
	if !want.MatchString(said) {
		ts.Fatalf("aws %s: %q does not match %s", strings.Join(args[1:], " "), said, args[0])
	}
}
