package drill

import (
	"fmt"
	"strings"
	"time"
)

// conclude fills in the totals, the failures and the verdict of a report whose
// rounds are complete. It is pure.
func (r *Report) conclude() {
	r.Total = Figures{ErrorsByClass: map[string]int{}}
	r.Failures = []string{}
	for i := range r.Rounds {
		round := &r.Rounds[i]
		r.Total.add(round.Figures)
		if round.Problem != "" {
			r.Failures = append(r.Failures, fmt.Sprintf("round %d: %s", round.Number, round.Problem))
		}
	}
	r.Failures = append(r.Failures, r.Total.flaws()...)
	if n := len(r.Rounds); r.Interrupted {
		r.Failures = append(r.Failures, fmt.Sprintf("it was interrupted in round %d of %d", max(n, 1), r.Plan.Rounds))
	} else if n < r.Plan.Rounds {
		r.Failures = append(r.Failures, fmt.Sprintf("only %d of %d rounds were played", n, r.Plan.Rounds))
	}
	r.Passed = len(r.Failures) == 0
	r.Verdict = r.sentence()
}

var deeds = map[Kind]string{
	Failover: "was switched over",
	Crash:    "was crashed",
	Freeze:   "was frozen",
}

// sentence is the verdict for somebody who reads nothing else.
func (r *Report) sentence() string {
	times := fmt.Sprintf("%d times", len(r.Rounds))
	if len(r.Rounds) == 1 {
		times = "once"
	}
	text := fmt.Sprintf("The master %s %s while %s wrote through %s.", deeds[r.Plan.Kind], times, number(r.Plan.Clients, "client"), r.Plan.Addr)
	if len(r.Rounds) == 0 {
		text = "No round was completed."
	}
	if !r.Passed {
		return text + " Not passed: " + strings.Join(r.Failures, "; ") + "."
	}
	text += fmt.Sprintf(" All %s acknowledged writes are there exactly once, and no connection was dropped. The longest wait of one write was %s.",
		grouped(r.Total.Acknowledged), seconds(r.Total.LongestWaitMS))
	if n := r.Total.InDoubt; n > 0 {
		text += fmt.Sprintf(" %s in doubt: whoever sent them was told so.", number(n, "write")+plural(n, " is", " are"))
	}
	return text
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// number gives "1 client", "8 clients".
func number(n int, what string) string { return grouped(n) + " " + what + plural(n, "", "s") }

// seconds gives a time in the unit that suits it.
func seconds(ms float64) string {
	switch {
	case ms == 0:
		return "0"
	case ms < 1:
		return fmt.Sprintf("%.2f ms", ms)
	case ms < 10:
		return fmt.Sprintf("%.1f ms", ms)
	case ms < 1000:
		return fmt.Sprintf("%.0f ms", ms)
	}
	return fmt.Sprintf("%.2f s", (time.Duration(ms * float64(time.Millisecond))).Seconds())
}
