package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/gatepost-dev/gatepost/push"
	"github.com/gatepost-dev/gatepost/push/rostertest"
)

// TestRosterOnDynalite holds the push house's table to its contract on a
// DynamoDB that others wrote. It needs npm, which fetches it once.
func TestRosterOnDynalite(t *testing.T) {
	if met, err := condition("dynalite"); err != nil {
		t.Fatal(err)
	} else if !met {
		_, why := dynaliteModules()
		t.Skip(why)
	}
	modules, _ := dynaliteModules()
	node := exec.CommandContext(t.Context(), "node", "--no-warnings", "-e", dynaliteProgram, filepath.Join(modules, "dynalite"))
	endpoint := startEndpoint(t, node, dynaliteAt)
	client := &singly{Client: clientOf(endpoint)}
	var n atomic.Int32
	rostertest.Run(t, func(t *testing.T) push.Roster {
		table := fmt.Sprintf("roster-%d", n.Add(1))
		createTable(t, client.Client, table)
		return push.NewDynamoDB(client, table, push.DynamoDBOptions{PageSize: 20})
	})
}

// TestRosterOnMoto does the same on moto, which knows transactions but does not
// keep them apart: it gets one call at a time.
func TestRosterOnMoto(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute; run the tests without -short")
	}
	if err := exec.Command("python3", "-c", "import moto.server, flask").Run(); err != nil {
		t.Skip("moto is not there: pip install 'moto[server,dynamodb]'")
	}
	python := exec.CommandContext(t.Context(), "python3", "-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0")
	endpoint := startEndpoint(t, python, func(line string) string {
		_, address, _ := strings.Cut(line, "Running on ")
		return address
	})
	client := clientOf(endpoint, func(o *awsdynamodb.Options) { o.HTTPClient = &oneCall{} })
	var n atomic.Int32
	rostertest.Run(t, func(t *testing.T) push.Roster {
		table := fmt.Sprintf("roster-%d", n.Add(1))
		createTable(t, client, table)
		return push.NewDynamoDB(client, table, push.DynamoDBOptions{})
	})
}

// startEndpoint starts a program and returns the address that find finds in a
// line of its output.
func startEndpoint(t *testing.T, program *exec.Cmd, find func(line string) string) string {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	program.Stdout, program.Stderr = write, write
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		program.Process.Kill()
		program.Wait()
		read.Close()
	})
	write.Close()
	found := make(chan string, 1)
	go func() {
		defer close(found)
		for lines := bufio.NewScanner(read); lines.Scan(); {
			if address := find(lines.Text()); address != "" && len(found) == 0 {
				found <- address
			}
		}
	}()
	select {
	case address, ok := <-found:
		if !ok {
			t.Fatalf("%s ended before it listened", program.Path)
		}
		return address
	case <-time.After(time.Minute):
		t.Fatalf("%s does not listen", program.Path)
		return ""
	}
}

// oneCall sends one request at a time.
type oneCall struct{ lock sync.Mutex }

func (c *oneCall) Do(r *http.Request) (*http.Response, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	return http.DefaultClient.Do(r)
}

func clientOf(endpoint string, with ...func(*awsdynamodb.Options)) *awsdynamodb.Client {
	return awsdynamodb.New(awsdynamodb.Options{
		Region:       "us-east-1",
		Credentials:  credentials.NewStaticCredentialsProvider("AKID", "SECRET", ""),
		BaseEndpoint: &endpoint,
	}, with...)
}

func createTable(t *testing.T, client *awsdynamodb.Client, name string) {
	t.Helper()
	if _, err := client.CreateTable(t.Context(), push.DynamoDBTable(name)); err != nil {
		t.Fatal(err)
	}
	wait := awsdynamodb.NewTableExistsWaiter(client, func(o *awsdynamodb.TableExistsWaiterOptions) { o.MinDelay = 10 * time.Millisecond })
	if err := wait.Wait(t.Context(), &awsdynamodb.DescribeTableInput{TableName: &name}, time.Minute); err != nil {
		t.Fatal(err)
	}
}

// singly is a client of a DynamoDB without transactions, which dynalite is: it
// does their writes one after the other, behind a lock that keeps the others
// out. That is enough for the roster's, of which only the first write has a
// condition.
type singly struct {
	*awsdynamodb.Client
	lock sync.RWMutex
}

func (s *singly) PutItem(ctx context.Context, in *awsdynamodb.PutItemInput, o ...func(*awsdynamodb.Options)) (*awsdynamodb.PutItemOutput, error) {
	s.lock.RLock()
	defer s.lock.RUnlock()
	return s.Client.PutItem(ctx, in, o...)
}

func (s *singly) UpdateItem(ctx context.Context, in *awsdynamodb.UpdateItemInput, o ...func(*awsdynamodb.Options)) (*awsdynamodb.UpdateItemOutput, error) {
	s.lock.RLock()
	defer s.lock.RUnlock()
	return s.Client.UpdateItem(ctx, in, o...)
}

func (s *singly) DeleteItem(ctx context.Context, in *awsdynamodb.DeleteItemInput, o ...func(*awsdynamodb.Options)) (*awsdynamodb.DeleteItemOutput, error) {
	s.lock.RLock()
	defer s.lock.RUnlock()
	return s.Client.DeleteItem(ctx, in, o...)
}

func (s *singly) TransactWriteItems(ctx context.Context, in *awsdynamodb.TransactWriteItemsInput, _ ...func(*awsdynamodb.Options)) (*awsdynamodb.TransactWriteItemsOutput, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	for i, action := range in.TransactItems {
		err := s.write(ctx, action, i > 0)
		if _, refused := errors.AsType[*types.ConditionalCheckFailedException](err); refused {
			err = &types.TransactionCanceledException{CancellationReasons: []types.CancellationReason{{Code: aws.String("ConditionalCheckFailed")}}}
		}
		if err != nil {
			return nil, err
		}
	}
	return &awsdynamodb.TransactWriteItemsOutput{}, nil
}

func (s *singly) write(ctx context.Context, action types.TransactWriteItem, plain bool) (err error) {
	var condition *string
	switch {
	case action.Put != nil:
		condition = action.Put.ConditionExpression
		_, err = s.Client.PutItem(ctx, &awsdynamodb.PutItemInput{TableName: action.Put.TableName, Item: action.Put.Item, ConditionExpression: condition})
	case action.Update != nil:
		condition = action.Update.ConditionExpression
		_, err = s.Client.UpdateItem(ctx, &awsdynamodb.UpdateItemInput{TableName: action.Update.TableName, Key: action.Update.Key,
			UpdateExpression: action.Update.UpdateExpression, ConditionExpression: condition,
			ExpressionAttributeNames: action.Update.ExpressionAttributeNames, ExpressionAttributeValues: action.Update.ExpressionAttributeValues})
	case action.Delete != nil:
		condition = action.Delete.ConditionExpression
		_, err = s.Client.DeleteItem(ctx, &awsdynamodb.DeleteItemInput{TableName: action.Delete.TableName, Key: action.Delete.Key, ConditionExpression: condition})
	default:
		return fmt.Errorf("the roster's transaction has an action that this client does not know: %+v", action)
	}
	if plain && condition != nil {
		return errors.New("the roster's transaction has a second condition")
	}
	return err
}
