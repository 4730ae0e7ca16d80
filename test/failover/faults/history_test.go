package faults

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"steadis/test/workload"
)

// line is one command of a history.
type line struct {
	Client  string `json:"client"`
	Command string `json:"command"`
	Key     string `json:"key"`
	Value   string `json:"value,omitempty"`
	// Invoke and Return are microseconds, of the load since it began, of the checker
	// since it began; a Return is 0 if there was no answer.
	Invoke  int64  `json:"invoke"`
	Return  int64  `json:"return,omitempty"`
	Outcome string `json:"outcome"`
}

var outcomes = map[workload.Outcome]string{
	workload.Unknown: "unknown", workload.Acknowledged: "acknowledged",
	workload.InDoubt: "in doubt", workload.Refused: "refused",
}

// saveHistory writes down what every client of a round did and saw, if somebody
// wants it or the round has failed.
func saveHistory(t *testing.T, st *stage, p turn, o *outcome) {
	t.Helper()
	dir := os.Getenv("TEST_HISTORY")
	if o.record == nil || dir == "" && !t.Failed() {
		return
	}
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "steadis-history")
	}
	name := strings.NewReplacer(" ", "-", ",", "", "/", "-").Replace(fmt.Sprintf("%s_%s_%d.jsonl", st.mode.name, p.fault.name, p.round))
	path := filepath.Join(dir, name)
	if err := writeHistory(path, st, o.record, o.checked); err != nil {
		t.Errorf("history: %v", err)
		return
	}
	t.Logf("history: %s", path)
}

func writeHistory(path string, st *stage, record *workload.Record, checked []porcupine.Operation) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	out := bufio.NewWriter(file)
	enc := json.NewEncoder(out)
	for what, at := range map[string]time.Time{"fault": st.struck, "healed": st.healed} {
		if err := enc.Encode(line{Client: "suite", Command: what, Invoke: at.Sub(record.Began).Microseconds()}); err != nil {
			return err
		}
	}
	for _, e := range st.events.Since(0) {
		if err := enc.Encode(line{Client: e.Sentinel, Command: e.Channel, Value: e.Payload,
			Invoke: e.At.Sub(record.Began).Microseconds(), Outcome: "published"}); err != nil {
			return err
		}
	}
	for w, writer := range record.Writers {
		for i, op := range writer.Ops {
			l := line{Client: fmt.Sprintf("writer-%d", w), Command: "RPUSH", Key: writer.Key, Value: fmt.Sprint(i + 1),
				Invoke: op.Sent.Microseconds(), Outcome: outcomes[op.Outcome]}
			if op.Outcome != workload.Unknown {
				l.Return = (op.Sent + op.Wait).Microseconds()
			}
			if err := enc.Encode(l); err != nil {
				return err
			}
		}
	}
	for _, op := range checked {
		if err := enc.Encode(checkedLine(op)); err != nil {
			return err
		}
	}
	return out.Flush()
}

func checkedLine(op porcupine.Operation) line {
	in, out := op.Input.(listInput), op.Output.(listOutput)
	l := line{Client: fmt.Sprintf("checker-%d", op.ClientId), Command: "RPUSH", Key: in.list, Value: in.element,
		Invoke: op.Call / 1000, Return: op.Return / 1000, Outcome: fmt.Sprintf("length %d", out.state.length)}
	if in.element == "" {
		l.Command, l.Outcome = "LRANGE", fmt.Sprintf("length %d, digest %x", out.state.length, out.state.digest)
	}
	if out.open {
		l.Return, l.Outcome = 0, "in doubt"
	}
	return l
}
