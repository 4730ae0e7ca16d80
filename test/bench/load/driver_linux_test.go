package load

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// still is a load whose time the test sets and whose servers only take what is sent.
func still(t *testing.T, clients int, d driver) (l *Load, took func(id int) int) {
	t.Helper()
	l = &Load{driver: d, measuring: true, result: Result{Waits: newWaits()}}
	var peers []int
	for id := range clients {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { closeSocket(pair[0]); closeSocket(pair[1]) })
		l.clients = append(l.clients, &client{id: id, fd: pair[0]})
		peers = append(peers, pair[1])
	}
	buffer := make([]byte, 1<<20)
	return l, func(id int) int {
		n, err := readSocket(peers[id], buffer)
		if err != nil {
			return 0
		}
		return n
	}
}

func TestScheduleIsEven(t *testing.T) {
	s := schedule{rate: 3}
	var due []time.Duration
	for now := time.Duration(0); now <= 2*time.Second; now += 100 * time.Millisecond {
		for {
			n, at, ok := s.take(now)
			if !ok {
				break
			}
			if n != len(due) || at > now || now-at >= 100*time.Millisecond {
				t.Fatalf("request %d, due at %v, handed out at %v", n, at, now)
			}
			due = append(due, at.Round(time.Millisecond))
		}
		if next := s.wait(now); now+next != s.dueAt(len(due)) {
			t.Fatalf("at %v: next in %v", now, next)
		}
	}
	want := []time.Duration{0, 333e6, 667e6, 1000e6, 1333e6, 1667e6, 2000e6}
	if !slices.Equal(due, want) {
		t.Errorf("due at %v", due)
	}
}

// TestOpenCountsFromTheDueTime: a server that stands still delays the requests behind
// it too, whether they are sent meanwhile or have to wait.
func TestOpenCountsFromTheDueTime(t *testing.T) {
	const second = time.Second
	for _, tt := range []struct {
		name  string
		depth int
		sent  int // requests that a client has sent after a second without replies
	}{{"any number in flight", 0, 6}, {"one in flight", 1, 1}} {
		d := &open{script: Get(), schedule: schedule{rate: 10}, depth: tt.depth}
		l, took := still(t, 2, d)
		d.begin(l)
		l.now = second // nothing came for a second in which 11 requests fell due
		if wait := d.tick(l); wait != 100*time.Millisecond {
			t.Errorf("%s: the next one is due in %v", tt.name, wait)
		}
		if got, want := took(0), tt.sent*len(Get().next(0)); got != want {
			t.Errorf("%s: %d bytes were sent, want %d", tt.name, got, want)
		}
		for range 6 {
			d.replied(l, l.clients[0], 1) // due at 0, 0.2 ... 1 s
		}
		if l.err != nil || l.result.Commands != 6 {
			t.Fatalf("%s: %d commands, %v", tt.name, l.result.Commands, l.err)
		}
		for percent, want := range map[float64]time.Duration{100: second, 50: 400 * time.Millisecond, 1: shortest} {
			if got := l.result.Waits.Percentile(percent); (got - want).Abs() > 2*time.Millisecond {
				t.Errorf("%s: percentile %v is %v, want %v", tt.name, percent, got, want)
			}
		}
		if d.replied(l, l.clients[0], 1); l.err != errSurplus {
			t.Errorf("%s: a reply too many: %v", tt.name, l.err)
		}
	}
}

const shortest = time.Duration(shortestWait)

func TestClosedSendsTheNextBatchAfterTheLastReply(t *testing.T) {
	d := &closed{script: Transaction(2), batch: 3}
	l, took := still(t, 1, d)
	batch := 3 * len(d.script.next(0))
	d.begin(l)
	if got := took(0); got != batch {
		t.Fatalf("%d bytes, want %d", got, batch)
	}
	l.now = 5 * time.Millisecond
	d.replied(l, l.clients[0], 11) // of 12: two transactions and most of the third
	if got := took(0); got != 0 || l.result.Commands != 8 {
		t.Errorf("%d bytes and %d commands before the last reply", got, l.result.Commands)
	}
	l.now = 9 * time.Millisecond
	d.replied(l, l.clients[0], 1)
	if got := took(0); got != batch || l.result.Commands != 12 {
		t.Errorf("%d bytes and %d commands after the last reply", got, l.result.Commands)
	}
	if got := l.result.Waits.Percentile(100); (got-l.now).Abs() > 10*time.Microsecond || l.clients[0].sentAt != l.now {
		t.Errorf("the longest wait is %v, the next batch was sent at %v", got, l.clients[0].sentAt)
	}
}

func TestFanOutPublishesOnceAllHaveAMessage(t *testing.T) {
	d := newFanOut(16)
	l, took := still(t, 3, d)
	d.begin(l)
	if got := took(0); got != published*len(d.message) {
		t.Fatalf("%d bytes at first", got)
	}
	l.now = time.Millisecond
	d.replied(l, l.clients[1], 2)
	if got := took(0); got != 0 {
		t.Errorf("%d bytes before the second subscriber has one", got)
	}
	d.replied(l, l.clients[2], 1)
	if got := took(0); got != len(d.message) || l.result.Commands != 3 {
		t.Errorf("%d bytes, %d deliveries", got, l.result.Commands)
	}
	if d.replied(l, l.clients[1], published); l.err != errSurplus {
		t.Errorf("a message that was never published: %v", l.err)
	}
}

func TestHandOffBeginsAnewWhenBothAreAnswered(t *testing.T) {
	d := &handOff{}
	l, took := still(t, 4, d)
	d.begin(l)
	once := took(2)
	if once == 0 || took(3) == 0 || took(0) == 0 {
		t.Fatal("not all pairs play")
	}
	d.replied(l, l.clients[2], 1)
	if got := took(2); got != 0 {
		t.Error("asked again before the push was answered")
	}
	d.replied(l, l.clients[3], 1)
	if got := took(2); got != once || l.result.Commands != 2 || l.result.Waits.Count() != 1 {
		t.Errorf("%d bytes, %d commands, %d waits", got, l.result.Commands, l.result.Waits.Count())
	}
}
