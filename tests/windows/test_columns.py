"""Nouns are listed: the frames have what the windows list, and a rule that names anything else fails when it is loaded."""

from pathlib import Path

import polars as pl
import pytest

from auditor import policy as policies
from auditor.rules import ALL, select
from auditor.rules.rule import Rule
from auditor.settings import Settings
from auditor.windows import LISTED, RecordSets
from tests.support.engines import audited_here

SAMPLE = Path(__file__).parents[2] / "sample_data"


def test_the_frames_have_what_is_listed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    observed: dict[str, pl.Schema] = {}
    made = RecordSets.__getitem__

    def remembered(self: RecordSets, record_set: str) -> pl.DataFrame:
        frame = made(self, record_set)  # type: ignore[arg-type]
        observed[record_set] = frame.schema
        return frame

    monkeypatch.setattr(RecordSets, "__getitem__", remembered)
    log = tmp_path / "phone_log.csv"
    log.write_text("start,extension\n2026-03-02 09:00,101\n", "utf-8")
    tables = {name: (str(SAMPLE / f"{name}.csv"),) for name in ("calls", "visits", "providers")}
    settings = Settings(
        paths={**tables, "phone_log": (str(log),)},
        policy=policies.load(str(SAMPLE / "policy.toml"), select),
        max_rejects="100%",
    )
    audited_here(settings)
    assert observed.keys() == LISTED.keys()
    for record_set, columns in LISTED.items():
        assert {name: observed[record_set].get(name) for name in columns} == {
            name: kind for name, (kind, _) in columns.items()
        }
        assert all(meaning for _, meaning in columns.values())


@pytest.mark.parametrize("part", ["violation", "unknown", "message"])
def test_a_rule_that_names_what_nobody_lists_fails_when_it_is_loaded(part: str) -> None:
    sound = {name: getattr(ALL[0], name) for name in Rule.__dataclass_fields__}
    with pytest.raises(ValueError, match="DUR001 names 'minuets'"):
        Rule(**sound | {part: pl.col("minuets")})
