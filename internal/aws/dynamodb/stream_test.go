package dynamodb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatepost-dev/gatepost/internal/awswire"
	"github.com/gatepost-dev/gatepost/stack"
)

// streamed is the roster with a stream of that view.
func streamed(view string) stack.Table {
	t := roster
	t.StreamView = view
	return t
}

// rosterStream returns the running stream of the roster.
func rosterStream(t testing.TB, s *Service) *Stream {
	t.Helper()
	table := s.lookup(tableID{"000000000000", "us-east-1", "SocketRoster"})
	st, err := s.Stream(table.StreamARN)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// changes are the records after a sequence, one line each.
func changes(t testing.TB, st *Stream, after uint64) string {
	t.Helper()
	records, _, err := st.Read(after, 0)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, r := range records {
		line := fmt.Sprintf("%d %s %s %s %s", r.Sequence, r.Name, r.Keys.AppendJSON(nil), r.OldImage.AppendJSON(nil), r.NewImage.AppendJSON(nil))
		if r.ByService {
			line += " by the service"
		}
		lines = append(lines, strings.NewReplacer(`{"S":`, "", `{"N":`, "", `"`, "", "}", "").Replace(line))
	}
	return strings.Join(lines, "\n")
}

func item(key, rest string) string { return `{"PK":{"S":"` + key + `"},"SK":{"S":"x"}` + rest + `}` }

// writeAll makes every kind of change once.
func writeAll(t testing.TB, s *Service) {
	t.Helper()
	for _, st := range []step{
		{"PutItem", `{"TableName":"SocketRoster","Item":` + item("a", `,"v":{"N":"1"}`) + `}`, ""},
		{"PutItem", `{"TableName":"SocketRoster","Item":` + item("a", `,"v":{"N":"1.0"}`) + `}`, ""}, // changes nothing
		{"UpdateItem", `{"TableName":"SocketRoster","Key":` + item("a", "") + `,"UpdateExpression":"ADD v :v","ExpressionAttributeValues":{":v":{"N":"1"}}}`, ""},
		{"BatchWriteItem", `{"RequestItems":{"SocketRoster":[{"PutRequest":{"Item":` + item("b", "") + `}},{"DeleteRequest":{"Key":` + item("a", "") + `}},{"DeleteRequest":{"Key":` + item("none", "") + `}}]}}`, ""},
		{"DeleteItem", `{"TableName":"SocketRoster","Key":` + item("b", "") + `}`, ""},
		{"DeleteItem", `{"TableName":"SocketRoster","Key":` + item("b", "") + `}`, ""},
	} {
		if got := do(t, s, st.operation, st.body); !strings.HasPrefix(got, "{") {
			t.Fatalf("%s %s: %s", st.operation, st.body, got)
		}
	}
}

func TestStreamRecordsByView(t *testing.T) {
	for view, want := range map[string]string{
		"KEYS_ONLY": `1 INSERT {PK:a,SK:x { {
2 MODIFY {PK:a,SK:x { {
3 INSERT {PK:b,SK:x { {
4 REMOVE {PK:a,SK:x { {
5 REMOVE {PK:b,SK:x { {`,
		"NEW_IMAGE": `1 INSERT {PK:a,SK:x { {PK:a,SK:x,v:1
2 MODIFY {PK:a,SK:x { {PK:a,SK:x,v:2
3 INSERT {PK:b,SK:x { {PK:b,SK:x
4 REMOVE {PK:a,SK:x { {
5 REMOVE {PK:b,SK:x { {`,
		"OLD_IMAGE": `1 INSERT {PK:a,SK:x { {
2 MODIFY {PK:a,SK:x {PK:a,SK:x,v:1 {
3 INSERT {PK:b,SK:x { {
4 REMOVE {PK:a,SK:x {PK:a,SK:x,v:2 {
5 REMOVE {PK:b,SK:x {PK:b,SK:x {`,
		"NEW_AND_OLD_IMAGES": `1 INSERT {PK:a,SK:x { {PK:a,SK:x,v:1
2 MODIFY {PK:a,SK:x {PK:a,SK:x,v:1 {PK:a,SK:x,v:2
3 INSERT {PK:b,SK:x { {PK:b,SK:x
4 REMOVE {PK:a,SK:x {PK:a,SK:x,v:2 {
5 REMOVE {PK:b,SK:x {PK:b,SK:x {`,
	} {
		t.Run(view, func(t *testing.T) {
			s := with(t, streamed(view))
			writeAll(t, s)
			if got := changes(t, rosterStream(t, s), 0); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestStreamOutlivesACrash: a record is on the disk with its change.
func TestStreamOutlivesACrash(t *testing.T) {
	path := file(t)
	s := open(t, Config{Path: path, Sync: true})
	if err := s.EnsureTable(streamed("KEYS_ONLY")); err != nil {
		t.Fatal(err)
	}
	writeAll(t, s)
	st := rosterStream(t, s)
	if err := st.SetPosition(t.Context(), "mapping", 3); err != nil {
		t.Fatal(err)
	}
	before := changes(t, st, 0)
	records, _, _ := st.Read(0, 1)
	s.Close()
	s = open(t, Config{Path: path})
	if err := s.EnsureTable(streamed("KEYS_ONLY")); err != nil {
		t.Fatal(err)
	}
	st = rosterStream(t, s)
	if after := changes(t, st, 0); after != before || before == "" {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
	again, _, _ := st.Read(0, 1)
	if again[0].ID != records[0].ID || len(again[0].ID) != 32 || !again[0].Created.Equal(records[0].Created) {
		t.Errorf("the record was %+v and is %+v", records[0], again[0])
	}
	if at, err := st.Position("mapping"); at != 3 || err != nil {
		t.Errorf("the reader is at %d, %v", at, err)
	}
	if at, err := st.Position("another"); at != 0 || err != nil {
		t.Errorf("a new reader is at %d, %v", at, err)
	}
}

func TestTimeToLiveDeletesIntoTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := streamed("OLD_IMAGE")
		table.TTLAttribute = "TTL"
		s := with(t, table)
		putExpiring(t, s, "a", time.Now().Unix()+5)
		time.Sleep(10 * time.Second)
		st := rosterStream(t, s)
		if got := changes(t, st, 1); !strings.HasPrefix(got, "2 REMOVE {PK:a,SK:a {PK:a,SK:a,TTL:") || !strings.HasSuffix(got, "by the service") {
			t.Errorf("the stream has %s", got)
		}
		records, _, _ := st.Read(1, 0)
		want := `"userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"},"eventSourceARN":"` + st.ARN() + `"}`
		if got := string(records[0].EventJSON(st.ARN())); !strings.HasSuffix(got, want) {
			t.Errorf("the event is %s", got)
		}
		if got := streamCall(s, "GetRecords", `{"ShardIterator":"`+iterator{1, time.Now()}.token(s.streamNamed(st.ARN()))+`"}`); !strings.Contains(got, `"userIdentity":{"PrincipalId":"dynamodb.amazonaws.com","Type":"Service"}`) {
			t.Errorf("GetRecords answers %s", got)
		}
	})
}

// TestTimeToLiveCanBeLazy: TTLDelay leaves expired items readable.
func TestTimeToLiveCanBeLazy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Config{TTLDelay: time.Hour})
		table := roster
		table.TTLAttribute = "TTL"
		if err := s.EnsureTable(table); err != nil {
			t.Fatal(err)
		}
		putExpiring(t, s, "a", time.Now().Unix()+5)
		time.Sleep(59 * time.Minute)
		steps(t, s, step{"GetItem", getA, `{"Item":{"SK":{"S":"a"}}}`})
		time.Sleep(2 * time.Minute)
		steps(t, s, step{"GetItem", getA, `{}`})
	})
}

// TestEventJSON is the example of the Lambda developer guide, "Using AWS
// Lambda with Amazon DynamoDB", but for the numbers that are ours.
func TestEventJSON(t *testing.T) {
	s := with(t)
	do(t, s, "CreateTable", `{"TableName":"ExampleTable","AttributeDefinitions":[{"AttributeName":"Id","AttributeType":"N"}],"KeySchema":[{"AttributeName":"Id","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST","StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_AND_OLD_IMAGES"}}`)
	do(t, s, "PutItem", `{"TableName":"ExampleTable","Item":{"Message":{"S":"New <item>!"},"Id":{"N":"101"}}}`)
	arn := s.lookup(tableID{"000000000000", "us-east-1", "ExampleTable"}).StreamARN
	st, err := s.Stream(arn)
	if err != nil {
		t.Fatal(err)
	}
	records, _, err := st.Read(0, 0)
	if err != nil || len(records) != 1 {
		t.Fatal(records, err)
	}
	want := fmt.Sprintf(`{"eventID":"%s","eventName":"INSERT","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"us-east-1","dynamodb":{"ApproximateCreationDateTime":%d,"Keys":{"Id":{"N":"101"}},"NewImage":{"Id":{"N":"101"},"Message":{"S":"New <item>!"}},"SequenceNumber":"100000000000000000001","SizeBytes":28,"StreamViewType":"NEW_AND_OLD_IMAGES"},"eventSourceARN":"%s"}`,
		records[0].ID, records[0].Created.Unix(), arn)
	if got := string(records[0].EventJSON(arn)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := with(t, streamed("KEYS_ONLY"))
		st := rosterStream(t, s)
		await := func(after uint64) chan error {
			done := make(chan error, 1)
			go func() { done <- st.Await(t.Context(), after) }()
			synctest.Wait()
			return done
		}
		first := await(0)
		select {
		case err := <-first:
			t.Fatal("Await returned before there was a record:", err)
		default:
		}
		writeAll(t, s)
		if err := <-first; err != nil {
			t.Error(err)
		}
		if err := <-await(0); err != nil {
			t.Error(err)
		}
		end := await(5)
		steps(t, s, step{"UpdateTimeToLive", `{"TableName":"SocketRoster","TimeToLiveSpecification":{"AttributeName":"TTL","Enabled":true}}`, `{"TimeToLiveSpecification":{"AttributeName":"TTL","Enabled":true}}`})
		synctest.Wait()
		select {
		case err := <-end:
			t.Fatal("Await returned after a change that is no item's:", err)
		default:
		}
		do(t, s, "DeleteTable", `{"TableName":"SocketRoster"}`)
		if err := <-end; err != nil {
			t.Error(err)
		}
		if records, ended, err := st.Read(4, 0); len(records) != 1 || !ended || err != nil {
			t.Errorf("the table's stream has %v, ended %v, %v", records, ended, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		other := with(t, streamed("KEYS_ONLY"))
		if err := rosterStream(t, other).Await(ctx, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("Await without time returned %v", err)
		}
	})
}

// TestStreamsLastADay: records go after 24 hours, and a stream that has ended.
func TestStreamsLastADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := with(t, streamed("KEYS_ONLY"))
		st := rosterStream(t, s)
		writeAll(t, s)
		time.Sleep(12 * time.Hour)
		do(t, s, "PutItem", `{"TableName":"SocketRoster","Item":`+item("c", "")+`}`)
		time.Sleep(12*time.Hour + 2*time.Minute)
		if got := changes(t, st, 0); got != "6 INSERT {PK:c,SK:x { {" {
			t.Errorf("after a day the stream has\n%s", got)
		}
		if _, _, err := st.Read(2, 0); !errors.Is(err, ErrTrimmed) {
			t.Errorf("reading after a record that has gone: %v", err)
		}
		if got := changes(t, st, 5); got != "6 INSERT {PK:c,SK:x { {" {
			t.Errorf("after the last record that has gone the stream has\n%s", got)
		}
		time.Sleep(24 * time.Hour)
		if _, _, err := st.Read(6, 0); err != nil {
			t.Errorf("reading at the end: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := st.Await(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting for a record where all have gone: %v", err)
		}
		do(t, s, "DeleteTable", `{"TableName":"SocketRoster"}`)
		time.Sleep(23 * time.Hour)
		if _, _, err := st.Read(0, 0); err != nil {
			t.Errorf("a stream of a deleted table: %v", err)
		}
		time.Sleep(2 * time.Hour)
		if _, _, err := st.Read(0, 0); !errors.Is(err, ErrNoStream) {
			t.Errorf("a stream of a table deleted a day ago: %v", err)
		}
	})
}

// streamCall makes a call of DynamoDB Streams.
func streamCall(s *Service, operation, body string) string {
	out, err := s.Streams().Do(context.Background(), &awswire.Call{Operation: operation, Body: []byte(body), Region: "us-east-1"})
	if err != nil {
		return err.Error()
	}
	return string(awswire.MarshalJSON(out))
}

func TestStreamsAPI(t *testing.T) {
	s := with(t, streamed("NEW_IMAGE"), events)
	writeAll(t, s)
	arn := rosterStream(t, s).ARN()
	described := field(t, streamCall(s, "DescribeStream", `{"StreamArn":"`+arn+`"}`), "StreamDescription")
	shard, _ := rosterStream(t, s).Shard()
	for name, want := range map[string]string{
		"StreamArn": `"` + arn + `"`, "StreamLabel": `"` + streamLabel(arn) + `"`, "StreamStatus": `"ENABLED"`, "StreamViewType": `"NEW_IMAGE"`, "TableName": `"SocketRoster"`,
		"KeySchema": `[{"AttributeName":"PK","KeyType":"HASH"},{"AttributeName":"SK","KeyType":"RANGE"}]`,
		"Shards":    `[{"ShardId":"` + shard + `","SequenceNumberRange":{"StartingSequenceNumber":"100000000000000000001"}}]`,
	} {
		if got := field(t, described, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	get := func(kind, number string, limit int) (sequences []string, next string) {
		t.Helper()
		if number != "" {
			number = `,"SequenceNumber":"` + number + `"`
		}
		got := streamCall(s, "GetShardIterator", `{"StreamArn":"`+arn+`","ShardId":"`+shard+`","ShardIteratorType":"`+kind+`"`+number+`}`)
		return getRecords(t, s, field(t, got, "ShardIterator"), limit)
	}
	all := []string{"100000000000000000001", "100000000000000000002", "100000000000000000003", "100000000000000000004", "100000000000000000005"}
	for _, c := range []struct {
		kind, number string
		want         []string
	}{
		{"TRIM_HORIZON", "", all},
		{"LATEST", "", nil},
		{"AT_SEQUENCE_NUMBER", all[2], all[2:]},
		{"AFTER_SEQUENCE_NUMBER", all[2], all[3:]},
	} {
		if got, _ := get(c.kind, c.number, 1000); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s %s reads %v, want %v", c.kind, c.number, got, c.want)
		}
	}
	first, next := get("TRIM_HORIZON", "", 2)
	rest, last := getRecords(t, s, next, 1000)
	if fmt.Sprint(append(first, rest...)) != fmt.Sprint(all) {
		t.Errorf("two reads have %v and %v", first, rest)
	}
	do(t, s, "DeleteItem", `{"TableName":"SocketRoster","Key":`+item("a", "")+`}`)
	do(t, s, "UpdateTable", `{"TableName":"SocketRoster","StreamSpecification":{"StreamEnabled":false}}`)
	if more, end := getRecords(t, s, last, 1000); more != nil || end != "" {
		t.Errorf("the end of a stream that was switched off: %v, and an iterator %s", more, end)
	}
	described = field(t, streamCall(s, "DescribeStream", `{"StreamArn":"`+arn+`"}`), "StreamDescription")
	if !strings.Contains(described, `"StreamStatus":"DISABLED"`) || !strings.Contains(described, `"EndingSequenceNumber":"100000000000000000005"`) {
		t.Errorf("the stream is now %s", described)
	}
}

func getRecords(t *testing.T, s *Service, iterator string, limit int) (sequences []string, next string) {
	t.Helper()
	var out struct {
		Records []struct {
			Dynamodb struct{ SequenceNumber string }
		}
		NextShardIterator json.RawMessage
	}
	got := streamCall(s, "GetRecords", fmt.Sprintf(`{"ShardIterator":%s,"Limit":%d}`, iterator, limit))
	if err := json.Unmarshal([]byte(got), &out); err != nil {
		t.Fatalf("%s: %v", got, err)
	}
	for _, r := range out.Records {
		sequences = append(sequences, r.Dynamodb.SequenceNumber)
	}
	return sequences, string(out.NextShardIterator)
}

func TestStreamsErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := with(t, streamed("NEW_IMAGE"))
		arn := rosterStream(t, s).ARN()
		shard, _ := rosterStream(t, s).Shard()
		place := `"StreamArn":"` + arn + `","ShardId":"` + shard + `"`
		old := iterator{0, time.Now()}.token(s.streamNamed(arn))
		time.Sleep(15*time.Minute + time.Second)
		const nowhere = "arn:aws:dynamodb:us-east-1:000000000000:table/none/stream/2020-01-01T00:00:00.000"
		for _, c := range []step{
			{"DescribeStream", `{}`, validation + "1 validation error detected: Value null at 'streamArn' failed to satisfy constraint: Member must not be null"},
			{"DescribeStream", `{"StreamArn":"` + nowhere + `"}`, "ResourceNotFoundException: Requested resource not found: Stream: " + nowhere + " not found"},
			{"GetShardIterator", `{` + place + `,"ShardIteratorType":"SOON"}`, validation + "1 validation error detected: Value 'SOON' at 'shardIteratorType' failed to satisfy constraint: Member must satisfy enum value set: [AFTER_SEQUENCE_NUMBER, LATEST, AT_SEQUENCE_NUMBER, TRIM_HORIZON]"},
			{"GetShardIterator", `{` + place + `,"ShardIteratorType":"AT_SEQUENCE_NUMBER"}`, validation + "The parameter SequenceNumber must be specified when the ShardIteratorType is AT_SEQUENCE_NUMBER"},
			{"GetShardIterator", `{` + place + `,"ShardIteratorType":"AT_SEQUENCE_NUMBER","SequenceNumber":"100000000000000000009"}`, validation + "Invalid SequenceNumber: 100000000000000000009 is not one of the shard " + shard},
			{"GetShardIterator", `{"StreamArn":"` + arn + `","ShardId":"shardId-00000000000000000000-00000000","ShardIteratorType":"LATEST"}`, "ResourceNotFoundException: Requested resource not found: Shard does not exist"},
			{"GetRecords", `{"ShardIterator":"` + arn + `|1|AAAA"}`, validation + "Invalid ShardIterator"},
			{"GetRecords", `{"ShardIterator":"x","Limit":1001}`, validation + "1 validation error detected: Value '1001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 1000"},
			{"GetRecords", `{"ShardIterator":"` + old + `"}`, "ExpiredIteratorException: Iterator expired. The iterator was created at time Sat Jan  1 00:00:00 UTC 2000 while right now it is Sat Jan  1 00:15:01 UTC 2000 which is further in the future than the tolerated delay of 900000 milliseconds."},
			{"Explode", `{}`, `UnknownOperationException: DynamoDB has no operation "Explode".`},
		} {
			if got := streamCall(s, c.operation, c.body); got != c.want {
				t.Errorf("%s %s\n got %s\nwant %s", c.operation, c.body, got, c.want)
			}
		}
	})
}

// TestStreamSpecification is the life of a table's streams, as measured on AWS.
func TestStreamSpecification(t *testing.T) {
	s := with(t, roster, events)
	update := func(spec string) string {
		return do(t, s, "UpdateTable", `{"TableName":"SocketRoster","StreamSpecification":{`+spec+`}}`)
	}
	latest := func() string {
		return field(t, field(t, do(t, s, "DescribeTable", `{"TableName":"SocketRoster"}`), "Table"), "LatestStreamArn")
	}
	for _, c := range []struct{ spec, want string }{
		{`"StreamEnabled":true`, validation + "One or more parameter values were invalid: If stream is being enabled then UpdateViewType is required"},
		{`"StreamEnabled":false`, validation + "Table has no stream to disable: TableName: SocketRoster"},
		{`"StreamEnabled":true,"StreamViewType":"NEW_IMAGE"`, ""},
		{`"StreamEnabled":true,"StreamViewType":"NEW_IMAGE"`, validation + "Table already has an enabled stream: TableName: SocketRoster"},
		{`"StreamEnabled":true,"StreamViewType":"OLD_IMAGE"`, validation + "Table already has an enabled stream: TableName: SocketRoster"},
		{`"StreamEnabled":false,"StreamViewType":"OLD_IMAGE"`, validation + "One or more parameter values were invalid: If stream is being disabled, then UpdateViewType must not be specified"},
		{`"StreamEnabled":false`, ""},
	} {
		got := update(c.spec)
		if c.want == "" && !strings.Contains(got, `"TableStatus":"UPDATING"`) || c.want != "" && got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.spec, got, c.want)
		}
	}
	first := latest()
	if first == "" {
		t.Error("a stream that was switched off is not the latest any more")
	}
	update(`"StreamEnabled":true,"StreamViewType":"OLD_IMAGE"`)
	if second := latest(); second == first || !strings.HasPrefix(second, `"arn:aws:dynamodb:us-east-1:000000000000:table/SocketRoster/stream/`) {
		t.Errorf("the streams are %s and %s", first, second)
	}
	list := streamCall(s, "ListStreams", `{"TableName":"SocketRoster"}`)
	if strings.Count(list, `"TableName":"SocketRoster"`) != 2 || strings.Contains(list, "LastEvaluatedStreamArn") {
		t.Errorf("the streams are %s", list)
	}
	page := streamCall(s, "ListStreams", `{"Limit":1}`)
	rest := streamCall(s, "ListStreams", `{"ExclusiveStartStreamArn":`+field(t, page, "LastEvaluatedStreamArn")+`}`)
	if strings.Count(page+rest, `"StreamLabel"`) != 2 {
		t.Errorf("the pages are %s and %s", page, rest)
	}
	// A template that declares another view gets a stream of its own name.
	declared := streamed("KEYS_ONLY")
	declared.StreamARN = "arn:aws:dynamodb:us-east-1:000000000000:table/SocketRoster/stream/2020-01-01T00:00:00.000"
	for range 2 {
		if err := s.EnsureTable(declared); err != nil {
			t.Fatal(err)
		}
		if got := latest(); got != `"`+declared.StreamARN+`"` {
			t.Errorf("the template's stream is %s", got)
		}
	}
	declared.StreamView = "NEW_IMAGE"
	if err := s.EnsureTable(declared); err != nil {
		t.Fatal(err)
	}
	if got := rosterStream(t, s); got.ARN() != declared.StreamARN || s.streamNamed(got.ARN()).View != "NEW_IMAGE" {
		t.Errorf("the template's stream is %+v", s.streamNamed(got.ARN()))
	}
}

// TestAccountsAndRegionsAreApart: each has tables and streams of its own.
func TestAccountsAndRegionsAreApart(t *testing.T) {
	s := with(t)
	create := `{"TableName":"t","AttributeDefinitions":[{"AttributeName":"a","AttributeType":"S"}],"KeySchema":[{"AttributeName":"a","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST","StreamSpecification":{"StreamEnabled":true,"StreamViewType":"KEYS_ONLY"}}`
	create = strings.Replace(create, `"TableName":"t"`, `"TableName":"apart"`, 1)
	arns := make(map[string]bool)
	for _, account := range []string{"111111111111", "222222222222", "AKIAEXAMPLE"} {
		for _, region := range []string{"eu-west-1", "us-east-1"} {
			call := func(operation, body string) *awswire.Call {
				return &awswire.Call{Operation: operation, Body: []byte(body), Region: region, AccessKeyID: account}
			}
			if got := doCall(s, call("ListTables", `{}`)); got != `{"TableNames":[]}` {
				t.Errorf("%s %s begins with %s", account, region, got)
			}
			arns[field(t, field(t, doCall(s, call("CreateTable", create)), "TableDescription"), "TableArn")] = true
			out, err := s.Streams().Do(t.Context(), call("ListStreams", `{}`))
			if err != nil || strings.Count(string(awswire.MarshalJSON(out)), "StreamArn") != 1 {
				t.Errorf("%s %s has the streams %s, %v", account, region, awswire.MarshalJSON(out), err)
			}
		}
	}
	if len(arns) != 6 || !arns[`"arn:aws:dynamodb:eu-west-1:000000000000:table/apart"`] || !arns[`"arn:aws:dynamodb:us-east-1:222222222222:table/apart"`] {
		t.Errorf("the tables are %v", arns)
	}
}
