package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// eventsTemplate is a system with a function that a queue and a table's stream
// start.
const eventsTemplate = `Transform: AWS::Serverless-2016-10-31
Resources:
  Start:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      Handler: bootstrap
      CodeUri: start/
      Environment: {Variables: {BENCH_TELL: %q}}
      Events:
        Queue: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn}}
        Stream: {Type: DynamoDB, Properties: {Stream: !GetAtt Orders.StreamArn, StartingPosition: TRIM_HORIZON}}
  Jobs:
    Type: AWS::SQS::Queue
    Properties: {QueueName: jobs}
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: orders
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: PK, AttributeType: S}]
      KeySchema: [{AttributeName: PK, KeyType: HASH}]
      StreamSpecification: {StreamViewType: NEW_IMAGE}
`

// pauseBetween lets the function end before it is started again.
const pauseBetween = 2 * time.Millisecond

// runEvents measures the whole program: the time from before a call that writes
// a message or an item to the first statement of the function that gets it, one
// after the other. The floor writes the event to the same function's process
// itself, and nothing else happens.
func runEvents(o *options) (rows []row, err error) {
	dir, err := os.MkdirTemp("", "gatepost-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	e, err := openEvents(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	queue, stream := eventRows("SendMessage"), eventRows("PutItem")
	n := o.scale(300)
	for round := range o.rounds + 1 {
		floor, errFloor := e.latencies(n, e.direct)
		message, errMessage := e.latencies(n, e.sendMessage)
		item, errItem := e.latencies(n, e.putItem)
		if err := errors.Join(errFloor, errMessage, errItem); err != nil {
			return nil, err
		}
		if round == 0 {
			continue // it starts the sandboxes
		}
		for i, q := range []float64{0.5, 0.99} {
			queue[i].floor, queue[i].gatepost = append(queue[i].floor, quantile(floor, q)), append(queue[i].gatepost, quantile(message, q))
			stream[i].floor, stream[i].gatepost = append(stream[i].floor, quantile(floor, q)), append(stream[i].gatepost, quantile(item, q))
		}
	}
	return append(queue, stream...), nil
}

func eventRows(from string) []row {
	return []row{
		{metric: from + " to the function's start, p50", unit: "µs", goal: 5000, absolute: true},
		{metric: "the same, p99", unit: "µs"},
	}
}

// events is a running system, a bare function process, and where both tell when
// the function started.
type events struct {
	system *demo
	floor  *invokeFloor
	told   *net.UDPConn
	aws    string
	keys   awswire.Credentials
	number int
}

func openEvents(dir string) (*events, error) {
	told, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	e := &events{told: told, keys: awswire.NewCredentials(), floor: &invokeFloor{}}
	e.floor.environment = []string{"BENCH_TELL=" + told.LocalAddr().String()}
	program, system := filepath.Join(dir, "gatepost"), filepath.Join(dir, "system")
	function := filepath.Join(system, "start", "bootstrap")
	err = errors.Join(goBuild(program, "-C", "..", "./cmd/gatepost"), goBuild(function, "./startfunction"),
		os.WriteFile(filepath.Join(system, "template.yaml"), fmt.Appendf(nil, eventsTemplate, told.LocalAddr()), 0o600))
	if err == nil {
		err = e.floor.start(function, 1)
	}
	if err == nil {
		e.system = &demo{program: program, dir: dir, command: []string{"dev", system}}
		_, err = e.system.start()
	}
	if err == nil {
		e.aws, err = awsOf(filepath.Join(dir, "data", "run.json"))
	}
	if err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

// awsOf reads the AWS endpoint's address from run.json.
func awsOf(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	var run struct {
		AWS string `json:"aws"`
	}
	if err := json.Unmarshal(text, &run); err != nil || run.AWS == "" {
		return "", fmt.Errorf("no address in %s: %w", text, err)
	}
	return run.AWS, nil
}

func (e *events) close() error {
	e.told.Close()
	err := e.floor.end()
	if e.system != nil {
		err = errors.Join(err, e.system.stop())
	}
	return err
}

// latencies starts the function n times and returns in microseconds, in order of
// size, how long each start took.
func (e *events) latencies(n int, start func() error) ([]float64, error) {
	var all []float64
	for range n {
		began := monotonic()
		if err := start(); err != nil {
			return nil, err
		}
		at, err := e.startedAt()
		if err != nil {
			return nil, err
		}
		all = append(all, float64(at-began)/1e3)
		time.Sleep(pauseBetween)
	}
	slices.Sort(all)
	return all, nil
}

// startedAt waits for the function to tell when it started.
func (e *events) startedAt() (int64, error) {
	var datagram [8]byte
	e.told.SetReadDeadline(time.Now().Add(readyWithin))
	if _, err := io.ReadFull(e.told, datagram[:]); err != nil {
		return 0, fmt.Errorf("wait for the function: %w\n%s", err, e.system.output.Bytes())
	}
	return int64(binary.BigEndian.Uint64(datagram[:])), nil
}

func (e *events) direct() error {
	_, err := e.floor.invoke(0, []byte(`{"Records":[]}`))
	return err
}

func (e *events) sendMessage() error {
	return e.call("sqs", "AmazonSQS.SendMessage", map[string]any{"QueueUrl": e.aws + "/000000000000/jobs", "MessageBody": "one more"})
}

func (e *events) putItem() error {
	e.number++
	return e.call("dynamodb", "DynamoDB_20120810.PutItem", map[string]any{
		"TableName": "orders", "Item": map[string]any{"PK": map[string]string{"S": fmt.Sprint(e.number % 100)}, "n": map[string]string{"N": fmt.Sprint(e.number)}},
	})
}

// call makes one call of the AWS endpoint, signed as SDKs do.
func (e *events) call(service, target string, in any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPost, e.aws+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", target)
	awswire.Sign(req, body, e.keys, "us-east-1", service, time.Now())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s %s", target, resp.Status, text)
	}
	return err
}
