package clients

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"steadis/test/topology"
)

// library is one that programs/use.* work with.
type library struct {
	name    string
	version func(t *testing.T) string
	needs   []string // programs and files without which it is left out
	modules []string // Debian's Python modules, the same
	// goModules says that it needs the modules of programs/go, which `make clients` downloads.
	goModules bool
	env       []string
	argv      func(t *testing.T) []string
}

func debian(name string) func(*testing.T) string {
	return func(t *testing.T) string { return debianVersion(t, name) }
}

// debianVersion is the version of an installed package.
func debianVersion(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "dpkg-query", "-W", "-f", "${Version}", name).Output()
	if err != nil {
		return "unknown"
	}
	return string(out)
}

func words(argv ...string) func(*testing.T) []string {
	return func(*testing.T) []string { return argv }
}

var libraries = []library{
	{name: "redis-py, pure parser", version: debian("python3-redis"), modules: []string{"redis"}, env: []string{"PARSER=python"},
		argv: words(python, "use.py", "python")},
	{name: "redis-py, hiredis", version: debian("python3-redis"), modules: []string{"redis", "hiredis"}, env: []string{"PARSER=hiredis"},
		argv: words(python, "use.py", "hiredis", "writes", "transactions", "pubsub", "blocking")},
	{name: "node-redis", version: debian("node-redis"), needs: []string{"nodejs", "/usr/share/nodejs/redis"},
		env: []string{"NODE_PATH=/usr/share/nodejs"}, argv: words("nodejs", "use.js", "node")},
	{name: "redis-rb", version: debian("ruby-redis"), needs: []string{"ruby", "/usr/share/doc/ruby-redis"}, argv: words("ruby", "use.rb", "ruby")},
	{name: "phpredis", version: debian("php-redis"), needs: []string{"php", "/usr/share/doc/php-redis"}, argv: words("php", "use.php", "phpredis", "phpredis")},
	{name: "predis", version: debian("php-predis"), needs: []string{"php", "/usr/share/php/Predis"}, argv: words("php", "use.php", "predis", "predis")},
	{name: "hiredis", version: debian("libhiredis-dev"), needs: []string{"gcc", "/usr/include/hiredis/hiredis.h"}, argv: compiledC},
	{name: "go-redis", version: goModule("github.com/redis/go-redis/v9"), goModules: true, argv: compiledGo("go-redis")},
	{name: "rueidis", version: goModule("github.com/redis/rueidis"), goModules: true, argv: compiledGo("rueidis")},
	{name: "redigo", version: goModule("github.com/gomodule/redigo"), goModules: true, argv: compiledGo("redigo")},
}

// installed says whether all that the library needs is there.
func (l library) installed(t *testing.T) bool {
	t.Helper()
	for _, n := range l.needs {
		var err error
		if filepath.IsAbs(n) {
			_, err = filepath.EvalSymlinks(n)
		} else {
			_, err = exec.LookPath(n)
		}
		if err != nil {
			return false
		}
	}
	if l.goModules {
		list := exec.CommandContext(t.Context(), "go", "list", "-deps", ".")
		list.Dir, list.Env = "programs/go", append(os.Environ(), "GOPROXY=off")
		if list.Run() != nil {
			return false
		}
	}
	for _, m := range l.modules {
		if exec.CommandContext(t.Context(), python, "-c", "import "+m).Run() != nil {
			return false
		}
	}
	return true
}

// installedLibraries are those that can be tried here; it skips the test if there are none.
func installedLibraries(t *testing.T) []library {
	t.Helper()
	var here []library
	for _, l := range libraries {
		if l.installed(t) {
			here = append(here, l)
		} else {
			t.Logf("%s is left out: it is not installed (test/setup.sh --clients)", l.name)
		}
	}
	if len(here) == 0 {
		t.Skip("no library is installed: test/setup.sh --clients")
	}
	return here
}

func compiledC(t *testing.T) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "use")
	out, err := exec.CommandContext(t.Context(), "gcc", "-O1", "-o", path, "programs/use.c", "-lhiredis").CombinedOutput()
	if err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	return []string{path, "c"}
}

// compiledGo builds programs/go, which is a module of its own: the libraries are no dependencies of steadis.
func compiledGo(name string) func(*testing.T) []string {
	return func(t *testing.T) []string {
		t.Helper()
		path := filepath.Join(t.TempDir(), "uses")
		build := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".")
		build.Dir = "programs/go"
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
		return []string{path, name}
	}
}

func goModule(path string) func(*testing.T) string {
	return func(t *testing.T) string {
		t.Helper()
		list := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Version}}", path)
		list.Dir = "programs/go"
		out, err := list.Output()
		if err != nil {
			return "unknown"
		}
		return strings.TrimSpace(string(out))
	}
}

// useAll has every installed library work during the ordeal, and gives what they report, audited.
func useAll(t *testing.T, st *stage, ordeal func(), env ...string) map[string][]report {
	t.Helper()
	return st.use(t, installedLibraries(t), ordeal, env...)
}

// use has some libraries work during the ordeal; else it is like useAll.
func (st *stage) use(t *testing.T, libraries []library, ordeal func(), env ...string) map[string][]report {
	t.Helper()
	var names []string
	var running []*program
	for _, l := range libraries {
		p := start(t, l.name, here(t), append(append(st.env(), l.env...), env...), l.argv(t)...)
		names, running = append(names, l.name), append(running, p)
	}
	for _, p := range running {
		p.awaitReady(t)
	}
	ordeal()
	told := map[string][]report{}
	for i, p := range running {
		reports := p.finish(t, 2*time.Minute)
		for j := range reports {
			if r := &reports[j]; r.List != "" {
				r.audit(st.list(t, r.List))
			}
		}
		told[names[i]] = reports
	}
	return told
}

func versionOf(t *testing.T, name string) string {
	t.Helper()
	for _, l := range libraries {
		if l.name == name {
			return l.version(t)
		}
	}
	return "unknown"
}

// seen is what the user of a library saw, summed up over its acts.
type seen struct {
	sent, errors, lost, doubled, reconnects int
	timedOut                                int // of the errors: the library itself waited no longer
	slowest                                 float64
	words                                   []string
}

// timeout is what libraries say when they do not wait any longer.
var timeout = regexp.MustCompile(`(?i)time-?out|timed out|deadline exceeded`)

// addresses differ from one connection to the next.
var addresses = regexp.MustCompile(`[\d.]+:\d+(->[\d.]+:\d+)?`)

// shortestTimeout is the shortest of the libraries' own time-outs for a command (redis-rb, go-redis:
// 5 s), less what a slow machine needs. A failover that lasts longer runs into it: config/deploy/clients.md.
const shortestTimeout = 4500 * time.Millisecond

func sumUp(reports []report) seen {
	var s seen
	for _, r := range reports {
		s.sent, s.errors, s.lost = s.sent+r.Sent, s.errors+r.errors(), s.lost+r.Lost
		s.doubled, s.reconnects, s.slowest = s.doubled+r.Doubled, s.reconnects+r.Reconnects, max(s.slowest, r.Slowest)
		for text, times := range r.Told {
			if timeout.MatchString(text) {
				s.timedOut += times
			}
			text = addresses.ReplaceAllString(text, "...")
			if !slices.Contains(s.words, text) {
				s.words = append(s.words, text)
			}
		}
	}
	slices.Sort(s.words)
	return s
}

func (s seen) String() string {
	errors := "0 errors"
	if s.errors > 0 {
		errors = fmt.Sprintf("%d errors (`%s`)", s.errors, strings.Join(s.words[:min(2, len(s.words))], "`, `"))
	}
	return fmt.Sprintf("%d writes: %s, %d lost, %d doubled, longest wait %.1f s", s.sent, errors, s.lost, s.doubled, s.slowest)
}

// In a planned failover no library may see anything but a slow command, whatever its defaults.
func TestLibrariesThroughPlannedFailovers(t *testing.T) {
	st := newStage(t, topology.Options{})
	n := rounds(t)
	for name, reports := range useAll(t, st, func() { st.failOvers(t, n, handOver) }) {
		s := sumUp(reports)
		recorded.row(t, name, fmt.Sprintf("%d x %s", n, handOver), "%v", s)
		recorded.user(name, versionOf(t, name), fmt.Sprintf("%d x %s", n, handOver), "%v", s)
		for _, r := range reports {
			if len(r.Wrong) > 0 || r.errors() > 0 || r.Reconnects > 0 || r.Lost > 0 || r.Doubled > 0 {
				t.Errorf("%s, %s: told %v, %d reconnects, %d lost, %d doubled: %v; %v", name, r.Act, r.Told, r.Reconnects, r.Lost, r.Doubled, r.Wrong, r.Figures)
			}
		}
	}
	if n := st.inDoubt(t); n != 0 {
		t.Errorf("%d writes are in doubt after planned failovers", n)
	}
}

// When the master dies, a library sees the connections of writes in doubt closed, and nothing else. With
// durable.replicas nothing that was acknowledged is lost.
func TestLibrariesThroughCrashes(t *testing.T) {
	st := newStage(t, topology.Options{}, "--durable-replicas", "1")
	n := rounds(t)
	told := useAll(t, st, func() { st.failOvers(t, n, crashes...) })
	total := 0
	for name, reports := range told {
		s := sumUp(reports)
		total += s.errors - s.timedOut
		if s.timedOut > 0 && st.slowest < shortestTimeout {
			t.Errorf("%s: %d time-outs, and no failover took longer than %v: %v", name, s.timedOut, st.slowest, s.words)
		}
		recorded.row(t, name, fmt.Sprintf("%d x %s, %d x %s, durable", n, kill, n, freeze)+st.late(t), "%v", s)
		recorded.user(name, versionOf(t, name), fmt.Sprintf("%d x %s, %d x %s (`durable.replicas: 1`)", n, kill, n, freeze), "%v", s)
		for _, r := range reports {
			r.judgeCrash(t, name)
		}
	}
	doubt := st.inDoubt(t)
	t.Logf("%d errors reached the applications, %d writes were in doubt", total, doubt)
	if late := st.late(t); total > doubt && late == "" {
		t.Errorf("%d errors reached the applications, and only %d writes were in doubt", total, doubt)
	}
}

// judgeCrash holds a report against what is promised for a master that dies, with durable.replicas.
func (r *report) judgeCrash(t *testing.T, name string) {
	t.Helper()
	lost, doubled := r.Lost, r.Doubled
	switch r.Act {
	case "blocking":
		lost = 0 // an element that the dying master had popped is gone with the reply
	case "watch":
		// redis-py's transaction() takes a connection that closes under EXEC for a change of what it
		// watches, and goes round again (config/deploy/clients.md): at most what was in doubt runs twice.
		doubled = 0
	}
	said := fmt.Sprintf("%s, %s: told %v, %d lost, %d doubled, slowest %.1f s; %v %v", name, r.Act, r.Told, r.Lost, r.Doubled, r.Slowest, r.Wrong, r.Figures)
	if len(r.Wrong) > 0 || lost > 0 || doubled > 0 || r.Figures["held by two"] > 0 {
		t.Error(said)
	} else {
		t.Log(said)
	}
}
