package publish

import (
	"slices"
	"sync"

	"github.com/gatepost-dev/gatepost/push"
	"github.com/gatepost-dev/gatepost/push/function"
)

// maxMessages bounds unfinished; function.MaxIDs bounds the connections of
// each message.
const maxMessages = 100

// unfinished remembers, while the sandbox lives, who missed a message, so that
// its next attempt is not posted to those who have it. It forgets the oldest
// first. The zero value is empty.
type unfinished struct {
	mu     sync.Mutex
	missed map[string]string // ids with commas between them
	oldest []string          // the keys of missed, in order of arrival
}

// put remembers what is left of a message. It does not when that is not known
// exactly or is very much: then everyone gets it again.
func (u *unfinished) put(messageID string, r *push.Report) {
	ids := r.Undelivered()
	if r.Unread || len(ids) == 0 || len(ids) > function.MaxIDs {
		return
	}
	slices.Sort(ids)
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.missed == nil {
		u.missed = make(map[string]string)
	}
	u.forgetLocked(messageID)
	if len(u.oldest) == maxMessages {
		u.forgetLocked(u.oldest[0])
	}
	u.missed[messageID] = joinIDs(ids)
	u.oldest = append(u.oldest, messageID)
}

// take returns and forgets who missed a message.
func (u *unfinished) take(messageID string) (missed string, known bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	missed, known = u.missed[messageID]
	u.forgetLocked(messageID)
	return missed, known
}

func (u *unfinished) forgetLocked(messageID string) {
	if i := slices.Index(u.oldest, messageID); i >= 0 {
		u.oldest = slices.Delete(u.oldest, i, i+1)
		delete(u.missed, messageID)
	}
}
