package main

import (
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"steadis/proxy"
)

// How clients outlive a restart by the service manager. systemd keeps descriptors for a
// service (FileDescriptorStoreMax=, sd_pid_notify_with_fds) and gives them to the next
// process beside the listening sockets. So at the end clients between two commands are not
// closed but kept there, and what there is to know of them in a file in memory: their
// passwords are never on a disk. While nobody serves, what they send waits in the system's
// buffers.

// The names of what is kept. They are short: 10,000 of them stand in one variable of the
// environment, which may have 128 KiB.
const (
	storedClient = "c"
	storedBook   = "b"
)

// storePatience bounds the wait for the service manager to take a descriptor.
const storePatience = 5 * time.Second

// book is what the next process has to know of the clients that were kept.
type book struct {
	NextID  uint64
	Scripts []string
	// Clients are by the numbers of their sockets (inodes), by which they are told apart.
	Clients map[uint64]proxy.Client
	// With several masters Masters says whose client each is, and ScriptsOf has the scripts
	// of each, by name, instead of Scripts.
	Several   bool
	Masters   map[uint64]string
	ScriptsOf map[string][]string
}

// store keeps clients with the service manager. Its methods may be called concurrently.
type store struct {
	manager *net.UnixConn
	most    int

	mu   sync.Mutex // guards book
	book book
}

// errStoreFull is about a client for which the service manager has no room.
var errStoreFull = errors.New("the service manager keeps no more descriptors; raise FileDescriptorStoreMax=")

// openStore returns nil if there is no service manager that keeps anything.
func openStore() (*store, error) {
	socket := os.Getenv("NOTIFY_SOCKET")
	most, _ := strconv.Atoi(os.Getenv("FDSTORE")) // systemd says how many (254 and later)
	if socket == "" || most < 2 {
		return nil, nil
	}
	manager, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("cannot reach the service manager: %w", err)
	}
	return &store{manager: manager, most: most - 1, book: book{Clients: map[uint64]proxy.Client{}, Masters: map[uint64]string{}}}, nil
}

func (s *store) close() { _ = s.manager.Close() }

// tell sends a state with a descriptor to the service manager, which has its own of it then.
func (s *store) tell(state string, fds ...int) error {
	if err := s.manager.SetWriteDeadline(time.Now().Add(storePatience)); err != nil {
		return err
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	raw, err := s.manager.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	// Not WriteMsgUnix, which sends nothing over a datagram socket that is connected.
	err = raw.Write(func(fd uintptr) bool {
		sent = unix.Sendmsg(int(fd), []byte(state), rights, nil, unix.MSG_NOSIGNAL)
		return !errors.Is(sent, unix.EAGAIN) && !errors.Is(sent, unix.EINTR)
	})
	return errors.Join(err, sent)
}

func keepState(name string) string   { return "FDSTORE=1\nFDNAME=" + name }
func forgetState(name string) string { return "FDSTOREREMOVE=1\nFDNAME=" + name }

// keeper keeps the clients of a service.
func (s *store) keeper(of *service) proxy.GiveFunc {
	return func(fd int, c proxy.Client) error { return s.keep(fd, c, of.name) }
}

// keep keeps a client of a master.
func (s *store) keep(fd int, c proxy.Client, master string) error {
	defer func() { _ = unix.Close(fd) }() // the manager has its own, or the client is closed
	number, err := socketNumber(fd)
	if err != nil {
		return err
	}
	s.mu.Lock()
	full := len(s.book.Clients) >= s.most
	if !full {
		s.book.Clients[number], s.book.Masters[number] = c, master
	}
	s.mu.Unlock()
	if full {
		return errStoreFull
	}
	return s.tell(keepState(storedClient), fd)
}

// end keeps the book, if there is anything in it, and returns how many clients there are.
func (s *store) end(all services) (int, error) {
	ends := book{NextID: all.nextID(), Several: all.several()}
	if ends.Several {
		ends.ScriptsOf = map[string][]string{}
		for _, of := range all {
			ends.ScriptsOf[of.name] = of.server.Scripts()
		}
	} else {
		ends.Scripts = all[0].server.Scripts()
	}
	s.mu.Lock()
	ends.Clients, ends.Masters = s.book.Clients, s.book.Masters
	s.book = ends
	kept := s.book
	s.mu.Unlock()
	if len(kept.Clients) == 0 {
		return 0, nil
	}
	file, err := memoryFile()
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }() // it is in memory, and the manager's
	if err := gob.NewEncoder(file).Encode(kept); err != nil {
		return 0, fmt.Errorf("cannot write down the clients that are kept: %w", err)
	}
	return len(kept.Clients), errors.Join(s.tell(keepState(storedBook), int(file.Fd())), s.await())
}

// await returns once the service manager has taken note of all that it was told: what it
// hears of a process that has ended it may not know whom to count to.
func (s *store) await() error {
	ours, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = ours.Close() }() // nothing is written to it
	err = s.tell("BARRIER=1", int(theirs.Fd()))
	_ = theirs.Close() // the manager's is what counts
	if err != nil {
		return err
	}
	if err := ours.SetReadDeadline(time.Now().Add(storePatience)); err != nil {
		return err
	}
	if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("the service manager does not take note: %w", err)
	}
	return nil
}

// forget makes the service manager close what it has kept: while it has a client's
// socket, the client would not see that we close it.
func (s *store) forget() error {
	return errors.Join(s.tell(forgetState(storedClient)), s.tell(forgetState(storedBook)))
}

// socketNumber tells sockets apart, in whichever process.
func socketNumber(fd int) (uint64, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return 0, err
	}
	return stat.Ino, nil
}

// kept is what the service manager has kept of the former process.
type kept struct {
	book    book
	clients map[uint64]net.Conn // by the numbers of their sockets
}

// add takes a descriptor of the service manager's, if it is one that was kept.
func (k *kept) add(name string, file *os.File) (mine bool, err error) {
	switch name {
	case storedBook:
		if _, err := file.Seek(0, 0); err != nil {
			return true, err
		}
		return true, gob.NewDecoder(file).Decode(&k.book)
	case storedClient:
		number, err := socketNumber(int(file.Fd()))
		if err != nil {
			return true, err
		}
		conn, err := net.FileConn(file)
		if err != nil {
			return true, err
		}
		if k.clients == nil {
			k.clients = map[uint64]net.Conn{}
		}
		k.clients[number] = conn
		return true, nil
	}
	return false, nil
}

// adopt goes on with the clients that were kept. Those of whom nothing is known are closed.
func (k *kept) adopt(all services, log *zap.Logger) {
	lost := 0
	for number, conn := range k.clients {
		c, known := k.book.Clients[number]
		switch {
		case !known:
			lost++
			_ = conn.Close()
		case !all.adopt(conn, c, k.book.Masters[number], k.book.Several):
			lost++
		}
	}
	if !k.book.Several && !all.several() {
		k.book.ScriptsOf = map[string][]string{"": k.book.Scripts}
	}
	for master, scripts := range k.book.ScriptsOf {
		if s := all.heir(master, k.book.Several); s != nil {
			s.remember(scripts)
		}
	}
	if len(k.clients) > 0 {
		log.Info("clients that the service manager has kept are taken over", zap.Int("clients", len(k.clients)-lost), zap.Int("lost", lost))
	}
	k.clients = nil
}

// close closes what was not adopted.
func (k *kept) close() {
	for _, conn := range k.clients {
		_ = conn.Close()
	}
	k.clients = nil
}
