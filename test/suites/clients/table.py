"""Writes the figures of clients.sh as test/suites/CLIENTS.md.

    table.py FIGURES ...

Each file has rows, tab-separated: library, version, what was run, steadis' way, tests, passed
directly, passed through steadis, refused on purpose, unsteady, faults, when and of which commit.
"""

import re
import subprocess
import sys

redis = re.search(r"v=([\d.]+)", subprocess.check_output(["redis-server", "--version"], text=True)).group(1)
print(f"""# Client libraries

Written by `test/suites/clients.sh`: each suite against redis-server {redis} directly, and against steadis in front of
one. *defaults* is steadis as it comes, *allowed* with `--allow-commands '*'`. A fault is a test that passes directly and
not through steadis, twice; *unsteady* passed the second time. *Refused* are tests, of those that pass directly, that need a
command which steadis refuses by default. What fails or is skipped directly counts for nothing.

| library | version | tests of | steadis | tests | pass directly | pass through steadis | refused | unsteady | faults | measured, commit |
|---|---|---|---|---|---|---|---|---|---|---|""")
for path in sys.argv[1:]:
    for text in open(path):
        print("| " + " | ".join(text.rstrip("\n").split("\t")) + " |")
print("""
*Its own* are the tests that the library's authors have written. *Ours* are programs in this directory that use the main
features of the library with its defaults, where the library's own tests were not to be had: Debian's packages are without
them, and the sources of redis-py, RQ, kombu, Celery, redis-rb and node-redis are not on every mirror; Sidekiq's source package
was made without its tests. ioredis is in no package of Debian. Not run are tests that need what a plain Redis 7.0 is not:
a cluster, TLS, modules, newer commands, a Sentinel of the suite's own.""")
