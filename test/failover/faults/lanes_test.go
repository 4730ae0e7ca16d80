package faults

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"steadis/test/topology"
)

// Variables by which a lane learns which one it is, as "2/3", and where the figures
// go that the lanes' parent sums up.
const (
	laneVariable  = "TEST_LANE"
	tallyVariable = "TEST_TALLIES"
	lanesVariable = "TEST_LANES"
	lanesMost     = 16
)

// lane is a process that plays a share of the rounds: number of count, from 1.
type lane struct{ number, count int }

func ourLane(t *testing.T) lane {
	t.Helper()
	l := lane{1, 1}
	if text := os.Getenv(laneVariable); text != "" {
		if _, err := fmt.Sscanf(text, "%d/%d", &l.number, &l.count); err != nil || l.number < 1 || l.number > l.count {
			t.Fatalf("%s=%q: want something like 2/3", laneVariable, text)
		}
	}
	return l
}

// of gives the lane's share of the rounds.
func (l lane) of(plays []turn) []turn {
	var ours []turn
	for i := l.number - 1; i < len(plays); i += l.count {
		ours = append(ours, plays[i])
	}
	return ours
}

// playLanes plays the rounds in as many processes as asked for, each in a network
// namespace of its own, and writes the figures of all, at the end and every minute
// until then: a run that is cut off has not been for nothing. An error says why the
// machine has no such namespaces; then nothing was played.
func playLanes(dir string) (code int, err error) {
	count := 1
	if text := os.Getenv(lanesVariable); text != "" {
		if count, err = strconv.Atoi(text); err != nil || count < 1 || count > lanesMost {
			fmt.Fprintf(os.Stderr, "%s=%q: want a number from 1 to %d\n", lanesVariable, text, lanesMost)
			return 2, nil
		}
	}
	var (
		ends  sync.WaitGroup
		codes = make([]int, count)
		errs  = make([]error, count)
		out   sync.Mutex // serialises what the lanes print
	)
	for i := range count {
		ends.Go(func() { codes[i], errs[i] = playLane(dir, lane{i + 1, count}, &out) })
	}
	played := make(chan struct{})
	var recording sync.WaitGroup
	recording.Go(func() { recordMeanwhile(dir, count, played) })
	ends.Wait()
	close(played)
	recording.Wait()
	if err := errors.Join(errs...); err != nil {
		return 0, err
	}
	for _, c := range codes {
		code = max(code, c)
	}
	return max(code, written(recordLanes(dir, count))), nil
}

// recordMeanwhile writes the figures so far every minute, until played is closed.
func recordMeanwhile(dir string, count int, played <-chan struct{}) {
	every := time.NewTicker(time.Minute)
	defer every.Stop()
	for {
		select {
		case <-played:
			return
		case <-every.C:
			// Before its first round is over a lane has no figures, which is no fault yet.
			if err := recordLanes(dir, count); !errors.Is(err, fs.ErrNotExist) {
				written(err)
			}
		}
	}
}

// recordLanes writes the sum of what the lanes have counted.
func recordLanes(dir string, count int) error {
	var sum ledger
	for number := 1; number <= count; number++ {
		if err := sum.load(tallyFile(dir, number)); err != nil {
			return err
		}
	}
	return sum.write()
}

func playLane(dir string, l lane, printing *sync.Mutex) (code int, err error) {
	var out io.Writer = os.Stdout
	if l.count > 1 {
		named := &laneWriter{number: l.number, printing: printing}
		defer named.flush()
		out = named
	}
	return topology.Isolate(out, fmt.Sprintf("%s=%d/%d", laneVariable, l.number, l.count), tallyVariable+"="+tallyFile(dir, l.number))
}

func tallyFile(dir string, number int) string {
	return filepath.Join(dir, fmt.Sprintf("lane-%d.json", number))
}

// save writes what this lane counted to where its parent wants it.
func (l *ledger) save() error {
	path := os.Getenv(tallyVariable)
	if path == "" {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	body, err := json.Marshal(l)
	if err != nil {
		return err
	}
	// Its parent may read at any time.
	if err := os.WriteFile(path+".new", body, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// load adds what a lane has saved.
func (l *ledger) load(path string) error {
	body, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var o ledger
	if err := json.Unmarshal(body, &o); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	l.merge(&o)
	return nil
}

// laneWriter prints whole lines with the number of their lane.
type laneWriter struct {
	number   int
	printing *sync.Mutex
	rest     []byte
}

func (w *laneWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	end := bytes.LastIndexByte(w.rest, '\n') + 1
	w.print(w.rest[:end])
	w.rest = append(w.rest[:0], w.rest[end:]...)
	return len(p), nil
}

func (w *laneWriter) flush() { w.print(w.rest) }

func (w *laneWriter) print(lines []byte) {
	w.printing.Lock()
	defer w.printing.Unlock()
	for line := range bytes.Lines(lines) {
		fmt.Printf("%2d: %s\n", w.number, bytes.TrimSuffix(line, []byte("\n")))
	}
}

// Every round is played by exactly one lane.
func TestLanesShareTheRounds(t *testing.T) {
	var plays []turn
	for round := range 11 {
		plays = append(plays, turn{round: round})
	}
	seen := map[int]int{}
	for number := 1; number <= 4; number++ {
		for _, p := range (lane{number, 4}).of(plays) {
			seen[p.round]++
		}
	}
	for _, p := range plays {
		if seen[p.round] != 1 {
			t.Errorf("round %d is played by %d lanes", p.round, seen[p.round])
		}
	}
}

// What lanes counted adds up, and survives the way to their parent.
func TestLanesAddUp(t *testing.T) {
	dir := t.TempDir()
	var whole ledger
	f, m := fault{name: "f"}, mode{name: "m", judged: true}
	for number := 1; number <= 2; number++ {
		var one ledger
		one.Seed = 7
		row := one.of(f, m)
		row.Rounds, row.Lost, row.Longest, row.Served = number, 10*number, 5, -1
		t.Setenv(tallyVariable, tallyFile(dir, number))
		must(t, one.save())
		must(t, whole.load(tallyFile(dir, number)))
	}
	row := whole.of(f, m)
	if len(whole.Rows) != 1 || whole.Lanes != 2 || whole.Seed != 7 ||
		row.Rounds != 3 || row.Lost != 30 || row.Longest != 5 || row.Served != -1 || !row.Judged {
		t.Errorf("%+v %+v", &whole, row)
	}
}
