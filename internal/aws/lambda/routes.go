package lambda

import (
	"net/url"
	"strings"
)

// operation is one of the API's operations: the method and path that name it. A
// {} in the path stands for one escaped segment, and ?name after it asks for a
// query parameter.
type operation struct{ method, path, name string }

// operations are all that the API has (its model of 2015-03-31 as of November
// 2026), so that a call of one that is not here can be told its name.
var operations = []operation{
	{"POST", "/2015-03-31/functions/{}/invocations", "Invoke"},
	{"POST", "/2014-11-13/functions/{}/invoke-async", "InvokeAsync"},
	{"POST", "/2021-11-15/functions/{}/response-streaming-invocations", "InvokeWithResponseStream"},
	{"GET", "/2015-03-31/functions/{}", "GetFunction"},
	{"GET", "/2015-03-31/functions/{}/configuration", "GetFunctionConfiguration"},
	{"GET", "/2015-03-31/functions", "ListFunctions"},
	{"GET", "/2019-09-25/functions/{}/event-invoke-config", "GetFunctionEventInvokeConfig"},

	{"POST", "/2015-03-31/functions", "CreateFunction"},
	{"DELETE", "/2015-03-31/functions/{}", "DeleteFunction"},
	{"PUT", "/2015-03-31/functions/{}/code", "UpdateFunctionCode"},
	{"PUT", "/2015-03-31/functions/{}/configuration", "UpdateFunctionConfiguration"},
	{"GET", "/2015-03-31/functions/{}/policy", "GetPolicy"},
	{"POST", "/2015-03-31/functions/{}/policy", "AddPermission"},
	{"DELETE", "/2015-03-31/functions/{}/policy/{}", "RemovePermission"},
	{"GET", "/2015-03-31/functions/{}/versions", "ListVersionsByFunction"},
	{"POST", "/2015-03-31/functions/{}/versions", "PublishVersion"},
	{"GET", "/2015-03-31/functions/{}/aliases", "ListAliases"},
	{"POST", "/2015-03-31/functions/{}/aliases", "CreateAlias"},
	{"GET", "/2015-03-31/functions/{}/aliases/{}", "GetAlias"},
	{"PUT", "/2015-03-31/functions/{}/aliases/{}", "UpdateAlias"},
	{"DELETE", "/2015-03-31/functions/{}/aliases/{}", "DeleteAlias"},
	{"GET", "/2015-03-31/event-source-mappings", "ListEventSourceMappings"},
	{"POST", "/2015-03-31/event-source-mappings", "CreateEventSourceMapping"},
	{"GET", "/2015-03-31/event-source-mappings/{}", "GetEventSourceMapping"},
	{"PUT", "/2015-03-31/event-source-mappings/{}", "UpdateEventSourceMapping"},
	{"DELETE", "/2015-03-31/event-source-mappings/{}", "DeleteEventSourceMapping"},
	{"GET", "/2016-08-19/account-settings", "GetAccountSettings"},
	{"GET", "/2017-03-31/tags/{}", "ListTags"},
	{"POST", "/2017-03-31/tags/{}", "TagResource"},
	{"DELETE", "/2017-03-31/tags/{}", "UntagResource"},
	{"PUT", "/2017-10-31/functions/{}/concurrency", "PutFunctionConcurrency"},
	{"DELETE", "/2017-10-31/functions/{}/concurrency", "DeleteFunctionConcurrency"},
	{"GET", "/2018-10-31/layers?find", "GetLayerVersionByArn"},
	{"GET", "/2018-10-31/layers", "ListLayers"},
	{"GET", "/2018-10-31/layers/{}/versions", "ListLayerVersions"},
	{"POST", "/2018-10-31/layers/{}/versions", "PublishLayerVersion"},
	{"GET", "/2018-10-31/layers/{}/versions/{}", "GetLayerVersion"},
	{"DELETE", "/2018-10-31/layers/{}/versions/{}", "DeleteLayerVersion"},
	{"GET", "/2018-10-31/layers/{}/versions/{}/policy", "GetLayerVersionPolicy"},
	{"POST", "/2018-10-31/layers/{}/versions/{}/policy", "AddLayerVersionPermission"},
	{"DELETE", "/2018-10-31/layers/{}/versions/{}/policy/{}", "RemoveLayerVersionPermission"},
	{"PUT", "/2019-09-25/functions/{}/event-invoke-config", "PutFunctionEventInvokeConfig"},
	{"POST", "/2019-09-25/functions/{}/event-invoke-config", "UpdateFunctionEventInvokeConfig"},
	{"DELETE", "/2019-09-25/functions/{}/event-invoke-config", "DeleteFunctionEventInvokeConfig"},
	{"GET", "/2019-09-25/functions/{}/event-invoke-config/list", "ListFunctionEventInvokeConfigs"},
	{"GET", "/2019-09-30/functions/{}/concurrency", "GetFunctionConcurrency"},
	{"GET", "/2019-09-30/functions/{}/provisioned-concurrency?List", "ListProvisionedConcurrencyConfigs"},
	{"GET", "/2019-09-30/functions/{}/provisioned-concurrency", "GetProvisionedConcurrencyConfig"},
	{"PUT", "/2019-09-30/functions/{}/provisioned-concurrency", "PutProvisionedConcurrencyConfig"},
	{"DELETE", "/2019-09-30/functions/{}/provisioned-concurrency", "DeleteProvisionedConcurrencyConfig"},
	{"GET", "/2020-04-22/code-signing-configs", "ListCodeSigningConfigs"},
	{"POST", "/2020-04-22/code-signing-configs", "CreateCodeSigningConfig"},
	{"GET", "/2020-04-22/code-signing-configs/{}", "GetCodeSigningConfig"},
	{"PUT", "/2020-04-22/code-signing-configs/{}", "UpdateCodeSigningConfig"},
	{"DELETE", "/2020-04-22/code-signing-configs/{}", "DeleteCodeSigningConfig"},
	{"GET", "/2020-04-22/code-signing-configs/{}/functions", "ListFunctionsByCodeSigningConfig"},
	{"GET", "/2020-06-30/functions/{}/code-signing-config", "GetFunctionCodeSigningConfig"},
	{"PUT", "/2020-06-30/functions/{}/code-signing-config", "PutFunctionCodeSigningConfig"},
	{"DELETE", "/2020-06-30/functions/{}/code-signing-config", "DeleteFunctionCodeSigningConfig"},
	{"GET", "/2021-07-20/functions/{}/runtime-management-config", "GetRuntimeManagementConfig"},
	{"PUT", "/2021-07-20/functions/{}/runtime-management-config", "PutRuntimeManagementConfig"},
	{"GET", "/2021-10-31/functions/{}/url", "GetFunctionUrlConfig"},
	{"POST", "/2021-10-31/functions/{}/url", "CreateFunctionUrlConfig"},
	{"PUT", "/2021-10-31/functions/{}/url", "UpdateFunctionUrlConfig"},
	{"DELETE", "/2021-10-31/functions/{}/url", "DeleteFunctionUrlConfig"},
	{"GET", "/2021-10-31/functions/{}/urls", "ListFunctionUrlConfigs"},
	{"GET", "/2024-08-31/functions/{}/recursion-config", "GetFunctionRecursionConfig"},
	{"PUT", "/2024-08-31/functions/{}/recursion-config", "PutFunctionRecursionConfig"},
	{"GET", "/2025-11-30/functions/{}/function-scaling-config", "GetFunctionScalingConfig"},
	{"PUT", "/2025-11-30/functions/{}/function-scaling-config", "PutFunctionScalingConfig"},
	{"GET", "/2025-11-30/capacity-providers", "ListCapacityProviders"},
	{"POST", "/2025-11-30/capacity-providers", "CreateCapacityProvider"},
	{"GET", "/2025-11-30/capacity-providers/{}", "GetCapacityProvider"},
	{"PUT", "/2025-11-30/capacity-providers/{}", "UpdateCapacityProvider"},
	{"DELETE", "/2025-11-30/capacity-providers/{}", "DeleteCapacityProvider"},
	{"GET", "/2025-11-30/capacity-providers/{}/function-versions", "ListFunctionVersionsByCapacityProvider"},
	{"GET", "/2025-12-01/functions/{}/durable-executions", "ListDurableExecutionsByFunction"},
	{"GET", "/2025-12-01/durable-executions/{}", "GetDurableExecution"},
	{"GET", "/2025-12-01/durable-executions/{}/history", "GetDurableExecutionHistory"},
	{"GET", "/2025-12-01/durable-executions/{}/state", "GetDurableExecutionState"},
	{"POST", "/2025-12-01/durable-executions/{}/stop", "StopDurableExecution"},
	{"POST", "/2025-12-01/durable-executions/{}/checkpoint", "CheckpointDurableExecution"},
	{"POST", "/2025-12-01/durable-execution-callbacks/{}/succeed", "SendDurableExecutionCallbackSuccess"},
	{"POST", "/2025-12-01/durable-execution-callbacks/{}/fail", "SendDurableExecutionCallbackFailure"},
	{"POST", "/2025-12-01/durable-execution-callbacks/{}/heartbeat", "SendDurableExecutionCallbackHeartbeat"},
}

// roots are the first two segments of the operations' paths.
var roots = func() map[string]bool {
	all := make(map[string]bool)
	for _, o := range operations {
		all[rootOf(o.path)] = true
	}
	return all
}()

func rootOf(path string) string {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.SplitN(path, "/", 4)
	if len(parts) < 3 {
		return ""
	}
	return parts[1] + "/" + parts[2]
}

// Serves reports whether a path is one of the Lambda API's, as awswire wants it.
func (s *Service) Serves(path string) bool { return roots[rootOf(path)] }

// route names the operation of a call and returns what stands for its {}; name is
// "" when the API has none. A slash at the end does not count.
func route(method, path string, query url.Values) (name string, args []string, err error) {
	segments := strings.Split(strings.TrimSuffix(path, "/"), "/")
	for _, o := range operations {
		if o.method != method {
			continue
		}
		pattern, parameter, asks := strings.Cut(o.path, "?")
		if asks && !query.Has(parameter) {
			continue
		}
		if args, ok := match(strings.Split(pattern, "/"), segments); ok {
			args, err := unescape(args)
			return o.name, args, err
		}
	}
	return "", nil, nil
}

func match(pattern, segments []string) (args []string, ok bool) {
	if len(pattern) != len(segments) {
		return nil, false
	}
	for i, want := range pattern {
		switch {
		case want != "{}" && want != segments[i]:
			return nil, false
		case want == "{}":
			args = append(args, segments[i])
		}
	}
	return args, true
}

func unescape(args []string) ([]string, error) {
	out := make([]string, len(args))
	for i, arg := range args {
		var err error
		if out[i], err = url.PathUnescape(arg); err != nil {
			return nil, invalidMember(arg, "functionName", "Member must satisfy regular expression pattern: "+functionPattern)
		}
	}
	return out, nil
}
