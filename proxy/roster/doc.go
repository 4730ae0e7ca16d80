// Package roster is what steadis answers about its own clients, in Redis' words:
// the line of CLIENT LIST and CLIENT INFO, and the arguments of CLIENT LIST, KILL,
// UNBLOCK, REPLY, NO-EVICT, NO-TOUCH, SETNAME and SETINFO with their errors.
//
// Programs read these bytes: RQ looks for its own name in CLIENT LIST, operators'
// scripts cut the line at its blanks. So lines, words and errors are those of Redis
// 7.0.15, networking.c clientCommand and catClientInfoString, with what 7.2 added
// (SETINFO, NO-TOUCH, lib-name and lib-ver at the end of the line) and 7.4's KILL
// MAXAGE. Valkey's NOT- filters are no part of it.
//
// A parser takes the whole command, args[0] being CLIENT in any case, and returns
// as its last result a whole error reply, or "". Where Redis reads an argument as a
// C string, which ends at its first NUL, so does the parser; an error repeats an
// argument in full length, as Redis does, with blanks for CR and LF.
//
// There is no I/O and no goroutine here. Every function may be called concurrently;
// a value may be used by several goroutines as long as nobody changes it.
package roster
