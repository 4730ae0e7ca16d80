package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "steadis"

// law is what a part of the tree must not import, directly or by way of others of
// our packages. forbidden and allowed are import paths that stand for what is below
// them too; allowed are exceptions.
type law struct {
	part               string
	forbidden, allowed []string
	reason             string
}

var laws = []law{
	{"steadis/proxy", []string{"steadis/sentinel"}, []string{"steadis/sentinel/topology"}, "the data path knows the control plane's views only"},
	{"steadis/proxy", []string{"github.com/redis/go-redis"}, nil, "the data path forwards bytes; a client library has no place in it"},
	{"steadis/proxy/admin", []string{"steadis/proxy", "steadis/sentinel"}, []string{"steadis/proxy/admin"}, "the admin server gets functions"},
	{"steadis/sentinel", []string{"steadis/proxy"}, nil, "the control plane decides without the data path"},
	{"steadis/sentinel/topology", []string{module}, []string{"steadis/sentinel/topology"}, "the contract imports nothing of either side"},
	{"steadis/config", []string{module}, []string{"steadis/config"}, "the configuration is everybody's and imports nobody"},
	{"steadis/proxy", []string{"steadis/cmd", "steadis/config", "steadis/test"}, nil, "options are handed in; test code stays in tests"},
	{"steadis/sentinel", []string{"steadis/cmd", "steadis/config", "steadis/test"}, nil, "options are handed in; test code stays in tests"},
}

// within says whether the import path p is one of roots or below one.
func within(p string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(root string) bool { return p == root || strings.HasPrefix(p, root+"/") })
}

// graph maps a package of ours to what its files, other than tests, import.
type graph map[string][]string

// reach gives everything that p imports, by way of our packages, with the way there.
func (g graph) reach(p string) map[string]string {
	ways := map[string]string{}
	var visit func(p, way string)
	visit = func(p, way string) {
		for _, imported := range g[p] {
			if _, seen := ways[imported]; !seen {
				ways[imported] = way + " -> " + imported
				visit(imported, ways[imported])
			}
		}
	}
	visit(p, p)
	return ways
}

// breaches gives every way by which g breaks laws.
func breaches(g graph, laws []law) []string {
	var found []string
	for _, l := range laws {
		for p := range g {
			if !within(p, l.part) {
				continue
			}
			for imported, way := range g.reach(p) {
				if within(imported, l.forbidden...) && !within(imported, l.allowed...) {
					found = append(found, way+": "+l.reason)
				}
			}
		}
	}
	slices.Sort(found)
	return found
}

// imports reads the imports of every Go file below root that is no test, by file.
func imports(t *testing.T, root string) map[string][]string {
	t.Helper()
	files := map[string][]string{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "testdata" || entry.Name() != ".." && name != root && strings.HasPrefix(entry.Name(), ".")):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		key := path.Join(module, filepath.ToSlash(relative))
		files[key] = []string{}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			files[key] = append(files[key], imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// controlPlane says whether an import path is of the control plane proper.
func controlPlane(p string) bool {
	return within(p, "steadis/sentinel") && !within(p, "steadis/sentinel/topology")
}

func TestImportLaw(t *testing.T) {
	g := graph{}
	var both []string
	for file, imported := range imports(t, filepath.Join("..", "..")) {
		g[path.Dir(file)] = append(g[path.Dir(file)], imported...)
		if path.Dir(file) == "steadis/cmd/steadis" && slices.Contains(imported, "steadis/proxy") && slices.ContainsFunc(imported, controlPlane) {
			both = append(both, path.Base(file))
		}
	}
	for _, needed := range []string{"steadis/cmd/steadis", "steadis/proxy", "steadis/sentinel", "steadis/config"} {
		if len(g[needed]) == 0 {
			t.Errorf("%s was not found: this test looks in the wrong place", needed)
		}
	}
	for _, breach := range breaches(g, laws) {
		t.Error(breach)
	}
	if len(slices.DeleteFunc(both, func(file string) bool { return file == "service.go" })) > 0 {
		t.Errorf("%v import both proxy and sentinel; only service.go may", both)
	}
}

func TestImportLawIsEnforced(t *testing.T) {
	good := graph{
		"steadis/proxy":          {"steadis/sentinel/topology", "steadis/proxy/hold", "net"},
		"steadis/proxy/hold":     {"sync"},
		"steadis/proxy/admin":    {"net/http"},
		"steadis/sentinel":       {"steadis/sentinel/topology", "github.com/redis/go-redis/v9"},
		"steadis/config":         {"github.com/knadh/koanf/v2"},
		"steadis/cmd/steadis":    {"steadis/proxy", "steadis/sentinel"},
		"steadis/proxyless/tool": {"steadis/sentinel"},
	}
	if found := breaches(good, laws); len(found) > 0 {
		t.Errorf("good imports break the law: %q", found)
	}
	bad := map[string]graph{
		"steadis/proxy -> steadis/proxy/hold -> steadis/sentinel": {"steadis/proxy": {"steadis/proxy/hold"}, "steadis/proxy/hold": {"steadis/sentinel"}},
		"steadis/proxy/resp -> github.com/redis/go-redis/v9":      {"steadis/proxy/resp": {"github.com/redis/go-redis/v9"}},
		"steadis/proxy/admin -> steadis/proxy":                    {"steadis/proxy/admin": {"steadis/proxy"}},
		"steadis/sentinel -> steadis/proxy/hold":                  {"steadis/sentinel": {"steadis/proxy/hold"}},
		"steadis/sentinel/topology -> steadis/config":             {"steadis/sentinel/topology": {"steadis/config"}},
		"steadis/config -> steadis/sentinel/topology":             {"steadis/config": {"steadis/sentinel/topology"}},
		"steadis/proxy -> steadis/test/fake":                      {"steadis/proxy": {"steadis/test/fake"}},
	}
	for way, g := range bad {
		if found := breaches(g, laws); !slices.ContainsFunc(found, func(breach string) bool { return strings.HasPrefix(breach, way+": ") }) {
			t.Errorf("%s is let pass: %q", way, found)
		}
	}
}
