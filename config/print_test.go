package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.yaml.in/yaml/v3"
)

func TestYAMLSaysWhereValuesComeFrom(t *testing.T) {
	loaded := mustLoad(t, given{
		file: "master: mymaster\n",
		env:  []string{"STEADIS_HOLD=1m", "STEADIS_ADDRESS_MAP=a:1=b:1"},
		args: []string{"--sentinel", "a:1,b:1", "--upstream-password", "hunter2"},
	})
	data, err := loaded.YAML()
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for _, want := range []string{
		"sentinel: [\"a:1\", \"b:1\"] # from --sentinel\n",
		"steadis.yaml, line 1\n",
		"hold: 1m # from STEADIS_HOLD\n",
		"# from STEADIS_ADDRESS_MAP\naddress_map:\n  \"a:1\": \"b:1\"\n",
		"password: (set) # from --upstream-password\n",
		"in_doubt: close\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing from\n%s", want, text)
		}
	}
	if strings.Contains(text, "hunter2") {
		t.Errorf("the password is shown:\n%s", text)
	}
}

func TestYAMLLoadsAgain(t *testing.T) {
	inputs := []given{
		{},
		{file: string(DefaultYAML)},
		{file: "sentinel: [a:1, '[::1]:2']\nmaster: 'yes'\nlisten: [unix:/a b]\naddress_map: {'a:1': 'b:1'}\nhold: 1h30m\nlimits: {bulk: 1000}\n"},
		{file: "allow_commands: ['*', debug, 'client|pause', 'config set', 'null', '12']\ndeny_commands: ['yes']\n"},
		{env: []string{"STEADIS_MASTER=#:'\"", "STEADIS_ADMIN=", "STEADIS_UPSTREAM_USER=0x1", "STEADIS_UPSTREAM_PASSWORD=p"}},
	}
	for _, in := range inputs {
		again(t, mustLoad(t, in))
	}
}

// again prints and loads l, and wants the same configuration back.
func again(t testing.TB, l *Loaded) {
	t.Helper()
	data, err := l.YAML()
	if err != nil {
		t.Fatal(err)
	}
	want := l.Config
	for _, auth := range []*Auth{&want.SentinelAuth, &want.Upstream.Auth} {
		if auth.Password.Reveal() != "" {
			auth.Password = NewSecret("real")
		}
	}
	got := mustLoad(t, given{file: strings.ReplaceAll(string(data), "password: "+Mask, "password: real")})
	if !reflect.DeepEqual(got.Config, want) {
		t.Errorf("got  %#v\nwant %#v\nfrom\n%s", got.Config, want, data)
	}
}

func TestSecretIsNeverShown(t *testing.T) {
	auth := Auth{User: "u", Password: NewSecret("hunter2"), PasswordFile: "f", fromFile: NewSecret("hunter2")}
	hidden := struct{ auth Auth }{auth}
	asJSON, err := json.Marshal(auth)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(auth)
	if err != nil {
		t.Fatal(err)
	}
	entry, err := zapcore.NewJSONEncoder(zapcore.EncoderConfig{}).EncodeEntry(zapcore.Entry{}, []zap.Field{zap.Any("a", auth), zap.Stringer("s", auth.Password), zap.Any("p", auth.Password)})
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{string(asJSON), string(asYAML), entry.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		texts = append(texts, fmt.Sprintf(verb, auth), fmt.Sprintf(verb, hidden), fmt.Sprintf(verb, auth.Password))
	}
	for _, text := range texts {
		if strings.Contains(text, "hunter2") || strings.Contains(text, fmt.Sprintf("%x", "hunter2")) {
			t.Errorf("the secret is shown: %s", text)
		}
	}
	if !strings.Contains(texts[0], Mask) || NewSecret("").String() != "" {
		t.Errorf("what is set is not marked: %s", texts[0])
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{"0": 0, "1000": 1000, "1000b": 1000, "1kb": 1024, "1k": 1024, "3MB": 3 << 20, "3m": 3 << 20, "2Gb": 2 << 30, "0gb": 0} {
		got, err := ParseSize(text)
		if err != nil || got != want {
			t.Errorf("%s: got %d, %v, want %d", text, got, err, want)
		}
		if back, err := ParseSize(got.String()); err != nil || back != got {
			t.Errorf("%s: prints as %s, which is %d, %v", text, got, back, err)
		}
	}
	if got := (Size(1000)).String() + Size(2048).String() + Size(256<<20).String(); got != "1000b2kb256mb" {
		t.Error(got)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"hold", "hold_max_bytes", "listen", "master"}
	for name, want := range map[string]string{"hodl": "hold", "hld": "hold", "listne": "listen", "xyz": "", "maste": "master", "hold_max_byte": "hold_max_bytes", "": "", strings.Repeat("hold", 1000): ""} {
		if got := Nearest(name, names); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for pair, want := range map[[2]string]int{{"hodl", "hold"}: 1, {"hold", "hold"}: 0, {"", "hold"}: 4, {"hld", "hold"}: 1, {"gold", "hold"}: 1, {"ohdl", "hold"}: 2} {
		if got := distance(pair[0], pair[1]); got != want {
			t.Errorf("%q: got %d, want %d", pair, got, want)
		}
	}
}
