package proxy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"steadis/proxy"
	"steadis/sentinel/topology"
)

// TestATransactionThatIsTooLongToKeep: of one whose master is lost, and that is not all kept, no
// part runs at the next master, whatever is queued there.
func TestATransactionThatIsTooLongToKeep(t *testing.T) {
	a, b := realRedis(t), realRedis(t)
	front, _, publish := inFront(t, proxy.Options{}, a)
	for _, tt := range []struct {
		name         string
		values, size int
		behind       string
	}{
		{"a large value, EXEC", 1, 40 << 20, ""},
		{"a large value, more", 1, 40 << 20, "SET more 1"},
		{"many values, EXEC", 20, 1 << 20, ""},
		{"many values, more", 20, 1 << 20, "SET more 1"},
	} {
		for _, end := range []string{"EXEC", "DISCARD"} {
			t.Run(tt.name+" "+end, func(t *testing.T) {
				flushed(t, a, b)
				publish(topology.Serving, a)
				k := newTalk(t, front)
				k.want("MULTI", "+OK\r\n")
				k.want("SET first 1", "+QUEUED\r\n")
				for i := range tt.values {
					k.send(fmt.Sprintf("*3\r\n$3\r\nSET\r\n$2\r\n%02d\r\n$%d\r\n%s\r\n", i, tt.size, strings.Repeat("x", tt.size)))
					if got, _ := k.take(len("+QUEUED\r\n"), 10*time.Second); string(got) != "+QUEUED\r\n" {
						t.Fatalf("value %d: %q", i, got)
					}
				}
				publish(topology.Serving, b)
				if tt.behind != "" {
					k.want(tt.behind, "+QUEUED\r\n")
				}
				k.want(end, map[string]string{"EXEC": "-EXECABORT", "DISCARD": "+OK\r\n"}[end])
				newTalk(t, b).want("DBSIZE", ":0\r\n")
				k.want("SET after 1", "+OK\r\n")
				newTalk(t, b).want("DBSIZE", ":1\r\n")
			})
		}
	}
}
