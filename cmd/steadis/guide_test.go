package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"steadis/config"
	"steadis/config/deploy"
)

// theirs are names in the guide that are not steadis' own: of Redis, Sentinel, systemd, Go.
var theirs = strings.Fields(`quorum down-after-milliseconds failover-timeout parallel-syncs min-replicas-to-write
	min-replicas-max-lag appendonly save repl-backlog-size repl-diskless-sync-delay timeout maxclients replica-priority
	replica-announce-ip replica-announce-port protected-mode LimitNOFILE= MemoryMax= process_resident_memory_bytes
	process_cpu_seconds_total preStop terminationGracePeriodSeconds FileDescriptorStoreMax=`)

// theirTexts are longer ones.
var theirTexts = []string{"sentinel monitor", "SENTINEL MASTER mymaster", "INFO replication", "+subscribe &*", "+wait", "+publish &__steadis:barrier",
	"+client|pause +client|unpause +role", "+info +client|pause +client|kill", "+info", "+sentinel|failover", "make bench", "make restarts", "make memory",
	"systemctl reload steadis", "systemctl restart steadis", "kill -HUP", "kill -USR2", "docker stop", "-LOADING Redis is loading the dataset in memory"}

// ofOthers are pages that quote other programs: there only what is plainly ours is looked at.
var ofOthers = []string{"clients"}

// guideFacts is what the sources have for the guide to name.
type guideFacts struct {
	keys     map[string]bool // paths, and the sections that they stand in
	texts    []string        // every string in the sources, put together where it is cut
	literals map[string]bool // the same, whole ones
	alerts   string
	commands map[string]map[string]bool // flags by command; topics have none
}

func collectGuideFacts(t *testing.T) *guideFacts {
	t.Helper()
	f := &guideFacts{keys: map[string]bool{}, literals: map[string]bool{}, commands: map[string]map[string]bool{}}
	for _, k := range config.Keys() {
		f.keys[k.Path] = true
		if section, _, nested := strings.Cut(k.Path, "."); nested {
			f.keys[section] = true
		}
	}
	for _, dir := range []string{"../../proxy", "../../sentinel", "../../config", "../internal/certs", "."} {
		f.readSources(t, dir)
	}
	for text := range f.literals {
		f.texts = append(f.texts, text)
	}
	alerts, err := os.ReadFile("../../config/deploy/prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	f.alerts = string(alerts)
	for _, cmd := range newRootCommand(&env{}).Commands() {
		flags := map[string]bool{}
		cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) { flags[flag.Name] = true })
		f.commands[cmd.Name()] = flags
	}
	return f
}

// readSources collects the strings of all files below dir that are not tests.
func (f *guideFacts) readSources(t *testing.T, dir string) {
	t.Helper()
	files := token.NewFileSet()
	read := func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if e, isExpr := n.(ast.Expr); isExpr {
				if text, whole := constantText(e); whole {
					f.literals[text] = true
				}
			}
			return true
		})
		return nil
	}
	if err := filepath.WalkDir(dir, read); err != nil {
		t.Fatal(err)
	}
}

// constantText gives a string, or several joined by +.
func constantText(e ast.Expr) (text string, whole bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			text, err := strconv.Unquote(e.Value)
			return text, err == nil
		}
	case *ast.BinaryExpr:
		left, leftWhole := constantText(e.X)
		right, rightWhole := constantText(e.Y)
		return left + right, leftWhole && rightWhole && e.Op == token.ADD
	}
	return "", false
}

// said says whether a text with ... for what differs is one of the program.
func (f *guideFacts) said(text string) bool {
	pieces := strings.Split(text, "...")
	return slices.ContainsFunc(f.texts, func(of string) bool {
		for _, piece := range pieces {
			piece = strings.Trim(piece, " '")
			_, after, found := strings.Cut(of, piece)
			if !found {
				return false
			}
			of = after
		}
		return len(strings.Join(pieces, "")) >= 8
	})
}

var (
	backquoted  = regexp.MustCompile("`([^`]+)`")
	metric      = regexp.MustCompile(`^(steadis_[a-z_]+)(\{.*\})?$`)
	alertName   = regexp.MustCompile(`^Steadis[A-Z]`)
	ours        = regexp.MustCompile(`^(steadis|Steadis|STEADIS_)`)
	ourCommand  = regexp.MustCompile(`^steadis( |$)`)
	ourLogLine  = []string{"hold", "switch", "draining"} // shorter than what said takes for a text
	ourAnswer   = regexp.MustCompile(`^/(livez|readyz|metrics|api/[a-z]+|etc/steadis/steadis\.yaml)$`)
	fileAtHand  = regexp.MustCompile(`^[a-z]+\.(conf|md|service|socket)$`)
	allFlags    = regexp.MustCompile(`--([a-z-]+)`)
	codeInGuide = regexp.MustCompile(`(?m)^    (steadis .*)$`)
)

// known says whether what stands in backquotes exists.
func (f *guideFacts) known(span string) bool {
	key, _, _ := strings.Cut(span, ":")
	switch {
	case f.keys[key], slices.Contains(theirs, span), slices.Contains(theirTexts, span), slices.Contains(ourLogLine, span) && f.literals[span]:
		return true
	case metric.MatchString(span):
		return f.literals[metric.FindStringSubmatch(span)[1]]
	case alertName.MatchString(span):
		return strings.Contains(f.alerts, "alert: "+span+"\n")
	case ourCommand.MatchString(span):
		return f.runs(span) || f.said(span)
	case strings.HasPrefix(span, "--"):
		return f.commands["serve"][span[2:]]
	case ourAnswer.MatchString(span):
		return span == "/etc/steadis/steadis.yaml" || f.literals[span] || f.literals["GET "+span]
	case fileAtHand.MatchString(span):
		_, err := os.Stat("../../config/deploy/" + span)
		return err == nil
	case slices.ContainsFunc(config.Keys(), func(k config.Key) bool { return slices.Contains(k.Choices, span) }):
		return true
	default:
		return f.said(span)
	}
}

// runs says whether a command line names a command, a topic and flags that exist.
func (f *guideFacts) runs(line string) bool {
	words := strings.Fields(line)
	if len(words) == 1 {
		return true
	}
	if words[1] == "help" && len(words) > 2 {
		return f.commands[words[2]] != nil
	}
	flags := f.commands[words[1]]
	for _, flag := range allFlags.FindAllStringSubmatch(line, -1) {
		if !flags[flag[1]] {
			return false
		}
	}
	return flags != nil
}

// TestGuideNamesWhatExists takes every name and text that the guide quotes for one that the
// program has: keys, metrics, alerts, commands, flags, errors, log lines.
func TestGuideNamesWhatExists(t *testing.T) {
	facts := collectGuideFacts(t)
	quoted := 0
	for _, page := range deploy.Guide() {
		for _, found := range append(backquoted.FindAllStringSubmatch(page.Text, -1), codeInGuide.FindAllStringSubmatch(page.Text, -1)...) {
			quoted++
			if slices.Contains(ofOthers, page.Name) && !ours.MatchString(found[1]) {
				continue // it is about settings of libraries
			}
			if !facts.known(found[1]) {
				t.Errorf("%s.md: `%s` is nothing that steadis has or says", page.Name, found[1])
			}
		}
	}
	if quoted < 150 {
		t.Errorf("the guide quotes only %d names", quoted)
	}
}

// TestGuideSaysWhatToDoAtEachAlert looks for every alert among those that the guide lists.
func TestGuideSaysWhatToDoAtEachAlert(t *testing.T) {
	listed := ""
	for _, page := range deploy.Guide() {
		if page.Name == "troubleshooting" {
			_, listed, _ = strings.Cut(page.Text, "\n## Alerts\n")
		}
	}
	rules := regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(collectGuideFacts(t).alerts, -1)
	if len(rules) < 20 {
		t.Fatalf("only %d alerts were found", len(rules))
	}
	for _, rule := range rules {
		if !strings.Contains(listed, "\n- `"+rule[1]+"`: ") {
			t.Errorf("troubleshooting.md does not say what to do at %s", rule[1])
		}
	}
}

// What is made up is found.
func TestGuideTestFindsWhatDoesNotExist(t *testing.T) {
	facts := collectGuideFacts(t)
	for _, made := range []string{"hold_most", "steadis_holds_ever_total", "SteadisSad", "steadis frobnicate", "steadis serve --hodl",
		"steadis help nothing", "--hodl", "/api/nothing", "-LOADING steadis: no master today", "the master is asleep", "nothing.md"} {
		if facts.known(made) {
			t.Errorf("%s is taken for something", made)
		}
	}
}
