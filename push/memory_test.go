package push_test

import (
	"testing"

	"github.com/gatepost-dev/gatepost/push"
	"github.com/gatepost-dev/gatepost/push/rostertest"
)

func TestMemory(t *testing.T) {
	rostertest.Run(t, func(*testing.T) push.Roster { return push.NewMemory(push.MemoryOptions{}) })
}
