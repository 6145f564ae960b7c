"""The program: every way out has an exit code."""

import os
import signal
import sys
from pathlib import Path

from cli.streams import forget, say

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
        if stop.code == 1:  # typer's word for a reader of its help or complaint that went away; here 1 means findings
            raise SystemExit(0 if _asked_for_words() else 2) from None
        raise
    except OSError as error:
        forget(sys.stdout)
        say(f"audit98968: error: the output could not be written ({error.strerror})")
        raise SystemExit(4 if _asked_for_words() else 2) from None


def _asked_for_words() -> bool:
    """Whether typer itself was to print help or the version; else it was complaining about usage."""
    return bool({"--help", "-h", "--version"}.intersection(sys.argv))


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
