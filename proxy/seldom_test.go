package proxy

import (
	"testing"
	"time"
)

func TestSeldom(t *testing.T) {
	var s seldom
	now := time.Unix(1000, 0)
	for i, want := range []bool{true, false, false, false, false, false, false, false, false, false, true, false} {
		field, ok := s.due(now.Add(time.Duration(i) * time.Second))
		if ok != want {
			t.Errorf("second %d: %v", i, ok)
		}
		if i == 10 && (field.Key != "left_out" || field.Integer != 9) {
			t.Errorf("says %+v", field)
		}
	}
	if _, ok := s.due(now.Add(time.Hour)); !ok {
		t.Error("an hour later it is not written")
	}
}
