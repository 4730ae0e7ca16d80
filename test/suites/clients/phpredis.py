"""Turns what phpredis' TestRedis.php prints into lines of report.py."""

import re
import sys

from report import line

STATES = {"PASSED": "pass", "FAILED": "fail", "SKIPPED": "skip"}
text = sys.stdin.read()
why = {}
for said in re.findall(r"^(?:Assertion failed|Uncaught exception).*$", text, re.M):
    for name in re.findall(r"\((test\w+)\)", said):
        why[name] = why.get(name, "") + said + " "
for name, state in re.findall(r"^(test\w+)\s+.*?\[(PASSED|FAILED|SKIPPED)\]", text, re.M | re.S):
    line(STATES[state], name, why.get(name, ""))
