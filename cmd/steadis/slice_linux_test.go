package main

import (
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// TestShortSlices: every thread has asked, unless the kernel knows of no slices, or somebody has
// chosen how the threads of this process are scheduled.
func TestShortSlices(t *testing.T) {
	if err := askForShortSlices(); err != nil {
		t.Fatal(err)
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		id, _ := strconv.Atoi(task.Name())
		attr, err := unix.SchedGetAttr(id, 0)
		switch {
		case err != nil: // it has ended
		case attr.Policy != unix.SCHED_NORMAL:
			t.Logf("thread %d: policy %d, left alone", id, attr.Policy)
		case attr.Runtime == 0:
			t.Logf("thread %d: this kernel has no slices", id)
		case attr.Runtime != uint64(slice):
			t.Errorf("thread %d runs %d ns at one time, want %d", id, attr.Runtime, slice)
		}
	}
}
