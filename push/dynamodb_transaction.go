package push

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

var (
	// errCondition says that a conditional write was refused by its condition.
	errCondition = errors.New("the condition does not hold")
	// errConflict says that somebody else was writing the same rows: another
	// try may succeed.
	errConflict = errors.New("another write was under way")
)

// maxTries bounds how often a write is tried that meets others. Each of them
// has then finished a write of its own, so that this many in a row are rare.
const maxTries = 10

// again calls f until its error is not errConflict, with a random pause in
// between, and says in the error what was being done. The SDK retries
// throttled calls itself.
func (d *DynamoDB) again(ctx context.Context, what string, f func() error) error {
	var err error
	for try := 1; try <= maxTries; try++ {
		if err = f(); !errors.Is(err, errConflict) {
			break
		}
		if !sleep(ctx, rand.N(doubled(try))) {
			err = context.Cause(ctx)
			break
		}
	}
	return d.wrap(what, err)
}

// transact writes all or nothing. Its error is errCondition when the first
// condition that failed is the rows' own, errConflict when others were in the
// way or the table had no capacity for it, or another one.
func (d *DynamoDB) transact(ctx context.Context, actions ...types.TransactWriteItem) error {
	_, err := d.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: actions})
	cancelled, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		return conditionError(err)
	}
	for _, reason := range cancelled.CancellationReasons {
		if reason.Code == nil {
			continue
		}
		switch *reason.Code {
		case "None":
		case "ConditionalCheckFailed":
			return fmt.Errorf("%w: %w", errCondition, err)
		case "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
			return fmt.Errorf("%w: %w", errConflict, err)
		}
	}
	return err
}

// conditionError gives the refusals of single writes the same names.
func conditionError(err error) error {
	if _, refused := errors.AsType[*types.ConditionalCheckFailedException](err); refused {
		return fmt.Errorf("%w: %w", errCondition, err)
	}
	if _, busy := errors.AsType[*types.TransactionConflictException](err); busy {
		return fmt.Errorf("%w: %w", errConflict, err)
	}
	return err
}

// conflict is for a write whose condition is that the row is still as it was
// read: when it is not, the whole is to be tried again.
func conflict(err error) error {
	if errors.Is(err, errCondition) {
		return fmt.Errorf("%w: %w", errConflict, err)
	}
	return err
}
