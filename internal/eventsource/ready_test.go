package eventsource

import (
	"fmt"
	"testing"
)

func TestWhichShardsAreBegun(t *testing.T) {
	reading, through := &shardState{ended: make(chan struct{})}, &shardState{ended: make(chan struct{})}
	close(through.ended)
	for _, tt := range []struct {
		name  string
		list  []Shard
		known map[string]*shardState
		want  string
	}{
		{"a new one", []Shard{{ID: "a"}}, nil, "[a]"},
		{"none twice", []Shard{{ID: "a"}}, map[string]*shardState{"a": reading}, "[]"},
		{"no child while its parent is read", []Shard{{ID: "a"}, {ID: "b", Parents: []string{"a"}}}, map[string]*shardState{"a": reading}, "[]"},
		{"no child before its parent", []Shard{{ID: "a"}, {ID: "b", Parents: []string{"a"}}}, nil, "[a]"},
		{"a child whose parent is through", []Shard{{ID: "a"}, {ID: "b", Parents: []string{"a"}}}, map[string]*shardState{"a": through}, "[b]"},
		{"a child whose parent is gone", []Shard{{ID: "b", Parents: []string{"a"}}}, nil, "[b]"},
		{"no child while one of two parents is read", []Shard{{ID: "a"}, {ID: "b"}, {ID: "c", Parents: []string{"a", "b"}}}, map[string]*shardState{"a": through, "b": reading}, "[]"},
		{"one that was through and takes records again", []Shard{{ID: "a", Open: true}}, map[string]*shardState{"a": through}, "[a]"},
		{"none that is open and read", []Shard{{ID: "a", Open: true}}, map[string]*shardState{"a": reading}, "[]"},
	} {
		known := make(map[string]*shardState)
		for id, state := range tt.known {
			known[id] = state
		}
		got := []string{}
		for _, shard := range ready(tt.list, known) {
			got = append(got, shard.ID)
		}
		if fmt.Sprint(got) != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, got, tt.want)
		}
	}
}
