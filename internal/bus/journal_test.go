package bus

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

func openJournal(t testing.TB, b *Bus) *Journal {
	t.Helper()
	j, err := b.EnsureJournal(t.Context(), JournalConfig{Name: "log", Metadata: map[string]string{"a": "b"},
		Retention: time.Hour, MaxEntrySize: 1 << 20, Duplicates: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// write appends entries and returns their numbers.
func write(t testing.TB, j *Journal, entries ...Entry) (sequences []uint64) {
	t.Helper()
	for _, w := range j.Append(entries...).Wait() {
		if w.Err != nil {
			t.Fatal(w.Err)
		}
		sequences = append(sequences, w.Sequence)
	}
	return sequences
}

// scan returns what a journal holds, notes in brackets.
func scan(t testing.TB, j *Journal) (all []string) {
	t.Helper()
	err := j.Scan(t.Context(), func(r Recorded) error {
		text := fmt.Sprint(r.Sequence, " ", string(r.Data))
		if r.Note {
			text = "[" + text + "]"
		}
		if time.Since(r.At).Abs() > time.Hour {
			text += " " + r.At.String()
		}
		all = append(all, text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestJournalKeepsOrderOverARestart(t *testing.T) {
	dir := t.TempDir()
	b := open(t, Config{Dir: dir})
	j := openJournal(t, b)
	if got := scan(t, j); got != nil {
		t.Errorf("an empty journal has %v", got)
	}
	write(t, j, Entry{Data: []byte("a")}, Entry{Data: []byte("b"), ID: "x"}, Entry{Data: []byte("about a"), Note: true})
	if again := j.Append(Entry{Data: []byte("b again"), ID: "x"}).Wait(); !again[0].Duplicate || again[0].Sequence != 2 {
		t.Errorf("an id again: %+v", again)
	}
	write(t, j, Entry{Data: []byte("c")})
	if err := j.Delete(t.Context(), 1, 2, 1, 77); err != nil {
		t.Fatal(err)
	}
	got, err := j.Read(t.Context(), 4, 1, 3)
	if err != nil || string(got[0].Data) != "c" || got[1] != nil || !got[2].Note {
		t.Errorf("read %+v, %v", got, err)
	}
	b.Close()

	b = open(t, Config{Dir: dir})
	all, err := b.Journals(t.Context())
	if err != nil || len(all) != 1 || all[0].Config().Name != "log" || all[0].Config().Metadata["a"] != "b" {
		t.Fatalf("journals %+v, %v", all, err)
	}
	if got := scan(t, all[0]); !slices.Equal(got, []string{"[3 about a]", "4 c"}) {
		t.Errorf("after the restart: %v", got)
	}
	if queues, err := b.Queues(t.Context()); err != nil || len(queues) != 0 {
		t.Errorf("a journal is a queue: %v, %v", queues, err)
	}
	if err := all[0].Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if next := write(t, all[0], Entry{Data: []byte("d")}); next[0] != 5 {
		t.Errorf("after a purge numbers begin at %d", next[0])
	}
	for range 2 {
		if err := all[0].Drop(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestJournalScansInBatches: more than one batch in number and in bytes.
func TestJournalScansInBatches(t *testing.T) {
	j := openJournal(t, open(t, Config{}))
	var entries []Entry
	for range scanBatch + 10 {
		entries = append(entries, Entry{Data: []byte("small")})
	}
	large := bytes.Repeat([]byte("x"), 1<<20-100)
	for range 2*scanBytes/len(large) + 1 {
		entries = append(entries, Entry{Data: large})
	}
	write(t, j, entries...)
	if got := scan(t, j); len(got) != len(entries) {
		t.Errorf("%d entries of %d", len(got), len(entries))
	}
}

func TestJournalEntriesEndByThemselves(t *testing.T) {
	j := openJournal(t, open(t, Config{Dir: t.TempDir()}))
	write(t, j, Entry{Data: []byte("short"), Note: true, Keep: time.Second}, Entry{Data: []byte("long")})
	for deadline := time.Now().Add(20 * time.Second); len(scan(t, j)) != 1; {
		if time.Now().After(deadline) {
			t.Fatalf("the journal has %v", scan(t, j))
		}
	}
}

func TestJournalRefusesWhatIsTooLarge(t *testing.T) {
	j := openJournal(t, open(t, Config{}))
	w := j.Append(Entry{Data: make([]byte, 1<<20+1)}).Wait()
	if !errors.Is(w[0].Err, ErrTooLarge) {
		t.Errorf("%v", w[0].Err)
	}
}
