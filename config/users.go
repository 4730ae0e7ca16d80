package config

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// NoPass stands in place of a hash for a user whom any password lets in.
const NoPass = "nopass"

// Users are who clients may be: by name, the hashes of their passwords as they were
// written. A hash is a Secret, since a short password can be found by it.
type Users map[string]Secret

// User is one of them, to be checked against.
type User struct {
	Name string
	// Hashes are the SHA-256 of the passwords, of which each lets the client in.
	Hashes [][sha256.Size]byte
	// NoPass lets the client in with any password. Then there are no Hashes.
	NoPass bool
}

// RevealUsers gives the users, from Users or from what UsersFile had in it when the
// configuration was loaded, by name.
func (c *Config) RevealUsers() []User {
	given := c.users()
	list := make([]User, 0, len(given))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		user, err := parseUser(name, given[name])
		if err == nil { // else Validate has said so
			list = append(list, user)
		}
	}
	return list
}

func (c *Config) users() Users {
	if c.UsersFile != "" {
		return c.usersFromFile
	}
	return c.Users
}

// shown is what may be printed of users.
func (u Users) shown() map[string]string {
	text := make(map[string]string, len(u))
	for name, secret := range u {
		text[name] = secret.String()
		if secret.Reveal() == NoPass {
			text[name] = NoPass
		}
	}
	return text
}

// decodeUsers makes Users of entries name=hash. Its errors show no more than a name.
func decodeUsers(entries []string) (Users, error) {
	users := make(Users, len(entries))
	for i, entry := range entries {
		name, secret, found := strings.Cut(entry, "=")
		name, secret = strings.TrimSpace(name), strings.TrimSpace(secret)
		if !found || name == "" || secret == "" {
			return nil, fmt.Errorf("has the entry number %d, which is not a name and a hash; write name=#<SHA-256 of the password>", i+1)
		}
		if _, twice := users[name]; twice {
			return nil, fmt.Errorf("has the user '%s' twice; keep one of the two, which may have several hashes", name)
		}
		users[name] = NewSecret(secret)
	}
	return users, nil
}

// errHash says what a user needs.
var errHash = errors.New("needs the SHA-256 of the password as # and 64 hexadecimal digits, as `printf %s 'the password' | sha256sum` prints them, or nopass")

// parseUser reads what stands behind a user's name. The error is the rest of a sentence that
// begins with the user, and shows nothing of it.
func parseUser(name string, secret Secret) (User, error) {
	words := strings.Fields(secret.Reveal())
	switch {
	case secret.Reveal() == Mask:
		return User{}, errors.New("has '" + Mask + "', which `steadis config` prints in place of a hash; write the hash itself")
	case len(words) == 1 && words[0] == NoPass:
		return User{Name: name, NoPass: true}, nil
	case len(words) == 0:
		return User{}, errHash
	}
	user := User{Name: name}
	for _, word := range words {
		var hash [sha256.Size]byte
		digits, found := strings.CutPrefix(word, "#")
		if word == NoPass {
			return User{}, errors.New("has a hash and nopass, which contradict each other; remove one of the two")
		}
		if n, err := hex.Decode(hash[:], []byte(digits)); !found || len(digits) != 2*sha256.Size || err != nil || n != sha256.Size {
			return User{}, errHash
		}
		user.Hashes = append(user.Hashes, hash)
	}
	return user, nil
}

// users finds what is wrong with who may come in and with where they come from.
func (v *validation) users(c *Config) {
	v.oneOf("auth", c.Auth, AuthPassthrough, AuthStatic)
	key := "users"
	if c.UsersFile != "" {
		key = "users_file"
	}
	if len(c.Users) > 0 && c.UsersFile != "" {
		v.against("users", "users_file", c.UsersFile, "contradicts users, which is set too; remove one of the two")
		return
	}
	if c.Auth == AuthPassthrough && (len(c.Users) > 0 || c.UsersFile != "") {
		v.against("auth", key, c.UsersFile, "has no effect with auth passthrough, where the master judges passwords; set auth to static, or remove it")
	}
	open, sound := len(c.users()) == 0, true
	for _, name := range slices.Sorted(maps.Keys(c.users())) {
		user, err := parseUser(name, c.users()[name])
		if strings.ContainsFunc(name, blank) {
			err = errors.New("has a blank or a control character in its name; Redis' users have none")
		}
		if err != nil {
			sound = false
			v.add(key, c.UsersFile, fmt.Sprintf("has the user '%s', which %v", strings.Join(strings.Fields(name), "_"), err))
		}
		open = open || user.NoPass
	}
	if open && sound {
		v.protect(c)
	}
}

// protect finds listeners by which who needs no password would get the rights of
// upstream's.
func (v *validation) protect(c *Config) {
	adds := c.Upstream.Password.Reveal() != "" || c.Upstream.PasswordFile != ""
	if c.Auth != AuthStatic || !adds || !c.Protected {
		return
	}
	for i, entry := range c.Listeners() {
		parsed, err := parseListen(entry)
		network, _ := SplitListen(entry)
		certified := ListensTLS(entry) && c.TLS.ClientCAFile != "" && c.TLS.ClientAuth == ClientAuthRequired
		if err != nil || network == "unix" || certified || parsed.loopback() {
			continue
		}
		v.against("users_file", c.listenKey(i), entry, "is open to other machines, whose clients would get the rights of upstream.password without a password (auth static): "+
			"give every user in users a hash, or demand certificates on a tls:// listener (tls.client_ca_file), or listen on 127.0.0.1 or unix:/path, or set protected to false if your network keeps strangers out")
	}
}

// usersFile reads the file that users_file names. It returns false if that cannot be.
func (l *loader) usersFile(c *Config) bool {
	if c.UsersFile == "" || len(c.Users) > 0 {
		return true // none, or one too many, which Validate reports
	}
	fault := func(problem string) bool {
		l.faults = append(l.faults, Fault{Key: "users_file", Value: c.UsersFile, Source: l.origins["users_file"], Problem: problem})
		return false
	}
	data, err := readFile(c.UsersFile)
	if err != nil {
		return fault(fmt.Sprintf("cannot be read: %v", err))
	}
	c.usersFromFile = Users{}
	sound := true
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxFile+1)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == ';' {
			continue
		}
		name, secret, _ := strings.Cut(line, " ")
		_, twice := c.usersFromFile[name]
		switch {
		case strings.HasPrefix(name, "#") || strings.TrimSpace(secret) == "":
			sound = fault(fmt.Sprintf("has a line %d that is not a name and a hash; write name #<SHA-256 of the password>, and ; before a comment", number))
		case twice:
			sound = fault(fmt.Sprintf("has the user '%s' twice, again in line %d; keep one of the two, which may have several hashes", name, number))
		default:
			c.usersFromFile[name] = NewSecret(strings.TrimSpace(secret))
		}
	}
	if err := lines.Err(); err != nil {
		return fault(fmt.Sprintf("cannot be read: %v", err))
	}
	if sound && len(c.usersFromFile) == 0 {
		return fault("names no user, so nobody would need a password; write lines with a name and #<SHA-256 of the password>, or remove users_file")
	}
	return sound
}
