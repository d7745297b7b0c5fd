package push

import (
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func TestItem(t *testing.T) {
	c, err := Connection{
		ID: "R1kmxc2VNjMCFIA=", User: "u", ConnectedAt: time.UnixMilli(1705751697419),
		Groups: []string{"b", "a"}, Attributes: map[string]string{"k": "v"},
	}.Complete(time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	item := itemOf(c, 4)
	want := map[string]types.AttributeValue{
		"PK":              text("CONN#R1kmxc2VNjMCFIA="),
		"SK":              text("CONN#R1kmxc2VNjMCFIA="),
		"ConnectionId":    text("R1kmxc2VNjMCFIA="),
		"EstablishedTime": text("2024-01-20T11:54:57.419Z"),
		"ExpiresAt":       number(1705755298), // one hour later, rounded up
		"RecencyShard":    number(2),          // must never change: see shardOf
		"UserId":          text("u"),
		"Groups":          texts([]string{"a", "b"}),
		"Attributes":      &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"k": text("v")}},
	}
	if !reflect.DeepEqual(item, want) {
		t.Errorf("the row is %#v, want %#v", item, want)
	}
	if back := connectionOf(item); !reflect.DeepEqual(back, c) {
		t.Errorf("read back as %+v, want %+v", back, c)
	}
}

// A membership is in neither index: it has no RecencyShard and no UserId.
func TestMembershipItem(t *testing.T) {
	c, err := Connection{
		ID: "R1kmxc2VNjMCFIA=", User: "u", ConnectedAt: time.UnixMilli(1705751697419),
		Attributes: map[string]string{"k": "v"},
	}.Complete(time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	item := membershipOf(c, "news")
	want := map[string]types.AttributeValue{
		"PK":              text("GROUP#news"),
		"SK":              text("CONN#R1kmxc2VNjMCFIA="),
		"EstablishedTime": text("2024-01-20T11:54:57.419Z"),
		"ExpiresAt":       number(1705755298),
		"Member":          text("u"),
		"Attributes":      &types.AttributeValueMemberM{Value: map[string]types.AttributeValue{"k": text("v")}},
	}
	if !reflect.DeepEqual(item, want) {
		t.Errorf("the membership is %#v, want %#v", item, want)
	}
	if back := connectionOf(item); !reflect.DeepEqual(back, c) {
		t.Errorf("read back as %+v, want %+v", back, c)
	}
}

// Rows that others wrote are read as far as they go: post 1's, which has only
// the keys and a time with nanoseconds and a zone, and broken ones.
func TestItemOfOthers(t *testing.T) {
	for name, tt := range map[string]struct {
		item map[string]types.AttributeValue
		want Connection
	}{
		"post 1": {
			map[string]types.AttributeValue{"PK": text("CONN#a="), "SK": text("CONN#a="), "ConnectionId": text("a="), "EstablishedTime": text("2023-06-01T12:00:00.123456789+02:00")},
			Connection{ID: "a=", ConnectedAt: time.Date(2023, 6, 1, 10, 0, 0, 123456789, time.UTC)},
		},
		"wrong types": {
			map[string]types.AttributeValue{"PK": text("CONN#a="), "SK": text("CONN#a="), "EstablishedTime": number(1), "ExpiresAt": text("soon"), "UserId": number(1), "Attributes": text("x")},
			Connection{ID: "a="},
		},
		"odd numbers": {
			map[string]types.AttributeValue{"PK": text("CONN#a="), "SK": text("CONN#a="), "EstablishedTime": text("yesterday"), "ExpiresAt": &types.AttributeValueMemberN{Value: "1e40"}},
			Connection{ID: "a="},
		},
	} {
		if got := connectionOf(tt.item); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: read as %+v, want %+v", name, got, tt.want)
		}
	}
}
