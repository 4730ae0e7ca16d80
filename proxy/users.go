package proxy

import (
	"crypto/sha256"
	"crypto/subtle"

	"go.uber.org/zap"

	"steadis/proxy/command"
	"steadis/proxy/upstream"
)

// Who a client is, where steadis judges that itself (auth: static): all commands run as the
// one user that Options.Upstream names, and clients are users of steadis' own, whom Redis
// does not know. What Redis does with users it does to clients here (Redis 7.0 acl.c
// authCommand, networking.c helloCommand): the texts are its own.
//
// Passwords are kept as SHA-256, as Redis keeps them. A slow hash would protect them
// better if they are found; but clients come back all at once, after a restart, and 10,000
// times 50 ms is 8 minutes of a processor, which whoever can connect could take too.

// User is who a client may be.
type User struct {
	Hashes [][sha256.Size]byte // of the passwords, each of which lets the client in
	NoPass bool                // any password does
}

// Users are those there are, by name. Without any, nobody needs to authenticate. A
// table is not changed once a Server has it.
type Users map[string]User

// defaultUser is who a client is that has said no name.
const defaultUser = "default"

// open says whether clients are the default user without a word.
func (u Users) open() bool { return len(u) == 0 || u[defaultUser].NoPass }

// has says whether there is a user of that name.
func (u Users) has(name string) bool {
	_, ok := u[name]
	return ok || name == defaultUser // as in Redis, where it may be off
}

// nobodysHash is compared with where there is no user, so that it takes as long.
var nobodysHash = make([][sha256.Size]byte, 1)

// admits says whether a user of that name and password may come in. How long it takes
// tells nothing of either.
func (u Users) admits(name, password []byte) bool {
	user, known := u[string(name)]
	if len(u) == 0 && string(name) == defaultUser {
		user, known = User{NoPass: true}, true
	}
	hashes := user.Hashes
	if !known {
		hashes = nobodysHash
	}
	sum := sha256.Sum256(password)
	equal := 0
	for i := range hashes {
		equal |= subtle.ConstantTimeCompare(hashes[i][:], sum[:])
	}
	return known && (user.NoPass || equal == 1)
}

// static says whether steadis judges who clients are.
func (s *Server) static() bool { return s.users.Load() != nil }

// SetUsers replaces the users that clients may be, with Options.Users set. Clients whose
// user is there no more are closed, as ACL DELUSER does; a changed password concerns who
// authenticates from now on, as in Redis. It may be called concurrently.
func (s *Server) SetUsers(users Users) {
	if !s.static() {
		return
	}
	s.users.Store(&users)
	for _, sess := range s.list() {
		sess.mu.Lock()
		if gone := !sess.locked && len(users) > 0; gone {
			if _, ok := users[sess.userName()]; !ok {
				sess.abort()
			}
		}
		sess.mu.Unlock()
	}
}

// identity is who a client is to the master before it says anything.
func (s *Server) identity() upstream.Identity {
	if s.static() && s.o.Upstream.Password != "" {
		return upstream.Identity{User: s.o.Upstream.User, Password: s.o.Upstream.Password, Auth: true}
	}
	return upstream.Identity{Edition: s.pool.Edition()}
}

// greet makes the client who it is before it says anything. s.mu must be held, or the
// session be new.
func (s *Session) greet() {
	users := s.server.users.Load()
	s.locked = users != nil && !users.open()
	s.account = ""
	s.boundOutput()
}

// userName is who the client is by its own account.
func (s *Session) userName() string {
	switch {
	case s.account != "":
		return s.account
	case !s.server.static() && s.ident.Auth && s.ident.User != "":
		return s.ident.User
	}
	return defaultUser
}

// login makes the client a user, if the password is right. s.mu must be held.
func (s *Session) login(name, password []byte) bool {
	if !s.server.users.Load().admits(name, password) {
		s.server.noteWrongPass(s)
		return false
	}
	s.locked, s.account = false, string(name)
	s.boundOutput()
	return true
}

// advanceLogin deals with AUTH where steadis judges it.
func (s *Session) advanceLogin(r *request) bool {
	if !s.first(r) {
		return false
	}
	name, password := []byte(defaultUser), r.args[len(r.args)-1]
	switch {
	case len(r.args) > 3:
		return s.local(r, []byte(errSyntax))
	case len(r.args) == 3:
		name = r.args[1]
	case s.server.users.Load().open():
		return s.local(r, []byte(errNoPassword))
	}
	if !s.login(name, password) {
		return s.local(r, []byte(errWrongPass))
	}
	return s.local(r, []byte(replyOK))
}

// refuseStranger answers what a client may not do before it has authenticated.
func (s *Session) refuseStranger(r *request) bool {
	if r.info.Known && !command.Arity(r.info, len(r.args)) {
		return s.local(r, errArity(r.info.Name))
	}
	if r.info.Verb == command.Exec {
		return s.local(r, []byte(errExecNoAuth))
	}
	return s.local(r, []byte(errNoAuth))
}

// saysWho says whether r asks who the client is, which steadis knows.
func (s *Session) saysWho(r *request) bool {
	return r.info.Verb == command.ACLWhoAmI && s.server.static() && command.Arity(r.info, len(r.args))
}

// logsIn says whether r would make the client another user, of which steadis judges.
func (s *Session) logsIn(r *request) bool {
	if !s.server.static() {
		return false
	}
	switch r.info.Verb {
	case command.Auth:
		return true
	case command.Hello:
		for _, arg := range r.args[min(2, len(r.args)):] {
			if command.Is(arg, "auth") {
				return true
			}
		}
	}
	return false
}

// unauthenticated says whether Redis' limits for clients that have not authenticated are in
// force: resp.Limits asks when bytes have come. Where the master judges, a client whose AUTH
// may be under way has the benefit of the doubt.
func (s *Session) unauthenticated() bool {
	srv := s.server
	static := srv.static()
	if !static && !srv.pool.NeedsAuth() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if static {
		return s.locked
	}
	return !s.ident.Auth && s.ident.Edition == srv.pool.Edition() && s.queue.Len() == 0
}

// noteWrongPass counts a wrong password, and says so from time to time: not who it was for,
// as people type passwords for names.
func (s *Server) noteWrongPass(sess *Session) {
	s.metrics.wrongPasswords.Inc()
	s.wrongPass.warn("a client gave a wrong user or password", zap.String("addr", sess.addr))
}
