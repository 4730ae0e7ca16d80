package clients

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"steadis/test/topology"
)

// startFleet starts four RQ workers: two that fork for each job, one of them with the scheduler, and two
// that do not.
func startFleet(t *testing.T, env []string) []*program {
	t.Helper()
	worker := func(name string, options ...string) *program {
		argv := append([]string{python, "/usr/bin/rq", "worker", "--name", strings.ReplaceAll(name, " ", "-"),
			"--logging_level", "WARNING"}, options...)
		return start(t, "RQ "+name, here(t), env, argv...)
	}
	return []*program{
		worker("forking 1", "--with-scheduler"),
		worker("forking 2"),
		worker("simple 1", "-w", "rq.SimpleWorker"),
		worker("simple 2", "-w", "rq.SimpleWorker"),
	}
}

// modes are the settings of steadis that the queues are tried with.
var modes = map[string][]string{
	"default":           nil,
	"retry and durable": {"--in-doubt", "retry", "--durable-replicas", "1", "--durable-timeout", "25s"},
}

// A worker of RQ cannot bear a closed connection while it has a job, so its steadis has `in_doubt: retry`. Who
// enqueues can look whether a job in doubt is there, if he is told; so the application's steadis has not.
func TestRQ(t *testing.T) {
	needPython(t, "flask", "rq")
	t.Run("as the guide says", func(t *testing.T) {
		testRQ(t, "workers retry and durable, application durable", modes["retry and durable"], []string{"--durable-replicas", "1"}, true)
	})
	t.Run("default", func(t *testing.T) {
		onlyFigures(t)
		testRQ(t, "default", nil, nil, false)
	})
}

// testRQ is strict where nothing may go wrong; else it only records what does.
func testRQ(t *testing.T, mode string, ofWorkers, ofApp []string, strict bool) {
	st := newStage(t, topology.Options{}, ofWorkers...)
	beside := st.sidecar(t, ofApp...)
	common := []string{"RUNS=" + t.TempDir(), "PYTHONPATH=" + appDir(t)}
	workers := startFleet(t, append(common, "RQ_REDIS_URL=redis://localhost:"+st.port()))
	producer := start(t, "producer", here(t), append(envOf(beside), common...), python, "rq_producer.py", fmt.Sprint(jobs(t)), perSecond())
	producer.awaitReady(t)
	app := startFlask(t, beside)
	watched := app.watch(t.Context())
	id, err := app.enqueue(within(t, 30*time.Second), 20, 22)
	must(t, err)
	st.failOvers(t, rounds(t), all...)
	watched.judge(t, st, eachKind(t)+", beside RQ, "+mode)
	if got, err := app.result(within(t, 30*time.Second), id); strict && (err != nil || got != 42) {
		t.Errorf("the app's job: %d, %v", got, err)
	}
	reports := producer.finish(t, 5*time.Minute)
	died := 0
	for _, w := range workers {
		if w.stop(t) {
			died++
			t.Logf("%s died: %v", w.name, w.said("Error", "unhandled"))
		}
	}
	if len(reports) != 1 {
		t.Fatalf("%d reports", len(reports))
	}
	late := st.late(t)
	judgeRQ(t, mode, late, reports[0], died, st.inDoubt(t)+inDoubtAt(t, beside), strict && late == "")
}

func judgeRQ(t *testing.T, mode, late string, r report, died, doubt int, strict bool) {
	t.Helper()
	f := r.Figures
	recorded.row(t, "RQ, 4 workers, "+mode, eachKind(t)+late,
		"%d jobs: %d finished, %d run once, %d twice, %d never; %d stuck in started, %d workers died; %d writes in doubt, %d errors at the sender, who looked",
		r.Sent, f["finished"], f["run once"], f["run twice"], f["never run"], f["stuck in started"], died, doubt, r.errors())
	if !strict {
		t.Logf("%v; told %v", r.Wrong, r.Told)
		return
	}
	recorded.user("RQ", debianVersion(t, "python3-rq")+", redis-py "+debianVersion(t, "python3-redis"), eachKind(t)+" (set as config/deploy/clients.md says)",
		"%d jobs: %d run once, %d twice, %d never, %d stuck; %d of 4 workers died", r.Sent, f["run once"], f["run twice"], f["never run"], f["stuck in started"], died)
	if len(r.Wrong) > 0 || died > 0 || f["stuck in started"] > 0 {
		t.Errorf("%d jobs: %v, %d workers died; told %v; %v", r.Sent, f, died, r.Told, r.Wrong)
	}
}
