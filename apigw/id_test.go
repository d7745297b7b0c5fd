package apigw

import (
	"errors"
	"regexp"
	"testing"

	"github.com/gatepost-dev/gatepost/internal/conformance"
)

func TestConnectionIDForm(t *testing.T) {
	conformance.Covers(t, "event.id-form", "event.id-unique")
	ids := NewIDs()
	form := regexp.MustCompile(`^[A-Za-z0-9_-]{15}=$`)
	seen := make(map[ConnectionID]bool)
	for range 10000 {
		id := ids.Connection()
		if !form.MatchString(id.String()) {
			t.Fatalf("%q is not 15 characters and =", id)
		}
		if id.Node() != ids.Node() {
			t.Fatalf("%s names node %d, want %d", id, id.Node(), ids.Node())
		}
		if id[8] != 0x02 {
			t.Fatalf("byte 8 of %s is %#x, want 0x02", id, id[8])
		}
		if seen[id] {
			t.Fatalf("%s was given out twice", id)
		}
		seen[id] = true
		back, err := ParseConnectionID(id.String())
		if err != nil || back != id {
			t.Fatalf("ParseConnectionID(%s) = %v, %v", id, back, err)
		}
	}
}

func TestParseConnectionIDErrors(t *testing.T) {
	for _, s := range []string{"", "test-connection-123", "JC1dgf9yoAMCK-g", "JC1dgf9yoAMCK-g==", "JC1dgf9yoAMCK-gg", "JC1dgf9y AMCK-g=", "JC1dgf9yoAMCK-h=", "JC1dgf9yoAMCK+g="} {
		if _, err := ParseConnectionID(s); !errors.Is(err, ErrInvalidConnectionID) {
			t.Errorf("ParseConnectionID(%q) = %v, want ErrInvalidConnectionID", s, err)
		}
	}
	if _, err := ParseConnectionID("JC1dgf9yoAMCK-g="); err != nil {
		t.Errorf("an id of AWS: %v", err)
	}
}

func TestIDsDoNotBeginLikeAFlag(t *testing.T) {
	ids := NewIDs()
	for range 2000 {
		if id := ids.Request(); id[0] == '-' {
			t.Fatalf("the id %s begins with a hyphen", id)
		}
	}
}

func FuzzParseConnectionID(f *testing.F) {
	f.Add("JC1dgf9yoAMCK-g=")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := ParseConnectionID(s); err == nil && id.String() != s {
			t.Errorf("%q was read and prints as %q", s, id)
		}
	})
}
