package main

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"steadis/cmd/internal/handover"
)

// TestHeir: a client goes on with its own master or not at all; where there was and is but
// one, its name does not matter.
func TestHeir(t *testing.T) {
	one := services{{name: "a"}}
	two := services{{name: "a", several: true}, {name: "b", several: true}}
	for _, test := range []struct {
		now           services
		master        string
		formerSeveral bool
		want          string
	}{
		{one, "a", false, "a"},
		{one, "renamed", false, "a"},
		{one, "", false, "a"}, // a version that did not say
		{one, "a", true, "a"},
		{one, "b", true, ""},
		{two, "b", true, "b"},
		{two, "c", true, ""},
		{two, "b", false, "b"},
		{two, "c", false, ""},
		{two, "", false, ""},
		{two[:1], "", false, ""},
		{two[:1], "a", false, "a"},
	} {
		got := ""
		if s := test.now.heir(test.master, test.formerSeveral); s != nil {
			got = s.name
		}
		if got != test.want {
			t.Errorf("%v, of %q, of several %v: got %q, want %q", test.now.names(), test.master, test.formerSeveral, got, test.want)
		}
	}
}

// TestPlaces: the service manager's sockets go to the master of their name, with TLS or
// without; where there is but one, whatever they are called.
func TestPlaces(t *testing.T) {
	tests := []struct {
		places []string
		socket string
		where  int // of places; -1: the admin server's, -2: nowhere
		tls    bool
	}{
		{[]string{""}, "redis", 0, false},
		{[]string{""}, "tls", 0, true},
		{[]string{""}, "cache.tls", 0, false},
		{[]string{""}, "admin", -1, false},
		{[]string{"cache", "sessions"}, "sessions", 1, false},
		{[]string{"cache", "sessions"}, "sessions.tls", 1, true},
		{[]string{"cache", "sessions"}, "admin", -1, false},
		{[]string{"cache", "sessions"}, "redis", -2, false},
		{[]string{"cache", "sessions"}, "tls", -2, false},
		{[]string{"a", "a.tls"}, "a.tls.tls", 1, true},
		{[]string{"a", "a.tls"}, "a.tls", 1, false},
	}
	for _, test := range tests {
		s := &sockets{}
		for _, name := range test.places {
			s.places = append(s.places, &place{name: name})
		}
		listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
		if err != nil {
			t.Fatal(err)
		}
		err = s.put(handover.Socket{Name: namedActivated + test.socket + ":3", Listener: listener})
		where := -2
		if s.admin != nil {
			where = -1
		}
		for i, p := range s.places {
			if len(p.masters) > 0 {
				where = i
				if p.speaksTLS(p.masters[0]) != test.tls || !p.inherited() {
					t.Errorf("%q: TLS %v, inherited %v", test.socket, !test.tls, p.inherited())
				}
			}
		}
		if where != test.where || (err != nil) != (where == -2) {
			t.Errorf("%q in %q: at %d, want %d; %v", test.socket, test.places, where, test.where, err)
		}
		if err != nil && !strings.HasSuffix(err.Error(), "belongs to none of masters; its FileDescriptorName= must be one of cache, cache.tls, sessions, sessions.tls") {
			t.Error(err)
		}
		s.close()
	}
}

// ending is a server that ends as it is told, or with its context.
type ending struct {
	now bool
	err error
}

func (e ending) Serve(ctx context.Context, _ ...net.Listener) error {
	if !e.now {
		<-ctx.Done()
	}
	return e.err
}

// TestServeAll: one that ends, ends all; each one's error is named.
func TestServeAll(t *testing.T) {
	broken := errors.New("broken")
	for want, entries := range map[string][]entry{
		"":                          {{"a", ending{now: true}, nil}, {"b", ending{}, nil}},
		"b: broken":                 {{"a", ending{err: context.Canceled}, nil}, {"b", ending{now: true, err: broken}, nil}},
		"a: broken\nof one: broken": {{"a", ending{err: broken}, nil}, {"of one", ending{now: true, err: broken}, nil}},
	} {
		got := ""
		if err := serveAll(t.Context(), entries); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
