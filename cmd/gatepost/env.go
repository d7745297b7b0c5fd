package main

import (
	"fmt"
	"strings"
)

type envCommand struct {
	target
}

// Help gives the example.
func (envCommand) Help() string {
	return "Example:\n  eval \"$(gatepost env)\"\n  aws sqs list-queues"
}

// Run prints one export line a variable, quoted for a POSIX shell.
func (c envCommand) Run(std streams) error {
	r, secrets, err := c.find()
	if err != nil {
		return err
	}
	for _, v := range []struct{ name, value string }{
		{"AWS_ACCESS_KEY_ID", secrets.AccessKeyID},
		{"AWS_SECRET_ACCESS_KEY", secrets.SecretAccessKey},
		{"AWS_SESSION_TOKEN", secrets.SessionToken},
		{"AWS_REGION", r.Region},
		{"AWS_DEFAULT_REGION", r.Region},
		{"AWS_ENDPOINT_URL", r.AWS},
		{"AWS_CA_BUNDLE", r.Bundle},
		{"NODE_EXTRA_CA_CERTS", r.CA},
	} {
		fmt.Fprintf(std.out, "export %s=%s\n", v.name, shellQuote(v.value))
	}
	if len(r.APIs) == 1 {
		for _, a := range r.APIs {
			fmt.Fprintf(std.out, "export AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI=%s\n", shellQuote(a.Callback))
		}
	}
	return nil
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
