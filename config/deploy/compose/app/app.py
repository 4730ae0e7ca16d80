"""A Flask app that knows one Redis by its address, and nothing of Sentinel or steadis."""

import os

from flask import Flask, jsonify, request
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.job import Job

from jobs import add

app = Flask(__name__)
redis = Redis.from_url(os.environ.get("REDIS_URL", "redis://localhost:6379"))
queue = Queue(connection=redis)


@app.errorhandler(RedisError)
def redis_failed(error):
    return jsonify(error=str(error)), 503


@app.get("/health/redis")
def health():
    redis.ping()
    return jsonify(redis="ok")


@app.post("/enqueue")
def enqueue():
    a = request.args.get("a", 1, type=int)
    b = request.args.get("b", 1, type=int)
    return jsonify(id=queue.enqueue(add, a, b).id), 202


@app.get("/job/<job_id>")
def job(job_id):
    try:
        found = Job.fetch(job_id, connection=redis)
    except NoSuchJobError:
        return jsonify(error="no such job"), 404
    return jsonify(id=found.id, status=found.get_status(), result=found.return_value())
