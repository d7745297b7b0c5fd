//go:build race

package e2e

// patience is what the race detector and a busy machine cost.
const patience = 10

// With the race detector on, the binary under test has it too: it watches the
// wiring, which no package's own tests run.
func init() {
	underRace = true
	buildFlags = append(buildFlags, "-race")
	endWithin *= patience
	deliverWithin *= patience
}
