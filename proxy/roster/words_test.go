package roster

import "testing"

func TestParseUnblock(t *testing.T) {
	const (
		arity = "-ERR wrong number of arguments for 'client|unblock' command\r\n"
		extra = "-ERR unknown subcommand or wrong number of arguments for 'uNblock'. Try CLIENT HELP.\r\n"
	)
	tests := []struct {
		args      []string // behind CLIENT
		id        uint64
		withError bool
		errText   string
	}{
		{args: []string{"unblock"}, errText: arity},
		{args: []string{"unblock", "7"}, id: 7},
		{args: []string{"unblock", "7", "TimeOut"}, id: 7},
		{args: []string{"unblock", "7", "ERROR"}, id: 7, withError: true},
		{args: []string{"unblock", "-7"}, id: 1<<64 - 7},
		{args: []string{"unblock", "9223372036854775807", "error"}, id: 1<<63 - 1, withError: true},
		{args: []string{"unblock", "-9223372036854775808"}, id: 1 << 63},
		{args: []string{"unblock", "9223372036854775808"}, errText: errNotInteger},
		{args: []string{"unblock", ""}, errText: errNotInteger},
		{args: []string{"unblock", "-"}, errText: errNotInteger},
		{args: []string{"unblock", "+7"}, errText: errNotInteger},
		{args: []string{"unblock", "-0"}, errText: errNotInteger},
		{args: []string{"unblock", "1_0"}, errText: errNotInteger},
		{args: []string{"unblock", "7\x00"}, errText: errNotInteger},
		{args: []string{"unblock", "x", "error"}, errText: errNotInteger},
		{args: []string{"unblock", "x", "y"}, errText: "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n"},
		{args: []string{"uNblock", "x", "y", "z"}, errText: extra},
	}
	for _, tt := range tests {
		id, withError, errText := ParseUnblock(words(append([]string{"client"}, tt.args...)...))
		if id != tt.id || withError != tt.withError || errText != tt.errText {
			t.Errorf("%q: %d, %v, %q; not %d, %v, %q", tt.args, id, withError, errText, tt.id, tt.withError, tt.errText)
		}
	}
}

func TestParseOnOff(t *testing.T) {
	tests := []struct {
		args    []string
		on      bool
		errText string
	}{
		{args: []string{"CLIENT", "NO-EVICT", "On"}, on: true},
		{args: []string{"CLIENT", "NO-EVICT", "off"}},
		{args: []string{"CLIENT", "NO-EVICT", "of"}, errText: errSyntax},
		{args: []string{"CLIENT", "NO-EVICT", ""}, errText: errSyntax},
		{args: []string{"CLIENT", "NO-EVICT"}, errText: "-ERR wrong number of arguments for 'client|no-evict' command\r\n"},
		{args: []string{"Client", "No-Touch", "on", "on"}, errText: "-ERR wrong number of arguments for 'client|no-touch' command\r\n"},
		{args: []string{"CLIENT"}, errText: "-ERR wrong number of arguments for 'client' command\r\n"},
	}
	for _, tt := range tests {
		on, errText := ParseOnOff(words(tt.args...), 2)
		if on != tt.on || errText != tt.errText {
			t.Errorf("%q: %v, %q; not %v, %q", tt.args, on, errText, tt.on, tt.errText)
		}
	}
}

func TestParseReply(t *testing.T) {
	const arity = "-ERR wrong number of arguments for 'client|reply' command\r\n"
	tests := []struct {
		args    []string
		mode    ReplyMode
		errText string
	}{
		{args: []string{"CLIENT", "REPLY", "on"}, mode: ReplyOn},
		{args: []string{"CLIENT", "REPLY", "OFF"}, mode: ReplyOff},
		{args: []string{"CLIENT", "REPLY", "Skip"}, mode: ReplySkip},
		{args: []string{"CLIENT", "REPLY", "s\u212aip"}, errText: errSyntax},
		{args: []string{"CLIENT", "REPLY"}, errText: arity},
		{args: []string{"CLIENT", "REPLY", "on", "off"}, errText: arity},
	}
	for _, tt := range tests {
		mode, errText := ParseReply(words(tt.args...))
		if mode != tt.mode || errText != tt.errText {
			t.Errorf("%q: %v, %q; not %v, %q", tt.args, mode, errText, tt.mode, tt.errText)
		}
	}
}

func TestParseSetInfo(t *testing.T) {
	const arity = "-ERR wrong number of arguments for 'client|setinfo' command\r\n"
	tests := []struct {
		args    []string // behind CLIENT SETINFO
		attr    Attr
		value   string
		errText string
	}{
		{args: []string{"LIB-NAME", "redis-py(x_v1.2)"}, attr: LibName, value: "redis-py(x_v1.2)"},
		{args: []string{"lib-ver", "!~"}, attr: LibVer, value: "!~"},
		{args: []string{"Lib-Ver", ""}, attr: LibVer},
		{args: []string{"lib-name", "a\x00 b"}, attr: LibName, value: "a"},
		{args: []string{"LIB-name", "redis py"}, errText: "-ERR LIB-name cannot contain spaces, newlines or special characters.\r\n"},
		{args: []string{"lib-ver", "1\n"}, errText: "-ERR lib-ver cannot contain spaces, newlines or special characters.\r\n"},
		{args: []string{"lib-ver", "\u00e9"}, errText: "-ERR lib-ver cannot contain spaces, newlines or special characters.\r\n"},
		{args: []string{"badger", "ham ster"}, errText: "-ERR Unrecognized option 'badger'\r\n"},
		{args: []string{"bad\rger", "x"}, errText: "-ERR Unrecognized option 'bad ger'\r\n"},
		{args: []string{"lib-name"}, errText: arity},
		{args: []string{"lib-name", "x", "y"}, errText: arity},
	}
	for _, tt := range tests {
		attr, value, errText := ParseSetInfo(words(append([]string{"CLIENT", "SETINFO"}, tt.args...)...))
		if attr != tt.attr || value != tt.value || errText != tt.errText {
			t.Errorf("%q: %v, %q, %q; not %v, %q, %q", tt.args, attr, value, errText, tt.attr, tt.value, tt.errText)
		}
	}
}
