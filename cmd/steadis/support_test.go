package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func untilEnd(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestSupportOutlivesWhatLeansOnIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithCancel(t.Context())
		s, leaning := newSupport(parent)
		ended := false
		s.run("part", func(ctx context.Context) error {
			defer func() { ended = true }()
			return untilEnd(ctx)
		})
		cancel()
		<-leaning.Done()
		synctest.Wait()
		if ended {
			t.Error("the part ended with the parent, before what leans on it")
		}
		if err := s.end(); err != nil || !ended {
			t.Errorf("end: %v, ended %v", err, ended)
		}
	})
}

func TestSupportEndsWhatLeansOnItWhenAPartFails(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		err  error
		want string
	}{{broken, "second: broken"}, {nil, "second: ended by itself"}, {context.Canceled, "second: context canceled"}} {
		synctest.Test(t, func(t *testing.T) {
			s, leaning := newSupport(t.Context())
			s.run("first", untilEnd)
			s.run("second", func(context.Context) error { return test.err })
			<-leaning.Done()
			if err := s.end(); err == nil || err.Error() != test.want {
				t.Errorf("end: %v, want %s", err, test.want)
			}
		})
	}
}
