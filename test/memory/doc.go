// Package memory holds the test that steadis stays inside a memory limit whatever its clients
// do: many of them, with more in commands and in unread replies than there is memory,
// while there is a master and while there is none.
package memory
