"""The program: every way out has an exit code."""

import os
import signal
import sys
from pathlib import Path

_TABLES = ("--calls", "--visits", "--claims", "--providers")


def main() -> None:
    """Run the command line."""
    os.umask(0o077)
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        from cli.app import Findings, app
    except Exception as error:
        sys.stderr.write(f"audit98968: error: the installation is damaged ({type(error).__name__}); install it again\n")
        raise SystemExit(4) from None
    try:
        app(args=repeat_table_flags(sys.argv[1:]), prog_name="audit98968")
    except Findings:
        raise
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except SystemExit as stop:
        # typer exits 1 when the reader of its help closes the pipe; here 1 means findings and nothing else
        raise SystemExit(0 if stop.code == 1 else stop.code) from None


def repeat_table_flags(arguments: list[str]) -> list[str]:
    """`--calls a b` → `--calls a --calls b`, as a shell's glob leaves it."""
    repeated: list[str] = []
    flag = ""
    fresh = False
    for argument in arguments:
        if argument in _TABLES:
            flag, fresh = argument, True
        elif argument.startswith("-") and argument != "-":
            flag = ""
        elif flag:
            repeated += [] if fresh else [flag]
            fresh = False
        repeated.append(argument)
    return repeated


if __name__ == "__main__":
    main()
