"""Ends with 0 if the worker of this container is registered in Redis."""

import os
import socket
import sys

from redis import Redis
from rq import Worker

redis = Redis.from_url(os.environ["REDIS_URL"])
here = socket.gethostname()
sys.exit(not any(worker.hostname == here for worker in Worker.all(connection=redis)))
