package drill

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const debugRefused = "-ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", ...\r\n"

func TestChooseTriesWithoutHarm(t *testing.T) {
	for _, tc := range []struct {
		name         string
		kind         Kind
		reply        string
		method, want string
	}{
		{"crash", Crash, "+OK\r\n", methodSegfault, ""},
		{"freeze", Freeze, "+OK\r\n", methodSleep, ""},
		{"crash has another way", Crash, debugRefused, methodShutdown, ""},
		{"freeze has none", Freeze, debugRefused, "", "enable-debug-command yes"},
		{"no password", Crash, "-NOAUTH Authentication required.\r\n", "", "upstream.password_file"},
		{"failover asks nobody", Failover, hangUp, methodFailover, ""},
	} {
		f := startServer(t, always(tc.reply))
		o := &Options{Kind: tc.kind}
		method, err := o.choose(t.Context(), f.addr())
		if method != tc.method || (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %q, %v", tc.name, method, err)
		}
		for _, asked := range f.commands() {
			if asked != "DEBUG SLEEP 0" {
				t.Errorf("%s: the check sent %s", tc.name, asked)
			}
		}
	}
}

func TestCrash(t *testing.T) {
	for _, tc := range []struct {
		name, method string
		answer       func(string) string
		want         string // empty: gone
		sent         []string
	}{
		{"dies", methodSegfault, always(hangUp), "", []string{"DEBUG SEGFAULT"}},
		{"refuses", methodSegfault, always(debugRefused), "enable-debug-command", []string{"DEBUG SEGFAULT"}},
		{"lives on", methodSegfault, always("+OK\r\n"), "lives on", []string{"DEBUG SEGFAULT"}},
		{"ends", methodShutdown, always(hangUp), "", []string{"SHUTDOWN NOSAVE NOW FORCE"}},
		{"is older than 7.0", methodShutdown, func(command string) string {
			if strings.Contains(command, "NOW") {
				return "-ERR syntax error\r\n"
			}
			return hangUp
		}, "", []string{"SHUTDOWN NOSAVE NOW FORCE", "SHUTDOWN NOSAVE"}},
		{"may not", methodShutdown, always("-NOPERM this user has no permissions\r\n"), "+shutdown", []string{"SHUTDOWN NOSAVE NOW FORCE"}},
	} {
		f := startServer(t, tc.answer)
		d, err := (&Options{}).trigger(t.Context(), tc.method, f.addr(), 0)
		if tc.want == "" && (err != nil || d.by != f.addr() || d.at.IsZero()) || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %+v, %v", tc.name, d, err)
		}
		if got := f.commands(); !slices.Equal(got, tc.sent) {
			t.Errorf("%s: sent %q", tc.name, got)
		}
	}
}

func TestFreeze(t *testing.T) {
	f := startServer(t, always(sayNought))
	d, err := (&Options{}).trigger(t.Context(), methodSleep, f.addr(), 1500*time.Millisecond)
	if err != nil || d.frozen == nil {
		t.Fatalf("%+v, %v", d, err)
	}
	_ = d.frozen.Close()
	if got := f.commands(); !slices.Equal(got, []string{"DEBUG SLEEP 1.500"}) {
		t.Errorf("sent %q", got)
	}
	for reply, want := range map[string]string{debugRefused: "enable-debug-command", "+OK\r\n": "answered DEBUG SLEEP at once", hangUp: "EOF"} {
		f := startServer(t, always(reply))
		if d, err := (&Options{}).trigger(t.Context(), methodSleep, f.addr(), time.Second); err == nil || d.frozen != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", reply, err, want)
		}
	}
}

// Two Sentinels that accept would fail over twice at once. The next one is asked only
// if the first is sure not to have begun.
func TestOnlyOneSentinelFailsOver(t *testing.T) {
	for _, tc := range []struct {
		name, first string
		wantSecond  bool
	}{
		{"accepts", "+OK\r\n", false},
		{"hangs up after the command", hangUp, false},
		{"is at it already", "-INPROG Failover already in progress\r\n", false},
		{"may not", "-NOPERM this user has no permissions\r\n", true},
		{"sees no good replica", "-NOGOODSLAVE No suitable replica to promote\r\n", true},
	} {
		first, second := startServer(t, always(tc.first)), startServer(t, always("+OK\r\n"))
		o := &Options{}
		o.Sentinel.Addresses, o.Sentinel.Master = []string{first.addr(), second.addr()}, "mymaster"
		_, err := o.trigger(t.Context(), methodFailover, "", 0)
		if asked := len(second.commands()) > 0; asked != tc.wantSecond || (err == nil) != (tc.wantSecond || tc.name == "accepts") {
			t.Errorf("the first %s: the second was asked: %v, %v", tc.name, asked, err)
		}
	}
	gone := startServer(t, always(hangUp))
	_ = gone.listener.Close()
	second := startServer(t, always("+OK\r\n"))
	o := &Options{}
	o.Sentinel.Addresses, o.Sentinel.Master = []string{gone.addr(), second.addr()}, "mymaster"
	if d, err := o.trigger(t.Context(), methodFailover, "", 0); err != nil || d.by != second.addr() {
		t.Errorf("the first cannot be reached: %+v, %v", d, err)
	}
}

func TestEventsThatAreForbidden(t *testing.T) {
	f := startServer(t, always("-NOPERM this user has no permissions to run the 'psubscribe' command\r\n"))
	o := &Options{}
	o.Sentinel.Addresses, o.Sentinel.Master = []string{f.addr()}, "mymaster"
	e := o.recordEvents(t.Context())
	e.close()
	if notes := strings.Join(e.remarks(), "\n"); !strings.Contains(notes, "+psubscribe") || !strings.Contains(notes, f.addr()) {
		t.Errorf("the remarks are %q", notes)
	}
}

func TestEventsAreRecorded(t *testing.T) {
	message := func(channel, payload string) string {
		c := []string{"pmessage", "*", channel, payload}
		b := "*4\r\n"
		for _, word := range c {
			b += "$" + strconv.Itoa(len(word)) + "\r\n" + word + "\r\n"
		}
		return b
	}
	f := startServer(t, always("*3\r\n$10\r\npsubscribe\r\n$1\r\n*\r\n:1\r\n"+
		message("+sdown", "master other 10.0.0.9 6379")+message("+sdown", "master mymaster 10.0.0.1 6379")))
	o := &Options{}
	o.Sentinel.Addresses, o.Sentinel.Master = []string{f.addr()}, "mymaster"
	e := o.recordEvents(t.Context())
	defer e.close()
	for deadline := time.Now().Add(10 * time.Second); len(e.since(0)) == 0 && time.Now().Before(deadline); {
		<-time.After(time.Millisecond) // polls; nothing depends on how long it is
	}
	got := e.since(0)
	if len(got) != 1 || got[0].name != "+sdown" || got[0].text != "master mymaster 10.0.0.1 6379" || got[0].who != f.addr() {
		t.Errorf("%+v", got)
	}
	if more := e.since(7); len(more) != 0 {
		t.Errorf("%+v", more)
	}
}

func TestPhasesAreRecorded(t *testing.T) {
	replies := make(chan string, 4)
	for _, reply := range []string{
		`{"proxy":{"phase":"serving","master":"10.0.0.1:6379","hold":{"held":3}}}`,
		`{"proxy":{"phase":"holding","reason":"+odown","hold":{"held":9}}}`,
		`not JSON`,
	} {
		replies <- reply
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply := `{"proxy":{"phase":"serving","master":"10.0.0.2:6379","hold":{"held":12,"released":12}}}`
		select {
		case reply = <-replies:
		default:
		}
		_, _ = w.Write([]byte(reply))
	}))
	defer server.Close()
	p := (&Options{Admin: strings.TrimPrefix(server.URL, "http://")}).recordPhases(t.Context())
	for deadline := time.Now().Add(10 * time.Second); len(p.since(0)) < 4 && time.Now().Before(deadline); {
		<-time.After(time.Millisecond) // polls; nothing depends on how long it is
	}
	p.close()
	var names []string
	for _, one := range p.since(0) {
		names = append(names, one.name)
	}
	if !slices.Equal(names, []string{"serving", "holding", phaseUnknown, "serving"}) {
		t.Errorf("%v", names)
	}
	if c, valid := p.counted(); !valid || c.Held != 12 {
		t.Errorf("%+v %v", c, valid)
	}
	none := (&Options{}).recordPhases(t.Context())
	none.close()
	if _, valid := none.counted(); valid || len(none.since(0)) > 0 {
		t.Error("phases without an admin server")
	}
}

func TestTryProxy(t *testing.T) {
	proxy := func(odd map[string]string) func(string) string {
		return func(command string) string {
			word, _, _ := strings.Cut(command, " ")
			if reply, found := odd[word]; found {
				return reply
			}
			return map[string]string{"PING": "+PONG\r\n", "EXISTS": ":0\r\n", "RPUSH": ":1\r\n", "LLEN": ":1\r\n", "LRANGE": "*1\r\n$1\r\n1\r\n", "UNLINK": ":1\r\n"}[word]
		}
	}
	for want, odd := range map[string]map[string]string{
		"":                           nil,
		"PING with: LOADING steadis": {"PING": "-LOADING steadis: no master\r\n"},
		"RPUSH with: NOPERM":         {"RPUSH": "-NOPERM no permissions\r\n"},
		"are not this drill's alone": {"EXISTS": ":1\r\n"},
		"answers RPUSH with 0":       {"RPUSH": ":0\r\n"},
		"EOF":                        {"LRANGE": hangUp},
	} {
		f := startServer(t, proxy(odd))
		err := (&Options{Addr: f.addr()}).tryProxy(t.Context(), "steadis:drill:x:")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestServerAuthenticates(t *testing.T) {
	f := startServer(t, always("+OK\r\n"))
	for _, who := range []Credentials{{}, {"", "secret"}, {"ops", "secret"}} {
		s := server{addr: f.addr(), who: who, timeout: askTimeout}
		if _, err := s.do(t.Context(), "PING"); err != nil {
			t.Error(err)
		}
	}
	if got := f.commands(); !slices.Equal(got, []string{"PING", "AUTH SECRET", "PING", "AUTH OPS SECRET", "PING"}) {
		t.Errorf("sent %q", got)
	}
	wrong := startServer(t, always("-WRONGPASS invalid\r\n"))
	_, err := server{addr: wrong.addr(), who: Credentials{"", "secret"}, timeout: askTimeout}.do(t.Context(), "PING")
	if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(explain("PING", "a:1", "", err).Error(), "upstream.password_file") {
		t.Errorf("%v", err)
	}
}
