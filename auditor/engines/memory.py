"""How much memory there is, and how much of it an audit may take."""

import contextlib
import os
import re
from pathlib import Path

from pydantic import ByteSize, TypeAdapter, ValidationError

from auditor.errors import UsageError

_MINIMUM = 256 << 20
_SIZE = TypeAdapter(ByteSize)
_CONTROL_GROUPS = Path("/sys/fs/cgroup")


def parse(text: str, origin: str) -> int:
    """Bytes from a size such as `2GB` or a share of the memory such as `50%`. Raises UsageError."""
    if share := re.fullmatch(r"(\d+(?:\.\d+)?)%", text.strip()):
        size = int(present() * min(float(share[1]), 100.0) / 100)
    else:
        try:
            size = int(_SIZE.validate_python(text.strip()))
        except ValidationError:
            raise UsageError(f"{origin}: a size expected, such as 2GB or 50%") from None
    if size < _MINIMUM:
        raise UsageError(f"{origin}: at least {_MINIMUM >> 20} MiB are needed")
    return size


def present() -> int:
    """The bytes of memory of the machine, or of the control groups that the process is in."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    with contextlib.suppress(OSError):
        group = _CONTROL_GROUPS / Path("/proc/self/cgroup").read_text(encoding="utf-8").rpartition("::/")[2].strip()
        for folder in (group, *group.parents):
            with contextlib.suppress(OSError, ValueError):
                sizes.append(int((folder / "memory.max").read_text(encoding="ascii")))
    return min(sizes)
