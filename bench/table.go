package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
)

// row is one line of the table. The figures of a variant are one per round, in
// the order of the rounds; a variant may be empty.
type row struct {
	metric   string
	unit     string
	floor    []float64
	gatepost []float64
	peer     []float64
	peerName string
	// goal bounds Gatepost's ratio to the floor, or its figure when absolute.
	goal     float64
	absolute bool
	// setAt is the floor's figure on the machine for which an absolute goal was
	// set, if that is known. On a slower machine the same ratio to its floor
	// meets the goal too, and the table says that it was the ratio.
	setAt float64
	// atLeast turns the goal around: more is better.
	atLeast bool
}

func (r row) met() string {
	if r.goal == 0 {
		return "-"
	}
	toFloor := ratio(r.gatepost, r.floor)
	measured := toFloor
	if r.absolute {
		measured = median(r.gatepost)
	}
	switch {
	case math.IsNaN(measured):
		return "-"
	case r.reaches(measured, r.goal):
		return "yes"
	case r.setAt > 0 && r.reaches(toFloor, r.goal/r.setAt):
		return "by ratio"
	}
	return "NO"
}

// reaches compares a figure with a goal; one that is not a number reaches none.
func (r row) reaches(x, goal float64) bool { return r.atLeast && x >= goal || !r.atLeast && x <= goal }

func (r row) goalText() string {
	if r.goal == 0 {
		return "-"
	}
	sign, unit := "<=", "x"
	if r.atLeast {
		sign = ">="
	}
	if r.absolute {
		unit = " " + r.unit
	}
	text := fmt.Sprintf("%s %.4g%s", sign, r.goal, unit)
	if r.setAt > 0 {
		text += fmt.Sprintf(" (%.2fx)", r.goal/r.setAt)
	}
	return text
}

func (r row) ratioText(of []float64) string {
	if x := ratio(of, r.floor); !math.IsNaN(x) {
		return fmt.Sprintf("%.2fx", x)
	}
	return "-"
}

func (r row) figure(f []float64) string {
	if len(f) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3g (%.3g..%.3g) %s", median(f), slices.Min(f), slices.Max(f), r.unit)
}

func median(f []float64) float64 { return quantile(f, 0.5) }

// quantile returns the nearest rank.
func quantile(f []float64, q float64) float64 {
	if len(f) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(f))
	return s[min(int(q*float64(len(s))), len(s)-1)]
}

// ratio is the median of the rounds' ratios: what disturbs a whole round falls
// out.
func ratio(a, b []float64) float64 {
	ratios := make([]float64, 0, len(a))
	for i := range min(len(a), len(b)) {
		ratios = append(ratios, a[i]/b[i])
	}
	return median(ratios)
}

type table struct{ w io.Writer }

const tableFormat = "%-34s %-24s %-24s %-8s %-36s %-8s %-19s %s\n"

func newTable(w io.Writer) *table {
	fmt.Fprintf(w, tableFormat, "metric", "floor", "Gatepost", "ratio", "peer", "ratio", "goal", "met")
	return &table{w}
}

func (t *table) print(s section, rows []row) {
	fmt.Fprintf(t.w, "%s: %s\n", s.name, s.about)
	for _, r := range rows {
		peer := r.figure(r.peer)
		if r.peerName != "" {
			peer = r.peerName + " " + peer
		}
		fmt.Fprintf(t.w, tableFormat, "  "+r.metric, r.figure(r.floor), r.figure(r.gatepost), r.ratioText(r.gatepost),
			peer, r.ratioText(r.peer), r.goalText(), r.met())
	}
}

// printMachine says what the figures were measured on.
func printMachine(w io.Writer) {
	fmt.Fprintf(w, "%s %s/%s, %d cores, %s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), kernel())
	fmt.Fprintf(w, "Server processes: GOMAXPROCS=1, one core. Figures: median (min..max) of the rounds.\n\n")
}

func kernel() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "unknown kernel"
	}
	return "Linux " + strings.TrimSpace(string(b))
}
