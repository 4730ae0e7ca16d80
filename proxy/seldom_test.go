package proxy

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, lines := observer.New(zap.WarnLevel)
		s := seldomLine{log: zap.New(core)}
		for range 12 { // at 0 s, and then at 10 s
			s.warn("again")
			time.Sleep(time.Second)
		}
		if got := lines.Len(); got != 2 {
			t.Fatalf("%d lines, want 2", got)
		}
		if fields := lines.All()[1].ContextMap(); fields["times_not_logged"] != int64(9) {
			t.Errorf("the second line says %v", fields)
		}
	})
}
