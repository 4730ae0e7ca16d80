// hiredis until the standard input ends, while the master changes: RPUSH one at a time, and MULTI ... EXEC
// in a pipeline. After an error it connects anew, as its documentation says. Prints a report for each act: see
// report in program_test.go.
//
//   use NAME
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST 100000

struct report {
	const char *act;
	int sent, doubts, errors, reconnects;
	int doubt[MOST];
	char told[160];
	double slowest;
};

static int port;

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static redisContext *connected(void) {
	redisContext *c = redisConnect("127.0.0.1", port);
	if (c == NULL || c->err) {
		fprintf(stderr, "connect: %s\n", c ? c->errstr : "no memory");
		exit(1);
	}
	return c;
}

static int input_ended(void) {
	struct pollfd p = {.fd = 0, .events = POLLIN};
	return poll(&p, 1, 10) == 1;
}

// fails notes that the number is in doubt, with the library's words or the server's.
static void fails(struct report *r, redisContext *c, redisReply *reply) {
	if (r->doubts < MOST) r->doubt[r->doubts++] = r->sent;
	r->errors++;
	snprintf(r->told, sizeof r->told, "%s", reply ? reply->str : c->errstr);
	for (char *s = r->told; *s; s++) if (*s == '"' || *s == '\\' || *s < ' ') *s = ' ';
}

static void one_write(struct report *r, redisContext *c, const char *name) {
	r->sent++;
	redisReply *reply = redisCommand(c, "RPUSH %s:writes %d", name, r->sent);
	if (reply == NULL || reply->type == REDIS_REPLY_ERROR) fails(r, c, reply);
	if (reply) freeReplyObject(reply);
}

static void one_transaction(struct report *r, redisContext *c, const char *name) {
	redisReply *reply = NULL;
	r->sent++;
	redisAppendCommand(c, "MULTI");
	redisAppendCommand(c, "RPUSH %s:transactions %d", name, r->sent);
	redisAppendCommand(c, "EXEC");
	for (int i = 0; i < 3; i++) {
		if (redisGetReply(c, (void **)&reply) != REDIS_OK) {
			fails(r, c, NULL);
			return;
		}
		if (reply->type == REDIS_REPLY_ERROR) fails(r, c, reply);
		freeReplyObject(reply);
	}
}

static void print(struct report *r, const char *name) {
	printf("{\"act\":\"%s\",\"list\":\"%s:%s\",\"sent\":%d,\"reconnects\":%d,\"slowest\":%.3f,\"told\":{", r->act, name, r->act, r->sent,
	       r->reconnects, r->slowest);
	if (r->errors) printf("\"%s\":%d", r->told, r->errors);
	printf("},\"doubt\":[");
	for (int i = 0; i < r->doubts; i++) printf("%s%d", i ? "," : "", r->doubt[i]);
	printf("]}\n");
}

int main(int argc, char **argv) {
	if (argc != 2) return 2;
	static struct report reports[2] = {{.act = "writes"}, {.act = "transactions"}};
	void (*acts[2])(struct report *, redisContext *, const char *) = {one_write, one_transaction};
	port = atoi(getenv("REDIS_PORT"));
	redisContext *c = connected();
	puts("ready");
	fflush(stdout);
	while (!input_ended())
		for (int i = 0; i < 2; i++) {
			double began = now();
			acts[i](&reports[i], c, argv[1]);
			if (now() - began > reports[i].slowest) reports[i].slowest = now() - began;
			if (c->err) {
				redisFree(c);
				c = connected();
				reports[i].reconnects++;
			}
		}
	for (int i = 0; i < 2; i++) print(&reports[i], argv[1]);
	redisFree(c);
	return 0;
}
