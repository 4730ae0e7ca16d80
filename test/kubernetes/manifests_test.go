// Package kubernetes checks the manifests in config/deploy/kubernetes against the API of
// Kubernetes: its own Go types, decoded strictly, as `kubectl apply --validate=strict` does on a server.
//
// It is a module of its own, so that the types and what they need (some 20 modules) are no
// dependency of steadis, not even of its tests. `make test` runs it.
package kubernetes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

const manifests = "../../config/deploy/kubernetes"

// kinds are the types that manifests may use, by apiVersion and kind.
var kinds = map[string]func() metav1.Object{
	"v1 ConfigMap":                       func() metav1.Object { return &corev1.ConfigMap{} },
	"v1 Service":                         func() metav1.Object { return &corev1.Service{} },
	"apps/v1 Deployment":                 func() metav1.Object { return &appsv1.Deployment{} },
	"policy/v1 PodDisruptionBudget":      func() metav1.Object { return &policyv1.PodDisruptionBudget{} },
	"networking.k8s.io/v1 NetworkPolicy": func() metav1.Object { return &networkingv1.NetworkPolicy{} },
}

// decode gives the objects of one file.
func decode(t *testing.T, file string) []metav1.Object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(manifests, file))
	if err != nil {
		t.Fatal(err)
	}
	var objects []metav1.Object
	for _, document := range strings.Split(string(text), "\n---\n") {
		object, err := decodeOne(document)
		if err != nil {
			t.Fatalf("%s: %v\n%s", file, err, document)
		}
		if object.GetName() == "" {
			t.Errorf("%s: an object has no name:\n%s", file, document)
		}
		objects = append(objects, object)
	}
	return objects
}

func decodeOne(document string) (metav1.Object, error) {
	var head metav1.TypeMeta
	if err := yaml.Unmarshal([]byte(document), &head); err != nil {
		return nil, err
	}
	empty, known := kinds[head.APIVersion+" "+head.Kind]
	if !known {
		return nil, os.ErrInvalid
	}
	object := empty()
	return object, yaml.UnmarshalStrict([]byte(document), object)
}

// only gives the one object of its type.
func only[T metav1.Object](t *testing.T, objects []metav1.Object) T {
	t.Helper()
	var found []T
	for _, object := range objects {
		if typed, is := object.(T); is {
			found = append(found, typed)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d objects are %T, want one", len(found), *new(T))
	}
	return found[0]
}

// selects says whether a selector takes a Pod that has these labels.
func selects(t *testing.T, selector *metav1.LabelSelector, of map[string]string) bool {
	t.Helper()
	chosen, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return chosen.Matches(labels.Set(of)) && !chosen.Empty()
}

func TestSidecar(t *testing.T) {
	objects := decode(t, "sidecar.yaml")
	deployment := only[*appsv1.Deployment](t, objects)
	checkDeployment(t, deployment, only[*corev1.ConfigMap](t, objects))
	pod := deployment.Spec.Template.Spec
	if len(pod.InitContainers) != 1 || pod.InitContainers[0].RestartPolicy == nil || *pod.InitContainers[0].RestartPolicy != corev1.ContainerRestartPolicyAlways {
		t.Error("steadis is no sidecar: an init container that is restarted")
	}
}

// The Flask app and its worker use the sidecar's ConfigMap; their own readiness says whether Redis can be used.
func TestFlask(t *testing.T) {
	config := only[*corev1.ConfigMap](t, decode(t, "sidecar.yaml"))
	for _, object := range decode(t, "../flask/kubernetes.yaml") {
		deployment, is := object.(*appsv1.Deployment)
		if !is {
			t.Fatalf("%s is a %T", object.GetName(), object)
		}
		pod := deployment.Spec.Template.Spec
		if !selects(t, deployment.Spec.Selector, deployment.Spec.Template.Labels) {
			t.Errorf("%s does not select its own Pods", deployment.Name)
		}
		if len(pod.Volumes) != 1 || pod.Volumes[0].ConfigMap == nil || pod.Volumes[0].ConfigMap.Name != config.Name {
			t.Errorf("%s: the ConfigMap %s is no volume", deployment.Name, config.Name)
		}
		sidecar := pod.InitContainers[0]
		if sidecar.RestartPolicy == nil || *sidecar.RestartPolicy != corev1.ContainerRestartPolicyAlways || len(sidecar.VolumeMounts) != 1 {
			t.Errorf("%s: steadis is no sidecar with its configuration", deployment.Name)
		}
		path, name := filepath.Split(sidecar.Args[2])
		if filepath.Clean(path) != sidecar.VolumeMounts[0].MountPath || config.Data[name] == "" {
			t.Errorf("%s: the configuration that is named, %q, is not mounted", deployment.Name, sidecar.Args)
		}
	}
}

func TestShared(t *testing.T) {
	objects := decode(t, "shared.yaml")
	deployment := only[*appsv1.Deployment](t, objects)
	checkDeployment(t, deployment, only[*corev1.ConfigMap](t, objects))
	pod := deployment.Spec.Template
	ports := map[string]bool{}
	for _, port := range pod.Spec.Containers[0].Ports {
		ports[port.Name] = true
	}
	service := only[*corev1.Service](t, objects)
	if !selects(t, &metav1.LabelSelector{MatchLabels: service.Spec.Selector}, pod.Labels) || !ports[service.Spec.Ports[0].TargetPort.String()] {
		t.Error("the Service leads nowhere")
	}
	budget := only[*policyv1.PodDisruptionBudget](t, objects)
	if !selects(t, budget.Spec.Selector, pod.Labels) || *deployment.Spec.Replicas < 2 || budget.Spec.MaxUnavailable.IntValue() != 1 {
		t.Error("the PodDisruptionBudget does not keep a Pod while one is away")
	}
	policy := only[*networkingv1.NetworkPolicy](t, objects)
	if !selects(t, &policy.Spec.PodSelector, pod.Labels) || len(policy.Spec.PolicyTypes) != 2 {
		t.Error("the NetworkPolicy does not stand before steadis, both ways")
	}
	for _, rule := range policy.Spec.Ingress {
		if len(rule.From) == 0 || len(rule.Ports) != 1 || !ports[rule.Ports[0].Port.String()] {
			t.Errorf("a rule lets in everybody, or to a port that is not there: %+v", rule)
		}
	}
}

// checkDeployment looks at what both ways to run steadis have in common.
func checkDeployment(t *testing.T, d *appsv1.Deployment, config *corev1.ConfigMap) {
	t.Helper()
	template := d.Spec.Template
	if !selects(t, d.Spec.Selector, template.Labels) {
		t.Error("the Deployment does not select its own Pods")
	}
	pod := template.Spec
	if pod.SecurityContext == nil || pod.SecurityContext.SeccompProfile == nil || pod.SecurityContext.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Error("the Pod has no seccomp profile")
	}
	volumes := map[string]string{}
	for _, volume := range pod.Volumes {
		if volume.ConfigMap != nil {
			volumes[volume.Name] = volume.ConfigMap.Name
		}
	}
	for _, c := range append(pod.InitContainers, pod.Containers...) {
		if s := c.SecurityContext; s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" {
			t.Errorf("%s: the container is not restricted", c.Name)
		}
		if c.Name == "steadis" {
			checkSteadis(t, c, volumes, config)
		}
	}
}

func checkSteadis(t *testing.T, c corev1.Container, volumes map[string]string, config *corev1.ConfigMap) {
	t.Helper()
	if c.StartupProbe == nil || c.LivenessProbe == nil || c.ReadinessProbe == nil {
		t.Fatal("a probe is missing")
	}
	for _, probe := range []*corev1.Probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
		if probe.HTTPGet == nil || probe.HTTPGet.Port.String() != "admin" {
			t.Errorf("a probe does not ask the admin server: %+v", probe)
		}
	}
	if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
		t.Error("resources are not bounded")
	}
	// hold_max_bytes and limits.query_memory, at their defaults, must fit into the limit twice.
	if least := int64(2 * 2 * 256 << 20); c.Resources.Limits.Memory().Value() < least {
		t.Errorf("the limit of memory is %v", c.Resources.Limits.Memory())
	}
	if len(c.VolumeMounts) != 1 || volumes[c.VolumeMounts[0].Name] != config.Name {
		t.Error("the ConfigMap is not mounted")
	}
	path, name := filepath.Split(c.Args[len(c.Args)-1])
	if filepath.Clean(path) != c.VolumeMounts[0].MountPath || config.Data[name] == "" {
		t.Errorf("the configuration that is named, %q, is not mounted", c.Args)
	}
}

// What Kubernetes would refuse, or ignore, is found.
func TestStrictness(t *testing.T) {
	for name, document := range map[string]string{
		"an unknown field":         "apiVersion: v1\nkind: Service\nspec: {prots: []}",
		"a field at a wrong place": "apiVersion: apps/v1\nkind: Deployment\nspec: {containers: []}",
		"a wrong type":             "apiVersion: policy/v1\nkind: PodDisruptionBudget\nspec: {selector: all}",
		"an unknown kind":          "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget",
		"a key twice":              "apiVersion: v1\nkind: ConfigMap\ndata: {a: b, a: c}",
	} {
		if _, err := decodeOne(document); err == nil {
			t.Errorf("%s is not found", name)
		}
	}
}
