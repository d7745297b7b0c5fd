// Package deploy holds the files that set the push house's system up: an API
// with its functions, the roster's table, and the queue with its dead letters.
package deploy

import _ "embed"

// SAM is sam/template.yaml, for the AWS SAM CLI and for `gatepost dev`.
//
//go:embed sam/template.yaml
var SAM []byte
