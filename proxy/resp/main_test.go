package resp

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pieces is a connection whose data arrives in pieces of the sizes that next gives.
type pieces struct {
	net.Conn
	data []byte
	next func() int
	err  error // after data; nil means io.EOF
}

func (c *pieces) Read(p []byte) (int, error) {
	if len(c.data) == 0 {
		if c.err != nil {
			return 0, c.err
		}
		return 0, io.EOF
	}
	n := min(len(p), len(c.data), max(1, c.next()))
	copy(p, c.data[:n])
	c.data = c.data[n:]
	return n, nil
}

func (c *pieces) Close() error { return nil }

// always gives pieces of n bytes.
func always(n int) func() int { return func() int { return n } }

// random gives pieces whose sizes depend on seed: mostly small, some large.
func random(seed uint64) func() int {
	return func() int {
		seed = seed*6364136223846793005 + 1442695040888963407
		r := seed >> 33
		if r%8 == 0 {
			return int(r>>3) % 9000
		}
		return int(r>>3) % 12
	}
}

// startRedis runs a real redis-server on a Unix socket and returns the socket.
func startRedis(t *testing.T, options ...string) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "steadis-resp") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(dir, "s")
	server := exec.Command("redis-server", append([]string{"--port", "0", "--unixsocket", socket, "--dir", dir, "--save", ""}, options...)...)
	if err := server.Start(); err != nil {
		t.Fatalf("redis-server is needed: %v", err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		_ = os.RemoveAll(dir)
	})
	for deadline := time.Now().Add(10 * time.Second); ; {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			_ = conn.Close()
			return socket
		}
		if time.Now().After(deadline) {
			t.Fatal("redis-server does not answer")
		}
	}
}
