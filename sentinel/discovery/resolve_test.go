package discovery

import (
	"context"
	"slices"
	"testing"
	"time"

	"steadis/sentinel"
	"steadis/test/fake"
)

func startDNS(t *testing.T) *fake.DNS {
	t.Helper()
	d, err := fake.StartDNS()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// TestResolve: what a name stands for is asked anew each time, IPv4 before IPv6.
func TestResolve(t *testing.T) {
	dns := startDNS(t)
	o := Options{Addresses: []string{"primary.test:6379"}, Lookup: newLookup([]string{dns.Addr()}),
		Node: sentinel.Options{Timeout: 10 * time.Second}}
	check := func(want ...string) {
		t.Helper()
		got, err := resolveAll(t.Context(), &o)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
	}
	dns.Set("primary.test", "10.0.0.2", "10.0.0.1", "2001:db8::1")
	check("10.0.0.1:6379", "10.0.0.2:6379")
	dns.Set("primary.test", "10.0.0.3")
	check("10.0.0.3:6379")
	dns.Set("primary.test", "2001:db8::1")
	check("[2001:db8::1]:6379")
	dns.Break(true)
	if got, err := resolveAll(t.Context(), &o); err == nil {
		t.Errorf("SERVFAIL gave %v", got)
	}
	dns.Break(false)
	dns.Set("primary.test")
	if got, err := resolveAll(t.Context(), &o); err == nil {
		t.Errorf("NXDOMAIN gave %v", got)
	}
}

// TestResolveIsBounded: a name server that says nothing is given up.
func TestResolveIsBounded(t *testing.T) {
	dns := startDNS(t)
	dns.Mute(true)
	o := Options{Addresses: []string{"primary.test:6379"}, Lookup: newLookup([]string{dns.Addr()}),
		Node: sentinel.Options{Timeout: 50 * time.Millisecond}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if got, err := resolveAll(ctx, &o); err == nil || ctx.Err() != nil {
		t.Errorf("got %v, %v", got, err)
	}
}
