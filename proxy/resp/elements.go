package resp

import "bytes"

// Elements returns the elements of an aggregate reply, each a whole frame and part
// of frame. It is nil if frame is no aggregate, or null.
func Elements(frame []byte) [][]byte {
	if len(frame) == 0 || frame[0] != '*' && frame[0] != '~' && frame[0] != '>' {
		return nil
	}
	var elements [][]byte
	var s Scanner
	rest := frame[bytes.IndexByte(frame, '\n')+1:]
	for len(rest) > 0 {
		n, whole, err := s.Scan(rest)
		if err != nil || !whole {
			return nil
		}
		elements = append(elements, rest[:n])
		rest = rest[n:]
	}
	return elements
}
