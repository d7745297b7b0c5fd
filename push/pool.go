package push

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
)

// PosterOptions are the settings of PosterForEndpoint; the zero value is fine.
type PosterOptions struct {
	// Parallelism is the Publisher's: so many connections to the endpoint are
	// kept open. Zero means DefaultParallelism.
	Parallelism int
	// Timeout bounds one post; zero means DefaultPostTimeout.
	Timeout time.Duration
}

// PosterForEndpoint returns a Poster for the callback address of a stage, for
// example https://abcdefghij.execute-api.eu-west-1.amazonaws.com/main, with a
// pool of HTTP/1.1 keep-alive connections of its own. The configuration gives
// region and credentials, and the roots, proxy and TLS settings of its HTTP
// client; a client that is not the SDK's is used as it is.
func PosterForEndpoint(cfg aws.Config, endpoint string, o PosterOptions) (*ManagementPoster, error) {
	endpoint, err := callback(endpoint)
	if err != nil {
		return nil, err
	}
	if o.Parallelism <= 0 {
		o.Parallelism = DefaultParallelism
	}
	client := apigatewaymanagementapi.NewFromConfig(cfg, func(opts *apigatewaymanagementapi.Options) {
		opts.BaseEndpoint = &endpoint
		opts.HTTPClient = pooled(cfg.HTTPClient, o.Parallelism)
	})
	return NewPoster(client, o.Timeout), nil
}

// callback checks a callback address, and names what people paste instead.
func callback(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", fmt.Errorf("push: the callback address cannot be read: %w", err)
	}
	switch {
	case u.Scheme == "ws" || u.Scheme == "wss":
		return "", fmt.Errorf("push: the callback address %s is the clients' address: write http%s instead", endpoint, strings.TrimPrefix(endpoint, "ws"))
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "", fmt.Errorf("push: the callback address %q is not of the form https://HOST/STAGE", endpoint)
	case strings.Contains(u.Path, "@connections"):
		return "", fmt.Errorf("push: the callback address %s must end with the stage, before /@connections", endpoint)
	}
	return strings.TrimRight(endpoint, "/"), nil
}

// pooled gives an HTTP client one keep-alive connection for each post that may
// be under way. HTTP/2 would send them all over one TCP connection, where one
// lost packet stops every post.
func pooled(client aws.HTTPClient, connections int) aws.HTTPClient {
	if client == nil {
		client = awshttp.NewBuildableClient()
	}
	sdk, ok := client.(*awshttp.BuildableClient)
	if !ok {
		return client
	}
	return sdk.WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConns, t.MaxIdleConnsPerHost = connections, connections
		t.ForceAttemptHTTP2 = false
		t.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	})
}
