// Package socket writes to clients' connections without ever waiting for the client,
// whether they are plain or TLS. It knows no command and no session.
package socket
