package clients

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"steadis/test/topology"
)

// queue is a kind of background jobs: its workers and the program that gives them work.
type queue struct {
	name     string
	workers  func(t *testing.T, env []string) []*program
	producer []string // without the number of jobs and how many each second
	env      []string
	// complaints are words in a worker's log that are none of a failover that is held.
	complaints []string
}

// suites is the directory whose programs we share.
func suites(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../suites/clients")
	must(t, err)
	return path
}

var celery = queue{
	name: "Celery, 2 workers of 2 processes",
	workers: func(t *testing.T, env []string) []*program {
		worker := func(name string) *program {
			return start(t, "Celery "+name, suites(t), env, python, "-m", "celery", "-A", "celery_app", "worker",
				"--concurrency", "2", "--hostname", name+"@here", "--loglevel", "WARNING")
		}
		return []*program{worker("one"), worker("two")}
	},
	producer:   []string{python, "celery_producer.py"},
	env:        []string{"C_FORCE_ROOT=1"},
	complaints: []string{"Connection to broker lost", "Unrecoverable error", "redis.exceptions"},
}

var sidekiq = queue{
	name: "Sidekiq, 2 processes of 3 threads",
	workers: func(t *testing.T, env []string) []*program {
		worker := func(name string) *program {
			return start(t, "Sidekiq "+name, here(t), env, "sidekiq", "-r", "./sidekiq_app.rb", "-c", "3", "-t", "10")
		}
		return []*program{worker("one"), worker("two")}
	},
	producer:   []string{"ruby", "sidekiq_producer.rb"},
	complaints: []string{"ERROR", "Error fetching job", "heartbeat:"},
}

// play has the queue work through the failovers and gives what became of the jobs, and how many
// workers died.
func (q queue) play(t *testing.T, st *stage, env ...string) (r report, died int) {
	t.Helper()
	env = append(append(st.env(), q.env...), append(env, "RUNS="+t.TempDir(), "PYTHONPATH="+suites(t))...)
	workers := q.workers(t, env)
	producer := start(t, q.name+": producer", here(t), env, append(q.producer, fmt.Sprint(jobs(t)), perSecond())...)
	producer.awaitReady(t)
	st.failOvers(t, rounds(t), all...)
	reports := producer.finish(t, 5*time.Minute)
	for _, w := range workers {
		if w.stop(t) {
			died++
			t.Logf("%s died: %s", w.name, w.tail())
		}
		if said := w.said(q.complaints...); len(said) > 0 {
			t.Logf("%s complained %d times, first: %.300s", w.name, len(said), said[0])
		}
	}
	if len(reports) != 1 {
		t.Fatalf("%s: %d reports", q.name, len(reports))
	}
	return reports[0], died
}

func TestCelery(t *testing.T) {
	onlyFigures(t)
	needPython(t, "celery")
	for _, mode := range []string{"retry and durable", "default"} {
		t.Run(mode, func(t *testing.T) {
			st := newStage(t, topology.Options{}, modes[mode]...)
			r, died := celery.play(t, st)
			f := r.Figures
			late := st.late(t)
			recorded.row(t, celery.name+", "+mode, eachKind(t)+late,
				"%d tasks: %d of %d results right, %d found late, %d missing, %d failed; run once %d, twice %d, never %d; %d workers died; %d errors at the sender; %d writes in doubt",
				r.Sent, f["right"], f["results"], f["found late"], f["missing"], f["failed"], f["run once"], f["run twice"], f["never run"], died, r.errors(), st.inDoubt(t))
			if mode != "default" {
				recorded.user("Celery", debianVersion(t, "python3-celery"), eachKind(t)+" (`in_doubt: retry`, `durable.replicas: 1`)",
					"%d of %d results there, %d tasks run twice; %d of 2 workers died", f["right"], f["results"], f["run twice"], died)
			}
			if late == "" && died > 0 || late == "" && mode != "default" && (f["right"] != f["results"] || f["never run"] > 0) {
				t.Errorf("%d workers died, %v, told %v, %v", died, f, r.Told, r.Wrong)
			}
		})
	}
}

func TestSidekiq(t *testing.T) {
	onlyFigures(t)
	need(t, "sidekiq", "ruby")
	for _, c := range []struct {
		name, mode string
		env        []string
	}{
		{"time-out 40 s, retry and durable", "retry and durable", nil},
		{"Sidekiq's own time-out (5 s), default", "default", []string{"DEFAULTS=yes"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := newStage(t, topology.Options{}, modes[c.mode]...)
			r, died := sidekiq.play(t, st, c.env...)
			f := r.Figures
			late := st.late(t)
			recorded.row(t, sidekiq.name+", "+c.name, eachKind(t)+late,
				"%d jobs: run once %d, twice %d, never %d; %d attempts failed, %d processes died; %d errors at the sender; %d writes in doubt",
				r.Sent, f["run once"], f["run twice"], f["never run"], f["failed attempts"], died, r.errors(), st.inDoubt(t))
			if c.mode != "default" {
				recorded.user("Sidekiq", debianVersion(t, "ruby-sidekiq"), eachKind(t)+" (time-out 40 s, `in_doubt: retry`, `durable.replicas: 1`)",
					"%d jobs: %d run once, %d twice, %d never; %d of 2 processes died", r.Sent, f["run once"], f["run twice"], f["never run"], died)
			}
			if late == "" && died > 0 || late == "" && c.mode != "default" && f["never run"] > 0 {
				t.Errorf("%d processes died, %v, told %v, %v", died, f, r.Told, r.Wrong)
			}
		})
	}
}

// eachKind says what the master went through.
func eachKind(t *testing.T) string { return fmt.Sprintf("%d x each of 3 kinds", rounds(t)) }
