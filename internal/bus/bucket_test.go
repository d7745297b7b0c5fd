package bus

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"
)

func openBucket(t testing.TB, b *Bus, keep time.Duration) *Bucket {
	t.Helper()
	k, err := b.EnsureBucket(t.Context(), "records", keep)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func put(t testing.TB, k *Bucket, key, value string) {
	t.Helper()
	if err := k.Put(t.Context(), key, []byte(value)); err != nil {
		t.Fatal(err)
	}
}

func wantRecord(t testing.TB, k *Bucket, key, want string, wantOK bool) {
	t.Helper()
	value, ok, err := k.Get(t.Context(), key)
	if err != nil || ok != wantOK || string(value) != want {
		t.Fatalf("Get(%s) = %q, %v, %v; want %q, %v", key, value, ok, err, want, wantOK)
	}
}

func TestBucketKeepsRecordsOverARestart(t *testing.T) {
	dir := t.TempDir()
	b := open(t, Config{Dir: dir})
	k := openBucket(t, b, 0)
	wantRecord(t, k, "a", "", false)
	put(t, k, "a", "1")
	put(t, k, "b.c", "2")
	put(t, k, "a", "3")
	put(t, k, "gone", "4")
	if err := k.Delete(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	if err := k.Delete(t.Context(), "never"); err != nil {
		t.Errorf("Delete of what is not there: %v", err)
	}
	b.Close()

	k = openBucket(t, open(t, Config{Dir: dir}), 0)
	wantRecord(t, k, "a", "3", true)
	wantRecord(t, k, "gone", "", false)
	all, err := k.All(t.Context())
	if err != nil || len(all) != 2 || !bytes.Equal(all["b.c"], []byte("2")) {
		t.Errorf("All = %q, %v", all, err)
	}
}

func TestBucketForgetsInTime(t *testing.T) {
	k := openBucket(t, open(t, Config{}), 2*time.Second)
	put(t, k, "a", "1")
	wantRecord(t, k, "a", "1", true)
	deadline := time.After(20 * time.Second)
	for {
		_, ok, err := k.Get(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return
		}
		select {
		case <-deadline:
			t.Fatal("the record is still there after 20 s")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestBucketIsNoQueue(t *testing.T) {
	b := open(t, Config{})
	openBucket(t, b, 0)
	if queues, err := b.Queues(t.Context()); err != nil || len(queues) != 0 {
		t.Errorf("Queues = %v, %v", queues, err)
	}
	if _, err := b.EnsureBucket(t.Context(), "no/such", 0); err == nil {
		t.Error("a bucket with a bad name was made")
	}
}

func TestBucketOfAClosedBus(t *testing.T) {
	b := open(t, Config{})
	k := openBucket(t, b, 0)
	b.Close()
	if err := k.Put(context.Background(), "a", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Put: %v", err)
	}
	if _, _, err := k.Get(context.Background(), "a"); !errors.Is(err, ErrClosed) {
		t.Errorf("Get: %v", err)
	}
	if err := k.Delete(context.Background(), "a"); !errors.Is(err, ErrClosed) {
		t.Errorf("Delete: %v", err)
	}
	if _, err := k.All(context.Background()); err == nil {
		t.Error("All of a closed bus worked")
	}
}
