// Package topology starts a whole Redis deployment on loopback, with real
// redis-server and Sentinel processes, and can kill, freeze, restart and cut
// off each of them. Tests and `steadis demo` use it; it does not import
// package testing.
//
// Every process has a private directory, a port of its own below the kernel's
// ephemeral range (so that no outgoing connection can take the port of a node
// that is down), its own process group, and dies with its parent. Close waits
// for every one of them by pid.
//
// With Options.Network every process has a host of its own, and the paths between
// hosts can be cut, made lossy and made slow. Isolate puts a whole test program into
// a network namespace, in which hosts can be namespaces, too.
//
// Nothing here waits a fixed time: Start and AwaitSettled ask the servers until
// they agree.
package topology
