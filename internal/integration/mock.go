package integration

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gatepost-dev/gatepost/internal/jsonpath"
)

// mock is the backend of MOCK: nothing is called, the request template says
// with {"statusCode": 200} which integration response is chosen, and that one's
// template is the reply ("Mock integrations" of REST APIs). A template without
// a statusCode, or no template at all, means 200, for the AWS CDK makes mock
// integrations without request templates. A client's own message never sets
// the status.
type mock struct{}

func (mock) name() string { return "mock" }

func (mock) call(_ context.Context, out *outgoing) (*answer, error) {
	if !out.mapped {
		return &answer{status: http.StatusOK, declared: true}, nil
	}
	doc, err := jsonpath.Parse(out.body)
	if err != nil || doc.Kind() != jsonpath.Object {
		return nil, errors.New(`the request template of the mock integration made no JSON object like {"statusCode": 200}`)
	}
	v, there := doc.Get("statusCode")
	if !there {
		return &answer{status: http.StatusOK, declared: true}, nil
	}
	status, ok := statusText(v.Str())
	if !ok {
		return nil, fmt.Errorf("the request template of the mock integration made the statusCode %s, which is not a number from 100 to 599", clip(string(v.JSON())))
	}
	return &answer{status: status, declared: true}, nil
}
