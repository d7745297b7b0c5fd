package dynamodb

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatepost-dev/gatepost/internal/telemetry"
	"go.etcd.io/bbolt"
)

const getA = `{"TableName":"SocketRoster","Key":{"PK":{"S":"a"},"SK":{"S":"a"}},"ProjectionExpression":"SK"}`

func putExpiring(t *testing.T, s *Service, key string, ttl any) {
	t.Helper()
	if got := do(t, s, "PutItem", fmt.Sprintf(`{"TableName":"SocketRoster","Item":{"PK":{"S":"%s"},"SK":{"S":"%s"},"TTL":{"N":"%v"}}}`, key, key, ttl)); got != "{}" {
		t.Fatal(got)
	}
}

func TestExpiredItemsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		feed := telemetry.NewFeed()
		s := open(t, Config{Feed: feed})
		table := roster
		table.TTLAttribute = "TTL"
		if err := s.EnsureTable(table); err != nil {
			t.Fatal(err)
		}
		now := time.Now().Unix()
		putExpiring(t, s, "a", now+10)
		putExpiring(t, s, "never", fmt.Sprint(now-10*365*86400))
		for i := range 250 {
			putExpiring(t, s, fmt.Sprint(i), float64(now+10)+0.5)
		}
		putExpiring(t, s, "later", now+10)
		putExpiring(t, s, "later", now+1000)
		if n := expiryEntries(t, s); n != 253 {
			t.Errorf("%d expiry times for 253 items", n)
		}
		time.Sleep(10 * time.Second)
		steps(t, s, step{"GetItem", getA, `{"Item":{"SK":{"S":"a"}}}`})
		time.Sleep(2500 * time.Millisecond)
		steps(t, s,
			step{"GetItem", getA, `{}`},
			step{"Scan", `{"TableName":"SocketRoster","Select":"COUNT"}`, `{"Count":2,"ScannedCount":2}`},
		)
		if recent := feed.Recent(1); len(recent) != 1 || recent[0].Kind != Expired || recent[0].Source != "SocketRoster" || recent[0].Text != "251 expired items deleted" {
			t.Errorf("the feed has %v", recent)
		}
		time.Sleep(1000 * time.Second)
		steps(t, s, step{"Scan", `{"TableName":"SocketRoster","ProjectionExpression":"SK"}`, `{"Items":[{"SK":{"S":"never"}}],"Count":1,"ScannedCount":1}`})
	})
}

// expiryEntries counts the expiry times of the roster.
func expiryEntries(t *testing.T, s *Service) (n int) {
	t.Helper()
	table := s.lookup(tableID{"000000000000", "us-east-1", "SocketRoster"})
	err := s.store.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(table.bucket).Bucket(expiryBucket).ForEach(func(_, _ []byte) error { n++; return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestTimeToLiveOnAndOff: items that were there before are found too.
func TestTimeToLiveOnAndOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := with(t, roster)
		putExpiring(t, s, "a", time.Now().Unix()+5)
		set := func(name string, on bool) string {
			return fmt.Sprintf(`{"TableName":"SocketRoster","TimeToLiveSpecification":{"AttributeName":"%s","Enabled":%v}}`, name, on)
		}
		const describe = `{"TableName":"SocketRoster"}`
		steps(t, s,
			step{"DescribeTimeToLive", describe, `{"TimeToLiveDescription":{"TimeToLiveStatus":"DISABLED"}}`},
			step{"UpdateTimeToLive", set("TTL", false), validation + "TimeToLive is already disabled"},
			step{"UpdateTimeToLive", set("other", true), `{"TimeToLiveSpecification":{"AttributeName":"other","Enabled":true}}`},
			step{"UpdateTimeToLive", set("TTL", true), validation + "TimeToLive is active on a different AttributeName: current AttributeName is other"},
			step{"UpdateTimeToLive", set("other", false), `{"TimeToLiveSpecification":{"AttributeName":"other","Enabled":false}}`},
		)
		time.Sleep(20 * time.Second)
		steps(t, s,
			step{"GetItem", getA, `{"Item":{"SK":{"S":"a"}}}`},
			step{"UpdateTimeToLive", set("TTL", true), `{"TimeToLiveSpecification":{"AttributeName":"TTL","Enabled":true}}`},
			step{"UpdateTimeToLive", set("TTL", true), validation + "TimeToLive is already enabled"},
			step{"DescribeTimeToLive", describe, `{"TimeToLiveDescription":{"TimeToLiveStatus":"ENABLED","AttributeName":"TTL"}}`},
		)
		time.Sleep(3 * time.Second)
		steps(t, s,
			step{"GetItem", getA, `{}`},
			step{"UpdateTimeToLive", `{"TableName":"nowhere","TimeToLiveSpecification":{"AttributeName":"x","Enabled":true}}`, "ResourceNotFoundException: Requested resource not found: Table: nowhere not found"},
			step{"UpdateTimeToLive", `{"TableName":"SocketRoster"}`, validation + "3 validation errors detected: Value null at 'timeToLiveSpecification' failed to satisfy constraint: Member must not be null; Value null at 'timeToLiveSpecification.attributeName' failed to satisfy constraint: Member must not be null; Value null at 'timeToLiveSpecification.enabled' failed to satisfy constraint: Member must not be null"},
		)
	})
}
