"""Run in a copy of the repository: exit 1 at the first thing that tells the mutant from the auditor, 0 if nothing does.

Worlds and the reference's answers are drawn once; every mutant meets the same ones. Usage: kill.py WORLDS [ORDER]
"""

from __future__ import annotations

import contextlib
import csv
import io
import pickle
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

from tests.support.engines import audited_here

ROOT = Path.cwd()
sys.path.insert(0, str(ROOT))


def main() -> None:
    worlds = pickle.loads(Path(sys.argv[1]).read_bytes())
    order = [int(number) for number in sys.argv[2].split(",")] if len(sys.argv) > 2 and sys.argv[2] else []
    try:
        from tests.support import compare
    except Exception as error:
        _killed("import", type(error).__name__)
    _sample(ROOT / "sample_data")
    _sample(ROOT / "sample_data" / "with_claims")
    slow = compare.reference.audit
    for number in [*order, *(number for number in range(len(worlds)) if number not in set(order))]:
        world, answer = worlds[number]
        compare.reference.audit = lambda _, answer=answer: answer
        with tempfile.TemporaryDirectory() as folder:
            try:
                found = compare.differences(world, compare.run(world, Path(folder)))
            except BaseException as error:
                _killed(f"world {number}", type(error).__name__)
        if found:
            _killed(f"world {number}", found[0][:200])
    compare.reference.audit = slow
    _cases()


def _sample(folder: Path) -> None:
    """The shipped exports against their planted answer, under the shipped policy as it is."""
    from auditor import pipeline, policy
    from auditor.rules import select

    paths = {name: (str(path),) for name in ("calls", "visits", "claims", "providers")
             if (path := folder / f"{name}.csv").exists()}  # fmt: skip
    settings = pipeline.Settings(
        paths=paths, policy=policy.load(str(folder / "policy.toml"), select), max_rejects="100%"
    )
    try:
        result = audited_here(settings)
    except BaseException as error:
        _killed("sample", type(error).__name__)
    for name, frame in (("findings", result.findings), ("claims", result.claims)):
        with (folder / f"expected_{name}.csv").open(newline="", encoding="utf-8") as stream:
            expected = list(csv.DictReader(stream))
        columns = list(expected[0])
        ours = [{c: ";".join(sorted(row[c])) if isinstance(row[c], list) else row[c] or "" for c in columns}
                for row in frame.sort("claim_id", "claim_line").to_dicts()]  # fmt: skip
        if sorted(map(str, ours)) != sorted(map(str, expected)):
            _killed("sample", name)


def _cases() -> None:
    """The small cases of the suite, for what the generated worlds meet too rarely."""
    import pytest

    files = ["tests/rules/test_examples.py", "tests/claims", "tests/windows", "tests/test_policy.py"]
    with contextlib.redirect_stdout(io.StringIO()):
        code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *files])
    if code:
        _killed("cases", f"pytest exit {int(code)}")


def _killed(by: str, why: str) -> NoReturn:
    print(f"KILLED\t{by}\t{why}", flush=True)
    raise SystemExit(1)


if __name__ == "__main__":
    main()
