// Package entrance has what a connection passes before it is a client's: the header of
// the PROXY protocol in which a load balancer names the client, and the TLS handshake. A
// listener of an Entrance accepts what has passed, and keeps nobody waiting for those who
// have not: each passes in a goroutine of its own, within a time, and of too many at one
// time the oldest is sent away.
package entrance
