package conformance

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// defaultSeed is that of every ordinary run: what it finds, everybody finds.
const defaultSeed = 20240907

// linesEach is the length of one random sequence.
const linesEach = 60

// TestRandom plays random sequences of several clients, each line waiting for all
// replies to the one before. A difference is shrunk to the shortest sequence that
// still shows it, which can be put into testdata/dialogues as it is printed.
func TestRandom(t *testing.T) {
	p := servers(t)
	commands := 20_000
	if full() {
		commands = 200_000
	}
	seed := uint64(defaultSeed)
	if text := os.Getenv("TEST_CONFORMANCE_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("TEST_CONFORMANCE_SEED=%q: %v", text, err)
		}
		seed = n
	}
	for i, pr := range profiles {
		t.Run(pr.name, func(t *testing.T) {
			randomSequences(t, p, pr, seed+uint64(i), commands/len(profiles))
		})
	}
}

// most different ones that are shrunk for one profile; a shrinking may take so long.
const (
	mostShrunk   = 4
	shrinkAtMost = 10 * time.Second
)

func randomSequences(t *testing.T, p *pair, pr profile, seed uint64, commands int) {
	seen := map[string]bool{}
	done := 0
	for n := uint64(0); done < commands; n++ {
		lines, count := newGenerator(pr, seed, n).sequence(linesEach)
		done += count
		d := dialogue{where: fmt.Sprintf("seed %d, sequence %d", seed, n), name: pr.name, lines: lines}
		bad, err := play(p, 2, d, true)
		if err != nil {
			t.Fatalf("%s: %v\n%s", d.where, err, listingOf(lines))
		}
		if len(bad) == 0 {
			continue
		}
		key := fmt.Sprintf("%s %s %s", bad[0].name, signature(bad[0].direct), signature(bad[0].front))
		if seen[key] {
			continue
		}
		seen[key] = true
		d, bad = shrink(p, d, bad)
		t.Errorf("%s (%s) differs; shortest sequence:\n%s\n%s\n  command %s\n  direct  %s\n  steadis %s\n  (%s)", d.where, pr.name, listingOf(d.lines),
			bad[0].where, clip(strings.Join(bad[0].command, " ")), clip(bad[0].direct), clip(bad[0].front), bad[0].why)
		if len(seen) >= mostShrunk {
			t.Errorf("stopped after %d commands of %d", done, commands)
			return
		}
	}
	t.Logf("%d commands, seed %d", done, seed)
}

func listingOf(lines []listed) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString("    " + l.text + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

// shrink makes a sequence shorter as long as it still shows a difference: lines
// first, many at a time, then the commands of each line.
func shrink(p *pair, d dialogue, bad []found) (dialogue, []found) {
	limit := time.Now().Add(shrinkAtMost)
	p.patience = 300 * time.Millisecond // silence is a difference, and costs this each time
	defer func() { p.patience = patience }()
	if at := bad[0].line; at > 0 {
		d.lines = d.lines[:at] // numbers are those of the whole sequence, from 1
	}
	try := func(lines []listed) bool {
		if len(lines) == 0 || time.Now().After(limit) {
			return false
		}
		shorter := d
		shorter.lines = lines
		again, err := play(p, 2, shorter, true)
		if err != nil || len(again) == 0 {
			return false
		}
		d, bad = shorter, again
		return true
	}
	for size := len(d.lines) / 2; size >= 1; size /= 2 {
		for from := 0; from < len(d.lines); {
			if !try(slices.Delete(slices.Clone(d.lines), from, min(from+size, len(d.lines)))) {
				from += size
			}
		}
	}
	for i := 0; i < len(d.lines); i++ {
		for j := 0; ; {
			parts := strings.Split(d.lines[i].text[3:], " ; ")
			if j >= len(parts) || len(parts) == 1 {
				break
			}
			lines := slices.Clone(d.lines)
			lines[i].text = lines[i].text[:3] + strings.Join(slices.Delete(slices.Clone(parts), j, j+1), " ; ")
			if !try(lines) {
				j++
			}
		}
	}
	return d, bad
}
