"""Files that are read whole: policies, keys, lists, workbooks, notes. A device or a pipe may have no end."""

import errno
import os
import select
import stat
from pathlib import Path

_PATIENCE = 10.0
"""Seconds without a byte after which nobody writes into a pipe."""
_PART = 1 << 20


def read(path: Path, limit: int, *, plain: bool = False) -> bytes:
    """All bytes of a regular file or, unless `plain`, of a link or a pipe.

    Raises OSError for anything else, for more than `limit` bytes, and for a pipe that stays silent.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (os.O_NOFOLLOW if plain else 0)
    with os.fdopen(os.open(path, flags), "rb", buffering=0) as stream:
        mode = os.fstat(stream.fileno()).st_mode
        if not stat.S_ISREG(mode) and (plain or not stat.S_ISFIFO(mode)):
            raise OSError(errno.EINVAL, "not a regular file")
        content = bytearray()
        while len(content) <= limit:
            if stat.S_ISFIFO(mode) and not select.select([stream], [], [], _PATIENCE)[0]:
                raise OSError(errno.ETIMEDOUT, "a pipe into which nobody writes")
            part = stream.read(_PART)
            if part is None:
                raise OSError(errno.EAGAIN, "a file of the kernel without an end")
            if not part:
                return bytes(content)
            content += part
    raise OSError(errno.EFBIG, f"larger than {limit:,} bytes")
