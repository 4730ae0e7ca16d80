package drill

import (
	"strings"
	"testing"
	"time"
)

func TestProgressOnATerminal(t *testing.T) {
	var out strings.Builder
	p := NewProgress(&out)
	p.Live, p.Width = true, 60
	p.show(state{perSecond: 1000, acknowledged: 12345})
	p.event(0, colourDrill, "drill", "SENTINEL FAILOVER")
	p.settle()
	p.Line("done")
	lines := strings.Split(out.String(), "\n")
	if len(lines) != 4 || lines[2] != "done" || !strings.Contains(lines[0], "\r\x1b[K") || !strings.Contains(lines[0], "SENTINEL FAILOVER") {
		t.Errorf("%q", lines)
	}
	if last := lines[1]; len(last) >= 60 || !strings.Contains(last, "1 000 writes/s") {
		t.Errorf("the line that changes does not stand below the event: %q", last)
	}
	if strings.Contains(out.String(), "\x1b[36") {
		t.Error("colours that were not asked for")
	}
}

func TestProgressElsewhere(t *testing.T) {
	var out strings.Builder
	p := NewProgress(&out)
	now := time.Unix(1000, 0)
	shown := 0
	for range 100 { // 5 s in steps of 50 ms
		if p.due(now) {
			shown++
			p.show(state{waiting: time.Second, inDoubt: 3, dropped: 1, refused: 2, phase: "holding"})
		}
		now = now.Add(50 * time.Millisecond)
	}
	p.settle()
	if shown != 5 || strings.Count(out.String(), "\n") != 5 || strings.ContainsAny(out.String(), "\r\x1b") {
		t.Errorf("%d lines in 5 s: %q", shown, out.String())
	}
	for _, want := range []string{"0 writes/s", "waiting      1s", "steadis holding", "in doubt 3", "errors 2", "dropped 1"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %q", want, out.String())
		}
	}
}

func TestPlanText(t *testing.T) {
	p := sampleReport().Plan
	p.Rounds, p.Warnings = 3, []string{"beware"}
	text := p.Text()
	for _, want := range []string{"'mymaster' away 3 times", "10.0.0.1:6379; 2 good replicas", "DEBUG SLEEP for 3.50 s", "800 writes/s in all", "steadis:drill:5a1e0000:*", "warning    beware"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestSummaryText(t *testing.T) {
	text := sampleReport(sampleMeasured(1), spoil(sampleMeasured(2))).Text()
	for _, want := range []string{"NOT PASSED.", "longest wait", "round 1, before", "round 2, after", "1 x -LOADING", "round 2: a connection was dropped: EOF", "is lost", "note: After round 2"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if good := sampleReport(sampleMeasured(1)).Text(); !strings.Contains(good, "\nPASSED. The master was frozen once") {
		t.Error(good)
	}
}
