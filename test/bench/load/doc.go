// Package load makes load on a RESP2 server and measures what it answers. One
// thread serves all connections with epoll, so that thousands of clients cost the
// machine little beside the server under test. It shares no code with steadis.
//
// A load is driven in one of four ways:
//
//   - Closed: each connection sends its requests in batches and the next batch once
//     all of one are answered, as redis-benchmark does. It finds the most that a
//     server can do.
//   - Open: requests fall due at a fixed rate, whether or not earlier ones are
//     answered, and a wait counts from when its request was due. A server that
//     stands still for a second therefore shows a second, not one slow request
//     (no coordinated omission).
//   - FanOut: one publisher, many subscribers; a wait is that of one delivery.
//   - HandOff: pairs of LPUSH and BLPOP; a wait is from the push to the pop.
package load
