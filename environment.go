package gatepost

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/gatepost-dev/gatepost/internal/intercept"
	"github.com/gatepost-dev/gatepost/stack"
)

// override applies Config.Override to a copy of the stack and returns that. An
// error names the function or the variable, and no value.
func override(s *stack.Stack, by map[string]map[string]string) (*stack.Stack, error) {
	if len(by) == 0 {
		return s, nil
	}
	changed := *s
	changed.Functions = slices.Clone(s.Functions)
	for i := range changed.Functions {
		f := &changed.Functions[i]
		f.Environment, f.EnvironmentAt = maps.Clone(f.Environment), maps.Clone(f.EnvironmentAt)
	}
	for _, name := range slices.Sorted(maps.Keys(by)) { // "" comes first: one function's own win
		chosen := changed.Functions
		if name != "" {
			f := changed.FindFunction(name)
			if f == nil {
				return nil, fmt.Errorf("variables are set for the function %q, which the stack does not declare; %s", name, declared(s))
			}
			i := slices.IndexFunc(changed.Functions, func(g stack.Function) bool { return g.Name == f.Name })
			chosen = changed.Functions[i : i+1]
		}
		for i := range chosen {
			if err := overrideFunction(&chosen[i], by[name]); err != nil {
				return nil, err
			}
		}
	}
	return &changed, nil
}

func overrideFunction(f *stack.Function, with map[string]string) error {
	for name, value := range with {
		if err := stack.CheckVariable(name, value); err != nil {
			return fmt.Errorf("the variable %q of function %s: %w", name, f.Name, err)
		}
		if f.Environment == nil {
			f.Environment = make(map[string]string)
		}
		f.Environment[name] = value
		delete(f.EnvironmentAt, name) // the template's value is no longer the one
	}
	return nil
}

// declared lists the functions by their names, and by their logical ids where
// those are others.
func declared(s *stack.Stack) string {
	if len(s.Functions) == 0 {
		return "it declares none"
	}
	var names []string
	for _, f := range s.Functions {
		name := f.Name
		if f.LogicalID != "" && f.LogicalID != f.Name {
			name += " (" + f.LogicalID + ")"
		}
		names = append(names, name)
	}
	return "it declares " + strings.Join(names, ", ")
}

// environment is a function's environment: what leads its SDKs here, then
// Config's, then its own, the last word being the last.
func (h *house) environment(f stack.Function) map[string]string {
	own := maps.Clone(h.cfg.Environment)
	if own == nil {
		own = make(map[string]string)
	}
	maps.Copy(own, f.Environment)
	own["AWS_LAMBDA_METADATA_API"], own["AWS_LAMBDA_METADATA_TOKEN"] = reachable(h.aws.Addr()), h.metadata.token(f.Name)
	around := h.surroundings()
	around.ProxyURL = h.proxy.URL(h.proxyAt.Addr(), f.Name)
	return intercept.Environment(around, own)
}

// surroundings are what SDKs need to know, but for the proxy.
func (h *house) surroundings() intercept.Surroundings {
	around := intercept.Surroundings{
		AWSEndpoint: "http://" + reachable(h.aws.Addr()), Domains: h.domains(),
		CAFile: h.ca.CertFile(), BundleFile: h.ca.BundleFile(), HookFile: h.hook,
		Region: h.cfg.Stack.Region, Credentials: h.secrets.Credentials, Offline: h.cfg.Offline,
	}
	for _, a := range h.apis {
		around.Callbacks = append(around.Callbacks, a.plainCallback())
	}
	return around
}

// reachable is an address to call a listener at: one that listens everywhere is
// called on loopback.
func reachable(at net.Addr) string {
	tcp, ok := at.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return at.String()
	}
	return (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: tcp.Port}).String()
}

// domains are the custom domains of the APIs.
func (h *house) domains() []string {
	var all []string
	for i := range h.cfg.Stack.APIs {
		for _, d := range h.cfg.Stack.APIs[i].Domains {
			all = append(all, d.Name)
		}
	}
	return all
}

// routeHost chooses who answers for a host that a function called through the
// proxy: the API of an execute-api host or of a custom domain, and the AWS
// endpoint for the services that it has, in all regions. nil means nobody here
// does.
func (h *house) routeHost(host string) http.Handler {
	if a := h.apiOfHost(host); a != nil {
		return a.http.Handler
	}
	if at, ok := intercept.ParseAWSHost(host); ok && h.answersFor(at.Service) {
		return h.awsHandler()
	}
	return nil
}

// streamTargets are services that the endpoint may have one day, by what names
// them in X-Amz-Target.
var streamTargets = map[string]string{"streams.dynamodb": "DynamoDBStreams_20120810", "kinesis": "Kinesis_20131202"}

// answersFor reports whether the AWS endpoint has a service.
func (h *house) answersFor(service string) bool {
	if target := streamTargets[service]; target != "" {
		return h.endpoint.Serves(target)
	}
	return slices.Contains([]string{"dynamodb", "sqs", "sns", "lambda"}, service)
}

// Warnings are sentences for the operator about what will run, each with what
// to do: variables whose values look as if others were to be put in their
// places. Values that look like secrets are not in them.
func (s *Server) Warnings() []string {
	select {
	case <-s.ready:
		return s.house.stack().Placeholders()
	default:
		return s.cfg.Stack.Placeholders()
	}
}
