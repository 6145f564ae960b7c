"""The default policy's list of visit codes, for the peers: `36415` and `36416` aside, procedures count as visits."""

import re
import tomllib
from pathlib import Path

import auditor

POLICY = Path(auditor.__file__).parent / "policies" / "default.toml"


def visit_codes() -> tuple[list[str], list[tuple[int, int]]]:
    """Single codes, and ranges of five-digit codes; the codes that are no procedures are cut out of their range."""
    lists = tomllib.loads(POLICY.read_text(encoding="utf-8"))["lists"]
    out = {int(code) for code in lists["no_visit"] if re.fullmatch(r"\d{5}", code)}
    singles, ranges = [], []
    for entry in (*lists["visit_codes"], *lists["procedures"]):
        span = re.fullmatch(r"(\d{5})-(\d{5})", entry)
        if lettered := re.fullmatch(r"([A-Z])(\d{4})-[A-Z](\d{4})", entry):
            singles += [f"{lettered[1]}{number:04}" for number in range(int(lettered[2]), int(lettered[3]) + 1)]
            continue
        if not span:
            singles.append(entry)
            continue
        low, high = int(span[1]), int(span[2])
        for hole in sorted(code for code in out if low <= code <= high):
            ranges.append((low, hole - 1))
            low = hole + 1
        ranges.append((low, high))
    return singles, ranges
