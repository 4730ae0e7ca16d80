package failover

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"steadis/test/topology"
	"steadis/test/workload/wire"
)

const (
	crowdSubscribers = 5000
	crowdBlocked     = 2000
	crowdConnections = 64 // that subscribers may cost the master
)

// TestCrowd: thousands of subscribers and blocked clients live through a kill -9, and
// each gets what is sent after it. The subscribers cost the master few connections.
func TestCrowd(t *testing.T) {
	ctx := within(t, 3*time.Minute)
	d := startDeployment(t, topology.Options{})
	s := startSteadis(t, d.SentinelAddrs())
	before := masterClients(t, d)
	var crowd []*member
	for i := range crowdSubscribers {
		crowd = append(crowd, joinCrowd(t, s.Addr, fmt.Sprintf("SUBSCRIBE all own-%d", i), 2*len("subscribe")))
	}
	cost := masterClients(t, d) - before
	for i := range crowdBlocked {
		crowd = append(crowd, joinCrowd(t, s.Addr, fmt.Sprintf("BLPOP q-%d 120", i), 0))
	}
	poll(ctx, t, "the blocked clients to be blocked", func() error {
		if n := infoField(t, d, "blocked_clients:"); n < crowdBlocked {
			return fmt.Errorf("%d are", n)
		}
		return nil
	})

	old, err := d.Master(ctx)
	must(t, err)
	began := time.Now()
	must(t, old.Kill())
	outcome := <-watchMajority(ctx, d, old.Addr())
	must(t, outcome.err)
	sender := dial(ctx, t, s.Addr)
	poll(ctx, t, "all to be subscribed and blocked on the new master", func() error {
		blocked := infoField(t, d, "blocked_clients:")
		channels, err := sender.Do(ctx, "PUBSUB", "CHANNELS", "own-*")
		must(t, err)
		if n := len(wire.Strings(channels)); n < crowdSubscribers || blocked < crowdBlocked {
			return fmt.Errorf("%d channels, %d blocked", n, blocked)
		}
		return nil
	})
	back := time.Since(began)
	_, err = sender.Do(ctx, "PUBLISH", "all", "news")
	must(t, err)
	for i := range crowdBlocked {
		_, err = sender.Do(ctx, "RPUSH", fmt.Sprintf("q-%d", i), "news")
		must(t, err)
	}
	missed := 0
	for _, m := range crowd {
		if err := m.await("news", 30*time.Second); err != nil {
			if missed++; missed <= 3 {
				t.Errorf("%s: %v", m.command, err)
			}
		}
	}
	if cost > crowdConnections {
		t.Errorf("%d subscribers cost the master %d connections, want at most %d", crowdSubscribers, cost, crowdConnections)
	}
	measured.record(t, fmt.Sprintf("%d subscribers and %d clients in BLPOP through a kill -9", crowdSubscribers, crowdBlocked),
		"0 missed, at most 64 connections of subscribers", "%d missed, %d connections of subscribers; all back %v after the kill, Sentinel took %v",
		missed, cost, millis(back), millis(outcome.at.Sub(began)))
	checkHoldCounters(ctx, t, s)
}

// member is one of a crowd.
type member struct {
	command string
	nc      net.Conn
	br      *bufio.Reader
}

// joinCrowd connects and sends a command; of a subscription it reads the confirmations.
func joinCrowd(t *testing.T, addr, command string, confirmed int) *member {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	must(t, err)
	t.Cleanup(func() { _ = nc.Close() })
	m := &member{command: command, nc: nc, br: bufio.NewReaderSize(nc, 512)}
	_, err = nc.Write([]byte(command + "\r\n"))
	must(t, err)
	if confirmed > 0 {
		must(t, m.await(":2\r\n", 30*time.Second))
	}
	return m
}

// await reads until text has come.
func (m *member) await(text string, d time.Duration) error {
	_ = m.nc.SetReadDeadline(time.Now().Add(d))
	var got strings.Builder
	for !strings.Contains(got.String(), text) {
		line, err := m.br.ReadString('\n')
		if err != nil {
			return fmt.Errorf("got %q, want %q: %w", got.String(), text, err)
		}
		got.WriteString(line)
	}
	return nil
}

// masterClients is how many connections the master has.
func masterClients(t *testing.T, d *topology.Deployment) int {
	t.Helper()
	return infoField(t, d, "connected_clients:")
}

func infoField(t *testing.T, d *topology.Deployment, name string) int {
	t.Helper()
	ctx := within(t, time.Minute)
	master, err := d.Master(ctx)
	must(t, err)
	info, err := master.Do(ctx, "INFO", "clients")
	must(t, err)
	_, rest, ok := strings.Cut(fmt.Sprint(info), name)
	if !ok {
		t.Fatalf("INFO clients has no %s: %v", name, info)
	}
	n := 0
	_, err = fmt.Sscanf(rest, "%d", &n)
	must(t, err)
	return n
}
