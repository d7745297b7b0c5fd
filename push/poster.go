package push

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
)

// DefaultPostTimeout is how long one post may take.
const DefaultPostTimeout = 3 * time.Second

// ManagementAPI is what a ManagementPoster uses of
// *apigatewaymanagementapi.Client.
type ManagementAPI interface {
	PostToConnection(context.Context, *apigatewaymanagementapi.PostToConnectionInput, ...func(*apigatewaymanagementapi.Options)) (*apigatewaymanagementapi.PostToConnectionOutput, error)
}

// ManagementPoster is the Poster of the API Gateway Management API.
type ManagementPoster struct {
	client  ManagementAPI
	timeout time.Duration
}

// NewPoster returns a Poster that posts through client. The client's own
// retries are switched off for its posts. A timeout of zero means
// DefaultPostTimeout. The client needs a connection pool as large as the
// publisher's parallelism, and HTTP/1.1: see PosterForEndpoint, which makes
// one.
func NewPoster(client ManagementAPI, timeout time.Duration) *ManagementPoster {
	if timeout <= 0 {
		timeout = DefaultPostTimeout
	}
	return &ManagementPoster{client: client, timeout: timeout}
}

// Post posts one message.
func (p *ManagementPoster) Post(ctx context.Context, connectionID string, data []byte) error {
	if data == nil {
		data = []byte{} // the SDK refuses nil, though an empty message is one
	}
	post, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	_, err := p.client.PostToConnection(post, &apigatewaymanagementapi.PostToConnectionInput{
		ConnectionId: &connectionID,
		Data:         data,
	}, withoutRetries)
	if err == nil {
		return nil
	}
	if post.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("%w (%v)", ErrNoAnswer, p.timeout)
	}
	return postError(err)
}

// withoutRetries leaves retrying to the Publisher, which alone knows of the
// other posts.
func withoutRetries(o *apigatewaymanagementapi.Options) { o.Retryer = aws.NopRetryer{} }

// postError gives an error of the SDK its meaning for the Publisher. The
// status decides, because API Gateway has sent 410 without a type.
func postError(err error) error {
	answer, ok := errors.AsType[*awshttp.ResponseError](err)
	if !ok || answer.HTTPStatusCode() == 0 {
		return unanswered(err)
	}
	switch status := answer.HTTPStatusCode(); {
	case status == http.StatusGone:
		return fmt.Errorf("%w: %w", ErrGone, err)
	case status == http.StatusTooManyRequests:
		return &LimitedError{RetryAfter: retryAfterHeader(answer), Err: err}
	case status == http.StatusRequestEntityTooLarge:
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	case status >= 500:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// unanswered tells a request that failed on its way, which may succeed the
// next time, from one that was never sent: no credentials, no endpoint. A
// client that is no SDK client may return the typed errors alone.
func unanswered(err error) error {
	if _, ok := errors.AsType[*types.GoneException](err); ok {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	if _, ok := errors.AsType[*types.LimitExceededException](err); ok {
		return &LimitedError{Err: err}
	}
	if _, ok := errors.AsType[*types.PayloadTooLargeException](err); ok {
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	if sent, ok := errors.AsType[sendError](err); ok && sent.ConnectionError() {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// sendError is what the SDK's transport returns for a request that it could
// not send or that got no answer.
type sendError interface {
	error
	ConnectionError() bool
}

// retryAfterHeader reads Retry-After in seconds; its other form, a date, is not
// used by AWS.
func retryAfterHeader(answer *awshttp.ResponseError) time.Duration {
	seconds, err := strconv.ParseUint(answer.Response.Header.Get("Retry-After"), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
