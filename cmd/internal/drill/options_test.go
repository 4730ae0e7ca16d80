package drill

import (
	"strings"
	"testing"
	"time"

	"steadis/sentinel"
)

func goodOptions() Options {
	return Options{
		Addr: "127.0.0.1:6379", Sentinel: sentinel.Options{Addresses: []string{"127.0.0.1:26379"}, Master: "mymaster"},
		Kind: Failover, Rounds: 1, Clients: 8, Readers: 2, Rate: 1000, Lead: time.Second, Trail: time.Second,
		Limit: time.Minute, Settle: time.Minute,
	}
}

func TestValidateSaysEveryFault(t *testing.T) {
	good := goodOptions()
	if err := good.Validate(); err != nil {
		t.Errorf("good options: %v", err)
	}
	for want, spoil := range map[string]func(*Options){
		"--addr \"\"":                  func(o *Options) { o.Addr = "" },
		"--addr \"redis://a:1\"":       func(o *Options) { o.Addr = "redis://a:1" },
		"want failover, crash":         func(o *Options) { o.Kind = "earthquake" },
		"--rounds 0: want 1":           func(o *Options) { o.Rounds = 0 },
		"--clients 0":                  func(o *Options) { o.Clients = 0 },
		"--readers -1":                 func(o *Options) { o.Readers = -1 },
		"--rate -1":                    func(o *Options) { o.Rate = -1 },
		"--value-size 2000000":         func(o *Options) { o.ValueSize = 2_000_000 },
		"--lead 0s: want 500ms":        func(o *Options) { o.Lead = 0 },
		"--trail 100ms":                func(o *Options) { o.Trail = 100 * time.Millisecond },
		"--limit 0s":                   func(o *Options) { o.Limit = 0 },
		"--settle -1s":                 func(o *Options) { o.Settle = -time.Second },
		"--freeze-for 1h0m0s":          func(o *Options) { o.FreezeFor = time.Hour },
		"--user \"app\": has no":       func(o *Options) { o.Client.User = "app" },
		"--admin \"http://a:1\": want": func(o *Options) { o.Admin = "http://a:1" },
	} {
		o := goodOptions()
		spoil(&o)
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	bad := goodOptions()
	bad.Rounds, bad.Clients = 0, 0
	if err := bad.Validate(); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("two faults give: %v", err)
	}
}

func TestEvery(t *testing.T) {
	o := goodOptions()
	if got := o.every(); got != 8*time.Millisecond {
		t.Errorf("8 writers at 1000 a second: each every %v, want 8ms", got)
	}
	o.Rate = 0
	if got := o.every(); got != 0 {
		t.Errorf("a closed loop: %v", got)
	}
}

func TestMapped(t *testing.T) {
	o := goodOptions()
	o.Sentinel.AddressMap = map[string]string{"172.18.0.2:6379": "127.0.0.1:7001"}
	if got := o.mapped("172.18.0.2:6379"); got != "127.0.0.1:7001" {
		t.Error(got)
	}
	if got := o.mapped("172.18.0.3:6379"); got != "172.18.0.3:6379" {
		t.Error(got)
	}
}
