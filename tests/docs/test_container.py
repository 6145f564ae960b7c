"""The container's recipe: no root, nothing fetched by it, and every path that it copies is there after `make wheel`."""

import fnmatch
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "docs" / "examples" / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
STEPS = [tuple(line.split(maxsplit=1)) for line in LINES if line and not line.startswith("#")]
BUILT = (*(path.name for path in ROOT.iterdir()), "dist/audit98968-1.0-py3-none-any.whl")
"""The files of a checkout, and the wheel of `make wheel`."""


def test_it_is_of_no_root_and_adds_nothing_from_elsewhere():
    users = [value for step, value in STEPS if step == "USER"]
    assert all(re.fullmatch(r"[1-9]\d*:[1-9]\d*", user) for user in users) and users
    assert {step for step, _ in STEPS} <= {"FROM", "COPY", "RUN", "ENV", "WORKDIR", "USER", "ENTRYPOINT", "CMD"}
    assert STEPS.index(("USER", users[-1])) > max(
        number for number, step in enumerate(STEPS) if step[0] in ("FROM", "RUN")
    )


def test_images_are_tagged_and_name_no_registry():
    images = [value.split()[0] for step, value in STEPS if step == "FROM"]
    assert all(re.fullmatch(r"[a-z]+:[\w.-]+", image) and not image.endswith(":latest") for image in images) and images
    assert not [value for _, value in STEPS if "://" in value]


def test_every_path_that_it_copies_is_there():
    sources = [path for step, value in STEPS if step == "COPY" and "--from" not in value for path in value.split()[:-1]]
    assert sources == ["constraints.txt", "dist/audit98968-*.whl"]
    assert [path for path in sources if not fnmatch.filter(BUILT, path)] == []
    assert "$(BIN)/python -m build --outdir dist ." in (ROOT / "Makefile").read_text(encoding="utf-8")
