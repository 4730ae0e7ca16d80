package hold

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestTally(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(Limits{Window: time.Minute, Commands: 2, Bytes: 100})
		b.Enter(1) // waits for a connection; no outage
		b.Release(1)
		if last, _ := b.Tallies(); last != (Tally{}) {
			t.Errorf("without an outage: %+v", last)
		}
		b.Enter(5)
		began := time.Now()
		b.Begin(began, "gone")
		b.Enter(10)
		b.Enter(1) // there is no room
		time.Sleep(time.Second)
		b.Waited(time.Second)
		b.Drop(1, 10)
		b.RefuseAtOnce(Expired)
		if last, _ := b.Tallies(); last.LongestWait != time.Second || !last.Drained.IsZero() {
			t.Errorf("while it goes on: %+v", last)
		}
		b.End()
		time.Sleep(time.Second)
		b.Waited(2 * time.Second)
		b.Release(5)
		want := Tally{Began: began, Held: 4, Released: 1, Refused: 2, Dropped: 1, Most: 2, MostBytes: 15,
			LongestWait: 2 * time.Second, Drained: time.Now()}
		b.Waited(time.Hour) // of no outage
		b.Enter(1)
		if last, _ := b.Tallies(); last != want {
			t.Errorf("got  %+v\nwant %+v", last, want)
		}
		b.Begin(time.Now(), "again")
		last, former := b.Tallies()
		if former != want || last.Held != 1 || last.LongestWait != 0 {
			t.Errorf("the next: %+v, the former: %+v", last, former)
		}
		b.End()
		b.Begin(time.Now(), "before it was drained")
		if last, former := b.Tallies(); former.Drained.IsZero() || last.Held != 1 {
			t.Errorf("the next: %+v, the former: %+v", last, former)
		}
		if c := b.Counts(); !c.Balanced() {
			t.Errorf("%+v", c)
		}
	})
}
