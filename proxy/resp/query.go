package resp

import (
	"bytes"
	"math"
)

// phase is what the next byte of a client belongs to.
type phase uint8

const (
	atStart       phase = iota // the first byte of a command
	inMbulk                    // a multibulk header, before its '\r'
	endMbulk                   // the byte after that '\r'
	inBulk                     // a bulk header, before its '\r'
	endBulk                    // the byte after that '\r'
	inBody                     // an argument
	endBody                    // the two bytes after an argument
	inInline                   // an inline command, before its '\n'
	inBodyStream               // an argument that is handed on as it arrives
	endBodyStream              // the two bytes after it
)

// event is why feed stopped.
type event uint8

const (
	needMore event = iota // all bytes are used
	gotWhole              // a command became whole
	blocked               // whether the command is legal depends on those before it
	gotFault              // the client broke the protocol or a limit
)

// query reads commands as Redis 7.0 networking.c processInlineBuffer and
// processMultibulkBuffer do, a piece at a time, and queues them in canonical
// multibulk form; for a large one it queues a placeholder and keeps the command
// itself apart. It looks at each byte once. Redis checks neither the byte after
// the '\r' of a header nor the two after an argument, so these become CRLF; and as
// its headers are C strings, a NUL before the end hides the end. Not safe for
// concurrent use.
type query struct {
	limits  Limits
	account account // what out and large occupy
	out     chunks
	ready   int64 // bytes at the head of out that are whole commands
	large   large // its whole commands have their placeholders in out, or handed out

	phase  phase
	header [1 + maxNumber]byte // the first bytes of the header under way
	seen   int                 // bytes of the header or line under way
	hidden bool                // a NUL in it hides its end
	ends   int                 // of the two bytes after an argument, how many have come
	single bool                // the command under way has one argument
	args   int64               // arguments still to come, with the one under way
	begun  int                 // arguments of the command that have begun
	body   int64               // bytes still to come of the argument under way
	line   []byte              // the inline command under way

	head     int64       // bytes of a command before the argument that may be handed on
	streamAt int64       // that is done when so many bytes of it are still to come; 0: it is not
	stream   *Body       // of inBodyStream
	streams  func(*Body) // told of it
}

// partial returns how many bytes of an unfinished command have come.
func (q *query) partial() int64 {
	n := q.size() + int64(q.seen)
	switch q.phase {
	case endMbulk, endBulk:
		n++
	case endBody:
		n += int64(q.ends)
	case atStart, inMbulk, inBulk, inBody, inInline, inBodyStream, endBodyStream:
	}
	return n
}

// feed reads b until a command is whole and returns how many bytes it used.
// unauth puts the limits for clients that have not authenticated in force; prior
// says that whole commands before b have not been handled yet, and one of them may
// change that: then feed does not judge by it but stops with blocked, to be called
// again with the unused bytes once they have been handled.
func (q *query) feed(b []byte, unauth, prior bool) (used int, e event, fault *ProtocolError) {
	prior = prior || q.ready > 0
	i := 0
	for i < len(b) {
		switch q.phase {
		case atStart:
			q.phase = inInline
			if b[i] == '*' {
				q.phase = inMbulk
			}
		case inMbulk, inBulk:
			i, fault = q.readHeader(b, i)
		case endMbulk:
			e, fault = q.endMbulk(unauth, prior)
			i++
		case endBulk:
			e, fault = q.endBulk(unauth, prior)
			i++
		case inBody:
			n := int(min(q.body, int64(len(b)-i)))
			fault = q.put(b[i : i+n])
			q.gotBody(n)
			i += n
			if fault == nil && q.due() {
				e, fault = q.beginStream()
			}
		case endBody:
			i++
			e, fault = q.endBody()
		case inInline:
			i, e, fault = q.readInline(b, i)
		case inBodyStream: // what has come with the header
			n := int(min(q.body, int64(len(b)-i)))
			q.stream.early = append(q.stream.early, b[i:i+n]...)
			q.body -= int64(n)
			return i + n, needMore, nil
		case endBodyStream:
			i++
			if q.ends++; q.ends == 2 {
				q.begin(atStart)
			}
		}
		if fault != nil {
			return i, gotFault, fault
		}
		if e == blocked {
			return i - 1, blocked, nil // the byte that shows the header's end stays
		}
		if e == gotWhole {
			return i, gotWhole, nil
		}
	}
	return i, needMore, nil
}

// readHeader reads a header up to its '\r'. Of a header that is too long for a
// number only the length is kept.
func (q *query) readHeader(b []byte, i int) (next int, fault *ProtocolError) {
	for ; i < len(b); i++ {
		c := b[i]
		if c == '\r' && !q.hidden {
			q.phase++
			return i + 1, nil
		}
		if c == 0 {
			q.hidden = true
		}
		if q.seen < len(q.header) {
			q.header[q.seen] = c
		}
		q.seen++
		if q.seen > q.limits.MaxInline {
			if q.phase == inMbulk {
				return i, errMbulkCountTooBig
			}
			return i, errBulkCountTooBig
		}
	}
	return i, nil
}

// endMbulk judges a multibulk header.
func (q *query) endMbulk(unauth, prior bool) (event, *ProtocolError) {
	n, ok := q.number()
	if !ok || n > math.MaxInt32 {
		return gotFault, errMbulkLength
	}
	if n > unauthMaxArgs && unauth {
		if prior {
			return blocked, nil
		}
		return gotFault, errUnauthMbulk
	}
	if n <= 0 { // Redis ignores it
		q.begin(atStart)
		return needMore, nil
	}
	q.args, q.single, q.begun = n, n == 1, 0
	return needMore, q.putHeader(inBulk)
}

// endBulk judges a bulk header.
func (q *query) endBulk(unauth, prior bool) (event, *ProtocolError) {
	if q.seen == 0 {
		return gotFault, errExpectedBulk('\r')
	}
	if q.header[0] != '$' {
		return gotFault, errExpectedBulk(q.header[0])
	}
	if q.begun++; q.begun > q.limits.MaxArgs {
		return gotFault, errMbulkLength
	}
	n, ok := q.number()
	if !ok || n < 0 || n > q.limits.MaxBulk {
		return gotFault, errBulkLength
	}
	if n > unauthMaxBulk && unauth {
		if prior {
			return blocked, nil
		}
		return gotFault, errUnauthBulk
	}
	q.body = n
	if n == 0 {
		return needMore, q.putHeader(endBody)
	}
	fault := q.putHeader(inBody)
	if fault == nil {
		q.head, q.streamAt = 0, 0
		q.mayStream(n)
	}
	if fault == nil && q.size()+n > q.limits.MaxInPlace {
		fault = q.spill()
	}
	return needMore, fault
}

// mayStream notes whether the argument of n bytes under way is to be handed on as it
// arrives: it is the last one, large, and its command allows it. It is not before so much
// of it has come that what others only announce costs Redis nothing.
func (q *query) mayStream(n int64) {
	l := &q.limits
	if l.StreamFrom == 0 || n <= l.StreamFrom || q.args != 1 || q.begun < 2 || q.spill() != nil {
		return
	}
	if l.Streams(splitHead(q.large.raw)) {
		q.head, q.streamAt = int64(len(q.large.raw)), n-l.StreamFrom
	}
}

// due says whether the rest of the argument under way is to be handed on.
func (q *query) due() bool { return q.streamAt > 0 && q.phase == inBody && q.body <= q.streamAt }

// beginStream makes the command under way a whole one, but for its last argument.
func (q *query) beginStream() (event, *ProtocolError) {
	q.stream = newBody()
	q.stream.early = q.large.split(q.head)
	q.streams(q.stream)
	q.head, q.streamAt = 0, 0
	e, fault := q.end()
	q.phase = inBodyStream
	return e, fault
}

// gotBody counts n bytes of the argument under way.
func (q *query) gotBody(n int) {
	q.body -= int64(n)
	if q.body == 0 {
		q.begin(endBody)
	}
}

// endBody counts the two bytes after an argument.
func (q *query) endBody() (event, *ProtocolError) {
	q.ends++
	if q.ends < 2 {
		return needMore, nil
	}
	fault := q.put(crlf)
	q.args--
	if q.args > 0 || fault != nil {
		q.begin(inBulk)
		return needMore, fault
	}
	q.begin(atStart)
	return q.end()
}

// readInline reads an inline command up to its '\n'.
func (q *query) readInline(b []byte, i int) (next int, e event, fault *ProtocolError) {
	piece := b[i:]
	end := bytes.IndexByte(piece, '\n')
	if end >= 0 {
		piece = piece[:end]
	}
	if q.hidden || bytes.IndexByte(piece, 0) >= 0 {
		q.hidden, q.line, end, piece = true, nil, -1, b[i:]
	}
	q.seen += len(piece)
	if q.seen > q.limits.MaxInline {
		return i, gotFault, errInlineTooBig
	}
	i += len(piece)
	if end < 0 {
		if !q.hidden {
			q.line = append(q.line, piece...)
		}
		return i, needMore, nil
	}
	if q.line != nil {
		piece = append(q.line, piece...)
		q.line = nil
	}
	e, fault = q.endInline(piece)
	return i + 1, e, fault
}

// endInline queues the inline command line as a multibulk.
func (q *query) endInline(line []byte) (event, *ProtocolError) {
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	args, ok := splitInline(line)
	if !ok {
		return gotFault, errQuotes
	}
	q.begin(atStart)
	if len(args) == 0 {
		return needMore, nil
	}
	q.single = len(args) == 1
	var h [1 + maxNumber + 2]byte
	if fault := q.put(appendHeader(h[:0], '*', len(args))); fault != nil {
		return gotFault, fault
	}
	for _, arg := range args {
		fault := q.put(appendHeader(h[:0], '$', len(arg)))
		if fault == nil {
			fault = q.put(arg)
		}
		if fault == nil {
			fault = q.put(crlf)
		}
		if fault != nil {
			return gotFault, fault
		}
	}
	return q.end()
}

// number reads the number in the header under way.
func (q *query) number() (int64, bool) {
	if q.seen > len(q.header) || q.hidden {
		return 0, false
	}
	return parseNumber(q.header[1:q.seen])
}

// putHeader queues the header under way, which a legal number has made canonical,
// and goes to the next phase.
func (q *query) putHeader(next phase) *ProtocolError {
	n := q.seen
	q.begin(next)
	if fault := q.put(q.header[:n]); fault != nil {
		return fault
	}
	return q.put(crlf)
}

// begin enters a phase with nothing seen of it.
func (q *query) begin(p phase) {
	q.phase, q.seen, q.ends, q.hidden = p, 0, 0, false
}

// free gives all memory back but that of whole large commands.
func (q *query) free() {
	q.out.free()
	q.large.forget()
	q.ready, q.line = 0, nil
	q.begin(atStart)
}

var crlf = []byte("\r\n")
