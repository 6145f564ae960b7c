"""What Spark's workers read of files, in whatever pieces and order, is what one process reads of them."""

import pickle
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

from auditor import policy as policies
from auditor.engines import spark, worker
from auditor.reading import ingest
from auditor.reading.chunks import read_parts
from auditor.reading.ingest import Chunk, Part, SourceFile
from auditor.sources import staging

NAMES = ["visit_id", "patient_id", "visit_start"]


@pytest.mark.parametrize("size", [1, 1 << 30])
def test_pieces_of_files_are_the_files(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark, "_TASK", size)
    rows = pl.DataFrame([[f"v{n}" for n in range(7)], ["p"] * 7, ["2026-03-01 10:00"] * 7], schema=NAMES)
    pq.write_table(rows.to_arrow(), tmp_path / "a.parquet", row_group_size=2)
    rows.write_csv(tmp_path / "b.csv")
    (tmp_path / "c.jsonl").write_text(
        "\n".join(rows.with_columns(pl.col("visit_id") + "j").write_ndjson().splitlines())
    )
    policy, paths = policies.load(), [str(tmp_path / name) for name in ("a.parquet", "b.csv", "c.jsonl")]
    with staging.gathered({"visits": paths}, policy, tmp_path) as found:
        parts = found["visits"][0]
        tasks = spark._tasks(parts)
        assert (len(tasks) > 5, len(tasks[0])) == ((True, 1) if size == 1 else (False, 3))
        batch = pa.record_batch({"id": pa.array(reversed(range(len(tasks))))})
        read = list(worker.file_chunks(tasks, {}, policy, False, None, [batch]))
        want = read_parts("visits", found["visits"], policy)
        order = [part.shown for part in parts]
        chunks = sorted(
            ((order.index(file), at, item) for file, at, item in read if isinstance(item, Chunk)),
            key=lambda one: one[:2],
        )
        assert_frame_equal(pl.concat([item.written() for _, _, item in chunks]), want.frame)
        files = [item for _, _, item in read if isinstance(item, SourceFile)]
        rows_back = [{"kind": "file", "body": pickle.dumps(file)} for file in files]
        touched = {part.shown: spark._signature(part) for part in parts}
        assert spark._files(parts, rows_back, touched, digested=True) == want.files


def test_a_damaged_file_is_refused_as_in_one_process(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no footer PAR1")
    with pytest.raises(ingest.InputRefused, match=r"visits: .*a\.parquet: cannot be read as Parquet"):
        spark._tasks([Part("visits", tmp_path / "a.parquet")])
