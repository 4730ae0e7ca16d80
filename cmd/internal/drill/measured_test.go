package drill

import (
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the expected files anew")

func TestRoundOfAGoodDrill(t *testing.T) {
	r := sampleMeasured(1).report()
	f := r.Figures
	if flaws := f.flaws(); len(flaws) > 0 || f.Acknowledged != f.Sent || f.Sent < 6000 || f.InDoubt != 0 {
		t.Errorf("flaws %v, %+v", flaws, f)
	}
	if f.LongestWaitMS < 1190 || f.LongestWaitMS > 1210 || f.LongestSilenceMS < 1190 || f.LongestSilenceMS > 1210 {
		t.Errorf("waited %v ms, silent %v ms, want about 1200", f.LongestWaitMS, f.LongestSilenceMS)
	}
	if r.BeginMS != -3000 || r.EndMS != 5000 || *r.SwitchedMS != 1140 || *r.ThawedMS != 3500 || *r.BackMS < 1195 || *r.BackMS > 1205 {
		t.Errorf("times: %v to %v, switched %v, thawed %v, back %v", r.BeginMS, r.EndMS, *r.SwitchedMS, *r.ThawedMS, *r.BackMS)
	}
	if r.Writes.Before.MaxMS > 2 || r.Writes.During.P50MS < 500 || r.Writes.After.MaxMS > 2 {
		t.Errorf("waits: %+v", r.Writes)
	}
	want := []string{"serving", "holding", "draining", "serving"}
	for i, p := range r.Phases {
		if i >= len(want) || p.Phase != want[i] || i > 0 && p.FromMS != r.Phases[i-1].ToMS {
			t.Errorf("phase %d: %+v", i, p)
		}
	}
	if len(r.Phases) != 4 || r.Phases[0].FromMS != -3000 || r.Phases[3].ToMS != 5000 {
		t.Errorf("phases: %+v", r.Phases)
	}
	if len(r.Events) != 12 || r.Steadis == nil || r.Steadis.Held != 10 {
		t.Errorf("%d events, held %+v", len(r.Events), r.Steadis)
	}
}

func TestEveryFlawIsSeen(t *testing.T) {
	r := spoil(sampleMeasured(1)).report()
	f := r.Figures
	got := [...]int{f.Lost, f.Duplicated, f.InDoubt, f.InDoubtPresent, f.ErrorReplies, f.Dropped, f.FailedPings}
	if got != [...]int{1, 1, 2, 2, 1, 1, 1} {
		t.Errorf("lost, duplicated, in doubt, of them there, errors, dropped, failed pings: %v", got)
	}
	if f.ErrorsByClass["INDOUBT"] != 1 || f.ErrorsByClass["LOADING"] != 1 {
		t.Errorf("classes: %v", f.ErrorsByClass)
	}
	if n := len(f.flaws()); n != 5 {
		t.Errorf("%d flaws: %v", n, f.flaws())
	}
	if r.Steadis != nil || len(r.Phases) != 0 {
		t.Error("phases of a steadis that was not asked")
	}
}

func TestFlawsEndADrill(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(*Report)
		want  string
	}{
		"lost":       {func(r *Report) { r.Rounds[0].Figures.Lost = 3 }, "3 acknowledged writes were lost"},
		"duplicated": {func(r *Report) { r.Rounds[0].Figures.Duplicated = 1 }, "1 write was executed twice"},
		"reordered":  {func(r *Report) { r.Rounds[0].Figures.Reordered = 1 }, "out of order"},
		"foreign":    {func(r *Report) { r.Rounds[0].Figures.Foreign = 1 }, "nobody sent"},
		"refused":    {func(r *Report) { r.Rounds[0].Figures.RefusedPresent = 1 }, "was refused and is there"},
		"dropped":    {func(r *Report) { r.Rounds[0].Figures.Dropped = 2 }, "2 client connections were dropped"},
		"errors":     {func(r *Report) { r.Rounds[0].Figures.ErrorReplies = 1234 }, "1 234 error replies"},
		"stale":      {func(r *Report) { r.Rounds[0].Figures.StaleReads = 1 }, "missed acknowledged writes"},
		"pings":      {func(r *Report) { r.Rounds[0].Figures.FailedPings = 1 }, "1 of 80 health checks failed"},
		"a problem":  {func(r *Report) { r.Rounds[0].Problem = "no other master" }, "round 1: no other master"},
		"unplayed":   {func(r *Report) { r.Plan.Rounds = 2 }, "only 1 of 2 rounds"},
		"interrupt":  {func(r *Report) { r.Interrupted = true }, "interrupted in round 1 of 1"},
	} {
		r := sampleReport(sampleMeasured(1))
		if !r.Passed || len(r.Failures) > 0 || !strings.Contains(r.Verdict, "exactly once") {
			t.Fatalf("a good drill: %+v %s", r.Failures, r.Verdict)
		}
		tc.spoil(r)
		r.conclude()
		if r.Passed || !strings.Contains(strings.Join(r.Failures, "; "), tc.want) || !strings.Contains(r.Verdict, tc.want) {
			t.Errorf("%s: passed %v, %v, %s", name, r.Passed, r.Failures, r.Verdict)
		}
	}
	doubt := sampleReport(sampleMeasured(1))
	doubt.Rounds[0].Figures.InDoubt = 4
	if doubt.conclude(); !doubt.Passed || !strings.Contains(doubt.Verdict, "4 writes are in doubt") {
		t.Errorf("writes in doubt alone: %v, %s", doubt.Failures, doubt.Verdict)
	}
}

func TestTotals(t *testing.T) {
	r := sampleReport(sampleMeasured(1), spoil(sampleMeasured(2)))
	a, b := r.Rounds[0].Figures, r.Rounds[1].Figures
	if r.Total.Acknowledged != a.Acknowledged+b.Acknowledged || r.Total.Lost != 1 || r.Total.Pings != 160 ||
		r.Total.LongestWaitMS != max(a.LongestWaitMS, b.LongestWaitMS) || r.Total.ErrorsByClass["LOADING"] != 1 {
		t.Errorf("total %+v", r.Total)
	}
}

// A round that was interrupted before its trigger, and one that could not be read
// back, still give a report.
func TestUnfinishedRounds(t *testing.T) {
	m := sampleMeasured(1)
	m.triggered, m.switched, m.thawed, m.audit, m.interrupted = time.Time{}, time.Time{}, time.Time{}, nil, true
	r := m.report()
	if r.TriggeredAt != nil || r.SwitchedMS != nil || r.BackMS != nil || r.BeginMS != 0 || r.Writes.Before.Answered == 0 || r.Writes.During.Answered != 0 {
		t.Errorf("%+v", r.Writes)
	}
	if r.Figures.Lost != 0 || r.Figures.Acknowledged == 0 {
		t.Errorf("nothing is known of what is lost: %+v", r.Figures)
	}
	report := sampleReport(m)
	var page strings.Builder
	if err := report.Page(&page); err != nil || report.Text() == "" {
		t.Error(err)
	}
	empty := sampleReport()
	if err := empty.Page(&page); err != nil || !strings.Contains(empty.Verdict, "No round was completed") {
		t.Error(err, empty.Verdict)
	}
}

// The names of report.json are a promise: what changes here changes for those who read
// it. After an addition, run with -update; a removal needs another Schema.
func TestReportFieldsAreStable(t *testing.T) {
	data, err := json.Marshal(sampleReport(spoil(sampleMeasured(1)), sampleMeasured(2)))
	if err != nil {
		t.Fatal(err)
	}
	var document any
	if err := json.Unmarshal(data, &document); err != nil {
		t.Fatal(err)
	}
	fields := map[string]bool{}
	collect(document, "", fields)
	var names []string
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	got := strings.Join(names, "\n") + "\n"
	const file = "testdata/fields.txt"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the fields are\n%s\nwant\n%s", got, want)
	}
}

func collect(value any, path string, into map[string]bool) {
	switch value := value.(type) {
	case map[string]any:
		for name, inner := range value {
			if strings.HasSuffix(path, "errors_by_class") || strings.HasSuffix(path, "error_texts") {
				name = "*"
			}
			collect(inner, strings.TrimPrefix(path+"."+name, "."), into)
		}
	case []any:
		for _, inner := range value {
			collect(inner, path+"[]", into)
		}
	default:
		into[path] = true
	}
	if list, isList := value.([]any); isList && len(list) == 0 {
		into[path+"[]"] = true
	}
}

func TestGroupedAndSeconds(t *testing.T) {
	for n, want := range map[int]string{0: "0", 12: "12", 123: "123", 1234: "1 234", 1234567: "1 234 567", -1234: "-1 234"} {
		if got := grouped(n); got != want {
			t.Errorf("grouped(%d) is %q", n, got)
		}
	}
	for ms, want := range map[float64]string{0: "0", 0.256: "0.26 ms", 1.26: "1.3 ms", 87.4: "87 ms", 1234: "1.23 s"} {
		if got := seconds(ms); got != want {
			t.Errorf("seconds(%v) is %q, want %q", ms, got, want)
		}
	}
}
