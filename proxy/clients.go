package proxy

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"
	"strings"

	"steadis/proxy/command"
	"steadis/proxy/resp"
	"steadis/proxy/roster"
	"steadis/proxy/upstream"
)

// face is what a client has said of itself, and what CLIENT LIST tells of it beside
// the session's state.
type face struct {
	libName, libVer string
	noEvict         bool
	dirtyCAS        bool          // while CLIENT INFO is answered: Redis says so
	broken          bool          // the same of a redirection
	closing         bool          // a CLIENT KILL has found it
	last            *command.Info // the last command
	seen            int64         // when it came, in ns since 1970
	size            int64         // its bytes
}

// answeredHere says whether steadis answers a command itself.
func answeredHere(info *command.Info) bool {
	switch info.Verb {
	case command.ClientID, command.ClientGetName, command.ClientSetName, command.ClientSetInfo, command.ClientNoEvict,
		command.ClientReply, command.ClientGetRedir, command.ClientInfo:
		return true
	}
	return looksAbroad(info)
}

// looksAbroad says whether steadis looks at other sessions to answer a command.
func looksAbroad(info *command.Info) bool {
	switch info.Verb {
	case command.ClientList, command.ClientKill, command.ClientUnblock:
		return true
	}
	return false
}

// advanceClient deals with CLIENT's subcommands.
func (s *Session) advanceClient(r *request) bool {
	switch {
	case !s.first(r):
		return false
	case r.info.Verb == command.ClientUnblock:
		return s.advanceUnblock(r)
	case looksAbroad(r.info), asksRedis(r.info):
		if s.server.pool.Gate().Open {
			return s.advanceAsk(r)
		}
		s.ownAnswer(r)
		return true
	case answeredHere(r.info):
		return s.local(r, s.answerHere(r))
	}
	return s.local(r, errSubcommand("CLIENT", r.args))
}

// asksRedis says whether Redis gets a command, harmless there, although the answer is
// steadis' own: its ACL judges it, and its figures know of it.
func asksRedis(info *command.Info) bool {
	switch info.Verb {
	case command.ClientID, command.ClientGetName, command.ClientGetRedir, command.ClientInfo, command.ClientSetName:
		return true
	}
	return false
}

// nobody is the id of no client.
const (
	nobody   = "9223372036854775807"
	nobodyID = math.MaxInt64
)

// advanceAsk sends the master a command that steadis answers. CLIENT KILL goes out so
// that it hits nobody there.
func (s *Session) advanceAsk(r *request) bool {
	if r.info.Verb == command.ClientKill {
		raw, fault := s.killNobody(r.args)
		if fault != "" {
			return s.local(r, []byte(fault))
		}
		r.raw = raw
	}
	if r.info.Verb == command.ClientSetName {
		r.role = roleAsk // over a private connection, whose name it will be
		return s.pickAlone(r)
	}
	if !s.pickHome(r) {
		return false
	}
	r.role, s.barrier = roleAsk, r
	return true
}

// allowed takes Redis' reply to such a command.
func (s *Session) allowed(r *request, frame []byte) {
	if frame[0] == '-' {
		s.answer(r, frame)
		return
	}
	if r.info.Verb == command.ClientSetName {
		s.conn.SetName(string(r.args[2]))
	}
	if _, rest, ok := bytes.Cut(frame, []byte(" flags=")); ok && r.info.Verb == command.ClientInfo && s.pin != nil {
		flags, _, _ := bytes.Cut(rest, []byte(" ")) // what only Redis knows of a private connection
		s.face.dirtyCAS, s.face.broken = bytes.IndexByte(flags, 'd') >= 0, bytes.IndexByte(flags, 'R') >= 0
		defer func() { s.face.dirtyCAS, s.face.broken = false, false }()
	}
	r.own().judged = true
	s.ownAnswer(r)
}

// ownAnswer gives steadis' own answer.
func (s *Session) ownAnswer(r *request) {
	if looksAbroad(r.info) {
		s.elsewhere(r, func() []byte { return s.abroad(r) })
		return
	}
	s.leave(r, s.server.hold.Release)
	s.answer(r, s.answerHere(r))
}

// answerHere answers what concerns this session alone. s.mu must be held.
func (s *Session) answerHere(r *request) []byte {
	fault := ""
	switch r.info.Verb {
	case command.ClientID:
		return integer(int64(s.id))
	case command.ClientGetName:
		if s.name == "" {
			return s.null('$')
		}
		return bulk(s.name)
	case command.ClientSetName:
		if !roster.ValidName(r.args[2]) {
			return []byte(errClientName)
		}
		s.name = string(r.args[2])
	case command.ClientSetInfo:
		fault = s.setInfo(r.args)
	case command.ClientNoEvict:
		s.face.noEvict, fault = roster.ParseOnOff(r.args, 2)
	case command.ClientReply:
		_, fault = roster.ParseReply(r.args) // what it does, was done when it came
	case command.ACLWhoAmI:
		return bulk(s.userName())
	case command.ClientGetRedir:
		return integer(s.redirection())
	case command.ClientInfo:
		c := s.lookAt(r)
		return s.text(roster.AppendLine(nil, &c))
	}
	if fault != "" {
		return []byte(fault)
	}
	return []byte(replyOK)
}

func (s *Session) setInfo(args [][]byte) string {
	attr, value, fault := roster.ParseSetInfo(args)
	switch {
	case fault != "":
	case attr == roster.LibName:
		s.face.libName = value
	default:
		s.face.libVer = value
	}
	return fault
}

// elsewhere answers r by a goroutine of its own, which may look at other sessions: no
// session's lock is held while another one's is taken. Nothing behind r is sent before.
func (s *Session) elsewhere(r *request, ask func() []byte) {
	s.leave(r, s.server.hold.Release)
	s.barrier, r.state, r.role = r, sent, roleElsewhere
	s.server.spawn(func() { s.returned(r, ask()) })
}

// returned takes the answer that was fetched elsewhere.
func (s *Session) returned(r *request, reply []byte) {
	s.mu.Lock()
	if !s.dead {
		s.barrier = nil
		s.answer(r, reply)
	}
	s.mu.Unlock()
	s.Settle()
}

// abroad answers what concerns other sessions. No session's lock may be held.
func (s *Session) abroad(r *request) []byte {
	switch r.info.Verb {
	case command.ClientKill:
		return s.killClients(r)
	case command.ClientUnblock:
		return s.unblock(r)
	}
	all := s.server.faces()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listClients(r, all)
}

// listClients answers CLIENT LIST. s.mu must be held.
func (s *Session) listClients(r *request, all []seenClient) []byte {
	filter, fault := roster.ParseList(r.args)
	if fault != "" {
		return []byte(fault)
	}
	for i := range all {
		if all[i].session == s {
			all[i].Client = s.lookAt(r)
		}
	}
	return s.text(clientLines(all, filter))
}

// lookAt renders this session as it is while it runs r.
func (s *Session) lookAt(r *request) roster.Client {
	c := s.look()
	c.Idle, c.DirtyCAS, c.BrokenRedirect = 0, s.face.dirtyCAS, s.face.broken
	if s.executing > 0 {
		c.InMulti, c.Multi, c.Cmd = true, s.executing, "exec" // that is what runs
		return c
	}
	c.Cmd = r.info.Name
	return c
}

// clientLines renders CLIENT LIST.
func clientLines(all []seenClient, filter roster.Filter) []byte {
	var lines []byte
	if filter.IDs == nil {
		for _, c := range all {
			if filter.Match(&c.Client) {
				lines = roster.AppendLine(lines, &c.Client)
			}
		}
		return lines
	}
	for _, id := range filter.IDs {
		if i, ok := slices.BinarySearchFunc(all, id, func(c seenClient, id uint64) int { return cmp.Compare(c.ID, id) }); ok {
			lines = roster.AppendLine(lines, &all[i].Client)
		}
	}
	return lines
}

// text is a reply that is a text: a bulk string, in RESP3 a verbatim one. s.mu must be
// held.
func (s *Session) text(lines []byte) []byte {
	if s.ident.Protocol != 3 {
		return bulk(string(lines))
	}
	out := strconv.AppendInt([]byte{'='}, int64(len(lines)+len("txt:")), 10)
	return append(append(append(out, "\r\ntxt:"...), lines...), "\r\n"...)
}

// advanceUnblock sends CLIENT UNBLOCK on, with the id that the blocked client's
// connection has in Redis.
func (s *Session) advanceUnblock(r *request) bool {
	id, _, fault := roster.ParseUnblock(r.args)
	if fault != "" {
		return s.local(r, []byte(fault))
	}
	if r.raw = s.server.aimUnblock(r.args, id); r.raw == nil {
		return s.local(r, []byte(replyZero))
	}
	return s.pickHome(r)
}

// aimUnblock returns a CLIENT UNBLOCK of the client id with the id that its connection has in
// Redis, nil if it has none of its own: then it is not blocked.
func (s *Server) aimUnblock(args [][]byte, id uint64) []byte {
	target := s.session(id)
	if target == nil {
		return nil
	}
	conn := target.privateConn()
	if conn == nil {
		return nil
	}
	return unblockOf(args, strconv.FormatInt(conn.ClientID(), 10))
}

// unblockOf returns a CLIENT UNBLOCK as that of args for another client.
func unblockOf(args [][]byte, id string) []byte {
	args = slices.Clone(args)
	args[2] = []byte(id)
	return resp.AppendCommandBytes(nil, args...)
}

// asksOver returns the connection over which Redis is asked on the session's behalf, nil if there
// is none: that of its last command, unless an EXEC has subscribed it and it takes nothing else.
func (s *Session) asksOver() *upstream.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil && s.conn.OnlySubscribes() {
		return s.sharedLink().Conn()
	}
	return s.conn
}

// unblock does a CLIENT UNBLOCK that was queued in MULTI, behind its EXEC: who is on which
// connection is certain only then. No session's lock may be held.
func (s *Session) unblock(r *request) []byte {
	id, _, _ := roster.ParseUnblock(r.args) // without a fault, or Redis had its words for it
	conn, raw := s.asksOver(), s.server.aimUnblock(r.args, id)
	if raw == nil || conn == nil {
		return []byte(replyZero)
	}
	reply, err := conn.Fetch(context.Background(), raw) // it ends with the connection at the latest
	if err != nil {
		return []byte(replyZero)
	}
	return reply
}

// seenClient is a session at one moment.
type seenClient struct {
	roster.Client
	session *Session
}

// faces returns what CLIENT LIST tells of all sessions, by id. No session's lock may
// be held.
func (s *Server) faces() []seenClient {
	sessions := s.list()
	slices.SortFunc(sessions, func(a, b *Session) int { return cmp.Compare(a.id, b.id) })
	all := make([]seenClient, 0, len(sessions))
	for _, sess := range sessions {
		sess.mu.Lock()
		if !sess.dead {
			all = append(all, seenClient{sess.look(), sess})
		}
		sess.mu.Unlock()
	}
	return all
}

// look renders the session for CLIENT LIST. s.mu must be held.
func (s *Session) look() roster.Client {
	now := s.server.now()
	c := roster.Client{
		ID: s.id, Addr: s.addr, LAddr: s.laddr, FD: s.out.fd(), Name: s.name, Age: now.Sub(s.created),
		DB: s.ident.DB, Events: "r", Resp: 2, LibName: s.face.libName, LibVer: s.face.libVer,
		QBuf: s.face.size, QBufFree: queryBufferSize - s.face.size%queryBufferSize, ArgvMem: s.face.size,
		NoEvict: s.face.noEvict, NoTouch: s.untouched, Monitor: s.monitoring, CloseAfterReply: s.face.closing,
		Unix: strings.HasPrefix(s.addr, "/"),
	}
	c.RBS = s.out.size()
	c.TotMem = c.QBuf + c.QBufFree + c.ArgvMem
	if s.face.seen != 0 {
		c.Idle = now.Sub(unixNano(s.face.seen))
	} else {
		c.Idle = c.Age
	}
	if s.face.last != nil {
		c.Cmd = s.face.last.Name
	}
	c.User = s.userName()
	if s.ident.Protocol == 3 {
		c.Resp = 3
	}
	if s.sub != nil {
		c.Sub, c.PSub, c.SSub = len(s.sub.sets[channels]), len(s.sub.sets[patterns]), len(s.sub.sets[shards])
		c.PubSub = !s.sub.empty()
	}
	if s.tx != nil && s.tx.multi {
		c.InMulti, c.Multi = true, s.tx.queued
	}
	if s.track != nil {
		c.Tracking, c.Redir = true, max(0, s.redirection())
	}
	c.Broadcast = s.track != nil && s.track.broadcast()
	c.Blocked = s.barrier != nil && s.barrier.role == roleBlock && s.barrier.state == sent
	return c
}

// queryBufferSize is what a query buffer of Redis has at least (server.h
// PROTO_IOBUF_LEN): CLIENT LIST's sizes are about as large as they would be there.
const queryBufferSize = 16 << 10
