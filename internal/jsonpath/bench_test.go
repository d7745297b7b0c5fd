package jsonpath

import (
	"encoding/json"
	"strings"
	"testing"
)

// message is a chat message of an ordinary size, its action in front.
const message = `{"action":"sendmessage","room":"general","data":{"text":"Hello, everybody: how are you today?","mentions":["ann","bob"],"at":1705751700453}}`

var documents = []struct{ name, doc string }{
	{"140B", message},
	{"4KB", `{"data":"` + strings.Repeat("abcdefgh", 512) + `","action":"sendmessage"}`},
}

// BenchmarkSelectBytes is the selection of a message's route.
func BenchmarkSelectBytes(b *testing.B) {
	p, err := Compile("$.action")
	if err != nil {
		b.Fatal(err)
	}
	for _, d := range documents {
		data := []byte(d.doc)
		b.Run(d.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if v, ok, err := p.SelectBytes(data); !ok || err != nil || v.Str() != "sendmessage" {
					b.Fatal(v, ok, err)
				}
			}
		})
	}
}

// BenchmarkMap is the same by way of encoding/json and a map of raw members.
func BenchmarkMap(b *testing.B) {
	for _, d := range documents {
		data := []byte(d.doc)
		b.Run(d.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var object map[string]json.RawMessage
				var action string
				if !json.Valid(data) || json.Unmarshal(data, &object) != nil || json.Unmarshal(object["action"], &action) != nil || action != "sendmessage" {
					b.Fatal(action)
				}
			}
		})
	}
}

// BenchmarkParse builds the tree.
func BenchmarkParse(b *testing.B) {
	for _, d := range documents {
		data := []byte(d.doc)
		b.Run(d.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
