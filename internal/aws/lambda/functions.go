package lambda

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"strconv"
	"time"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// configuration is FunctionConfiguration of the API, as far as Gatepost knows it.
type configuration struct {
	FunctionName     string
	FunctionArn      string
	Runtime          string `json:",omitempty"`
	Handler          string `json:",omitempty"`
	Timeout          int    `json:",omitempty"`
	MemorySize       int    `json:",omitempty"`
	Version          string
	PackageType      string
	State            string            `json:",omitempty"`
	StateReason      string            `json:",omitempty"`
	StateReasonCode  string            `json:",omitempty"`
	LastUpdateStatus string            `json:",omitempty"`
	DeadLetterConfig *deadLetterConfig `json:",omitempty"`
}

type deadLetterConfig struct{ TargetArn string }

// configurationOf describes a function. Waiters of the SDKs look at State and
// LastUpdateStatus.
func (s *Service) configurationOf(f Function) configuration {
	c := configuration{
		FunctionName: f.Name, FunctionArn: s.arnOf(f), Runtime: f.Runtime, Handler: f.Handler,
		Timeout: int((f.Timeout + time.Second - 1) / time.Second), MemorySize: f.MemoryMB,
		Version: latest, PackageType: "Zip", State: "Active", LastUpdateStatus: "Successful",
	}
	if f.Failure != "" {
		c.State, c.StateReason, c.StateReasonCode, c.LastUpdateStatus = "Failed", f.Failure, "FunctionError", "Failed"
	}
	if config, _ := s.configOf(f.Name); config.DeadLetter != "" {
		target := config.DeadLetter
		c.DeadLetterConfig = &deadLetterConfig{target}
	}
	return c
}

// described is a function's description as a call with a qualifier gets it.
func (s *Service) described(f Function, ref reference) configuration {
	c := s.configurationOf(f)
	if ref.qualifier != "" {
		c.FunctionArn += ":" + ref.qualifier
	}
	return c
}

func (s *Service) getFunction(_ context.Context, c *request) (*awswire.RESTAnswer, error) {
	f, ref, err := s.function(c, "GetFunction")
	if err != nil {
		return nil, err
	}
	return answer(map[string]any{"Configuration": s.described(f, ref), "Code": struct{}{}})
}

func (s *Service) getFunctionConfiguration(_ context.Context, c *request) (*awswire.RESTAnswer, error) {
	f, ref, err := s.function(c, "GetFunctionConfiguration")
	if err != nil {
		return nil, err
	}
	return answer(s.described(f, ref))
}

// maxPage is the most functions that one ListFunctions has.
const maxPage = 50

// listFunctions lists the functions of the call's region by name, in pages.
func (s *Service) listFunctions(_ context.Context, c *request) (*awswire.RESTAnswer, error) {
	most, after, err := page(c)
	if err != nil {
		return nil, err
	}
	var out struct {
		Functions  []configuration
		NextMarker *string
	}
	out.Functions = []configuration{}
	if c.region != s.config.Region || c.account != s.config.Account {
		return answer(out)
	}
	all := s.config.Functions.List()
	slices.SortFunc(all, func(a, b Function) int { return cmp.Compare(a.Name, b.Name) })
	for _, f := range all {
		if f.Name <= after {
			continue
		}
		if len(out.Functions) == most {
			marker := base64.RawURLEncoding.EncodeToString([]byte(out.Functions[most-1].FunctionName))
			out.NextMarker = &marker
			break
		}
		listed := s.configurationOf(f)
		if c.Query.Get("FunctionVersion") == "ALL" {
			listed.FunctionArn += ":" + latest
		}
		// A listing leaves the states out ("ListFunctions" in the API reference).
		listed.State, listed.StateReason, listed.StateReasonCode, listed.LastUpdateStatus = "", "", "", ""
		out.Functions = append(out.Functions, listed)
	}
	return answer(out)
}

// page reads the parameters of a listing.
func page(c *request) (most int, after string, err error) {
	most = maxPage
	if text := c.Query.Get("MaxItems"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 10_000 {
			return 0, "", invalidMember(text, "maxItems", "Member must have value between 1 and 10000")
		}
		most = min(n, maxPage)
	}
	name, err := base64.RawURLEncoding.DecodeString(c.Query.Get("Marker"))
	if err != nil {
		return 0, "", invalidParameter("The Marker %s did not come from this operation.", clip(c.Query.Get("Marker")))
	}
	return most, string(name), nil
}

// getEventInvokeConfig tells how a function's asynchronous invocations are
// treated.
func (s *Service) getEventInvokeConfig(_ context.Context, c *request) (*awswire.RESTAnswer, error) {
	f, ref, err := s.function(c, "GetFunctionEventInvokeConfig")
	if err != nil {
		return nil, err
	}
	qualifier := cmp.Or(ref.qualifier, latest)
	config, ok := s.configOf(f.Name)
	if !ok || !config.declared() {
		return nil, notFound("The function %s doesn't have an EventInvokeConfig", s.arnOf(f)+":"+qualifier)
	}
	type target struct {
		Destination string `json:",omitempty"`
	}
	return answer(map[string]any{
		"FunctionArn":              s.arnOf(f) + ":" + qualifier,
		"MaximumRetryAttempts":     config.retries(),
		"MaximumEventAgeInSeconds": int(config.age() / time.Second),
		"DestinationConfig":        map[string]target{"OnSuccess": {config.OnSuccess}, "OnFailure": {config.OnFailure}},
	})
}

func answer(out any) (*awswire.RESTAnswer, error) {
	return &awswire.RESTAnswer{Body: awswire.MarshalJSON(out)}, nil
}
