"""The form in which the suites of this directory report: a line for each test,

    pass|fail|skip <tab> name [<tab> why]

Used by our own scripts: collect tests with @test, then run_all().
"""

import inspect
import sys
import traceback

_tests = []


class Skip(Exception):
    """Raised by a test that cannot be run here."""


def test(function):
    """Collects a test; its name is the function's."""
    _tests.append(function)
    return function


def line(state, name, why=""):
    why = " ".join(str(why).split())[:300]
    print("\t".join([state, name] + ([why] if why else [])), flush=True)


async def _run(run):
    result = run()
    if inspect.isawaitable(result):
        await result


def run_all(prepare=lambda: None):
    """Runs prepare and then the test, for each test; those named as arguments, or all."""
    import asyncio

    for function in _tests:
        if sys.argv[1:] and function.__name__ not in sys.argv[1:]:
            continue
        try:
            prepare()
            asyncio.run(_run(function))
        except Skip as e:
            line("skip", function.__name__, e)
        except BaseException as e:  # whatever it is, the next test is to run
            if isinstance(e, KeyboardInterrupt):
                raise
            at = traceback.extract_tb(e.__traceback__)[-1]
            line("fail", function.__name__, f"{type(e).__name__}: {e} ({at.filename.split('/')[-1]}:{at.lineno})")
        else:
            line("pass", function.__name__)
