"""The recipes for other programs run as docs/recipes.md prints them."""

import json
import re
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import duckdb
import pytest

from tests.support.catalogue import command, printed

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- tested -->\n```(sql|sh)\n(.*?)```\n", PAGE, re.DOTALL)
HEAD = "call_id,patient_id,provider_id,call_start,call_minutes,cpt_code,paid_amount\n"
VISITS = "visit_id,patient_id,visit_start,status\nV1,P9,2026-01-02 09:00,completed\nV2,P9,2026-05-02 09:00,completed\n"


def blocks(kind: str) -> list[str]:
    return [text for language, text in BLOCKS if language == kind]


def test_every_marked_recipe_is_found() -> None:
    assert len(BLOCKS) == PAGE.count("<!-- tested -->") == 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs: K1 of March is short twice, K2 of April in the second run only."""
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "visits.csv").write_text(VISITS)
    tables = ["--calls", str(folder / "calls.csv"), "--visits", str(folder / "visits.csv"), "--timezone", "UTC"]
    for minutes in (25, 12):
        rows = f"K1,P1,D1,2026-03-09 09:00,12,98968,30\nK2,P2,D1,2026-04-09 09:00,{minutes},98968,20.50\n"
        (folder / "calls.csv").write_text(HEAD + rows)
        words = ["--select", "DUR001", "--out", str(folder / "audit_out"), "--format", "none", "--write", "none"]
        assert command(["run", *tables, *words, "--fail-on", "never", "--quiet"]) == 0
    return folder


def test_duckdb_reads_all_runs_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with duckdb.connect() as connection:
        view, *queries = blocks("sql")
        connection.execute(view)
        by_run, each, money = [connection.execute(query).fetchall() for query in queries]
    assert [(outcome, count) for _, outcome, count in by_run] == [("violation", 1), ("violation", 2)]
    assert each == [
        ("DUR001:K1:1", "violation", "persisting", "open", 2),
        ("DUR001:K2:1", "violation", "new", "open", 1),
    ]
    assert [(month, claims, float(at_risk)) for month, claims, at_risk, _ in money] == [
        ("2026-03", 1, 30.0), ("2026-04", 1, 20.5)
    ]  # fmt: skip


class Tracker(BaseHTTPRequestHandler):
    """Keeps a ticket a key, whatever is sent how often."""

    tickets: dict[str, dict[str, object]] = {}  # noqa: RUF012

    def do_PUT(self) -> None:
        self.tickets[self.path] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


@pytest.mark.skipif(not (shutil.which("jq") and shutil.which("curl")), reason="jq or curl is not installed")
def test_a_case_has_one_ticket_however_often_it_is_sent(folder: Path, tmp_path: Path) -> None:
    """The program is stood in for by what it prints."""
    (tmp_path / "export").write_text(printed("cases", "export", str(folder / "audit_out"), "--format", "jsonl"))
    (tmp_path / "list").write_text(printed("cases", "list", str(folder / "audit_out"), "--format", "json"))
    (tmp_path / "audit98968").write_text(f'#!/bin/sh\nexec cat "{tmp_path}/$2"\n')
    (tmp_path / "audit98968").chmod(0o755)
    with HTTPServer(("127.0.0.1", 0), Tracker) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "TRACKER": f"http://127.0.0.1:{server.server_port}"}
        tickets, without_ids = blocks("sh")
        for _ in range(2):
            subprocess.run(["sh", "-ec", tickets], env=env, check=True)
        sent = dict(Tracker.tickets)
        listed = "\n".join([without_ids.rstrip() + " |", *tickets.splitlines()[1:]])
        subprocess.run(["sh", "-ec", listed], env=env, check=True)
        server.shutdown()
    assert sent.keys() == {"/audit98968-1", "/audit98968-2"} == Tracker.tickets.keys()
    ticket = sent["/audit98968-1"]
    assert (ticket["finding_id"], ticket["title"], ticket["status"]) == (
        "DUR001:K1:1",
        "DUR001 violation, case 1",
        "open",
    )
    assert Tracker.tickets["/audit98968-1"] == ticket | {"finding_id": None}
