"""Where the program starts: `reconcile` and `python -m reconciler`."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

_LIKE_CTRL_C = ("SIGTERM", "SIGHUP")  # Windows has the first of them alone


def main() -> None:
    """Run the command line and leave with its exit code."""
    code = None
    try:
        _stop_when_told()
        from reconciler.cli import run

        code = run(sys.argv[1:])
        _stop_silently()
    except KeyboardInterrupt:
        if code is None:  # while something was still being imported
            sys.stderr.write("error: interrupted; nothing was done\n")
            code = 130
    _stop_silently()  # once more, should a signal have come while it was at work
    sys.exit(code)


def _stop_when_told() -> None:
    """Let a cancelled job (SIGTERM) or a lost terminal (SIGHUP) end like Ctrl-C: without temporary files."""

    def stop(_number: int, _frame: object) -> NoReturn:
        raise KeyboardInterrupt

    for name in _LIKE_CTRL_C:
        if (number := getattr(signal, name, None)) and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, stop)


def _stop_silently() -> None:
    """All is done and said: a signal while the interpreter shuts down must not end in its traceback."""
    for name in ("SIGINT", *_LIKE_CTRL_C):
        if (number := getattr(signal, name, None)) and callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    main()
