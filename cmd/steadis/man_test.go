package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manDir has the man pages that the command writes, with a date that stays.
func manDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "man")
	code, _, stderr := steadis(t.Context(), []string{"SOURCE_DATE_EPOCH=1700000000"}, "man", "--dir", dir)
	if code != exitClean {
		t.Fatalf("man ended with %d: %s", code, stderr)
	}
	return dir
}

// plainPage gives a page as a reader sees it, words only, as far as its marks are known.
func plainPage(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	marks := regexp.MustCompile(`\\f[BIRP]|\\&|(?m)^\.(SH|PP|TP|EX|EE|RS|RE|TH).*$`)
	page := marks.ReplaceAllString(string(text), "")
	for mark, char := range map[string]string{`\-`: "-", `\(aq`: "'", `\e`: `\`} {
		page = strings.ReplaceAll(page, mark, char)
	}
	return strings.Join(strings.Fields(page), " ")
}

// Every command that the help lists has a page, with its description and all its flags.
func TestManPagesAreWhole(t *testing.T) {
	dir := manDir(t)
	var files []string
	var look func(cmd *cobra.Command)
	look = func(cmd *cobra.Command) {
		name := strings.ReplaceAll(cmd.CommandPath(), " ", "-") + ".1"
		files = append(files, name)
		page := plainPage(t, filepath.Join(dir, name))
		has := func(what string) {
			if want := strings.Join(strings.Fields(what), " "); !strings.Contains(page, want) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
		has(cmd.Short)
		if !strings.Contains(cmd.CommandPath(), "completion") { // cobra's own text, with marks of Markdown
			has(cmd.Long)
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				has("--" + f.Name)
				has(f.Usage)
			}
		})
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() && !c.IsAdditionalHelpTopicCommand() && c.Name() != "help" {
				look(c)
			}
		}
	}
	root := newRootCommand(&env{})
	root.InitDefaultCompletionCmd()
	look(root)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(files) {
		t.Errorf("%d pages for %q (%v)", len(entries), files, err)
	}
	for _, entry := range entries {
		if !slices.Contains(files, entry.Name()) {
			t.Errorf("%s is the page of no command", entry.Name())
		}
	}
}

// groff has nothing to say against any page.
func TestManPagesRender(t *testing.T) {
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Fatal("there is no groff to check the man pages with: test/setup.sh --tests installs it")
	}
	pages, err := filepath.Glob(filepath.Join(manDir(t), "*.1"))
	if err != nil || len(pages) < 9 {
		t.Fatalf("%d pages (%v)", len(pages), err)
	}
	for _, page := range pages {
		var said strings.Builder
		run := exec.CommandContext(t.Context(), groff, "-man", "-t", "-ww", "-Tutf8", "-z", page)
		run.Stderr = &said
		if err := run.Run(); err != nil || said.Len() > 0 {
			t.Errorf("%s: %v\n%s", filepath.Base(page), err, said.String())
		}
	}
}

func TestManIsTheSameAgain(t *testing.T) {
	one, two := manDir(t), manDir(t)
	for _, name := range []string{"steadis.1", "steadis-serve.1"} {
		a, errA := os.ReadFile(filepath.Join(one, name))
		b, errB := os.ReadFile(filepath.Join(two, name))
		if errA != nil || errB != nil || string(a) != string(b) || !strings.Contains(string(a), "Nov 2023") {
			t.Errorf("%s differs, or has another date (%v, %v)", name, errA, errB)
		}
	}
	if code, _, stderr := steadis(t.Context(), []string{"SOURCE_DATE_EPOCH=today"}, "man", "--dir", t.TempDir()); code != exitUsage || !strings.Contains(stderr, "seconds since 1970") {
		t.Errorf("a date that is none: %d, %s", code, stderr)
	}
}
