package wire_test

import (
	"context"
	"errors"
	"io"
	"net"
	"reflect"
	"testing"
	"time"

	"go.uber.org/goleak"

	"steadis/test/workload/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair gives a Conn and the server's end, to which answer has been written.
func pair(t *testing.T, answer string) (*wire.Conn, net.Conn) {
	t.Helper()
	client, server := net.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = io.WriteString(server, answer)
	}()
	c := wire.New(client)
	t.Cleanup(func() {
		_ = c.Close()
		_ = server.Close()
		<-written
	})
	return c, server
}

func TestReceive(t *testing.T) {
	for _, tc := range []struct {
		name, answer string
		want         any
	}{
		{"simple", "+OK\r\n", "OK"},
		{"error", "-LOADING wait\r\n", wire.Error("LOADING wait")},
		{"integer", ":-7\r\n", int64(-7)},
		{"bulk with CRLF inside", "$4\r\na\r\nb\r\n", "a\r\nb"},
		{"empty bulk", "$0\r\n\r\n", ""},
		{"null bulk", "$-1\r\n", nil},
		{"null array", "*-1\r\n", nil},
		{"nested", "*2\r\n*1\r\n:1\r\n$1\r\nx\r\n", []any{[]any{int64(1)}, "x"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, _ := pair(t, tc.answer)
			got, err := c.Receive()
			if err != nil || !reflect.DeepEqual(got, tc.want) {
				t.Fatalf("got %#v, %v; want %#v", got, err, tc.want)
			}
		})
	}
}

func TestReceiveRefusesWhatIsNotRESP(t *testing.T) {
	for _, answer := range []string{
		"\r\n", "HTTP/1.1 400\r\n", ":x\r\n", "$-2\r\n", "$99999999999\r\n", "$1\r\nabc\r\n", "*-2\r\n", "+OK\n",
		"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
	} {
		c, _ := pair(t, answer)
		if got, err := c.Receive(); !errors.Is(err, wire.ErrProtocol) {
			t.Errorf("%q: got %#v, %v; want ErrProtocol", answer, got, err)
		}
	}
}

func TestDoEndsWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // accepts into its backlog and never answers
	c, err := wire.Dial(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Do(ctx, "PING"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, want the context's error", err)
	}
}

func TestErrorPrefix(t *testing.T) {
	if got := wire.Error("INDOUBT steadis: lost").Prefix(); got != "INDOUBT" {
		t.Fatal(got)
	}
	if got := wire.Error("BARE").Prefix(); got != "BARE" {
		t.Fatal(got)
	}
}
