"""The exports that are measured: made once by `audit98968 sample`, kept between runs, the dense ones derived."""

import shutil
import subprocess
import sys
from pathlib import Path

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
