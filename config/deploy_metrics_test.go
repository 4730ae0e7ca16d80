package config

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	alertsFile     = "deploy/prometheus/alerts.yml"
	alertsTestFile = "deploy/prometheus/alerts_test.yml"
	dashboardFile  = "deploy/grafana/steadis.json"
)

var (
	metricName = regexp.MustCompile(`\bsteadis_[a-z_]+`)
	// registration is how the sources name a metric: as a whole string.
	registration = regexp.MustCompile(`"(steadis_[a-z_]+)"`)
	// ofProcess are metrics without the label master, or for all masters together.
	ofProcess = regexp.MustCompile(`\bprocess_|\bsteadis_query_memory_bytes`)
	histogram = regexp.MustCompile(`(?s)(?:HistogramOpts\{\s*Name:\s*|histogramDesc\()"(steadis_[a-z_]+)"`)
)

// registeredMetrics gives the names of all metrics in the sources, with those
// that a histogram is exposed as.
func registeredMetrics(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	read := func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, found := range registration.FindAllSubmatch(source, -1) {
			names[string(found[1])] = true
		}
		for _, found := range histogram.FindAllSubmatch(source, -1) {
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				names[string(found[1])+suffix] = true
			}
		}
		return err
	}
	for _, dir := range []string{"../proxy", "../sentinel", "../cmd/steadis", "../cmd/internal/certs"} {
		if err := filepath.WalkDir(dir, read); err != nil {
			t.Fatal(err)
		}
	}
	return names
}

// TestDeployMetricsExist compares the metrics that rules, their tests and the dashboard
// name with those that the program has.
func TestDeployMetricsExist(t *testing.T) {
	registered := registeredMetrics(t)
	for _, file := range []string{alertsFile, alertsTestFile, dashboardFile} {
		named := metricName.FindAllString(string(mustRead(t, file)), -1)
		if len(named) == 0 {
			t.Errorf("%s names no metric", file)
		}
		for _, name := range named {
			if !registered[name] {
				t.Errorf("%s names %s, which is no metric of steadis", file, name)
			}
		}
	}
}

// alertRule is one rule of alerts.yml.
type alertRule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func alertRules(t *testing.T) []alertRule {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []alertRule `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.Unmarshal(mustRead(t, alertsFile), &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Groups) != 1 || len(file.Groups[0].Rules) == 0 {
		t.Fatalf("%s has %d groups, or one without rules", alertsFile, len(file.Groups))
	}
	return file.Groups[0].Rules
}

// TestDeployAlertsAreTested finds rules that no case of the rules' own tests expects, and
// those that do not say how bad it is and what to do. `promtool test rules` runs the cases.
func TestDeployAlertsAreTested(t *testing.T) {
	cases := string(mustRead(t, alertsTestFile))
	for _, rule := range alertRules(t) {
		if !strings.Contains(cases, `alertname="`+rule.Alert+`"`) {
			t.Errorf("%s: no case of %s expects it", rule.Alert, alertsTestFile)
		}
		if severity := rule.Labels["severity"]; severity != "critical" && severity != "warning" {
			t.Errorf("%s: severity %q", rule.Alert, severity)
		}
		if rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
			t.Errorf("%s: has no summary or no description", rule.Alert)
		}
	}
}

// TestDeployAlertsFire has Prometheus' own tool run the cases of the rules' tests.
func TestDeployAlertsFire(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatal("there is no promtool to check the rules with: test/setup.sh --tests installs it")
	}
	for _, what := range [][]string{{"check", "rules", alertsFile}, {"test", "rules", alertsTestFile}} {
		if out, err := exec.CommandContext(t.Context(), promtool, what...).CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", what, err, out)
		}
	}
}

// TestDashboardIsWhole reads the dashboard as Grafana would: every panel has a query, and
// ids are unique.
func TestDashboardIsWhole(t *testing.T) {
	var dashboard struct {
		UID    string `json:"uid"`
		Panels []struct {
			ID      int    `json:"id"`
			Type    string `json:"type"`
			Title   string `json:"title"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(mustRead(t, dashboardFile), &dashboard); err != nil {
		t.Fatal(err)
	}
	if dashboard.UID == "" || len(dashboard.Panels) == 0 {
		t.Fatalf("uid %q, %d panels", dashboard.UID, len(dashboard.Panels))
	}
	seen := map[int]bool{}
	for _, panel := range dashboard.Panels {
		if seen[panel.ID] {
			t.Errorf("two panels have the id %d", panel.ID)
		}
		seen[panel.ID] = true
		if panel.Type == "row" {
			continue
		}
		if len(panel.Targets) == 0 {
			t.Errorf("panel %q has no query", panel.Title)
		}
		for _, target := range panel.Targets {
			if !strings.Contains(target.Expr, `job="$job"`) {
				t.Errorf("panel %q asks beyond the job that is chosen: %s", panel.Title, target.Expr)
			}
			if ofMaster := !ofProcess.MatchString(target.Expr); strings.Count(target.Expr, `master=~"$master"`) != strings.Count(target.Expr, `job="$job"`) && ofMaster {
				t.Errorf("panel %q asks beyond the master that is chosen: %s", panel.Title, target.Expr)
			}
		}
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
