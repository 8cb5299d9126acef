"""Where the program starts: `reconcile` and `python -m reconciler`."""

from __future__ import annotations

import sys
from typing import NoReturn


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        _stop_when_told()
        from reconciler.cli import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # while something was still being imported
        sys.stderr.write("error: interrupted; nothing was done\n")
        code = 130
    sys.exit(code)


def _stop_when_told() -> None:
    """Let a cancelled job (SIGTERM) or a lost terminal (SIGHUP) end like Ctrl-C: without temporary files."""
    import signal

    def stop(_number: int, _frame: object) -> NoReturn:
        raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGHUP"):
        if (number := getattr(signal, name, None)) and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, stop)


if __name__ == "__main__":
    main()
