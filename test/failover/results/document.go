// Package results writes test/failover/RESULTS.md: one document with a section
// for each suite that measures failovers. A suite that runs replaces its own
// section and leaves the others as they are.
package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// title begins the document.
const title = "# Failover figures"

// order is the order of the sections that we know; others follow.
var order = []string{"Rounds", "Faults"}

// Section is one part of the document, under a title of its own.
type Section struct {
	// Title is unique in the document.
	Title string
	// Intro is one or more paragraphs before the table.
	Intro string
	// Header and Rows are the table.
	Header []string
	Rows   [][]string
}

// Write puts the section into the document at path, in place of the section with
// the same title. An empty path writes nothing.
func (s Section) Write(path string) error {
	if path == "" {
		return nil
	}
	body, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("results: %w", err)
	}
	return os.WriteFile(path, []byte(s.into(string(body))), 0o644)
}

// into gives the document with the section in it.
func (s Section) into(document string) string {
	sections := map[string]string{}
	titles := []string{}
	for i, part := range strings.Split("\n"+document, "\n## ") {
		if i == 0 {
			continue // what stands before the first section is ours to write
		}
		name, body, _ := strings.Cut(part, "\n")
		sections[name] = strings.TrimSpace(body)
		titles = append(titles, name)
	}
	if _, has := sections[s.Title]; !has {
		titles = append(titles, s.Title)
	}
	sections[s.Title] = s.text()
	slices.SortStableFunc(titles, func(a, b string) int { return place(a) - place(b) })
	var b strings.Builder
	b.WriteString(title + "\n")
	for _, name := range titles {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", name, sections[name])
	}
	return b.String()
}

func place(title string) int {
	if i := slices.Index(order, title); i >= 0 {
		return i
	}
	return len(order)
}

func (s Section) text() string {
	var b strings.Builder
	b.WriteString(strings.TrimSpace(s.Intro) + "\n\n")
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(s.Header)
	b.WriteString(strings.Repeat("|---", len(s.Header)) + "|\n")
	for _, row := range s.Rows {
		line(row)
	}
	return strings.TrimSpace(b.String())
}

// Origin says when, on which machine and from which commit figures come, as one
// line. Outside of a git checkout the commit is unknown.
func Origin() string {
	return fmt.Sprintf("Measured on %s at commit %s, on %s/%s, %d cores (%s; shared with Redis, Sentinel and the load), kernel %s, %s.",
		time.Now().UTC().Format(time.DateOnly), commit(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(),
		fieldOf("/proc/cpuinfo", "model name"), firstLine("/proc/sys/kernel/osrelease"), runtime.Version())
}

// commit describes the checkout; "+" says that files differ from the commit,
// other than the document itself.
func commit() string {
	out, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	changed, err := exec.Command("git", "status", "--porcelain", "--", ":/", ":(exclude,top)test/failover/RESULTS.md").Output()
	if err == nil && len(changed) > 0 {
		return strings.TrimSpace(string(out)) + "+"
	}
	return strings.TrimSpace(string(out))
}

// fieldOf gives the value of the first "name : value" line of a file.
func fieldOf(path, name string) string {
	body, err := os.ReadFile(filepath.Clean(path))
	if err == nil {
		for line := range strings.Lines(string(body)) {
			if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == name {
				return strings.TrimSpace(value)
			}
		}
	}
	return "unknown processor"
}

func firstLine(path string) string {
	body, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(body), "\n")
	return line
}
