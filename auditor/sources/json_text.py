"""The objects of a JSON Lines file, with their line numbers; numbers stay as they are written.

Source: docs/specification.md#json-lines.
"""

import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

from auditor.errors import InputRefused
from auditor.policy import Policy
from auditor.reading import decoding, files
from auditor.reading.kinds import Location

Object = dict[str, Any]
Records = Iterator[tuple[int, Object]]
"""Line numbers and the objects there, each decoded when it is asked for: many objects at once are slow to collect."""
_BLOCK = 1 << 24
"""Bytes of text that are read at once."""
_LONGEST = 1 << 26
"""Characters of a line, at most."""


class _RepeatedKey(ValueError):
    """An object has two values for one key."""


def blocks(table: str, location: Location, policy: Policy) -> Iterator[Records]:
    """The records of consecutive lines, to be read to their end before the next ones; blank lines are left out.

    Raises InputRefused for a line that is not one JSON object, and for a file that changes while it is read.
    """
    where = f"{table}: {location.shown}"
    with files.opened(where, location.path) as (stream, before):
        source = decoding.Source(where, stream, digested=False, expansion=policy.max_expansion)
        texts = decoding.blocks(where, source, _BLOCK, policy.encoding, tabular=False)
        number, rest = 1, ""
        for block in chain(texts, (b"\n",)):
            *lines, rest = (rest + block.decode()).split("\n")
            if len(rest) > _LONGEST:
                raise InputRefused(
                    f"{where}, line {number + len(lines)}: longer than {_LONGEST:,} characters; {_REMEDY}"
                )
            yield (
                (at, _object(where, at, line)) for at, line in enumerate(lines, number) if line and not line.isspace()
            )
            number += len(lines)
        files.require_unchanged(where, location.path, before)


def _object(where: str, number: int, line: str) -> Object:
    try:
        value = _DECODER.decode(line)
        if "\\ud" in line or "\\uD" in line:
            json.dumps(value, ensure_ascii=False).encode()
    except _RepeatedKey:
        problem = "an object has a key twice; export it with one value for each key"
        raise InputRefused(f"{where}, line {number}: {problem}") from None
    except (ValueError, RecursionError):
        raise InputRefused(f"{where}, line {number}: not valid JSON; {_REMEDY}") from None
    if not isinstance(value, dict):
        raise InputRefused(f"{where}, line {number}: not a JSON object; {_REMEDY}")
    return value


_REMEDY = "write each record as one JSON object on a line of its own: jq -c . FILE, or of a list jq -c '.[]' FILE"


def described(blocks: Iterator[Records]) -> tuple[Object, Iterator[Records]]:
    """The first object, empty where there is none, and the same blocks again."""
    for records in blocks:
        for first in records:
            return first[1], chain([chain([first], records)], blocks)
    return {}, iter(())


def _unique(pairs: list[tuple[str, Any]]) -> Object:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise _RepeatedKey
    return value


def _refuse_constant(_: str) -> None:
    raise ValueError("NaN and infinite numbers are not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=str, parse_int=str, parse_constant=_refuse_constant
)  # fmt: skip
