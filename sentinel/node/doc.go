// Package node asks one Redis node what it is: master or replica, of which history,
// how far, and who replicates from it. It decides nothing.
//
// Two questions are put, ROLE and INFO replication. ROLE is believed first;
// where it is refused, because an ACL or a managed service forbids it or it was
// renamed away (NOPERM, "unknown command"), INFO's role counts. Redis 7.0 takes both
// from the same variable (replication.c roleCommand, server.c genRedisInfoString: is
// server.masterhost NULL), so they cannot differ. A node that refuses both cannot say.
package node
