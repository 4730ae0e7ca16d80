package topology

import (
	"strings"
	"testing"
)

func TestFilterScript(t *testing.T) {
	a, b := &Host{IP: "10.77.0.10"}, &Host{IP: "10.77.0.11"}
	got := filterScript([]rule{{a, b, 1}, {b, a, 0.03}})
	for _, want := range []string{
		"delete table bridge steadis\n",
		"ip saddr 10.77.0.10 ip daddr 10.77.0.11 drop\n",
		"ip saddr 10.77.0.11 ip daddr 10.77.0.10 numgen random mod 1000 < 30 drop\n",
		"chain forward { type filter hook forward priority 0; jump lost; }\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(filterScript(nil), "drop") {
		t.Error("something is dropped without a rule")
	}
}
