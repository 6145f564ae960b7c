"""Policies with odd values: every key of the policy times the values below must end with exit 0 or 2.

    python -m tests.slow.policies.check [--only KEY]

What loads also audits a small export. Exits 1 and prints the policy where anything else happens.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from auditor import policy as policies
from auditor.errors import UsageError
from auditor.rules import select
from tests.support.catalogue import command

ODD = ('""', '"x"', '"localtime"', '"Factory"', '"9999-12-25"', '"./x"', '"a\\u0000b"', "0", "-1", "99999999999999999999999",
       "9" * 5000, "1.5", "nan", "inf", "true", "1979-05-27", "9999-12-31T23:59:59Z", "0001-01-01", "07:32:00", "[]", "[-1]",
       '["9999-12-25"]', '["%Z"]', '[1, "a"]', "[[]]", "[9223372036854775808]", "{}", "{a = {b = {}}}", "{add = 5}",
       '{file = "/dev/null", column = 5}', '{"" = ["a"]}', "[" * 100 + "]" * 100)  # fmt: skip
OPEN = ("skip_rows.calls", "rows.calls", "rows.calls.keep", "rows.calls.keep.x", "units.call_minutes", "bands.98968",
        "bands.98968.low", "bands.98968.high", "severity.DUR001", "severity.x", "payers.x", "payers.otherwise", "payers.x.policy",
        "columns.calls", "columns.calls.call_id", "columns.x.y", "values.visits", "values.visits.status", "values.visits.status.x",
        "credentials.x", "zone_names.EST", "timezones.calls", "timezones.x", "lists.procedures.file", "lists.procedures.add",
        "lists.procedures.column", "x", "run.x", '""')  # fmt: skip
"""Keys below tables whose keys the model does not list, and unknown ones."""
PATHS = (
    "run.out",
    "run.ledger",
    "run.log_file",
    "run.calls",
    "run.visits",
    "run.claims",
    "run.providers",
    "run.phone_log",
)
"""Keys whose values are files that need not be there: the run is refused for that."""
REFUSED = ("rows.", "columns.", "skip_rows.", *PATHS)
"""Keys of a policy that loads and does not fit the export."""


def keys(model: type[BaseModel] = policies.Policy, above: str = "") -> Iterator[str]:
    """Every key of the model, dotted."""
    for name, field in model.model_fields.items():
        yield f"{above}{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from keys(field.annotation, f"{above}{name}.")


def loads(text: str, folder: Path) -> bool:
    """Whether a policy is accepted. AssertionError where the message does not name its key."""
    path = folder / "odd.toml"
    path.write_text(text)
    try:
        policies.load(str(path), select)
    except UsageError as error:
        key = text.partition(" = ")[0].split(".")[0].strip('"')
        assert "not valid TOML" in str(error) or f" {key}" in str(error), f"{text[:80]}: {error}"
        return False
    return True


def audits(text: str, folder: Path) -> None:
    """A policy that is accepted audits an export, or names a file or column that is not there."""
    (folder / "odd.toml").write_text(text)
    (folder / "calls.csv").write_text(
        "call_id,patient_id,provider_id,call_start,call_minutes,cpt_code,billed_amount,diagnosis_codes\n"
        "K1,P1,D1,2026-03-02 09:00,12,98968,40,M54.5\nK2,P2,D1,2026-03-03 09:00,35,98968,40,\n"
    )
    (folder / "visits.csv").write_text(
        "visit_id,patient_id,visit_start,status,cpt_codes\nV1,P1,2026-03-01 09:00,completed,99213\n"
        "V2,P9,2026-04-20 09:00,completed,\n"
    )
    stderr = io.StringIO()
    words = ["run", "--calls", "calls.csv", "--visits", "visits.csv", "--policy", "odd.toml"]
    with contextlib.chdir(folder), contextlib.redirect_stderr(stderr), contextlib.redirect_stdout(io.StringIO()):
        code = command([*words, "--fail-on", "never", "--format", "none"])
    codes = (0, 2, 3, 4) if text.startswith(REFUSED) else (0, 2)
    assert code in codes and "internal error" not in stderr.getvalue(), (
        f"{text[:80]}: exit {code}: {stderr.getvalue()[-300:]}"
    )


def main() -> int:
    """Try every key with every value. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    only = parser.parse_args().only
    tried = accepted = broken = 0
    for key in (key for key in (*keys(), *OPEN) if only in key):
        for value in ODD:
            text = f"{key} = {value}\n"
            tried += 1
            with tempfile.TemporaryDirectory() as folder:
                try:
                    if loads(text, Path(folder)):
                        accepted += 1
                        audits(text, Path(folder))
                except Exception as error:
                    broken += 1
                    print(f"{text[:80].strip()}: {type(error).__name__}: {error}", flush=True)
    print(f"{tried:,} policies tried, {accepted:,} accepted, {broken} broken")
    return bool(broken)


if __name__ == "__main__":
    raise SystemExit(main())
