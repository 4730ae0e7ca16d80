"""What the RQ workers do. Each run leaves a line in a file, so that runs can be counted without Redis."""

import os
import time


def work(n, seconds):
    if seconds:
        time.sleep(seconds)
    with open(os.path.join(os.environ["RUNS"], str(os.getpid())), "a") as f:
        f.write(f"{n}\n")
    return n
