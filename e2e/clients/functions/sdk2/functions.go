// Package sdk2 invokes functions through the AWS SDK for Go v2. All versions of
// the SDK build it.
package sdk2

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"
)

var ctx = context.Background()

// Run prints what it sees.
func Run() {
	log.SetFlags(0)
	cfg, err := config.LoadDefaultConfig(ctx)
	check(err)
	// Versions since November 2023 know AWS_ENDPOINT_URL and are left alone.
	l := lambda.NewFromConfig(cfg, func(o *lambda.Options) {
		if at := os.Getenv("ENDPOINT"); at != "" {
			o.EndpointResolver = lambda.EndpointResolverFromURL(at)
		}
	})
	wait(l)
	for _, kind := range []types.InvocationType{types.InvocationTypeEvent, types.InvocationTypeDryRun} {
		out, err := l.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("connect"), InvocationType: kind, Payload: event(string(kind))})
		check(err)
		fmt.Println(kind, out.StatusCode, len(out.Payload), "bytes", out.FunctionError == nil)
	}
	out, err := l.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("connect"), Payload: []byte(`"text"`)})
	check(err)
	fmt.Println("function failed:", out.StatusCode, *out.FunctionError, field(out.Payload, "errorType"))
	err = refused(l, &lambda.InvokeInput{FunctionName: aws.String("missing")})
	var missing *types.ResourceNotFoundException
	if !errors.As(err, &missing) {
		log.Fatal(err)
	}
	err = refused(l, &lambda.InvokeInput{FunctionName: aws.String("connect"), Payload: []byte("{")})
	var content *types.InvalidRequestContentException
	if !errors.As(err, &content) {
		log.Fatal(err)
	}
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

func wait(l *lambda.Client) {
	out, err := l.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("connect"), LogType: types.LogTypeTail, Payload: event("waited")})
	check(err)
	fmt.Println("invoked", out.StatusCode, *out.ExecutedVersion, field(out.Payload, "statusCode"), out.FunctionError == nil)
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

func refused(l *lambda.Client, in *lambda.InvokeInput) error {
	_, err := l.Invoke(ctx, in)
	var e smithy.APIError
	var answered interface{ HTTPStatusCode() int }
	if !errors.As(err, &e) || !errors.As(err, &answered) {
		log.Fatal(err)
	}
	first, _, _ := strings.Cut(e.ErrorMessage(), ": ")
	fmt.Println("refused:", answered.HTTPStatusCode(), e.ErrorCode(), first)
	return err
}
