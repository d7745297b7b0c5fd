package lambda

import (
	"context"
	"net/http"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// request is a call whose path has been read.
type request struct {
	*awswire.RESTCall
	// region and account are where the call's functions are.
	region, account string
	// args stand for the {} of the operation's path.
	args []string
}

// runs are the operations that Gatepost has.
var runs = map[string]func(*Service, context.Context, *request) (*awswire.RESTAnswer, error){
	"Invoke":                       (*Service).invoke,
	"InvokeAsync":                  (*Service).invokeAsync,
	"GetFunction":                  (*Service).getFunction,
	"GetFunctionConfiguration":     (*Service).getFunctionConfiguration,
	"GetFunctionEventInvokeConfig": (*Service).getEventInvokeConfig,
	"ListFunctions":                (*Service).listFunctions,
}

// DoREST runs one call of the API, as awswire.RESTService wants it.
func (s *Service) DoREST(ctx context.Context, call *awswire.RESTCall) (*awswire.RESTAnswer, error) {
	done, err := s.begin()
	if err != nil {
		return nil, apiError(err)
	}
	defer done()
	name, args, err := route(call.Method, call.Path, call.Query)
	if err != nil {
		return nil, err
	}
	run, ok := runs[name]
	if !ok {
		return nil, unknownOperation(name, call)
	}
	c := &request{RESTCall: call, region: call.Region, account: call.Account(s.config.Account), args: args}
	if c.region == "" {
		c.region = s.config.Region
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.running, cancel)()
	out, err := run(s, ctx, c)
	if err != nil {
		return nil, apiError(err)
	}
	return out, nil
}

func unknownOperation(name string, call *awswire.RESTCall) error {
	const code = "UnknownOperationException"
	if name == "" {
		return userError(http.StatusNotFound, code, "The Lambda API has no operation with the method %s and the path %s.", clip(call.Method), clip(call.Path))
	}
	return userError(http.StatusNotFound, code, "Gatepost's Lambda has no operation %s: its functions are those that the template declares.", name)
}

// function finds the function that a call is for. action is the IAM action that
// the call needs.
func (s *Service) function(c *request, action string) (Function, reference, error) {
	ref, err := parseReference(c.args[0])
	if err == nil {
		err = ref.qualify(c.Query.Get("Qualifier"), c.Query.Has("Qualifier"))
	}
	if err != nil {
		return Function{}, ref, err
	}
	f, err := s.resolve(ref, c.region, c.account, action)
	return f, ref, err
}
