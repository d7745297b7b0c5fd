package publish

import (
	"slices"
	"sync"

	"github.com/gatepost-dev/gatepost/push"
)

// The bounds of unfinished: so many messages, with so many connections each.
const (
	maxMessages = 100
	maxMissed   = 1000
)

// unfinished remembers, while the sandbox lives, who missed a message, so that
// its next attempt is not posted to those who have it. It forgets the oldest
// first. The zero value is empty.
type unfinished struct {
	mu     sync.Mutex
	missed map[string][]string
	oldest []string // the keys of missed, in order of arrival
}

// put remembers what is left of a message. It does not when that is not known
// exactly or is very much: then everyone gets it again.
func (u *unfinished) put(messageID string, r *push.Report) {
	ids := r.Undelivered()
	if r.Unread || len(ids) == 0 || len(ids) > maxMissed {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.missed == nil {
		u.missed = make(map[string][]string)
	}
	u.forgetLocked(messageID)
	if len(u.oldest) == maxMessages {
		u.forgetLocked(u.oldest[0])
	}
	u.missed[messageID] = ids
	u.oldest = append(u.oldest, messageID)
}

// take returns and forgets who missed a message.
func (u *unfinished) take(messageID string) (ids []string, known bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	ids, known = u.missed[messageID]
	u.forgetLocked(messageID)
	return ids, known
}

func (u *unfinished) forgetLocked(messageID string) {
	if i := slices.Index(u.oldest, messageID); i >= 0 {
		u.oldest = slices.Delete(u.oldest, i, i+1)
		delete(u.missed, messageID)
	}
}
