package node

import (
	"context"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"steadis/sentinel"
	"steadis/test/topology"
)

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// TestAskRealNodes asks a master and its replica as users with more and fewer rights.
func TestAskRealNodes(t *testing.T) {
	ctx := within(t)
	d, err := topology.Start(ctx, topology.Options{Replicas: 1, Sentinels: -1, Dir: t.TempDir(), NodeConfig: []string{
		"user default on nopass ~* &* +@all", "user norole on >p +info", "user noinfo on >p +role", "user nothing on >p +ping",
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	host, port, _ := net.SplitHostPort(d.Nodes[1].Addr())
	for _, test := range []struct {
		user, password string
		roles          [2]Role // of the master, of the replica
		detail         string
	}{
		{"", "", [2]Role{Master, Replica}, ""},
		{"norole", "p", [2]Role{Master, Replica}, "by INFO replication"},
		{"noinfo", "p", [2]Role{Master, Replica}, ""},
		{"nothing", "p", [2]Role{CannotSay, CannotSay}, "it refuses ROLE and INFO replication: NOPERM"},
		{"norole", "wrong", [2]Role{CannotSay, CannotSay}, "WRONGPASS"},
	} {
		o := sentinel.Options{RoleUser: test.user, RolePassword: test.password, Timeout: 10 * time.Second}.ForNodes()
		for i, n := range d.Nodes {
			a := NewAsker(&o, n.Addr())
			for range 2 { // the second time over the same connection
				said := a.Ask(ctx)
				if said.Role != test.roles[i] || !strings.Contains(said.Detail, test.detail) {
					t.Errorf("%s as %q: %+v", n.Label, test.user, said)
				}
				if known := said.Offset >= 0 && len(said.ReplID) == 40; known != (test.user != "noinfo" && test.roles[0] == Master) {
					t.Errorf("%s as %q: history %q, offset %d", n.Label, test.user, said.ReplID, said.Offset)
				}
				if i == 0 && test.user == "" && !reflect.DeepEqual(said.Replicas, [][2]string{{host, port}}) {
					t.Errorf("the master lists %v", said.Replicas)
				}
			}
			a.Close()
		}
	}
}

// TestAskAgain: a kept connection that has ended says nothing about the node; a node that
// is gone is silent, and so is one that freezes, within two timeouts.
func TestAskAgain(t *testing.T) {
	ctx := within(t)
	d, err := topology.Start(ctx, topology.Options{Replicas: -1, Sentinels: -1, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	n := d.Nodes[0]
	o := sentinel.Options{Timeout: 2 * time.Second}.ForNodes()
	a := NewAsker(&o, n.Addr())
	defer a.Close()
	want := func(r Role) {
		t.Helper()
		if said := a.Ask(ctx); said.Role != r {
			t.Errorf("got %+v, want %v", said, r)
		}
	}
	want(Master)
	if _, err := n.Do(ctx, "CLIENT", "KILL", "TYPE", "normal"); err != nil {
		t.Fatal(err)
	}
	want(Master)
	if err := n.Freeze(); err != nil {
		t.Fatal(err)
	}
	want(Silent)
	if err := n.Thaw(); err != nil {
		t.Fatal(err)
	}
	want(Master)
	if err := n.Kill(); err != nil {
		t.Fatal(err)
	}
	want(Silent)
	a.Close()
	want(Silent)
}

func TestReadInfo(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       Said
	}{
		{"a master", "# Replication\r\nrole:master\r\nconnected_slaves:2\r\nslave0:ip=10.0.0.2,port=6379,state=online,offset=14,lag=0\r\n" +
			"slave1:ip=10.0.0.3,port=6379,state=wait_bgsave,offset=0,lag=0\r\nmaster_replid:aa\r\nmaster_replid2:bb\r\nmaster_repl_offset:14\r\n",
			Said{Role: Master, ReplID: "aa", OlderID: "bb", Offset: 14, Replicas: [][2]string{{"10.0.0.2", "6379"}}}},
		{"a replica", "role:slave\r\nmaster_link_status:up\r\nmaster_sync_in_progress:0\r\nslave_repl_offset:7\r\nmaster_replid:aa\r\nmaster_repl_offset:9\r\n",
			Said{Role: Replica, ReplID: "aa", Offset: 7, LinkUp: true}},
		{"one that is being copied", "role:slave\r\nmaster_link_status:down\r\nmaster_sync_in_progress:1\r\nslave_repl_offset:0\r\n",
			Said{Role: Replica, Syncing: true}},
		{"its replicas are nobody's", "slave0:ip=10.0.0.2,port=6379,state=online\r\nrole:slave\r\n", Said{Role: Replica, Offset: -1}},
		{"nonsense", "role\r\nslave0:ip=,port=99999999,state=online\r\nslave1:ip=a b,port=1,state=online\r\n::\r\n", Said{Offset: -1}},
	} {
		got := Said{Offset: -1}
		got.readInfo(test.text)
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
		}
	}
}
