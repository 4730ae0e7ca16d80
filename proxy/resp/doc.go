// Package resp knows frames and limits of the Redis protocol, and not what a
// frame means.
//
// Towards clients it offers the Guard, a net.Conn that lets only whole, legal commands
// through, in canonical form, within Limits.
// Large ones it keeps back and gives to whoever handles the commands, since redcon
// would copy them and keep the memory.
// Towards Redis it offers the Scanner, which finds where a reply ends, however
// the bytes arrive. Both keep their place between calls, so that no byte is
// looked at twice however a peer cuts its data, and neither reserves memory for
// a size that was only announced.
package resp
