"""Compares what a suite reported directly and through steadis.

    compare.py DIRECT WAY THROUGH [AGAIN]

Prints the tests that pass directly and fail through steadis. A test that passes in AGAIN,
a second run, is unsteady: it is printed and does not count. A failure that the direct run knows
nothing of counts as well. Not so, through a steadis with its
defaults, a failure because a command is refused on purpose. The last line has
the figures, tab-separated: tests, passed directly, of these passed through steadis, refused
on purpose, unsteady, faults. Ends 1 if there are faults.
"""

import sys


def read(path):
    got = {}
    for text in open(path, errors="replace"):
        state, name, *why = text.rstrip("\n").split("\t")
        if got.get(name, ("pass",))[0] != "fail":
            got[name] = (state, why[0] if why else "")
    return got


def main(direct, way, through, again=None):
    direct, through = read(direct), read(through)
    again = read(again) if again else {}
    ran = [n for n, (state, _) in direct.items() if state != "skip"]
    passed = [n for n in ran if direct[n][0] == "pass"]
    counts = {"passed": 0, "refused": 0, "unsteady": 0, "fault": 0}
    alone = [n for n, (state, _) in through.items() if state == "fail" and n not in direct]
    for name in passed + alone:
        state, why = through.get(name, ("missing", ""))
        if state == "pass":
            verdict = "passed"
        elif way == "defaults" and ("' is refused: " in why or '"ERR steadi..."' in why):  # ginkgo shortens
            verdict = "refused"
        elif again.get(name, ("",))[0] == "pass":
            verdict = "unsteady"
        else:
            verdict = "fault"
        counts[verdict] += 1
        if verdict != "passed":
            print(f"  {verdict}: {name}: {state} {why}")
    print("\t".join(str(n) for n in [len(ran), len(passed), *counts.values()]))
    return 1 if counts["fault"] else 0


sys.exit(main(*sys.argv[1:]))
