package sentinel

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"steadis/sentinel/topology"
)

// TestScripts runs the pure core through testdata/scripts: time lines of real
// failovers (semantics.md 1.2, by letter) and of lies. One line is one thing that
// happens, at a time in ms from the start:
//
//	options C [fence] [minority] configure Sentinels S0 .. S(C-1), with a down-after of 1 s
//	T role A master            node A says so when it is asked (master, replica, silent, mute;
//	                           frozen: it says so once it is something else, within 500 ms)
//	T S0 says A 3 [flags] [about B] [id ID]   what S0 answers from now on
//	T S0 knows nothing         S0 does not know the name
//	T S0 down | up             S0 does not answer | answers again
//	T S0 polled                S0 cannot be subscribed to
//	T S0 event +try-failover A S0 publishes it
//	T S0 lists S5 S6           S0 lists these Sentinels
//	T doubt                    the data path doubts
//	T plan M                   an operator asks for a switchover, to be begun by time M
//	T unplan                   and wants it no more
//	T expect holding A 3 gen 1 what the board shows then
//	views holding:A serving:B  everything that was published but unknown, at the end
//	asked A B                  the nodes that were asked for their ROLE, at the end
//	fences A 500ms down        the fences that were put up and taken down, at the end
//
// Everything in between is simulated: questions take 1 ms each way, Sentinels are
// asked at the pace that the core sets, ROLE is answered from the table.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/scripts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) { runScript(t, f) })
	}
}

// world is a simulated deployment around one core.
type world struct {
	t       *testing.T
	core    *state
	now     time.Time
	start   time.Time
	roles   map[string]role
	words   map[string]*word
	pending []pending
	views   []string
	asked   []string
	fences  []string
	shown   topology.View
}

// word is what one Sentinel answers.
type word struct {
	answer    answer
	runid     string
	down      bool
	forgotten bool
	next      time.Time
	pace      time.Duration
}

type pending struct {
	at time.Time
	do func()
}

func address(letter string) string {
	if strings.HasPrefix(letter, "S") {
		return "10.0.1." + letter[1:] + ":26379"
	}
	return fmt.Sprintf("10.0.0.%d:6379", letter[0]-'A'+1)
}

func letter(addr string) string {
	if addr == "" {
		return "-"
	}
	for c := 'A'; c <= 'F'; c++ {
		if address(string(c)) == addr {
			return string(c)
		}
	}
	return addr
}

func newWorld(t *testing.T, sentinels int, options ...string) *world {
	w := &world{t: t, start: time.Unix(1000, 0), roles: map[string]role{}, words: map[string]*word{}}
	w.now = w.start
	o := Options{Master: "mymaster", Poll: time.Second, PollHolding: 100 * time.Millisecond,
		Fence: slices.Contains(options, "fence"), HoldWithoutMajority: slices.Contains(options, "minority")}
	for i := range sentinels {
		addr := address(fmt.Sprintf("S%d", i))
		o.Addresses = append(o.Addresses, addr)
		w.words[addr] = &word{down: true, pace: time.Second, runid: fmt.Sprintf("%040x", i+1), next: w.now}
	}
	w.core = newState(&o, w.now)
	return w
}

func (w *world) feed(in input) {
	for _, e := range w.core.step(in, w.now) {
		switch e := e.(type) {
		case publish:
			w.shown = e.view
			if e.view.Phase != topology.Unknown {
				w.views = append(w.views, e.view.Phase.String()+":"+letter(e.view.Master))
			}
		case askRole:
			w.asked = append(w.asked, letter(e.addr))
			w.answerRole(e, w.now.Add(500*time.Millisecond))
		case askSentinel:
			for addr := range w.words {
				if e.addr == "" || e.addr == addr {
					w.question(addr)
				}
			}
		case setPace:
			if wd := w.words[e.addr]; wd != nil {
				wd.pace = e.every
				if at := w.now.Add(e.every); at.Before(wd.next) {
					wd.next = at
				}
			}
		case raiseFence:
			w.fences = append(w.fences, letter(e.addr), e.pulse.String())
		case dropFence:
			w.fences = append(w.fences, "down")
		case learn:
			if wd := w.words[e.addr]; wd != nil {
				wd.forgotten, wd.next = false, w.now
			}
		case forget:
			if wd := w.words[e.addr]; wd != nil {
				wd.forgotten = true
			}
		}
	}
}

// frozen is a node that answers later.
const frozen role = 255

// answerRole answers a question for a ROLE as soon as the node can, at the latest at end.
func (w *world) answerRole(q askRole, end time.Time) {
	w.later(func() {
		r := w.roles[q.addr]
		switch {
		case r == frozen && w.now.Before(end):
			w.answerRole(q, end)
			return
		case r == roleUnasked || r == frozen:
			r = roleSilent
		}
		w.feed(roleSaid{id: q.id, role: r})
	})
}

// later does something after a round trip.
func (w *world) later(do func()) {
	w.pending = append(w.pending, pending{w.now.Add(2 * time.Millisecond), do})
}

// question asks a Sentinel now; its answer is made in 1 ms and here in 2.
func (w *world) question(addr string) {
	wd := w.words[addr]
	if wd.forgotten || w.core.members[addr] == nil {
		return
	}
	wd.next = w.now.Add(wd.pace)
	asked := w.now
	w.pending = append(w.pending, pending{w.now.Add(time.Millisecond), func() {
		said, down, runid := wd.answer, wd.down, wd.runid
		w.pending = append(w.pending, pending{w.now.Add(time.Millisecond), func() {
			if down {
				w.feed(failed{from: addr, why: "no answer"})
			} else {
				w.feed(answered{from: addr, asked: asked, runid: runid, answer: said})
			}
		}})
	}})
}

// until runs the world up to a moment, everything of that moment included.
func (w *world) until(end time.Time) {
	for {
		next, addr := end.Add(1), ""
		for a, wd := range w.words {
			if !wd.forgotten && w.core.members[a] != nil && (wd.next.Before(next) || wd.next.Equal(next) && a < addr) {
				next, addr = wd.next, a
			}
		}
		if at := w.core.deadline(w.now); !at.IsZero() && at.Before(next) {
			next, addr = at, ""
		}
		slices.SortStableFunc(w.pending, func(a, b pending) int { return a.at.Compare(b.at) })
		if len(w.pending) > 0 && !w.pending[0].at.After(next) {
			p := w.pending[0]
			if p.at.After(end) {
				break
			}
			w.pending = w.pending[1:]
			w.now = p.at
			p.do()
			continue
		}
		if next.After(end) {
			break
		}
		w.now = next
		if addr != "" {
			w.question(addr)
		} else {
			w.feed(ticked{})
		}
	}
	w.now = end
}

func runScript(t *testing.T, path string) {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var w *world
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		where := fmt.Sprintf("%s:%d: %s", filepath.Base(path), n, text)
		switch words[0] {
		case "options":
			count, _ := strconv.Atoi(words[1])
			w = newWorld(t, count, words[2:]...)
		case "views":
			if got := strings.Join(slices.Compact(slices.Clone(w.views)), " "); got != strings.Join(words[1:], " ") {
				t.Errorf("%s\n published: %s", where, got)
			}
		case "fences":
			if got := strings.Join(w.fences, " "); got != strings.Join(words[1:], " ") {
				t.Errorf("%s\n fences: %s", where, got)
			}
		case "asked":
			got := slices.Clone(w.asked)
			slices.Sort(got)
			if got := strings.Join(slices.Compact(got), " "); got != strings.Join(words[1:], " ") {
				t.Errorf("%s\n asked: %s", where, got)
			}
		default:
			ms, err := strconv.ParseFloat(words[0], 64)
			if err != nil {
				t.Fatal(where, err)
			}
			w.until(w.start.Add(time.Duration(ms * float64(time.Millisecond))))
			w.happen(where, words[1:])
		}
	}
}

// happen does one line of a script.
func (w *world) happen(where string, words []string) {
	switch words[0] {
	case "role":
		w.roles[address(words[1])] = map[string]role{"master": roleMaster, "replica": roleReplica,
			"silent": roleSilent, "mute": roleCannotSay, "frozen": frozen}[words[2]]
	case "doubt":
		w.feed(doubted{generation: w.core.generation})
	case "plan":
		until, err := strconv.Atoi(words[1])
		if err != nil {
			w.t.Fatal(where, err)
		}
		w.feed(planned{generation: w.core.generation, plan: plan{until: w.start.Add(time.Duration(until) * time.Millisecond), cause: causeSwitchover, reason: "a switchover was asked for"}})
	case "unplan":
		w.feed(unplanned{})
	case "expect":
		got := fmt.Sprintf("%s %s %d gen %d", w.shown.Phase, letter(w.shown.Master), w.shown.Epoch, w.shown.Generation)
		if w.shown.Planned {
			got = "planned " + got
		}
		if want := strings.Join(words[1:], " "); !strings.HasPrefix(got, want) {
			w.t.Errorf("%s\n shown: %s (%s)", where, got, w.shown.Reason)
		}
	default:
		w.sentinel(where, address(words[0]), words[1:])
	}
}

func (w *world) sentinel(where, addr string, words []string) {
	wd := w.words[addr]
	if wd == nil {
		wd = &word{down: true, pace: time.Second, forgotten: true, runid: fmt.Sprintf("%040x", len(w.words)+100)}
		w.words[addr] = wd
	}
	switch words[0] {
	case "says":
		epoch, err := strconv.ParseUint(words[2], 10, 64)
		if err != nil {
			w.t.Fatal(where, err)
		}
		a := answer{known: true, addr: address(words[1]), subject: address(words[1]), epoch: epoch, downAfter: time.Second}
		for i := 3; i < len(words); i++ {
			switch words[i] {
			case "about":
				i++
				a.subject = address(words[i])
			case "id":
				i++
				wd.runid = words[i]
			case "anonymous":
				wd.runid = ""
			case "stage":
				i++
				a.stage = words[i]
			default:
				a.raw, a.flags = words[i], parseFlags(words[i])
			}
		}
		wd.answer, wd.down = a, false
	case "knows":
		wd.answer, wd.down = answer{}, false
	case "down":
		wd.down = true
		w.question(addr)
	case "up":
		wd.down = false
	case "polled":
		w.feed(subscription{from: addr, forbidden: true})
	case "event":
		ev := event{name: words[1]}
		if len(words) > 2 {
			ev.kind, ev.master, ev.subject = "master", "mymaster", address(words[2])
		}
		w.feed(heard{from: addr, event: ev})
	case "lists":
		var peers []peer
		for _, name := range words[1:] {
			peers = append(peers, peer{addr: address(name), runid: w.words[address(name)].runid})
		}
		w.feed(listed{from: addr, peers: peers})
	default:
		w.t.Fatal(where, ": what?")
	}
}
