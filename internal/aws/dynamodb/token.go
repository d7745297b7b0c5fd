package dynamodb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gatepost-dev/gatepost/internal/awswire"
	"go.etcd.io/bbolt"
)

// A transaction's token is stored in the commit of its changes, so that a call
// that is repeated after a crash finds it. The bucket tokens has for each token
// the time and a hash of its request; tokenTimes has the tokens by their time.
var (
	tokensBucket     = []byte("tokens")
	tokenTimesBucket = []byte("tokenTimes")
)

// tokenLife is how long a token is remembered.
const tokenLife = 10 * time.Minute

// token is the ClientRequestToken of a call; nil for a call without one.
type token struct {
	key  []byte
	hash [sha256.Size]byte
	now  time.Time
}

func (s *Service) token(call *awswire.Call, text *string) *token {
	if text == nil {
		return nil
	}
	return &token{key: s.tableID(call, *text).key(), hash: requestHash(call.Body), now: time.Now()}
}

// requestHash is the same for requests that are to do the same, whatever the
// order of their members.
func requestHash(body []byte) [sha256.Size]byte {
	var request struct{ TransactItems any }
	json.Unmarshal(body, &request) // has been read before
	text, _ := json.Marshal(request)
	return sha256.Sum256(text)
}

// repeats reports whether the call was made before. It is an error when
// another call was made with the token.
func (k *token) repeats(tx *writeTx) (bool, error) {
	if k == nil {
		return false, nil
	}
	tokens := tx.Bucket(tokensBucket)
	if tokens == nil {
		return false, nil
	}
	kept := tokens.Get(k.key)
	switch {
	case len(kept) != 8+sha256.Size || k.now.Sub(tokenTime(kept)) > tokenLife:
		return false, nil
	case !bytes.Equal(kept[8:], k.hash[:]):
		return false, awswire.Errorf("IdempotentParameterMismatchException", "DynamoDB rejected the request because you retried a request with a different payload but with an idempotent token that was already used.")
	}
	return true, nil
}

func tokenTime(kept []byte) time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(kept)))
}

// keep remembers the call.
func (k *token) keep(tx *writeTx) error {
	if k == nil {
		return nil
	}
	tx.wrote = true
	tokens, err := tx.CreateBucketIfNotExists(tokensBucket)
	if err != nil {
		return fmt.Errorf("open tokens: %w", err)
	}
	times, err := tx.CreateBucketIfNotExists(tokenTimesBucket)
	if err != nil {
		return fmt.Errorf("open tokens: %w", err)
	}
	at := binary.BigEndian.AppendUint64(nil, uint64(k.now.UnixMilli()))
	if err := tokens.Put(k.key, append(bytes.Clone(at), k.hash[:]...)); err != nil {
		return fmt.Errorf("keep a token: %w", err)
	}
	return times.Put(append(at, k.key...), nil)
}

// forgetTokens removes the tokens that are too old.
func (s *Service) forgetTokens(ctx context.Context, now time.Time) {
	for {
		old, err := s.oldTokens(now)
		if err == nil && len(old) > 0 {
			err = s.store.update(ctx, &write{run: func(tx *writeTx) error { return forget(tx, old) }})
		}
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.Error("cannot forget the tokens of old transactions", "error", err)
		}
		if err != nil || len(old) < trimBatch {
			return
		}
	}
}

// oldTokens returns the entries of the next tokens to forget.
func (s *Service) oldTokens(now time.Time) (old [][]byte, err error) {
	horizon := binary.BigEndian.AppendUint64(nil, uint64(now.Add(-tokenLife).UnixMilli()))
	err = s.store.view(func(tx *bbolt.Tx) error {
		times := tx.Bucket(tokenTimesBucket)
		if times == nil {
			return nil
		}
		c := times.Cursor()
		for entry, _ := c.First(); entry != nil && len(old) < trimBatch && bytes.Compare(entry[:8], horizon) < 0; entry, _ = c.Next() {
			old = append(old, bytes.Clone(entry))
		}
		return nil
	})
	return old, err
}

// forget removes tokens, unless they have been used again since.
func forget(tx *writeTx, entries [][]byte) error {
	tokens, times := tx.Bucket(tokensBucket), tx.Bucket(tokenTimesBucket)
	if tokens == nil || times == nil {
		return nil
	}
	tx.wrote = true
	for _, entry := range entries {
		if kept := tokens.Get(entry[8:]); kept != nil && bytes.Equal(kept[:8], entry[:8]) {
			if err := tokens.Delete(entry[8:]); err != nil {
				return fmt.Errorf("forget a token: %w", err)
			}
		}
		if err := times.Delete(entry); err != nil {
			return fmt.Errorf("forget a token: %w", err)
		}
	}
	return nil
}
