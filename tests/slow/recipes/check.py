"""The recipes of docs/examples for schedulers, as printed but for paths: imported and run, in environments of their own.

python -m tests.slow.recipes.check (installs Airflow and Dagster into temporary folders; needs bash and jq)
"""

import os
import subprocess
import sys
import tempfile
import textwrap
import venv
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "docs" / "examples"
POLICY, OUT = "/etc/audit98968/policy.toml", "/var/lib/audit98968/out"
AIRFLOW = """
from airflow_dag import nightly
run = nightly.test()
(task,) = run.get_task_instances()
print("task:", task.state, task.xcom_pull(task_ids="audit"))
"""
DAGSTER = """
import dagster as dg
from dagster_job import Audit98968, defs, telephone_claims_audit
assert defs.resolve_schedule_def("nightly").cron_schedule == "0 2 * * *"
done = dg.materialize([telephone_claims_audit], resources={"audit98968": Audit98968()})
(made,) = done.asset_materializations_for_node("telephone_claims_audit")
print("figures:", {name: value.value for name, value in made.metadata.items()})
"""


def main() -> None:
    """Run each recipe twice on one demo: first there are new findings, then none."""
    with tempfile.TemporaryDirectory() as made:
        work = Path(made)
        environment = os.environ | {"PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}", "HOME": made}
        subprocess.run(
            ["audit98968", "sample", "demo"], cwd=work, env=environment, check=True, stdout=subprocess.DEVNULL
        )
        demo = work / "demo" / "policy.toml"
        inputs = "\n".join(f'{name} = "{work}/demo/{name}.csv"' for name in ("calls", "visits", "providers"))
        demo.write_text(f"{demo.read_text(encoding='utf-8')}\n[run]\n{inputs}\n", encoding="utf-8")
        for recipe in (_airflow, _dagster, _github_actions):
            out = work / recipe.__name__
            change = lambda text, out=out: text.replace(POLICY, str(demo)).replace(OUT, str(out))  # noqa: E731
            for new in (True, False):
                print(
                    recipe.__name__.strip("_"), "again" * (not new), recipe(work, change, environment, new), flush=True
                )


def _airflow(work: Path, change: Callable[[str], str], environment: Mapping[str, str], new: bool) -> str:
    python = _environment(work / "airflow", "apache-airflow")
    (dags := work / "dags").mkdir(exist_ok=True)
    (dags / "airflow_dag.py").write_text(change((EXAMPLES / "airflow_dag.py").read_text(encoding="utf-8")))
    variables = dict(environment) | {"AIRFLOW_HOME": str(work / "airflow_home"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                                     "AIRFLOW__CORE__DAGS_FOLDER": str(dags), "PYTHONPATH": str(dags)}  # fmt: skip
    _ran([python, "-m", "airflow", "db", "migrate"], work, variables)
    printed = _ran([python, "-c", AIRFLOW], work, variables)
    return _expected(printed, f"task: success {int(new)}")


def _dagster(work: Path, change: Callable[[str], str], environment: Mapping[str, str], new: bool) -> str:
    python = _environment(work / "dagster", "dagster")
    (work / "dagster_job.py").write_text(change((EXAMPLES / "dagster_job.py").read_text(encoding="utf-8")))
    printed = _ran([python, "-c", DAGSTER], work, dict(environment) | {"PYTHONPATH": str(work)})
    return _expected(printed, f"figures: {{'new findings': {new}, 'claims audited': 125, ")


def _github_actions(work: Path, change: Callable[[str], str], environment: Mapping[str, str], new: bool) -> str:
    text = (EXAMPLES / "github_actions.yml").read_text(encoding="utf-8")
    script = change(textwrap.dedent(text.partition("run: |\n")[2]))
    outputs, summary = work / "outputs", work / "summary"
    variables = dict(environment) | {"GITHUB_OUTPUT": str(outputs), "GITHUB_STEP_SUMMARY": str(summary)}
    printed = _ran(["bash", "-euo", "pipefail", "-c", script], work, variables)
    assert ("::warning title=audit98968::" in printed) == new
    return _expected(outputs.read_text(), "new=65" if new else "new=0")


def _environment(folder: Path, package: str) -> str:
    """The Python of an environment with a package, made once."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", package], check=True)
    return str(python)


def _ran(command: list[str], work: Path, environment: Mapping[str, str]) -> str:
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command[:4])} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


def _expected(printed: str, text: str) -> str:
    """The line with the text. Ends the check where there is none."""
    line = next((line for line in printed.splitlines() if text in line), None)
    return line or sys.exit(f"no line with {text!r} in:\n{printed[-3000:]}")


if __name__ == "__main__":
    main()
