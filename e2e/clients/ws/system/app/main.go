// The function of every route, which does what the client asks for. It speaks
// the Lambda Runtime API with the standard library.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	api := "http://" + os.Getenv("AWS_LAMBDA_RUNTIME_API") + "/2018-06-01/runtime/invocation/"
	for {
		resp, err := http.Get(api + "next")
		if err != nil {
			panic(err)
		}
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			panic(err)
		}
		resp.Body.Close()
		var e event
		if err := json.Unmarshal(text, &e); err != nil {
			panic(err)
		}
		out, path := e.handle()
		body, err := json.Marshal(out)
		if err != nil {
			panic(err)
		}
		done, err := http.Post(api+resp.Header.Get("Lambda-Runtime-Aws-Request-Id")+path, "application/json", bytes.NewReader(body))
		if err != nil {
			panic(err)
		}
		done.Body.Close()
	}
}

type event struct {
	Headers               map[string]string
	QueryStringParameters map[string]string
	Body                  string
	RequestContext        struct {
		RouteKey             string
		ConnectionID         string `json:"connectionId"`
		DisconnectStatusCode int
		DisconnectReason     string
	}
}

type answer struct {
	StatusCode int               `json:"statusCode"`
	Headers    map[string]string `json:"headers,omitempty"`
	Body       string            `json:"body,omitempty"`
}

// handle returns what to answer, and where to.
func (e *event) handle() (out any, path string) {
	id := e.RequestContext.ConnectionID
	switch e.RequestContext.RouteKey {
	case "$connect":
		return e.connect(), "/response"
	case "$disconnect":
		fmt.Printf("goodbye %s %d %q\n", id, e.RequestContext.DisconnectStatusCode, e.RequestContext.DisconnectReason)
	case "echo":
		return answer{StatusCode: 200, Body: e.Body}, "/response"
	case "slow":
		fmt.Println("busy", id)
		time.Sleep(time.Second)
		fmt.Println("rested", id)
	case "fails":
		return map[string]string{"errorMessage": "no", "errorType": "Refusal"}, "/error"
	}
	return answer{StatusCode: 200}, "/response"
}

// header looks a header up as HTTP does, without case.
func (e *event) header(name string) string {
	for key, value := range e.Headers {
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return ""
}

// connect obeys the query parameters status, protocol (the one to return) and
// wait, and says hello to the one that names itself by who.
func (e *event) connect() answer {
	query := e.QueryStringParameters
	fmt.Printf("hello %s %s offers %q\n", query["who"], e.RequestContext.ConnectionID, e.header("Sec-WebSocket-Extensions"))
	if wait, err := time.ParseDuration(query["wait"]); err == nil {
		time.Sleep(wait)
	}
	out := answer{StatusCode: 200}
	if status, err := strconv.Atoi(query["status"]); err == nil {
		out.StatusCode = status
	}
	if protocol := query["protocol"]; protocol != "" {
		out.Headers = map[string]string{"Sec-WebSocket-Protocol": protocol}
	}
	return out
}
