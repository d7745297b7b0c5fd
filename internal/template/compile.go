package template

import (
	"context"
	"errors"
	"strings"

	"github.com/gatepost-dev/gatepost/apigw"
	backends "github.com/gatepost-dev/gatepost/internal/integration"
)

// noFunctions stands for the functions while integrations are compiled, which
// calls none.
type noFunctions struct{}

func (noFunctions) Invoke(context.Context, string, []byte) ([]byte, error) {
	return nil, errors.New("functions do not run while a template is loaded")
}

// compileIntegrations has each integration and each of their responses read as
// they will be when they run, so that a mistake in a template, a JSONPath or an
// expression shows at load. What has a problem already, or calls a service that
// is not run, is left out.
func (a *apiLoader) compileIntegrations() {
	compiler := backends.New(backends.Config{Invoker: noFunctions{}, AWS: "http://127.0.0.1", Region: a.opts.Region, Account: a.opts.Account})
	defer compiler.Close()
	for _, in := range a.integrationOrder {
		if in.isComplete() {
			value := in.value
			value.Responses = nil
			_, err := compiler.Compile(&value)
			a.reportFault(in.resource, err)
		}
	}
	for _, r := range a.sound {
		_, err := compiler.Compile(&apigw.Integration{Type: apigw.Mock, Responses: []apigw.IntegrationResponse{r.value}})
		if err != nil {
			_, text, _ := strings.Cut(err.Error(), ": ") // it begins with the response's key
			err = errors.New(text)
		}
		a.reportFault(r.resource, err)
	}
}

// isComplete reports whether the integration has a backend to compile.
func (in *integration) isComplete() bool {
	hasBackend := in.value.Type == apigw.Mock || in.value.Function != "" || in.value.URI != ""
	return hasBackend && !in.faulty && !in.unreachable && in.problem == ""
}

// reportFault reports what the compiler says of a resource, if anything, at the
// property that it means.
func (a *apiLoader) reportFault(r *resource, err error) {
	if err != nil {
		n, text := faultIn(r.properties, err.Error())
		a.problem(n, "%s", text)
	}
}

// faultIn finds the value that a message means which begins with a property's
// name, "RequestTemplates[$default]: line 3, ...", and cuts the name off.
func faultIn(properties *node, text string) (*node, string) {
	name, rest, found := strings.Cut(text, ": ")
	property, key, isEntry := strings.Cut(strings.TrimSuffix(name, "]"), "[")
	n := properties.field(property)
	if !found || n == nil {
		return properties, text
	}
	if entry := n.field(key); isEntry && entry != nil {
		return entry, rest
	}
	if isEntry {
		return n, text
	}
	return n, rest
}
