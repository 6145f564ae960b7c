"""Every way out of a command has an exit code; nothing but findings exits 1."""

import functools
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from cli.log import log
from cli.streams import redirect_to_devnull, require_limits, write_stderr

_asked: dict[str, bool] = {"debug": False}


class Findings(SystemExit):
    """The one exit with code 1: findings at or above --fail-on."""


def show_tracebacks(debug: bool) -> None:
    """Whether errors come with their tracebacks, which may quote data."""
    _asked["debug"] = debug


def guarded(command: Callable[..., int]) -> Callable[..., None]:
    """Map every way out of a command to an exit code; nothing but findings exits 1."""

    def judged(*args: Any, **kwargs: Any) -> NoReturn:
        from auditor.errors import AuditError

        try:
            require_limits()
            code = command(*args, **kwargs)
            sys.stdout.flush()
        except (SystemExit, KeyboardInterrupt):
            raise
        except AuditError as error:
            _stop(str(error), error.exit_code)
        except BrokenPipeError:
            redirect_to_devnull(sys.stdout)
            raise SystemExit(0) from None
        except OSError as error:
            if error.filename is not None:
                _stop(f"{error.filename}: cannot be read or written ({error.strerror})", 4)
            redirect_to_devnull(sys.stdout)
            _stop(f"standard output could not be written ({error.strerror})", 4)
        except BaseException as error:
            _stop(f"internal error ({type(error).__name__}); rerun with --debug for details", 4)
        raise Findings(code) if code else SystemExit(0)

    @functools.wraps(command)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        try:
            judged(*args, **kwargs)
        except (SystemExit, KeyboardInterrupt) as end:
            code = end.code if isinstance(end, SystemExit) else 130
            log.info("exit", f"exit code {code}", exit_code=code)
            raise

    return wrapper


def _stop(message: str, code: int) -> NoReturn:
    if _asked["debug"]:
        import traceback

        from auditor.schema.names import without_credentials

        write_stderr(without_credentials(traceback.format_exc().rstrip()))
    log.error(message)
    raise SystemExit(code) from None
