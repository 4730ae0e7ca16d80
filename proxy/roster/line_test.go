package roster

import (
	"strings"
	"testing"
	"time"
)

func TestLine(t *testing.T) {
	tests := []struct {
		name string
		c    Client
		want string
	}{
		{
			"nothing is known", Client{},
			"id=0 addr=?:0 laddr=?:0 fd=0 name= age=0 idle=0 flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=0 qbuf-free=0 " +
				"argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events= cmd=NULL user=(superuser) redir=-1 resp=0 " +
				"lib-name= lib-ver=\n",
		},
		{
			"every field", Client{
				ID: 1<<64 - 1, Addr: "[::1]:4711", LAddr: "127.0.0.1:6379", FD: 9, Name: "rq:1",
				Age: 3*time.Second + 999*time.Millisecond, Idle: 2 * time.Second, DB: 1, Sub: 2, PSub: 3, SSub: 4,
				InMulti: true, Multi: 5, Watch: 99, QBuf: 6, QBufFree: 7, ArgvMem: 8, MultiMem: 9, RBS: 10, RBP: 11, OBL: 12, OLL: 13,
				OMem: 14, TotMem: 15, Events: "rw", Cmd: "client|list", User: "worker", Tracking: true, Redir: 16, Resp: 3,
				LibName: "redis-py", LibVer: "5.0.1",
			},
			"id=18446744073709551615 addr=[::1]:4711 laddr=127.0.0.1:6379 fd=9 name=rq:1 age=3 idle=2 flags=xt db=1 sub=2 psub=3 ssub=4 " +
				"multi=5 qbuf=6 qbuf-free=7 argv-mem=8 multi-mem=9 rbs=10 rbp=11 obl=12 oll=13 omem=14 tot-mem=15 events=rw " +
				"cmd=client|list user=worker redir=16 resp=3 lib-name=redis-py lib-ver=5.0.1\n",
		},
		{
			"numbers without what they belong to", Client{Multi: 3, Redir: 4, FD: -1, Addr: UnixAddr("/run/s"), LAddr: UnixAddr("/run/s")},
			"id=0 addr=/run/s:0 laddr=/run/s:0 fd=-1 name= age=0 idle=0 flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=0 qbuf-free=0 " +
				"argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events= cmd=NULL user=(superuser) redir=-1 resp=0 " +
				"lib-name= lib-ver=\n",
		},
	}
	for _, tt := range tests {
		if got := string(AppendLine([]byte("before"), &tt.c)); got != "before"+tt.want {
			t.Errorf("%s:\n%q, not\n%q", tt.name, got, "before"+tt.want)
		}
	}
}

func TestFlagsAndKind(t *testing.T) {
	tests := []struct {
		c    Client
		want string
		kind Kind
	}{
		{Client{}, "N", KindNormal},
		{Client{Kind: KindReplica}, "S", KindReplica},
		{Client{Kind: KindMaster}, "M", KindMaster},
		{Client{Kind: KindMaster, PubSub: true}, "MP", KindMaster},
		{Client{Kind: KindReplica, PubSub: true}, "SP", KindReplica},
		{Client{PubSub: true}, "P", KindPubSub},
		{Client{Kind: KindPubSub}, "P", KindPubSub},
		{Client{Monitor: true}, "O", KindNormal},
		{Client{Monitor: true, Kind: KindReplica}, "O", KindNormal},
		{Client{Monitor: true, PubSub: true}, "OP", KindPubSub},
		{Client{InMulti: true, DirtyCAS: true}, "xd", KindNormal},
		{Client{Blocked: true, Unix: true}, "bU", KindNormal},
		{Client{Tracking: true, BrokenRedirect: true, Broadcast: true}, "tRB", KindNormal},
		{Client{CloseAfterReply: true, Unblocked: true, CloseASAP: true}, "cuA", KindNormal},
		{Client{ReadOnly: true, NoEvict: true, NoTouch: true}, "reT", KindNormal},
		{Client{
			Kind: KindPubSub, Monitor: true, PubSub: true, InMulti: true, Blocked: true, Tracking: true, BrokenRedirect: true,
			Broadcast: true, DirtyCAS: true, CloseAfterReply: true, Unblocked: true, CloseASAP: true, Unix: true, ReadOnly: true,
			NoEvict: true, NoTouch: true,
		}, "OPxbtRBdcuAUreT", KindPubSub},
	}
	for _, tt := range tests {
		if got := string(appendFlags(nil, &tt.c)); got != tt.want {
			t.Errorf("flags of %+v: %s, not %s", tt.c, got, tt.want)
		}
		if got := tt.c.kind(); got != tt.kind {
			t.Errorf("kind of %+v: %s, not %s", tt.c, got, tt.kind)
		}
	}
}

func TestUnixAddr(t *testing.T) {
	for path, want := range map[string]string{
		"/run/s":                "/run/s:0",
		strings.Repeat("x", 75): strings.Repeat("x", 75) + ":0",
		strings.Repeat("x", 76): strings.Repeat("x", 76) + ":",
		strings.Repeat("x", 99): strings.Repeat("x", 77),
	} {
		if got := UnixAddr(path); got != want {
			t.Errorf("%s: %s, not %s", path, got, want)
		}
	}
}

func TestLineAllocatesNothing(t *testing.T) {
	c := Client{ID: 7, Addr: "127.0.0.1:4711", Name: "a", Monitor: true, Cmd: "monitor", User: "default"}
	dst := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { dst = AppendLine(dst[:0], &c) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAppendLine(b *testing.B) {
	c := Client{ID: 7, Addr: "127.0.0.1:4711", Name: "a", Monitor: true, Cmd: "monitor", User: "default"}
	dst := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendLine(dst[:0], &c)
	}
}
