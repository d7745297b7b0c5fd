// Package apigw holds the words of an API Gateway WebSocket API: API, Stage,
// Route, Integration, selection expressions, events, connection ids, errors
// and limits. It has values only and does no I/O.
//
// The rules come from the API Gateway developer guide (WebSocket APIs), the
// AWS::ApiGatewayV2 resource reference and RFC 6455; each name says which.
package apigw

import "time"

// Route keys that API Gateway reserves. All others are the application's own
// and do not begin with a dollar sign.
const (
	RouteConnect    = "$connect"
	RouteDisconnect = "$disconnect"
	RouteDefault    = "$default"
)

// API is one WebSocket API (AWS::ApiGatewayV2::Api with ProtocolType
// WEBSOCKET) together with its routes and its stage.
type API struct {
	// LogicalID is the resource's name in the template.
	LogicalID string `json:"logicalId"`
	// ID is the API's id: 10 lower-case letters and digits.
	ID string `json:"id"`
	// Name is the API's display name; it keys run.json and is unique in a stack.
	Name string `json:"name"`
	// RouteSelectionExpression is the source text, for example
	// "$request.body.action"; ParseExpression reads it.
	RouteSelectionExpression string `json:"routeSelectionExpression"`
	// APIKeySelectionExpression says where a client's API key is:
	// APIKeyFromHeader, which empty means too, or APIKeyFromAuthorizer.
	APIKeySelectionExpression string `json:"apiKeySelectionExpression,omitempty"`
	// DisableExecuteAPIEndpoint turns the host names under amazonaws.com off;
	// the local address goes on working.
	DisableExecuteAPIEndpoint bool `json:"disableExecuteApiEndpoint,omitempty"`
	// Stage is the deployed stage. API Gateway allows ten; Gatepost serves one
	// per API and port.
	Stage Stage `json:"stage"`
	// Domains are the custom domain names that lead to the stage.
	Domains []Domain `json:"domains,omitempty"`
	// UsagePlans say which API keys open the stage, and how often.
	UsagePlans []UsagePlan `json:"usagePlans,omitempty"`
	// Routes are in the template's order; keys are unique.
	Routes []Route `json:"routes"`
}

// Where a client's API key is looked for: the two values of
// ApiKeySelectionExpression ("WebSocket selection expressions" in the developer
// guide).
const (
	APIKeyFromHeader     = "$request.header.x-api-key"
	APIKeyFromAuthorizer = "$context.authorizer.usageIdentifierKey"
)

// Route returns the route with exactly this key, or nil. Keys are compared
// with case, as API Gateway does.
func (a *API) Route(key string) *Route {
	for i := range a.Routes {
		if a.Routes[i].Key == key {
			return &a.Routes[i]
		}
	}
	return nil
}

// Stage is a named deployment of an API.
type Stage struct {
	// Name is 1 to 128 letters, digits, "-" or "_".
	Name string `json:"name"`
	// Variables are the stage variables; events carry them when there are any.
	Variables map[string]string `json:"variables,omitempty"`
	// Throttle bounds each route that RouteThrottles does not name
	// (DefaultRouteSettings); nil leaves it to the account's limit.
	Throttle *Throttle `json:"throttle,omitempty"`
	// RouteThrottles bound single routes, by route key (RouteSettings).
	RouteThrottles map[string]Throttle `json:"routeThrottles,omitempty"`
}

// Throttle is a token bucket: Burst requests at once, refilled with Rate a
// second. Where both are zero, every request is refused.
type Throttle struct {
	Rate  float64 `json:"rate"`
	Burst int     `json:"burst"`
}

// Domain is a custom domain name that is mapped to the stage
// (AWS::ApiGatewayV2::ApiMapping). Its URLs have the mapping key where others
// have the stage.
type Domain struct {
	// Name is the host name, without a port.
	Name string `json:"name"`
	// MappingKey is the path, without slashes at its ends; it may be empty.
	MappingKey string `json:"mappingKey,omitempty"`
}

// UsagePlan gives API keys to a stage, with a rate and a quota for each key
// (AWS::ApiGateway::UsagePlan).
type UsagePlan struct {
	Name string `json:"name"`
	// Keys are the keys of the plan.
	Keys []APIKey `json:"keys,omitempty"`
	// Throttle bounds each key; nil means no bound.
	Throttle *Throttle `json:"throttle,omitempty"`
	// RouteThrottles bound each key on single routes, by route key.
	RouteThrottles map[string]Throttle `json:"routeThrottles,omitempty"`
	// Quota bounds each key's requests in a period; nil means no bound.
	Quota *Quota `json:"quota,omitempty"`
}

// Quota is a number of requests in a period.
type Quota struct {
	Limit int `json:"limit"`
	// Offset is subtracted from the limit in the first period.
	Offset int `json:"offset,omitempty"`
	// Period is "DAY", "WEEK" (from Sunday) or "MONTH", in UTC.
	Period string `json:"period"`
}

// APIKey is an API key (AWS::ApiGateway::ApiKey).
type APIKey struct {
	// LogicalID is the resource's name in the template.
	LogicalID string `json:"logicalId"`
	Name      string `json:"name"`
	// ID is what events call identity.apiKeyId.
	ID string `json:"id"`
	// Value is the secret, 20 to 128 characters. Empty means one that the
	// running instance makes and keeps.
	Value string `json:"-"`
	// Enabled is false for a key that opens nothing.
	Enabled bool `json:"enabled"`
}

// Authorization is how a route decides who may connect.
type Authorization string

// The types of authorization of a WebSocket API.
const (
	AuthorizationNone   Authorization = "NONE"
	AuthorizationIAM    Authorization = "AWS_IAM"
	AuthorizationCustom Authorization = "CUSTOM"
)

// Authorizer is a Lambda authorizer of the type REQUEST, the only one that
// WebSocket APIs have.
type Authorizer struct {
	Name string `json:"name"`
	// Function is the name of the Lambda function.
	Function string `json:"function"`
	// IdentitySources must all be there and not empty, or the client is refused
	// without asking the function: "route.request.header.NAME",
	// "route.request.querystring.NAME", "stageVariables.NAME", "context.NAME".
	IdentitySources []string `json:"identitySources,omitempty"`
}

// Route binds a route key to an integration.
type Route struct {
	// Key is "$connect", "$disconnect", "$default" or an own key.
	Key string `json:"key"`
	// Integration is nil for a route without a target: such a $connect lets
	// every client in; any other such route answers with the error frame.
	Integration *Integration `json:"integration,omitempty"`
	// TwoWay is true when the route has a route response "$default": only then
	// is the function's body sent back to the client.
	TwoWay bool `json:"twoWay,omitempty"`
	// Authorization is checked on $connect alone and holds for the life of the
	// connection. Empty means AuthorizationNone.
	Authorization Authorization `json:"authorization,omitempty"`
	// Authorizer is set when Authorization is AuthorizationCustom.
	Authorizer *Authorizer `json:"authorizer,omitempty"`
	// APIKeyRequired asks clients for the key of a usage plan, on $connect.
	APIKeyRequired bool `json:"apiKeyRequired,omitempty"`
	// RequestParameters are those that $connect declares, such as
	// "route.request.querystring.room"; true means that a client must send it.
	RequestParameters map[string]bool `json:"requestParameters,omitempty"`
	// ModelSelectionExpression chooses among RequestModels; empty means that
	// messages are not validated.
	ModelSelectionExpression string `json:"modelSelectionExpression,omitempty"`
	// RequestModels are JSON Schemas (draft 4) by the selected key; "$default"
	// takes what no other key matches.
	RequestModels map[string]string `json:"requestModels,omitempty"`
	// Ordered makes a connection's messages of this route wait for each other.
	// Gatepost's own: on AWS they always run at once.
	Ordered bool `json:"ordered,omitempty"`
	// Line is where the template declares the route; 0 when unknown.
	Line int `json:"line,omitempty"`
}

// IntegrationType names how a route reaches its backend.
type IntegrationType string

// The types of integration.
const (
	// AWSProxy hands the event to a Lambda function and takes a proxy answer.
	AWSProxy IntegrationType = "AWS_PROXY"
	// AWSService calls a Lambda function or another AWS service with a request
	// made by mapping templates.
	AWSService IntegrationType = "AWS"
	// HTTPProxy passes the message to a URL and the answer back.
	HTTPProxy IntegrationType = "HTTP_PROXY"
	// HTTPCustom calls a URL with a request made by mapping templates.
	HTTPCustom IntegrationType = "HTTP"
	// Mock answers out of its templates.
	Mock IntegrationType = "MOCK"
)

// Integration is the backend of a route.
type Integration struct {
	Type IntegrationType `json:"type"`
	// Function is the name of the Lambda function, for AWSProxy, and for
	// AWSService when that is what URI calls.
	Function string `json:"function,omitempty"`
	// URI is an http or https URL for HTTPProxy and HTTPCustom, and
	// "arn:aws:apigateway:REGION:SERVICE:action/ACTION" or ":path/PATH" for
	// AWSService. Stage variables are put in already; {name} is a path
	// parameter.
	URI string `json:"uri,omitempty"`
	// Method is the HTTP method of the call; empty means the client's, POST.
	Method string `json:"method,omitempty"`
	// Timeout is 50 ms to 29 s; zero means Limits.IntegrationTimeout.
	Timeout time.Duration `json:"timeout,omitempty"`
	// RequestParameters map "integration.request.header.NAME" (querystring,
	// path) to a source: "route.request.header.NAME",
	// "route.request.body.PATH", "context.NAME", "stageVariables.NAME", "'text'".
	RequestParameters map[string]string `json:"requestParameters,omitempty"`
	// RequestTemplates are mapping templates by the selected key.
	RequestTemplates map[string]string `json:"requestTemplates,omitempty"`
	// TemplateSelectionExpression chooses among RequestTemplates.
	TemplateSelectionExpression string `json:"templateSelectionExpression,omitempty"`
	// PassthroughBehavior says what becomes of a message that no template
	// matches: WHEN_NO_MATCH (also when empty), WHEN_NO_TEMPLATES or NEVER.
	PassthroughBehavior string `json:"passthroughBehavior,omitempty"`
	// ContentHandling is CONVERT_TO_BINARY, CONVERT_TO_TEXT or empty.
	ContentHandling string `json:"contentHandling,omitempty"`
	// Responses turn the backend's answer into the route's, for the types that
	// are no proxies.
	Responses []IntegrationResponse `json:"responses,omitempty"`
	// Line is where the template declares the integration; 0 when unknown.
	Line int `json:"line,omitempty"`
}

// IntegrationResponse shapes the answer of a backend that is no proxy.
type IntegrationResponse struct {
	// Key is "$default" or a regular expression between slashes, "/2\d\d/". It
	// is matched against a function's errorMessage, or an HTTP status.
	Key string `json:"key"`
	// Parameters map "route.response.header.NAME" to a source:
	// "integration.response.header.NAME", "integration.response.body.PATH",
	// "integration.response.statuscode", "context.NAME", "'text'". The one that
	// a client can see is Sec-WebSocket-Protocol, on $connect; the parameter
	// "route.response.statuscode" sets the status of $connect.
	Parameters map[string]string `json:"parameters,omitempty"`
	// Templates are mapping templates by the selected key.
	Templates map[string]string `json:"templates,omitempty"`
	// TemplateSelectionExpression chooses among Templates.
	TemplateSelectionExpression string `json:"templateSelectionExpression,omitempty"`
	// ContentHandling is CONVERT_TO_TEXT or CONVERT_TO_BINARY or empty.
	ContentHandling string `json:"contentHandling,omitempty"`
	// Line is where the template declares it; 0 when unknown.
	Line int `json:"line,omitempty"`
}

// ConnectionInfo is what GET @connections tells of a connection.
type ConnectionInfo struct {
	ID           ConnectionID `json:"connectionId"`
	ConnectedAt  time.Time    `json:"connectedAt"`
	LastActiveAt time.Time    `json:"lastActiveAt"`
	Identity     Identity     `json:"identity"`
}
