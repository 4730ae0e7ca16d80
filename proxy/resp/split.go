package resp

// AppendCommand appends the command args to dst in canonical multibulk form.
func AppendCommand(dst []byte, args ...string) []byte {
	dst = appendHeader(dst, '*', len(args))
	for _, arg := range args {
		dst = appendHeader(dst, '$', len(arg))
		dst = append(dst, arg...)
		dst = append(dst, '\r', '\n')
	}
	return dst
}

// AppendCommandBytes is AppendCommand for arguments as SplitCommand gives them.
func AppendCommandBytes(dst []byte, args ...[]byte) []byte {
	dst = appendHeader(dst, '*', len(args))
	for _, arg := range args {
		dst = appendHeader(dst, '$', len(arg))
		dst = append(dst, arg...)
		dst = append(dst, '\r', '\n')
	}
	return dst
}

// SplitCommand returns the arguments of raw, which is one whole command in
// canonical form, as the Guard hands it out. They are parts of raw. It returns nil
// if raw is anything else.
func SplitCommand(raw []byte) [][]byte { return split(raw, false) }

// splitHead is SplitCommand for one that ends before the body of its last argument, which
// is empty in the result.
func splitHead(raw []byte) [][]byte { return split(raw, true) }

func split(raw []byte, head bool) [][]byte {
	if len(raw) == 0 || raw[0] != '*' {
		return nil
	}
	count, i := canonicalNumber(raw, 1)
	if i == 0 || count > len(raw)/len("$0\r\n\r\n") {
		return nil
	}
	args := make([][]byte, 0, count)
	for k := range count {
		if i >= len(raw) || raw[i] != '$' {
			return nil
		}
		n, body := canonicalNumber(raw, i+1)
		if head && k == count-1 && body == len(raw) {
			return append(args, []byte{})
		}
		if body == 0 || n > len(raw)-body-2 {
			return nil
		}
		i = body + n + 2
		if raw[i-2] != '\r' || raw[i-1] != '\n' {
			return nil
		}
		args = append(args, raw[body:body+n:body+n])
	}
	if i != len(raw) {
		return nil
	}
	return args
}

// CountCommands returns how many whole commands b begins with, how many arguments
// they have in all, and where they end. b is what a Guard has handed out.
func CountCommands(b []byte) (commands, args, end int) {
	for end < len(b) {
		n, i := canonicalNumber(b, end+1)
		for range n {
			if i == 0 || i >= len(b) {
				return commands, args, end
			}
			size, body := canonicalNumber(b, i+1)
			if body == 0 || size > len(b)-body-2 {
				return commands, args, end
			}
			i = body + size + 2
		}
		if i == 0 {
			return commands, args, end
		}
		commands, args, end = commands+1, args+n, i
	}
	return commands, args, end
}

// AppendArgs appends the arguments of the first command in b to dst, as parts of b, and
// returns where it ends. b begins with a whole command, as CountCommands finds it.
func AppendArgs(dst [][]byte, b []byte) (args [][]byte, end int) {
	n, i := canonicalNumber(b, 1)
	for range n {
		size, body := canonicalNumber(b, i+1)
		dst = append(dst, b[body:body+size:body+size])
		i = body + size + 2
	}
	return dst, i
}

// ErrorPrefix returns the first word of an error reply, by which its kind is
// known: READONLY of "-READONLY You can't write ...". It is nil if frame, which is
// a whole reply, is no error. Blob errors of RESP3 are errors too. The result is
// part of frame; nothing is allocated.
func ErrorPrefix(frame []byte) []byte {
	if len(frame) == 0 {
		return nil
	}
	i := 1
	switch frame[0] {
	case '-':
	case '!':
		if _, i = canonicalNumber(frame, 1); i == 0 {
			return nil
		}
	default:
		return nil
	}
	end := i
	for end < len(frame) && frame[end] != ' ' && frame[end] != '\r' {
		end++
	}
	return frame[i:end]
}

// IsError says whether frame, a whole reply, is an error whose first word is
// prefix.
func IsError(frame []byte, prefix string) bool {
	return string(ErrorPrefix(frame)) == prefix && len(frame) > 0 && (frame[0] == '-' || frame[0] == '!')
}
