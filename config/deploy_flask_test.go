package config

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestFlaskExamplesFit compares the examples of a Flask app beside steadis with what steadis has.
func TestFlaskExamplesFit(t *testing.T) {
	t.Run("compose", func(t *testing.T) {
		var file struct {
			Services map[string]struct {
				Network     string            `yaml:"network_mode"`
				Environment map[string]string `yaml:"environment"`
			} `yaml:"services"`
		}
		if err := yaml.Unmarshal(mustRead(t, "deploy/flask/compose.yml"), &file); err != nil {
			t.Fatal(err)
		}
		for app, inDoubt := range map[string]string{"app": InDoubtClose, "worker": InDoubtRetry} {
			sidecar := file.Services[app+"-steadis"]
			if sidecar.Network != "service:"+app {
				t.Errorf("the sidecar of %s is in the network %q", app, sidecar.Network)
			}
			c, err := Load(Input{Environ: environOf(sidecar.Environment), NeedDeployment: true})
			if err != nil {
				t.Fatal(err)
			}
			if c.InDoubt != inDoubt || c.Durable.Replicas != 1 {
				t.Errorf("%s needs in_doubt %s and a replica that confirms, not %s and %d", app, inDoubt, c.InDoubt, c.Durable.Replicas)
			}
		}
	})
	t.Run("kubernetes", func(t *testing.T) {
		objects := kubeObjects(t, "deploy/flask/kubernetes.yaml")
		if len(objects) != 2 {
			t.Fatalf("%d objects", len(objects))
		}
		for _, object := range objects {
			pod := object.Spec.Template.Spec
			if len(pod.InitContainers) != 1 || pod.InitContainers[0].Name != "steadis" || !pod.InitContainers[0].Security.restricted() {
				t.Errorf("the sidecar is not as it should be: %+v", pod.InitContainers)
			}
		}
	})
	t.Run("systemd", func(t *testing.T) {
		unit := string(mustRead(t, "deploy/flask/flask-app.service"))
		if !strings.Contains(unit, "After=network-online.target steadis.service") || !strings.Contains(unit, "steadis health") {
			t.Error("the app does not wait for steadis")
		}
	})
}

func environOf(variables map[string]string) []string {
	var list []string
	for name, value := range variables {
		list = append(list, name+"="+value)
	}
	return list
}
