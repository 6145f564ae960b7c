"""The program: every way out has an exit code."""

import signal
import sys

_TABLES = ("--calls", "--visits", "--claims", "--providers", "--phone-log")
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1)
"""What asks a process to end; each leaves it time to remove what is unfinished."""
_asked_to_stop: list[int] = []


def main() -> None:
    """Run the command line."""
    for number in _STOPS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup and `&` ask for that
            signal.signal(number, _stop)  # before any import: what a signal stops there would show a traceback
    from cli import streams

    streams.keep_files_private()
    streams.open_missing_streams()
    if "--debug" not in sys.argv:
        streams.silence_libraries()
    try:
        _run()
    except SystemExit as end:
        if _asked_to_stop and end.code:  # native code turns what a signal raised inside it into an error of its own
            raise SystemExit(_asked_to_stop[0]) from None
        raise
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    finally:
        for number in _STOPS:
            signal.signal(number, signal.SIG_DFL)  # what is left is the interpreter's, and would show a traceback


def _stop(number: int, _: object) -> None:
    _asked_to_stop.append(128 + number)
    sys.exit(128 + number)


def _run() -> None:
    from cli.streams import redirect_to_devnull, write_stderr

    try:
        from cli.app import app
        from cli.guard import Findings
    except Exception as error:
        if _asked_to_stop:  # an import that a signal broke
            raise SystemExit(_asked_to_stop[0]) from None
        write_stderr(f"audit98968: error: the installation is damaged ({type(error).__name__}); install it again")
        raise SystemExit(4) from None
    try:
        app(args=repeat_table_flags(sys.argv[1:]), prog_name="audit98968")
    except Findings:
        raise
    except SystemExit as stop:
        if stop.code == 1:  # typer's word for a reader of its help or complaint that went away; here 1 means findings
            raise SystemExit(0 if _wants_plain_text() else 2) from None
        raise
    except OSError as error:
        redirect_to_devnull(sys.stdout)
        write_stderr(f"audit98968: error: the output could not be written ({error.strerror})")
        raise SystemExit(4 if _wants_plain_text() else 2) from None
    except Exception as error:
        write_stderr(f"audit98968: error: internal error ({type(error).__name__})")
        raise SystemExit(4) from None


def _wants_plain_text() -> bool:
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
