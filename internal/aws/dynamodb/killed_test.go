package dynamodb

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/internal/awswire"
)

// kills is how often TestKilled kills its writer; GATEPOST_KILLS sets another
// number.
const kills = 5

// TestKilled kills a process at random moments while four writers put, delete
// and transact. What it had acknowledged must be there, what it had deleted
// must not, and both sides of each transaction must agree.
func TestKilled(t *testing.T) {
	if path := os.Getenv("GATEPOST_TEST_TABLES"); path != "" {
		writeUntilKilled(path)
		return
	}
	rounds := kills
	if n, err := strconv.Atoi(os.Getenv("GATEPOST_KILLS")); err == nil {
		rounds = n
	}
	path := file(t)
	total := 0
	for round := range rounds {
		acknowledged := killWriter(t, path)
		s := open(t, Config{Path: path})
		for _, line := range acknowledged {
			verb, key, _ := strings.Cut(line, " ")
			got := do(t, s, "GetItem", `{`+onRoster+`"Key":`+item(key, "")+`}`)
			if there := strings.Contains(got, "Item"); there != (verb == "put") {
				t.Errorf("round %d: %s was acknowledged, but reading answers %s", round, line, got)
			}
		}
		for i := range 4 {
			left := do(t, s, "GetItem", `{`+onRoster+`"Key":`+item(fmt.Sprintf("left%d", i), "")+`,"ProjectionExpression":"n"}`)
			right := do(t, s, "GetItem", `{`+onRoster+`"Key":`+item(fmt.Sprintf("right%d", i), "")+`,"ProjectionExpression":"n"}`)
			if left != right {
				t.Errorf("round %d: half a transaction: %s and %s", round, left, right)
			}
		}
		total += len(acknowledged)
		s.Close()
	}
	t.Logf("%d acknowledged writes over %d kills", total, rounds)
	if total == 0 {
		t.Error("no writer was ever acknowledged a write")
	}
}

// killWriter starts this test in a process of its own, kills it, and returns
// the last thing it said of each key.
func killWriter(t *testing.T, path string) (acknowledged []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), "GATEPOST_TEST_TABLES="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	last := make(map[string]string)
	var killing sync.Once
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		verb, key, ok := strings.Cut(lines.Text(), " ")
		if !ok {
			continue
		}
		killing.Do(func() { // the moment is counted from the first write
			after := time.Duration(rand.IntN(200)) * time.Millisecond
			time.AfterFunc(after, func() { cmd.Process.Kill() })
		})
		last[key] = verb
	}
	cmd.Wait() // fails: it was killed
	for key, verb := range last {
		if verb == "put" || verb == "delete" {
			acknowledged = append(acknowledged, verb+" "+key)
		}
	}
	return acknowledged
}

// writeUntilKilled tells on standard output what is acknowledged. Before it
// changes a key again it says so: what comes of that is not known.
func writeUntilKilled(path string) {
	s, err := Open(Config{Path: path})
	if err != nil {
		panic(err)
	}
	if err := s.EnsureTable(streamed("NEW_AND_OLD_IMAGES")); err != nil {
		panic(err)
	}
	var writers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() {
			for n := 0; ; n++ {
				key := fmt.Sprintf("%d-%d", i, n%50)
				say("open", key)
				if n/50%2 == 0 {
					mustDo(s, "PutItem", `{`+onRoster+`"Item":`+item(key, "")+`}`)
					say("put", key)
				} else {
					mustDo(s, "DeleteItem", `{`+onRoster+`"Key":`+item(key, "")+`}`)
					say("delete", key)
				}
				add := `"UpdateExpression":"ADD n :one","ExpressionAttributeValues":{":one":{"N":"1"}}}`
				mustDo(s, "TransactWriteItems", transactBody(
					`"Update":{`+onRoster+`"Key":`+item(fmt.Sprintf("left%d", i), "")+`,`+add, `"Update":{`+onRoster+`"Key":`+item(fmt.Sprintf("right%d", i), "")+`,`+add))
			}
		})
	}
	writers.Wait()
}

// say writes one line at once, so that a kill cuts none in half that matters.
func say(verb, key string) { os.Stdout.WriteString(verb + " " + key + "\n") }

func mustDo(s *Service, operation, body string) {
	if got := doCall(s, &awswire.Call{Operation: operation, Body: []byte(body), Region: "us-east-1"}); !strings.HasPrefix(got, "{") {
		panic(operation + ": " + got)
	}
}
