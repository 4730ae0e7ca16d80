"""Turns the JSON report of a ginkgo suite, named as argument, into lines of report.py."""

import json
import sys

from report import line

STATES = {"passed": "pass", "skipped": "skip", "pending": "skip"}
seen = {}
for spec in json.load(open(sys.argv[1]))[0]["SpecReports"]:
    if spec["LeafNodeType"] != "It":
        continue
    name = " ".join((spec.get("ContainerHierarchyTexts") or []) + [spec["LeafNodeText"]])
    seen[name] = seen.get(name, 0) + 1
    if seen[name] > 1:
        name += f" #{seen[name]}"
    line(STATES.get(spec["State"], "fail"), name, (spec.get("Failure") or {}).get("Message", ""))
