package resp

import (
	"fmt"
	"testing"
)

func TestElements(t *testing.T) {
	for _, tt := range []struct{ frame, want string }{
		{"*2\r\n+OK\r\n$1\r\nx\r\n", `["+OK\r\n" "$1\r\nx\r\n"]`},
		{"*1\r\n*2\r\n:1\r\n:2\r\n", `["*2\r\n:1\r\n:2\r\n"]`},
		{"*0\r\n", `[]`},
		{"*-1\r\n", `[]`},
		{"+OK\r\n", `[]`},
		{"-ERR x\r\n", `[]`},
		{"*2\r\n+OK\r\n+O", `[]`},
		{"", `[]`},
	} {
		if got := fmt.Sprintf("%q", Elements([]byte(tt.frame))); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.frame, got, tt.want)
		}
	}
}
