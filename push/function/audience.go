package function

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-dev/gatepost/push"
)

// Names of message attributes, and of their counterparts in HTTP requests, that
// say whom a message is for.
const (
	// TargetAttribute holds everyone, user:NAME, group:NAME,
	// connection:ID,ID,... or recent:DURATION; without it a message is for
	// everyone.
	TargetAttribute = "Target"
	// ExceptAttribute holds the ids of connections that do not get the message,
	// with commas between them.
	ExceptAttribute = "Except"
	// MissedAttribute holds the ids of the connections of the target that have
	// not got the message yet, with commas between them: nobody else gets it.
	// The publish functions set it on dead letters, so that one that is sent
	// again reaches just those who missed it.
	MissedAttribute = "Missed"
)

// Bounds of an Audience.
const (
	// MaxName is the longest name of a user or a group, in bytes.
	MaxName = 256
	// MaxIDs is how many connection ids one attribute may name.
	MaxIDs = 1000
	// MaxRecent is the longest time that recent: may reach back. No connection
	// is older than two hours on AWS.
	MaxRecent = 24 * time.Hour
)

// Audience is whom a message is for, as the three attributes say it. Two equal
// ones have the same receivers.
type Audience struct{ Target, Except, Missed string }

// Receivers returns the connections that the audience names, or an error that
// says what is wrong with its words.
func (a Audience) Receivers() (push.Target, error) {
	missed, err := ids(MissedAttribute, a.Missed)
	if err != nil {
		return nil, err
	}
	target, err := a.target(missed)
	if err != nil {
		return nil, err
	}
	except, err := ids(ExceptAttribute, a.Except)
	if err != nil {
		return nil, err
	}
	if len(except) > 0 {
		target = push.Except(target, except...)
	}
	return target, nil
}

// target returns those whom the Target names, or of them those who missed the
// message, if that is known.
func (a Audience) target(missed []string) (push.Target, error) {
	kind, value, _ := strings.Cut(strings.TrimSpace(a.Target), ":")
	switch kind {
	case "", "everyone":
		if value == "" {
			return knownOr(missed, push.Everyone), nil
		}
	case "user":
		if err := CheckName(value); err != nil {
			return nil, fmt.Errorf("the %s %q: %w", TargetAttribute, clip(a.Target), err)
		}
		return amongOr(missed, push.ToUser(value)), nil
	case "group":
		if err := CheckName(value); err != nil {
			return nil, fmt.Errorf("the %s %q: %w", TargetAttribute, clip(a.Target), err)
		}
		return amongOr(missed, push.ToGroup(value)), nil
	case "connection":
		list, err := ids(TargetAttribute, value)
		if err == nil && len(list) > 0 {
			return onlyOr(missed, list), nil
		}
		if err != nil {
			return nil, err
		}
	case "recent":
		return a.recent(value, missed)
	}
	return nil, fmt.Errorf("the %s is %q; it must be everyone, user:NAME, group:NAME, connection:ID,ID,... or recent:DURATION", TargetAttribute, clip(a.Target))
}

func (a Audience) recent(value string, missed []string) (push.Target, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 || d > MaxRecent {
		return nil, fmt.Errorf(`the %s is %q; recent: needs a duration up to %v, such as recent:20m`, TargetAttribute, clip(a.Target), MaxRecent)
	}
	return knownOr(missed, push.RecentWithin(d)), nil
}

// knownOr is the target of those who missed a message and are still in the
// roster, also if they have been connected for longer by now; or of all, when
// it is the first attempt.
func knownOr(missed []string, all push.Target) push.Target {
	if len(missed) == 0 {
		return all
	}
	return push.Known(missed...)
}

// amongOr is the target of those of all who missed a message; or of all, when
// it is the first attempt.
func amongOr(missed []string, all push.Target) push.Target {
	if len(missed) == 0 {
		return all
	}
	return among(all, missed)
}

// onlyOr is the target of named connections; of those of them who missed a
// message and are still in the roster, when it is not the first attempt.
func onlyOr(missed, named []string) push.Target {
	if len(missed) == 0 {
		return push.Only(named...)
	}
	return push.Known(slices.DeleteFunc(slices.Clone(missed), func(id string) bool { return !slices.Contains(named, id) })...)
}

// among leaves of a target the connections with these ids. Those who have left
// it in the meantime, a group or the roster, are not among them.
func among(target push.Target, ids []string) push.Target {
	in := make(map[string]bool, len(ids))
	for _, id := range ids {
		in[id] = true
	}
	return func(ctx context.Context, r push.Roster) iter.Seq2[push.Connection, error] {
		return func(yield func(push.Connection, error) bool) {
			for c, err := range target(ctx, r) {
				if (err != nil || in[c.ID]) && !yield(c, err) {
					return
				}
			}
		}
	}
}

// ids reads a list of connection ids, each once.
func ids(attribute, text string) ([]string, error) {
	var list []string
	seen := map[string]bool{}
	for id := range strings.SplitSeq(text, ",") {
		if id = strings.TrimSpace(id); id == "" || seen[id] {
			continue
		}
		if len(list) == MaxIDs {
			return nil, fmt.Errorf("%s names more than %d connections", attribute, MaxIDs)
		}
		seen[id] = true
		list = append(list, id)
	}
	return list, nil
}

// CheckName says what is wrong with the name of a user or a group: it has 1 to
// MaxName bytes, no comma, and no control character.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("the name is empty")
	case len(name) > MaxName:
		return fmt.Errorf("the name has %d bytes; it may have %d", len(name), MaxName)
	case strings.ContainsFunc(name, func(r rune) bool { return r == ',' || r < ' ' || r == 0x7f || r == '�' }):
		return fmt.Errorf("the name has a comma or a character that cannot be printed")
	}
	return nil
}

// clip shortens what is quoted in errors and logs.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
