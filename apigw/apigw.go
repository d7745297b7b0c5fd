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
	// Stage is the deployed stage. API Gateway allows ten; Gatepost serves one
	// per API and port.
	Stage Stage `json:"stage"`
	// Routes are in the template's order; keys are unique.
	Routes []Route `json:"routes"`
}

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
}

// Route binds a route key to an integration.
type Route struct {
	// Key is "$connect", "$disconnect", "$default" or an own key.
	Key string `json:"key"`
	// Integration is nil for a route without a target: such a $connect lets
	// every client in; any other such route answers with the error frame.
	Integration *Integration `json:"integration,omitempty"`
	// TwoWay is true when the route has both the expression
	// RouteResponseSelectionExpression and a route response "$default": only
	// then is the function's body sent back to the client.
	TwoWay bool `json:"twoWay,omitempty"`
	// Line is where the template declares the route; 0 when unknown.
	Line int `json:"line,omitempty"`
}

// IntegrationType names how a route reaches its backend.
type IntegrationType string

// AWSProxy is the Lambda proxy integration (AWS_PROXY).
const AWSProxy IntegrationType = "AWS_PROXY"

// Integration is the backend of a route.
type Integration struct {
	Type IntegrationType `json:"type"`
	// Function is the name of the Lambda function, for AWSProxy.
	Function string `json:"function,omitempty"`
	// Timeout is 50 ms to 29 s; zero means Limits.IntegrationTimeout.
	Timeout time.Duration `json:"timeout,omitempty"`
}

// ConnectionInfo is what GET @connections tells of a connection.
type ConnectionInfo struct {
	ID           ConnectionID `json:"connectionId"`
	ConnectedAt  time.Time    `json:"connectedAt"`
	LastActiveAt time.Time    `json:"lastActiveAt"`
	Identity     Identity     `json:"identity"`
}
