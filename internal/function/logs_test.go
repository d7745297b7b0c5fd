package function

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
)

func TestLines(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	tests := []struct {
		written []string
		want    []string
	}{
		{[]string{"a\nb\n"}, []string{"a", "b"}},
		{[]string{"a", "b\nc"}, []string{"ab", "c"}},
		{[]string{"a\r\n\n"}, []string{"a", ""}},
		{[]string{long + "\n"}, []string{long}},
		{[]string{long, "\nnext\n"}, []string{long, "next"}},
		{[]string{long + "yz\n"}, []string{long, "yz"}},
		{[]string{long + long + "\n\n"}, []string{long, long, ""}},
		{[]string{""}, nil},
	}
	for i, tt := range tests {
		var got []string
		l, w, err := newLogs(func(_ string, line []byte) { got = append(got, string(line)) })
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range tt.written {
			if _, err := io.WriteString(w, text); err != nil {
				t.Fatal(err)
			}
		}
		w.Close()
		l.close()
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("test %d: %d lines, want %d: %.100q", i, len(got), len(tt.want), got)
		}
	}
}

// What was written before an invocation ends carries its id, whoever reads it.
func TestDrain(t *testing.T) {
	var got []string
	l, w, err := newLogs(func(id string, line []byte) { got = append(got, id+" "+string(line)) })
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 2000 {
		id := fmt.Sprint(i)
		l.begin(id)
		fmt.Fprintf(w, "one\ntwo of %d", i)
		l.drain()
		want = append(want, id+" one", fmt.Sprintf("%s two of %d", id, i))
	}
	w.Close()
	l.close()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%d lines, want %d", len(got), len(want))
	}
	l.drain() // after the end it does nothing
}

// A process that got away with the pipe does not hold up the end.
func TestLogsCloseWhileOpen(t *testing.T) {
	l, w, err := newLogs(func(string, []byte) {})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	l.close()
}
