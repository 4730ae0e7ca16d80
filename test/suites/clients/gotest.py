"""Turns the events of go tool test2json on standard input into lines of report.py."""

import json
import sys

from report import line

output = {}
for text in sys.stdin:
    try:
        event = json.loads(text)
    except ValueError:
        continue
    name, action = event.get("Test"), event["Action"]
    if not name:
        continue
    if action == "output":
        said = event["Output"]
        if not said.lstrip().startswith(("=== ", "--- ")):
            output.setdefault(name, []).append(said)
    elif action in ("pass", "fail", "skip"):
        line(action, name, "" if action == "pass" else " ".join(output.get(name, [])[-6:]))
        output.pop(name, None)
for name in output:  # begun, and the process ended
    line("fail", name, "did not end")
