package config

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// kubeObject is what the test looks at in a Kubernetes object.
type kubeObject struct {
	Kind string            `yaml:"kind"`
	Data map[string]string `yaml:"data"`
	Spec struct {
		Template struct {
			Spec struct {
				Grace          int             `yaml:"terminationGracePeriodSeconds"`
				InitContainers []kubeContainer `yaml:"initContainers"`
				Containers     []kubeContainer `yaml:"containers"`
			} `yaml:"spec"`
		} `yaml:"template"`
	} `yaml:"spec"`
}

type kubeContainer struct {
	Name      string       `yaml:"name"`
	Liveness  kubeProbe    `yaml:"livenessProbe"`
	Readiness kubeProbe    `yaml:"readinessProbe"`
	Security  kubeSecurity `yaml:"securityContext"`
	Lifecycle struct {
		PreStop struct {
			Sleep struct {
				Seconds int `yaml:"seconds"`
			} `yaml:"sleep"`
		} `yaml:"preStop"`
	} `yaml:"lifecycle"`
}

type kubeSecurity struct {
	NonRoot      bool  `yaml:"runAsNonRoot"`
	ReadOnly     bool  `yaml:"readOnlyRootFilesystem"`
	Escalation   *bool `yaml:"allowPrivilegeEscalation"`
	Capabilities struct {
		Drop []string `yaml:"drop"`
	} `yaml:"capabilities"`
}

// restricted says whether a container with it passes Kubernetes' restricted profile, in
// what is said for a container, and writes nowhere.
func (s kubeSecurity) restricted() bool {
	return s.NonRoot && s.ReadOnly && s.Escalation != nil && !*s.Escalation && slices.Equal(s.Capabilities.Drop, []string{"ALL"})
}

type kubeProbe struct {
	Get struct {
		Path string `yaml:"path"`
	} `yaml:"httpGet"`
}

func kubeObjects(t *testing.T, file string) []kubeObject {
	t.Helper()
	var objects []kubeObject
	decoder := yaml.NewDecoder(bytes.NewReader(mustRead(t, file)))
	for {
		var object kubeObject
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		objects = append(objects, object)
	}
}

// TestKubernetesFits loads the configuration in each manifest as serve would, and compares
// probes and times with what the program has.
func TestKubernetesFits(t *testing.T) {
	for _, file := range []string{"deploy/kubernetes/sidecar.yaml", "deploy/kubernetes/shared.yaml"} {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var loaded *Loaded
			containers := 0
			for _, object := range kubeObjects(t, file) {
				if text := object.Data["steadis.yaml"]; text != "" {
					loaded = loadText(t, text)
				}
				pod := object.Spec.Template.Spec
				for _, c := range append(pod.InitContainers, pod.Containers...) {
					if c.Name != "steadis" {
						continue
					}
					containers++
					if c.Liveness.Get.Path != "/livez" || c.Readiness.Get.Path != "/readyz" {
						t.Errorf("probes ask for %q and %q", c.Liveness.Get.Path, c.Readiness.Get.Path)
					}
					if !c.Security.restricted() {
						t.Errorf("the container may do more than it needs: %+v", c.Security)
					}
					if loaded == nil {
						t.Fatal("no ConfigMap with a steadis.yaml stands before it")
					}
					used := time.Duration(c.Lifecycle.PreStop.Sleep.Seconds)*time.Second + loaded.Drain
					if grace := time.Duration(pod.Grace) * time.Second; grace <= used {
						t.Errorf("the Pod is killed after %v, preStop and drain take %v", grace, used)
					}
				}
			}
			if containers != 1 {
				t.Errorf("%d containers are called steadis", containers)
			}
		})
	}
}

// loadText loads a configuration file with this text.
func loadText(t *testing.T, text string) *Loaded {
	t.Helper()
	file := filepath.Join(t.TempDir(), "steadis.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(Input{File: file, NeedDeployment: true})
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// composeService is what the test looks at in a service of docker-compose.yml.
type composeService struct {
	Image       string            `yaml:"image"`
	Container   string            `yaml:"container_name"`
	Build       string            `yaml:"build"`
	Environment map[string]string `yaml:"environment"`
	HealthCheck map[string]any    `yaml:"healthcheck"`
	DependsOn   map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
}

// TestComposeFits checks what Docker's own check of the file does not know: that every
// service is watched, waits for healthy ones, and is configured by keys that exist.
func TestComposeFits(t *testing.T) {
	var file struct {
		Services map[string]composeService `yaml:"services"`
	}
	if err := yaml.Unmarshal(mustRead(t, "../docker-compose.yml"), &file); err != nil {
		t.Fatal(err)
	}
	variables := map[string]bool{}
	for _, k := range Keys() {
		variables[k.Env] = true
	}
	built := map[string]bool{}
	for _, s := range file.Services {
		built[s.Image] = built[s.Image] || s.Build != ""
	}
	for name, s := range file.Services {
		if s.Container != "" {
			t.Errorf("%s has a fixed container name", name)
		}
		if len(s.HealthCheck) == 0 {
			t.Errorf("%s has no health check", name)
		}
		if !built[s.Image] && !strings.Contains(s.Image, ":") {
			t.Errorf("%s: the image %s has no version", name, s.Image)
		}
		for on, how := range s.DependsOn {
			if how.Condition != "service_healthy" {
				t.Errorf("%s waits until %s is %s", name, on, how.Condition)
			}
		}
		for variable := range s.Environment {
			if strings.HasPrefix(variable, "STEADIS_") && !variables[variable] {
				t.Errorf("%s sets %s, which is no variable of steadis", name, variable)
			}
		}
	}
}
