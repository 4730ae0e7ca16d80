// Package fake has scripted servers that speak RESP by code of their own and
// share none with steadis, so that a test cannot pass because both sides have the
// same fault:
//
//   - Network: an in-memory network of buffered, deadline-keeping connections.
//     It uses only channels, short locks and package time, so it runs inside a
//     testing/synctest bubble on fake time. Make it inside the bubble.
//   - Redis: a small Redis that keeps strings and lists, replicates to other
//     fakes, records what it is sent, and can refuse, load, hold its replies,
//     freeze and hang up.
//   - Sentinel: a Sentinel whose master, epoch and flags are set by the test,
//     which publishes what the test says and can be silent, slow, forbidden to
//     subscribe to, ignorant of the name, or lie.
//
// Both servers serve any net.Listener, of a Network or of real TCP, and are
// ended by Close, which also waits for their goroutines. Typical use:
//
//	synctest.Test(t, func(t *testing.T) {
//		n := fake.NewNetwork()
//		a := fake.StartRedis(n.MustListen("10.0.0.1:6379"))
//		defer a.Close()
//		s := fake.StartSentinel(n.MustListen("10.0.1.1:26379"), "mymaster", "10.0.0.1:6379")
//		defer s.Close()
//		// hand n.Dial to what is tested
//		s.Publish("+try-failover", "master mymaster 10.0.0.1 6379")
//		s.Update(func(m *fake.Master) { m.Addr, m.Epoch = "10.0.0.2:6379", 1 })
//	})
//
// All methods may be called concurrently.
package fake
