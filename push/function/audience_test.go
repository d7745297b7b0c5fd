package function

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-dev/gatepost/push"
)

// rows is a roster of ann (c1, c2; c1 in blue), bob (c3, in blue and green), and
// somebody without a name (c4), who connected two hours ago.
func rows(t *testing.T) *push.Memory {
	t.Helper()
	m := push.NewMemory(push.MemoryOptions{TTL: 24 * time.Hour})
	now := time.Now()
	for _, c := range []push.Connection{
		{ID: "c1", User: "ann", Groups: []string{"blue"}, ConnectedAt: now.Add(-time.Minute)},
		{ID: "c2", User: "ann", ConnectedAt: now.Add(-time.Minute)},
		{ID: "c3", User: "bob", Groups: []string{"blue", "green"}, ConnectedAt: now.Add(-time.Minute)},
		{ID: "c4", ConnectedAt: now.Add(-2 * time.Hour)},
	} {
		if err := m.Add(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func TestAudience(t *testing.T) {
	for _, tt := range []struct {
		name string
		a    Audience
		want string // ids, or the error
	}{
		{"nothing said is everyone", Audience{}, "c1 c2 c3 c4"},
		{"everyone", Audience{Target: " everyone "}, "c1 c2 c3 c4"},
		{"a user", Audience{Target: "user:ann"}, "c1 c2"},
		{"a user with a colon", Audience{Target: "user:a:b"}, ""},
		{"a group", Audience{Target: "group:blue"}, "c1 c3"},
		{"a connection", Audience{Target: "connection:c2"}, "c2"},
		{"connections, each once", Audience{Target: "connection:c2, c1,c2"}, "c1 c2"},
		{"recent", Audience{Target: "recent:20m"}, "c1 c2 c3"},
		{"all but some", Audience{Except: "c1,c4"}, "c2 c3"},
		{"a group but one", Audience{Target: "group:blue", Except: "c3"}, "c1"},
		{"those who missed it", Audience{Missed: "c2,gone"}, "c2"},
		{"those who missed it and are still in the group", Audience{Target: "group:green", Missed: "c1,c3"}, "c3"},
		{"those who missed it have been there for longer by now", Audience{Target: "recent:1s", Missed: "c1"}, "c1"},
		{"connections who missed it", Audience{Target: "connection:c1,c2,gone", Missed: "c2,c3,gone"}, "c2"},
		{"too many connections", Audience{Target: "connection:" + many(MaxIDs+1)}, "names more than 1000"},
		{"an unknown kind", Audience{Target: "room:1"}, `the Target is "room:1"; it must be everyone, user:NAME`},
		{"everyone with a name", Audience{Target: "everyone:x"}, "it must be everyone"},
		{"no user", Audience{Target: "user:"}, "the name is empty"},
		{"a long group", Audience{Target: "group:" + strings.Repeat("g", MaxName+1)}, "the name has 257 bytes; it may have 256"},
		{"a comma", Audience{Target: "group:a,b"}, "a comma"},
		{"no connection", Audience{Target: "connection: ,"}, "it must be everyone"},
		{"no duration", Audience{Target: "recent:"}, "recent: needs a duration"},
		{"a negative duration", Audience{Target: "recent:-1s"}, "recent: needs a duration"},
		{"too many", Audience{Except: strings.Repeat("x,", 5) + many(MaxIDs+1)}, "Except names more than 1000 connections"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			target, err := tt.a.Receivers()
			if err != nil {
				if tt.want == "" || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%v, want %q", err, tt.want)
				}
				return
			}
			var ids []string
			for c, err := range target(t.Context(), rows(t)) {
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, c.ID)
			}
			slices.Sort(ids)
			if got := strings.Join(ids, " "); got != tt.want {
				t.Errorf("for %q, want %q", got, tt.want)
			}
		})
	}
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat("i", i%50+1))
		b.WriteByte(byte('0' + i%10))
		b.WriteString(strings.Repeat("z", i/50))
		b.WriteByte(',')
	}
	return b.String()
}

// An error of the roster is not taken for somebody who did not miss anything.
func TestAmongKeepsErrors(t *testing.T) {
	broken := func(context.Context, push.Roster) iter.Seq2[push.Connection, error] {
		return func(yield func(push.Connection, error) bool) { yield(push.Connection{}, errors.New("throttled")) }
	}
	for _, err := range among(broken, []string{"c1"})(t.Context(), nil) {
		if err != nil {
			return
		}
	}
	t.Error("the error is lost")
}

func FuzzAudience(f *testing.F) {
	f.Add("user:ann", "a,b", "")
	f.Add("recent:1h", "", "x")
	f.Fuzz(func(t *testing.T, target, except, missed string) {
		receivers, err := Audience{target, except, missed}.Receivers()
		if (receivers == nil) == (err == nil) {
			t.Errorf("%v and %v", receivers == nil, err)
		}
		if err != nil && len(err.Error()) > 1000 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	})
}

func TestFrameID(t *testing.T) {
	for raw, want := range map[string]string{
		`"a"`: `"a"`, `7`: `7`, `1.50`: `1.50`, `null`: ``, `{}`: ``, `[1]`: ``, `true`: ``, ``: ``, `"` + strings.Repeat("x", 200) + `"`: ``,
	} {
		if got := string(FrameID([]byte(raw))); got != want {
			t.Errorf("%s becomes %s, want %s", raw, got, want)
		}
	}
}

func TestGranted(t *testing.T) {
	var event Socket
	if got := User(&event); got != "" {
		t.Errorf("without an authorizer the user is %q", got)
	}
	event.RequestContext.Authorizer = map[string]any{"principalId": "p", "level": float64(3), "ok": true, "list": []any{}}
	for key, want := range map[string]string{"principalId": "p", "level": "3", "ok": "true", "list": "", "none": ""} {
		if got := Granted(&event, key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if got := User(&event); got != "p" {
		t.Errorf("the user is %q, want p", got)
	}
}

func TestNewGroupsRefusesPatterns(t *testing.T) {
	env := NewEnvironment(func(string) (string, bool) { return "room-[", true })
	NewGroups(env)
	if problems := env.Problems(); len(problems) != 1 || !strings.Contains(problems[0], "it must hold patterns") {
		t.Errorf("problems %q", problems)
	}
}
