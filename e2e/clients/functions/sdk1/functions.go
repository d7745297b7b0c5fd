// Package sdk1 invokes functions through the AWS SDK for Go v1.
package sdk1

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/awserr"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/lambda"
)

// Run prints what it sees.
func Run() {
	log.SetFlags(0)
	l := lambda.New(session.Must(session.NewSession(aws.NewConfig().WithEndpoint(os.Getenv("ENDPOINT")).WithMaxRetries(0))))
	wait(l)
	for _, kind := range []string{"Event", "DryRun"} {
		out, err := l.Invoke(&lambda.InvokeInput{FunctionName: aws.String("connect"), InvocationType: &kind, Payload: event(kind)})
		check(err)
		fmt.Println(kind, *out.StatusCode, len(out.Payload), "bytes", out.FunctionError == nil)
	}
	out, err := l.Invoke(&lambda.InvokeInput{FunctionName: aws.String("connect"), Payload: []byte(`"text"`)})
	check(err)
	fmt.Println("function failed:", *out.StatusCode, aws.StringValue(out.FunctionError), field(out.Payload, "errorType"))
	refused(l, &lambda.InvokeInput{FunctionName: aws.String("missing")})
	refused(l, &lambda.InvokeInput{FunctionName: aws.String("connect"), Payload: []byte("{")})
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// event is what a function of the demo gets when a client connects.
func event(kind string) []byte {
	return []byte(fmt.Sprintf(`{"requestContext":{"connectionId":"%s-%s"}}`, os.Getenv("NAME"), kind))
}

func wait(l *lambda.Lambda) {
	out, err := l.Invoke(&lambda.InvokeInput{FunctionName: aws.String("connect"), LogType: aws.String("Tail"), Payload: event("waited")})
	check(err)
	fmt.Println("invoked", *out.StatusCode, *out.ExecutedVersion, field(out.Payload, "statusCode"), out.FunctionError == nil)
	text, err := base64.StdEncoding.DecodeString(*out.LogResult)
	check(err)
	fmt.Print("logged")
	for _, part := range []string{"START RequestId: ", `"msg":"connected"`, "END RequestId: ", "REPORT RequestId: "} {
		fmt.Print(" ", strings.Contains(string(text), part))
	}
	fmt.Println()
}

func field(payload []byte, name string) any {
	var fields map[string]any
	check(json.Unmarshal(payload, &fields))
	return fields[name]
}

func refused(l *lambda.Lambda, in *lambda.InvokeInput) {
	_, err := l.Invoke(in)
	e, ok := err.(awserr.RequestFailure)
	if !ok {
		log.Fatal(err)
	}
	first, _, _ := strings.Cut(e.Message(), ": ")
	fmt.Println("refused:", e.StatusCode(), e.Code(), first)
}
