"""The documentation says what the program does."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from auditor.policy import Policy
from auditor.rules import SHIPPED
from auditor.schema.tables import TABLES, fold
from docs.generate import FOLDER, PAGES
from tests.support.program import audit98968

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RENAMED = {
    "calls": {"call_id": "Call No", "patient_id": "MRN", "provider_id": "Clinician", "call_start": "Call Began",
              "call_end": "Call Ended", "initiated_by": "Direction", "cpt_code": "Billed CPT"},
    "visits": {"visit_id": "Appointment ID", "patient_id": "MRN", "visit_start": "Appointment Start", "status": "Outcome"},
}  # fmt: skip


def foreign(folder: Path, **renamed: str) -> None:
    """The sample's calls and visits with headers of another system, and others for these columns of the visits."""
    for table, names in (("calls", RENAMED["calls"]), ("visits", RENAMED["visits"] | renamed)):
        header, _, rows = (ROOT / "sample_data" / f"{table}.csv").read_text(encoding="utf-8").partition("\n")
        headers = ",".join(names.get(name, name) for name in header.split(","))
        (folder / f"{table}.csv").write_text(f"{headers}\n{rows}", encoding="utf-8")


def printed(command: str) -> list[list[str]]:
    """The commands of the README that begin so, word by word."""
    return [shlex.split(line) for line in re.findall(rf"^    audit98968 ({command}.*)$", README, re.M)]


def followed(commands: list[list[str]], folder: Path) -> list[int]:
    return [audit98968(*words, folder=folder).returncode for words in commands]


@pytest.mark.parametrize("name", PAGES)
def test_generated_pages_are_current(name: str):
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"


def test_the_policy_page_lists_no_example_as_a_key():
    keys = re.findall(r"^\| `(.+?)` \|", PAGES["policy.md"](), re.M)
    assert {"timezone", "horizon_days"} <= set(keys)
    assert {"call_start", '"seen in clinic"'} & set(keys) == set()


def test_the_readme_names_commands_that_exist():
    assert re.findall(r"^    make (\w+)", README, re.M) == ["audit", "test"]
    for command in set(re.findall(r"audit98968 ([a-z]+) ", README)):
        done = subprocess.run([sys.executable, "-m", "cli", command, "--help"], capture_output=True, cwd=ROOT)
        assert done.returncode == 0, command


def test_the_demo_of_the_readme_shows_what_it_prints(tmp_path: Path):
    sample, run = printed("(?:sample|run .*demo_out)")
    assert audit98968(*sample, folder=tmp_path).returncode == 0
    done = audit98968(*run, folder=tmp_path)
    (shown,) = re.findall(r"^```\n(.*?)^```$", README, re.M | re.S)
    run_id = r"\d{8}T\d{9}Z-[0-9a-f]{8}"
    assert done.returncode == 1
    assert re.sub(run_id, "", done.stdout).endswith(re.sub(run_id, "", shown))
    assert (tmp_path / "demo_out" / "latest" / "report.html").exists()


def test_the_recipe_of_the_readme_runs_on_foreign_headers(tmp_path: Path):
    foreign(tmp_path)
    recipe = printed("(?:init|check|run .*audit_out)")
    assert [words[0] for words in recipe] == ["init", "check", "run"]
    assert followed(recipe, tmp_path) == [0, 0, 1]
    assert (tmp_path / "audit_out" / "latest" / "report.html").exists()


def test_a_required_column_is_filled_in_as_the_readme_says(tmp_path: Path):
    (header,) = re.findall(r'such as `visit_start = "([^"]+)"`', README)
    foreign(tmp_path, visit_start=header)
    init, *rest = printed("(?:init|check|run .*audit_out)")
    assert followed([init], tmp_path) == [2]
    policy = tmp_path / "clinic.toml"
    filled, count = re.subn(r'^# (visit_start = )"" .*REQUIRED.*$', rf'\1"{header}"', policy.read_text(), flags=re.M)
    assert count == 1
    policy.write_text(filled)
    assert followed(rest, tmp_path) == [0, 1]


def test_paths_that_pages_name_exist():
    pages = [
        ROOT / name for name in ("README.md", "CONTRIBUTING.md", "DECISIONS.md", "SECURITY.md", "sample_data/README.md")
    ]
    for page in (*pages, *FOLDER.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        links = [path for path in re.findall(r"\]\(([^)#:]+)", text) if not (page.parent / path).exists()]
        named = re.findall(r"`((?:auditor|benchmarks|cli|docs|sample_data|tests)/[\w./-]*)`", text)
        gone = [path for path in named if not (ROOT / path).exists() and not (ROOT / "tests" / path).exists()]
        assert [*links, *gone] == [], page.name


def test_no_alias_means_two_columns():
    for table in TABLES.values():
        names = [fold(name) for column in table.columns.values() for name in {column.name, *column.aliases}]
        assert sorted(names) == sorted(set(names)), table.name


def test_the_readme_audits_claims_without_calls(tmp_path: Path):
    (command,) = printed("run .*claims_out")
    for name in ("claims.csv", "visits.csv"):
        shutil.copy(ROOT / "sample_data" / "with_claims" / name, tmp_path)
    done = audit98968(*command, folder=tmp_path)
    assert done.returncode == 1, done.stderr
    assert re.match(r"\d+ of \d+ rules evaluated; no calls in the inputs\n", done.stdout)


def test_the_questions_name_rules_keys_and_columns_that_exist():
    page = (FOLDER / "faq.md").read_text(encoding="utf-8")
    keys = {key.split(".")[0] for key in re.findall(r"`\[([\w.]+)\]`", page)}
    assert keys >= {"units", "rows", "values", "timezones", "credentials"}
    assert keys <= Policy.model_fields.keys()
    assert {*re.findall(r"\b[A-Z]{3}\d{3}\b", page)} <= {rule.code for rule in SHIPPED}
    columns = {column for table in TABLES.values() for column in table.columns}
    assert {*re.findall(r"`(\w+_\w+)`", page)} <= columns | Policy.model_fields.keys()
