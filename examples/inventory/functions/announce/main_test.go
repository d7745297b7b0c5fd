package main

import (
	"fmt"
	"testing"

	"github.com/aws/aws-lambda-go/events"
)

func row(sku string, left, version int) events.DynamoDBEventRecord {
	number := func(n int) events.DynamoDBAttributeValue { return events.NewNumberAttribute(fmt.Sprint(n)) }
	return events.DynamoDBEventRecord{Change: events.DynamoDBStreamRecord{NewImage: map[string]events.DynamoDBAttributeValue{
		"SKU": events.NewStringAttribute(sku), "Name": events.NewStringAttribute("a " + sku),
		"Cents": number(100), "Left": number(left), "Version": number(version),
	}}}
}

func TestAnnouncements(t *testing.T) {
	messages, err := announcements([]events.DynamoDBEventRecord{
		row("mug", 5, 7), row("lamp", 2, 1), {EventName: "REMOVE"}, row("mug", 4, 8), row("mug", 5, 7),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"items":[{"sku":"mug","name":"a mug","cents":100,"left":4,"version":8}],"type":"stock"}`,
		`{"items":[{"sku":"lamp","name":"a lamp","cents":100,"left":2,"version":1}],"type":"stock"}`,
	}
	if fmt.Sprintf("%s", messages) != fmt.Sprintf("%s", want) {
		t.Errorf("got  %s\nwant %s", messages, want)
	}
}

func TestARowThatIsNoItemIsTold(t *testing.T) {
	for _, name := range []string{"SKU", "Name", "Cents", "Left", "Version"} {
		r := row("mug", 1, 1)
		delete(r.Change.NewImage, name)
		if _, err := announcements([]events.DynamoDBEventRecord{r}); err == nil {
			t.Errorf("a row without %s is an item", name)
		}
	}
}
