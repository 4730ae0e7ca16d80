// Package certs keeps what TLS needs as its files are: it reads them again when they
// change, so that a certificate is renewed without a restart and without a connection
// that ends.
package certs

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// Every is the time between two looks at the files. They are a few kB and are read whole:
// their times say nothing when a link is moved, or within a tick of the file system.
const Every = 2 * time.Second

// mostBytes bounds what is read of one file to see whether it has changed.
const mostBytes = 1 << 20

// Source says what a Keeper keeps. The zero value stands for no TLS.
type Source struct {
	// Files are what Read reads.
	Files []string
	// Read makes a configuration of them; nil for no TLS.
	Read func() (*tls.Config, error)
}

// Keeper keeps the TLS configuration of one leg: of clients, upstream or sentinel. Its
// methods may be called concurrently.
type Keeper struct {
	leg     string
	log     *zap.Logger
	current atomic.Pointer[tls.Config]
	broken  atomic.Bool // what the files hold now cannot be used

	// mu guards the fields below, and orders readings: files are read under it, and
	// nobody who serves a client takes it.
	mu     sync.Mutex
	source Source
	seen   [sha256.Size]byte // what the files held when they were last tried
}

// New reads the files of source for the first time.
func New(leg string, log *zap.Logger, source Source) (*Keeper, error) {
	k := &Keeper{leg: leg, log: log}
	return k, k.Replace(source)
}

// Config gives what is to be used for the next connection; nil: no TLS. It stays the same
// one until the files change.
func (k *Keeper) Config() *tls.Config { return k.current.Load() }

// Replace reads another source, and keeps that from now on if it can be used. Else
// nothing changes.
func (k *Keeper) Replace(source Source) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	seen := digest(source.Files)
	var made *tls.Config
	if source.Read != nil {
		var err error
		if made, err = source.Read(); err != nil {
			return err
		}
	}
	k.source, k.seen = source, seen
	k.broken.Store(false)
	k.current.Store(made)
	return nil
}

// Look reads the files if they have changed since they were last tried.
func (k *Keeper) Look() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if seen := digest(k.source.Files); seen != k.seen {
		k.read(seen)
	}
}

// read tries the files, which held seen a moment ago: if they have changed since, the next
// Look sees that. If they cannot be used, the former configuration stays. k.mu must be held.
func (k *Keeper) read(seen [sha256.Size]byte) {
	if k.source.Read == nil {
		return
	}
	k.seen = seen
	made, err := k.source.Read()
	if err != nil {
		k.broken.Store(true)
		k.log.Warn("TLS files have changed and cannot be used; the former ones stay until they can",
			zap.String("leg", k.leg), zap.Error(err))
		return
	}
	k.broken.Store(false)
	k.current.Store(made)
	k.log.Info("TLS files were read again; new connections use them", append([]zap.Field{zap.String("leg", k.leg)}, about(made)...)...)
}

// about describes steadis' own certificate, if it has one.
func about(c *tls.Config) []zap.Field {
	if len(c.Certificates) == 0 {
		return nil
	}
	leaf := c.Certificates[0].Leaf
	return []zap.Field{zap.String("subject", leaf.Subject.String()), zap.String("serial", leaf.SerialNumber.Text(16)), zap.Time("not_after", leaf.NotAfter)}
}

// Watch looks at the files of keepers now and then, until ctx ends.
func Watch(ctx context.Context, keepers ...*Keeper) error {
	ticker := time.NewTicker(Every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			for _, k := range keepers {
				k.Look()
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// digest sums up what files hold. A file that cannot be read counts as one that says so.
func digest(files []string) [sha256.Size]byte {
	h := sha256.New()
	for _, name := range files {
		data, err := readSome(name)
		_, _ = fmt.Fprintf(h, "%q %d %t\n", name, len(data), err != nil) // a hash takes everything
		_, _ = h.Write(data)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

func readSome(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	return io.ReadAll(io.LimitReader(f, mostBytes))
}
