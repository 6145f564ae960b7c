"""Addresses that Spark reads: what would be read in part, or as what it is not, is refused before anything is read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import InputRefused
from auditor.reading.ingest import Part
from auditor.sources import on_spark

MISSING = "[PATH_NOT_FOUND] Path does not exist"


class Listing:
    """Stands for a session, its reader and its frame. `files`: by address, those in it and those below its folders."""

    def __init__(self, files: Mapping[str, tuple[str, ...]], below: tuple[str, ...] = (), fault: str = MISSING) -> None:
        self.read, self._files, self._below, self._fault = self, dict(files), below, fault
        self.written = 0

    def format(self, _: str) -> "Listing":
        self._deep = False
        return self

    def options(self, **options: str) -> "Listing":
        self._deep = bool(options)
        return self

    def load(self, address: str) -> "Listing":
        self._address = address
        return self

    def select(self, *_: str) -> "Listing":
        return self

    def collect(self) -> list[Any]:
        if self._address not in self._files:
            raise RuntimeError(self._fault)
        return [(path, 1, self.written) for path in (*self._files[self._address], *self._below * self._deep)]


def refusal(listing: Listing, address: str = "hdfs://h/d") -> str:
    with pytest.raises(InputRefused) as refused:
        on_spark.Addresses(listing).add("visits", address)
    return str(refused.value)


def test_which_paths_are_spark_s_own() -> None:
    """What an address of an object store names is fetched, as in one process."""
    assert [path for path in ("a.csv", "s3://b/k", "https://h/a.csv", "hdfs://h/a", "s3a://b/k", "file:///a")
            if on_spark.is_own(path)] == ["hdfs://h/a", "s3a://b/k", "file:///a"]  # fmt: skip


@pytest.mark.parametrize(
    ("files", "below", "words"),
    [
        ((), (), "no files there; check the address"),
        (("hdfs://h/d/a.jsonl",), (), "does not read sources of the kind json lines at such an address; use --engine local"),
        (("hdfs://h/d/a.parquet",), ("hdfs://h/d/deep/b.parquet",), "name them with a glob, such as hdfs://h/d/*/*.parquet"),
        (("hdfs://h/d/a.parquet", "hdfs://h/d/b.csv.gz"), (), "CSV and Parquet files at one address; name the ones"),
    ],
)  # fmt: skip
def test_what_an_address_must_not_hold(files: tuple[str, ...], below: tuple[str, ...], words: str) -> None:
    assert words in refusal(Listing({"hdfs://h/d": files}, below))


@pytest.mark.parametrize(
    ("address", "file", "folder"),
    [
        ("hdfs://h/d", "hdfs://h/d/k=1/a.parquet", "hdfs://h/d"),
        ("hdfs://h/d/k=1", "hdfs://h/d/k=1/a.parquet", "hdfs://h/d"),
        ("hdfs://h/*/d", "hdfs://h/t/d/a.parquet", "hdfs://h/t"),
        ("hdfs://h/d/data/a.parquet", "hdfs://h/d/data/a.parquet", "hdfs://h/d"),
        ("file:///t [1]", "file:/t%20%5B1%5D/a.parquet", "file:///t \\[1\\]"),
    ],
)
def test_files_of_a_table_are_not_the_table(address: str, file: str, folder: str) -> None:
    """Its log may be above partitions, above `data`, or above what a glob names."""
    tables = {f"{folder}/{on_spark._TABLES}": ("0.json",)}
    assert "does not read Delta, Iceberg and Hudi tables" in refusal(Listing({address: (file,), **tables}), address)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (MISSING, "there is no such file or folder; check the address"),
        ('No FileSystem for scheme "hdfs"', "Spark has no file system for hdfs://; add its package"),
        ("Connection refused: me:secret", "Spark cannot list it; check the address"),
    ],
)
def test_an_address_that_cannot_be_listed(fault: str, words: str) -> None:
    found = refusal(Listing({}, fault=fault))
    assert words in found and "secret" not in found


def test_a_password_does_not_reach_spark() -> None:
    found = refusal(Listing({}), "s3a://me:secret@b/k")
    assert "take the password out, and put it" in found and "secret" not in found


def test_providers_are_read_by_the_machine_that_starts_the_run() -> None:
    with pytest.raises(InputRefused, match="Spark does not read providers; give a file"):
        on_spark.Addresses(Listing({})).add("providers", "hdfs://h/p.csv")


def test_files_are_the_same_at_the_end() -> None:
    listing = Listing({"hdfs://h/d": ("hdfs://h/d/a.csv",)})
    addresses = on_spark.Addresses(listing)
    addresses.add("visits", "hdfs://h/d")
    addresses.require_unchanged()
    assert addresses.is_csv("hdfs://h/d") and addresses.files("hdfs://h/d") == ["hdfs://h/d/a.csv"]
    listing.written = 1
    with pytest.raises(InputRefused, match="visits: hdfs://h/d: files changed while they were read"):
        addresses.require_unchanged()


def test_a_worker_that_does_not_see_a_file(tmp_path: Path) -> None:
    with pytest.raises(
        InputRefused, match=r"calls: a\.csv: a worker of Spark cannot open it in .* put inputs and --out on"
    ):
        on_spark.opened(Part("calls", Path("a.csv")), tmp_path / "a.csv")
