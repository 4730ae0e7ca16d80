"""What apps use of kombu's Redis transport, with its defaults, against 127.0.0.1:6379."""

import socket
import threading
import time

import redis
from kombu import Connection, Consumer, Exchange, Producer, Queue
from kombu.pools import producers
from report import run_all, test

URL = "redis://localhost:6379/0"
server = redis.Redis()


def drained(connection, seconds=5):
    try:
        while True:
            connection.drain_events(timeout=seconds)
            seconds = 0.3
    except socket.timeout:
        pass


@test
def simple_queue():
    with Connection(URL) as c, c.SimpleQueue("simple") as q:
        for n in range(20):
            q.put({"n": n})
        assert len(q) == 20 and q.qsize() == 20
        for n in range(20):
            m = q.get(timeout=5)
            assert m.payload == {"n": n}
            m.ack()
        try:
            q.get(timeout=0.3)
            raise AssertionError("not empty")
        except q.Empty:
            pass


@test
def direct_exchange():
    got = []
    queue = Queue("direct", Exchange("media", "direct"), routing_key="video")
    with Connection(URL) as c:
        Producer(c).publish({"a": 1}, exchange=queue.exchange, routing_key="video", declare=[queue])
        with Consumer(c, [queue], callbacks=[lambda body, m: (got.append(body), m.ack())]):
            drained(c)
    assert got == [{"a": 1}]
    assert server.hlen("unacked") == 0


@test
def topic_exchange():
    exchange, got = Exchange("topics", "topic"), []
    queues = [Queue("stock", exchange, routing_key="stock.#"), Queue("us", exchange, routing_key="*.us.*")]
    with Connection(URL) as c:
        with Consumer(c, queues, callbacks=[lambda body, m: (got.append((body, m.delivery_info["routing_key"])), m.ack())]):
            Producer(c).publish("both", exchange=exchange, routing_key="stock.us.nasdaq")
            Producer(c).publish("one", exchange=exchange, routing_key="stock.eu")
            drained(c)
    assert sorted(b for b, _ in got) == ["both", "both", "one"], got


@test
def fanout_exchange():
    exchange = Exchange("news", "fanout")
    got, ready = [], threading.Barrier(4)

    def listen(n):
        with Connection(URL) as c:
            queue = Queue(f"news-{n}", exchange, auto_delete=True)
            with Consumer(c, [queue], callbacks=[lambda body, m: got.append((n, body))], no_ack=True):
                try:
                    c.drain_events(timeout=0.5)
                except socket.timeout:
                    pass
                ready.wait()
                drained(c, 5)

    threads = [threading.Thread(target=listen, args=(n,)) for n in range(3)]
    [t.start() for t in threads]
    ready.wait()
    with Connection(URL) as c:
        Producer(c).publish("hello", exchange=exchange, declare=[exchange])
    [t.join() for t in threads]
    assert sorted(got) == [(n, "hello") for n in range(3)], got


@test
def rejected_and_requeued():
    got = []
    queue = Queue("again", Exchange("again", "direct"), routing_key="again")

    def take(body, m):
        got.append(m.headers.get("redelivered", m.delivery_info.get("redelivered")))
        if len(got) == 1:
            m.requeue()
        else:
            m.reject()

    with Connection(URL) as c:
        Producer(c).publish("x", exchange=queue.exchange, routing_key="again", declare=[queue])
        with Consumer(c, [queue], callbacks=[take]):
            drained(c)
    assert len(got) == 2 and server.llen("again") == 0 and server.hlen("unacked") == 0


@test
def unacked_are_put_back_at_the_end():
    queue = Queue("kept", Exchange("kept", "direct"), routing_key="kept")
    with Connection(URL) as c:
        Producer(c).publish("x", exchange=queue.exchange, routing_key="kept", declare=[queue])
        with Consumer(c, [queue], callbacks=[lambda body, m: None]):
            c.drain_events(timeout=5)
        assert server.hlen("unacked") == 1 and server.llen("kept") == 0
    assert server.llen("kept") == 1 and server.hlen("unacked") == 0


@test
def priorities():
    got = []
    with Connection(URL) as c:
        queue = Queue("prio", Exchange("prio", "direct"), routing_key="prio", max_priority=9)
        producer = Producer(c)
        for n in (9, 0, 5):
            producer.publish(n, exchange=queue.exchange, routing_key="prio", declare=[queue], priority=n)
        with Consumer(c, [queue], callbacks=[lambda body, m: (got.append(body), m.ack())], prefetch_count=1):
            drained(c)
    assert got == [0, 5, 9], got  # of the Redis transport: 0 is first


@test
def pools_and_many_threads():
    queue = Queue("many", Exchange("many", "direct"), routing_key="many")
    c = Connection(URL)

    def send():
        for n in range(50):
            with producers[c].acquire(block=True) as p:
                p.publish(n, exchange=queue.exchange, routing_key="many", declare=[queue], retry=True)

    threads = [threading.Thread(target=send) for _ in range(4)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    got = []
    with Consumer(c, [queue], callbacks=[lambda body, m: (got.append(body), m.ack())]):
        drained(c)
    assert len(got) == 200
    c.release()


@test
def purge_and_delete():
    with Connection(URL) as c:
        queue = Queue("purged", Exchange("purged", "direct"), routing_key="purged")
        for _ in range(5):
            Producer(c).publish("x", exchange=queue.exchange, routing_key="purged", declare=[queue])
        bound = queue(c.channel())
        assert bound.queue_declare(passive=True).message_count == 5
        assert bound.purge() == 5
        bound.delete()


@test
def large_and_compressed():
    with Connection(URL) as c, c.SimpleQueue("large") as q:
        q.put("x" * 5_000_000, compression="zlib")
        q.put("y" * 5_000_000)
        assert [m.payload[0] for m in (q.get(timeout=5), q.get(timeout=5))] == ["x", "y"]


@test
def waits_for_a_late_message():
    got = []
    queue = Queue("late", Exchange("late", "direct"), routing_key="late")

    def send():
        time.sleep(2.5)  # BRPOP's time is 1 s
        with Connection(URL) as c:
            Producer(c).publish("x", exchange=queue.exchange, routing_key="late", declare=[queue])

    t = threading.Thread(target=send)
    with Connection(URL) as c:
        with Consumer(c, [queue], callbacks=[lambda body, m: (got.append(body), m.ack())]):
            t.start()
            c.drain_events(timeout=10)
    t.join()
    assert got == ["x"]


@test
def other_database_and_global_prefix():
    with Connection("redis://localhost:6379/3", transport_options={"global_keyprefix": "app:"}) as c:
        with c.SimpleQueue("prefixed") as q:
            q.put("x")
            assert redis.Redis(db=3).llen("app:prefixed") == 1
            assert q.get(timeout=5).payload == "x"


run_all(server.flushall)
