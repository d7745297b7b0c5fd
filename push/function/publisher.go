package function

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gatepost-dev/gatepost/push"
)

// joints are the values of COALESCE.
var joints = map[string]push.Coalescing{"off": push.Separately, "lines": push.Lines, "array": push.Array}

// Publisher is the publisher of the variables of Roster and of CALLBACK_URL,
// PARALLELISM, POST_TIMEOUT and COALESCE (off, lines or array). It is nil when one of them is wrong, which the
// environment then tells, or with an error.
func Publisher(cfg aws.Config, env *Environment) (*push.Publisher, error) {
	publisher := &push.Publisher{
		Roster:      Roster(cfg, env),
		Parallelism: env.Integer("PARALLELISM", push.DefaultParallelism, 1, 1000),
		Coalescing:  joints[env.Choice("COALESCE", "off", "lines", "array")],
		Log:         Log(),
	}
	callback := env.URL("CALLBACK_URL", "the callback address of the API's stage, such as https://abcdefghij.execute-api.eu-west-1.amazonaws.com/main")
	timeout := env.Duration("POST_TIMEOUT", push.DefaultPostTimeout, 10*time.Millisecond, time.Minute)
	if len(env.Problems()) > 0 {
		return nil, nil
	}
	poster, err := push.PosterForEndpoint(cfg, callback, push.PosterOptions{Parallelism: publisher.Parallelism, Timeout: timeout})
	if err != nil {
		return nil, err
	}
	publisher.Poster = poster
	return publisher, nil
}
