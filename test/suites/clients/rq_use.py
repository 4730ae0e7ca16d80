"""What apps use of RQ: queues, jobs, and workers in processes of their own, against 127.0.0.1:6379."""

import contextlib
import datetime
import operator
import subprocess
import time

import redis
from report import run_all, test
from rq import Queue, Retry, Worker
from rq.command import send_kill_horse_command, send_shutdown_command, send_stop_job_command
from rq.exceptions import NoSuchJobError
from rq.job import Dependency, Job
from rq.registry import FailedJobRegistry, FinishedJobRegistry, ScheduledJobRegistry, StartedJobRegistry
from rq.suspension import resume, suspend

connection = redis.Redis()


def eventually(condition, seconds=15):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("it does not come about")


@contextlib.contextmanager
def worker(*options, queues=("q",)):
    """A worker process; afterwards it must have ended in peace and complained of nothing."""
    process = subprocess.Popen(
        ["/usr/bin/rq", "worker", *options, *queues], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
        process.terminate() if "--burst" not in options else None
        log = process.communicate(timeout=20)[0]
    finally:
        process.kill()
    assert process.returncode == 0, log
    for sign in ("ConnectionError", "TimeoutError", "Could not connect", "redis.exceptions"):
        assert sign not in log, log


def burst(*options):
    with worker("--burst", *options):
        pass


@test
def jobs_run_and_give_results():
    q = Queue("q", connection=connection)
    jobs = [q.enqueue(operator.add, n, 1) for n in range(10)]
    assert len(q) == 10 and q.job_ids == [j.id for j in jobs]
    burst()
    assert [j.result for j in jobs] == [n + 1 for n in range(10)]
    assert all(j.is_finished for j in jobs) and len(FinishedJobRegistry("q", connection=connection)) == 10
    assert len(q) == 0


@test
def a_waiting_worker_wakes_up():
    q = Queue("q", connection=connection)
    with worker():
        eventually(lambda: Worker.count(connection=connection) == 1)
        time.sleep(1)
        job = q.enqueue(operator.add, 1, 2)
        eventually(lambda: job.get_status(refresh=True) == "finished")
        assert job.result == 3
    eventually(lambda: Worker.count(connection=connection) == 0)


@test
def several_queues_in_order():
    high, low = Queue("high", connection=connection), Queue("low", connection=connection)
    jobs = [low.enqueue(time.time), high.enqueue(time.time)]
    with worker("--burst", queues=("high", "low")):
        pass
    assert jobs[1].result < jobs[0].result


@test
def failed_jobs_and_requeue():
    q = Queue("q", connection=connection)
    job = q.enqueue(operator.truediv, 1, 0)
    burst()
    registry = FailedJobRegistry("q", connection=connection)
    assert job.get_status(refresh=True) == "failed" and job.id in registry
    assert "ZeroDivisionError" in Job.fetch(job.id, connection=connection).exc_info
    registry.requeue(job.id)
    assert q.job_ids == [job.id]
    burst()
    assert job.get_status(refresh=True) == "failed"


@test
def retries():
    q = Queue("q", connection=connection)
    job = q.enqueue(operator.truediv, 1, 0, retry=Retry(max=2))
    burst()
    job.refresh()
    assert job.retries_left == 0 and job.get_status(refresh=True) == "failed"


@test
def dependencies():
    q = Queue("q", connection=connection)
    first = q.enqueue(operator.add, 1, 1)
    second = q.enqueue(operator.add, 2, 2, depends_on=first)
    third = q.enqueue(operator.add, 3, 3, depends_on=Dependency([first, second]))
    assert second.get_status(refresh=True) == "deferred" and len(q) == 1
    burst()
    assert [j.result for j in (first, second, third)] == [2, 4, 6]


@test
def scheduled_jobs():
    q = Queue("q", connection=connection)
    job = q.enqueue_in(datetime.timedelta(seconds=1), operator.add, 1, 1)
    assert job.id in ScheduledJobRegistry("q", connection=connection)
    with worker("--with-scheduler"):
        eventually(lambda: job.get_status(refresh=True) == "finished")
    assert job.result == 2


@test
def job_timeout():
    q = Queue("q", connection=connection)
    job = q.enqueue(time.sleep, 30, job_timeout=1)
    burst()
    assert job.get_status(refresh=True) == "failed" and "JobTimeoutException" in job.exc_info


@test
def stop_a_job():
    q = Queue("q", connection=connection)
    job = q.enqueue(time.sleep, 30)
    with worker():
        eventually(lambda: job.get_status(refresh=True) == "started")
        assert job.id in StartedJobRegistry("q", connection=connection)
        send_stop_job_command(connection, job.id)
        eventually(lambda: job.get_status(refresh=True) in ("stopped", "failed"))


@test
def kill_a_horse():
    q = Queue("q", connection=connection)
    job = q.enqueue(time.sleep, 30)
    with worker("--name", "mine"):
        eventually(lambda: job.get_status(refresh=True) == "started")
        send_kill_horse_command(connection, "mine")
        eventually(lambda: job.get_status(refresh=True) == "failed")


@test
def shut_a_worker_down():
    with worker("--name", "mine") as process:
        eventually(lambda: Worker.count(connection=connection) == 1)
        time.sleep(0.5)  # it subscribes after it has registered
        send_shutdown_command(connection, "mine")
        process.wait(timeout=10)


@test
def suspend_and_resume():
    q = Queue("q", connection=connection)
    with worker():
        # One that has only registered may find itself suspended before it waits for a job.
        eventually(lambda: [w.get_state() for w in Worker.all(connection=connection)] == ["idle"])
        suspend(connection)
        first = q.enqueue(operator.add, 1, 1)  # the worker waits for it already
        eventually(lambda: first.get_status(refresh=True) == "finished")
        job = q.enqueue(operator.add, 1, 1)
        time.sleep(1.5)
        assert job.get_status(refresh=True) == "queued"
        resume(connection)
        eventually(lambda: job.get_status(refresh=True) == "finished")
        # Between the job and that it heeds no signal until the next job.
        eventually(lambda: [w.get_state() for w in Worker.all(connection=connection)] == ["idle"])


@test
def cancel_delete_and_empty():
    q = Queue("q", connection=connection)
    job = q.enqueue(operator.add, 1, 1)
    job.meta["note"] = "x"
    job.save_meta()
    assert Job.fetch(job.id, connection=connection).get_meta() == {"note": "x"}
    job.cancel()
    assert len(q) == 0 and job.get_status(refresh=True) == "canceled"
    job.delete()
    try:
        Job.fetch(job.id, connection=connection)
        raise AssertionError("still there")
    except NoSuchJobError:
        pass
    [q.enqueue(operator.add, 1, 1) for _ in range(5)]
    assert q.empty() == 5 and q.delete() is None


@test
def many_at_once():
    q = Queue("q", connection=connection)
    data = [Queue.prepare_data(operator.add, (n, 1)) for n in range(200)]
    with connection.pipeline() as p:
        jobs = q.enqueue_many(data, pipeline=p)
        p.execute()
    assert len(q) == 200
    burst("--worker-ttl", "420")
    assert sum(j.result for j in jobs) == sum(range(1, 201))


run_all(connection.flushall)
