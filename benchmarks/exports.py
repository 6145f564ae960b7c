"""The exports that are measured, kept between runs: those of `audit98968 sample`, dense ones derived, narrow ones drawn."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl

SEED = 98968
TOOL = str(Path(sys.executable).with_name("audit98968"))


def export(data: Path, claims: int, *, dense: bool = False) -> Path:
    """The folder of an export, made where it is not there yet. A dense one bills every call and is Parquet only."""
    folder = data / f"{'dense' if dense else 'sample'}-{claims}-{SEED}"
    if not folder.exists():
        making = folder.with_name(f"{folder.name}.making")
        shutil.rmtree(making, ignore_errors=True)
        if dense:
            bill_every_call(export(data, claims), making)
        else:
            subprocess.run(
                [TOOL, "sample", making, "--claims", str(claims), "--seed", str(SEED)],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            with (making / "policy.toml").open("a", encoding="utf-8") as policy:
                policy.write('[duration]\ncumulative = "claim"\n')  # the peers look at the claim's own minutes
        making.rename(folder)
    return folder


def narrow(data: Path, calls: int) -> Path:
    """The folder of an export with few columns and rising ids, Parquet only, made where it is not there yet.

    A tenth of the calls is billed. Each patient has 5 calls and 15 visits in the mean, within one year.
    """
    folder = data / f"narrow-{calls}-{SEED}"
    if not folder.exists():
        folder.mkdir(parents=True)
        (folder / "policy.toml").write_text(_STRICT, encoding="utf-8")
        random = np.random.default_rng(SEED)
        for name, frame in (("calls", _calls(random, calls)), ("visits", _visits(random, calls))):
            frame.write_parquet(folder / f"{name}.parquet")
    return folder


_STRICT = """\
timezone = "UTC"
relatedness = "any"
[frequency]
anchor = "reported"
[duration]
cumulative = "claim"
"""
"""The policy `strict`; the peers look at the claim's own minutes."""
_BEGIN, _YEAR = 1_735_689_600, 365 * 86_400
"""In seconds."""


def _calls(random: np.random.Generator, calls: int) -> pl.DataFrame:
    starts = random.integers(_BEGIN, _BEGIN + _YEAR, calls)
    return pl.DataFrame(
        {
            "call_id": _ids("C", np.arange(calls)),
            "patient_id": _ids("P", random.integers(0, calls // 5, calls)),
            "provider_id": _ids("R", random.integers(0, 2_000, calls)),
            "call_start": _instants(starts),
            "call_end": _instants(starts + random.integers(2 * 60, 39 * 60, calls)),
            "cpt_code": pl.Series(["98968", None]).gather(random.random(calls) >= 0.1),
            "initiated_by": pl.Series(["patient", "provider"]).gather(random.random(calls) >= 0.9),
            "diagnosis_codes": _ids("D", random.integers(0, 300, calls), 4),
        }
    )


def _visits(random: np.random.Generator, calls: int) -> pl.DataFrame:
    visits = 3 * calls
    return pl.DataFrame(
        {
            "visit_id": _ids("V", np.arange(visits)),
            "patient_id": _ids("P", random.integers(0, calls // 5, visits)),
            "provider_id": _ids("R", random.integers(0, 2_000, visits)),
            "visit_start": _instants(random.integers(_BEGIN, _BEGIN + _YEAR, visits)),
            "modality": pl.Series(["office", "video"]).gather(random.random(visits) >= 0.5),
            "status": pl.Series(["completed", "scheduled"]).gather(random.random(visits) >= 0.8),
            "diagnosis_codes": _ids("D", random.integers(0, 300, visits), 4),
        }
    )


def _ids(letter: str, numbers: np.ndarray, length: int = 10) -> pl.Series:
    return letter + pl.Series(numbers).cast(pl.String).str.zfill(length - 1)


def _instants(seconds: np.ndarray) -> pl.Series:
    return pl.Series(seconds * 1_000_000).cast(pl.Datetime("us"))


def rows(folder: Path, table: str) -> int:
    """The number of rows of a table."""
    return int(pl.scan_parquet(folder / f"{table}.parquet").select(pl.len()).collect().item())


def bill_every_call(sample: Path, folder: Path) -> None:
    """A copy of a sample's Parquet files in which every call has a code; claim lines stay as they are."""
    folder.mkdir(parents=True)
    calls = pl.scan_parquet(sample / "calls.parquet").with_columns(pl.col("cpt_code").fill_null("98968"))
    calls.sink_parquet(folder / "calls.parquet")
    for name in ("visits.parquet", "providers.parquet", "policy.toml"):
        shutil.copy(sample / name, folder / name)
