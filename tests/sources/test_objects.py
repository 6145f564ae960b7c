"""Addresses of files on the web and of objects in stores, against servers of this machine."""

import base64
import socket
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import polars as pl
import pytest
from deltalake import write_deltalake
from polars.testing import assert_frame_equal

from auditor import pipeline
from auditor import policy as policies
from auditor.engines.local import Local
from auditor.errors import InputRefused, OutputFailed
from auditor.reading import ingest
from auditor.reading.chunks import read_parts
from auditor.rules import select
from auditor.settings import Settings
from auditor.sources import objects
from tests.synthetic.test_sample_answer import SAMPLE

VISITS = b"visit_id,patient_id,visit_start\nv1,p1,2026-03-02 09:00\n"


class Server(BaseHTTPRequestHandler):
    """Files by path; of paths below /bucket, as S3 answers (HEAD, GET with If-Match, ListObjectsV2).

    `cut`: bytes after which an answer ends. `changed`: whether the entity tags differ at each answer. `requests`: all that was
    asked for, with the Authorization.
    """

    files: ClassVar[dict[str, bytes]] = {}
    requests: ClassVar[list[tuple[str, str]]] = []
    cut: ClassVar[int | None] = None
    changed: ClassVar[bool] = False
    denied: ClassVar[bool] = False

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        path = unquote(address.path)
        self.requests.append((self.path, self.headers["Authorization"] or ""))
        if self.denied:
            self.answer(403, b"")
        elif path.strip("/") == "bucket":
            self.answer(200, self.listing(parse_qs(address.query).get("prefix", [""])[0]))
        elif path == "/elsewhere.csv":
            self.answer(302, b"", Location="http://example.com/x.csv")
        elif path == "/moved.csv":
            self.answer(302, b"", Location=f"http://localhost:{self.server.server_port}/visits.csv?sig=own")
        elif path == "/chunked.csv":
            self.unmeasured(b"1a\r\nvisit_id,patient_id,visit_s\r\n", **{"Transfer-Encoding": "chunked"})
        elif path == "/endless.csv":
            self.unmeasured(VISITS)
        elif (data := self.files.get(path)) is None:
            self.answer(404, b"")
        elif self.headers["If-Match"] and self.changed:
            self.answer(412, b"")
        else:
            self.answer(200, data, ETag='"1"', **{"Last-Modified": "Sun, 01 Mar 2026 12:00:00 GMT"})

    do_HEAD = do_GET  # noqa: N815

    def listing(self, prefix: str) -> bytes:
        keys = [path.removeprefix("/bucket/") for path in self.files if path.startswith(f"/bucket/{prefix}")]
        return "".join((
            "<ListBucketResult>",
            *(f"<Contents><Key>{escape(key)}</Key><Size>{len(self.files[f'/bucket/{key}'])}</Size><ETag>\"1\"</ETag>"
              "<LastModified>2026-03-01T12:00:00.000Z</LastModified></Contents>" for key in keys),
            "</ListBucketResult>",
        )).encode()  # fmt: skip

    def answer(self, code: int, data: bytes, **headers: str) -> None:
        self.send_response(code)
        for name, value in (headers | {"Content-Length": str(len(data))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data if self.cut is None else data[: self.cut])
        self.close_connection = True

    def unmeasured(self, data: bytes, **headers: str) -> None:
        """Answer without a length, and go away."""
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Server]]:
    kind = type("Own", (Server,), {"files": {}, "requests": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        kind.url = f"127.0.0.1:{running.server_port}"
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{kind.url}", "AWS_ACCESS_KEY_ID": "AKIDSECRET", "AWS_SECRET_ACCESS_KEY": "shh",
            "AWS_REGION": "us-east-1",
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        yield kind
        running.shutdown()


def read(tmp_path: Path, *addresses: str) -> ingest.Extract:
    with Local(None, tmp_path) as engine:
        found = engine.parts({"visits": addresses}, policies.load())
        extract = read_parts("visits", found["visits"], policies.load())
    assert not list(tmp_path.glob(".unfinished*"))
    return extract


def test_a_file_of_the_web_is_shown_without_its_secrets(tmp_path: Path, server: type[Server]):
    server.files["/a b/day=1/visits.csv"] = VISITS
    extract = read(tmp_path, f"http://ann:secret@{server.url}/a%20b/day=1/visits.csv?sig=hidden")
    assert server.requests == [
        ("/a%20b/day=1/visits.csv?sig=hidden", f"Basic {base64.b64encode(b'ann:secret').decode()}")
    ]
    (file,) = extract.files
    assert (file.path, file.bytes, file.kind) == (f"http://{server.url}/a b/day=1/visits.csv", len(VISITS), "csv")
    assert file.unused == ("day",)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/none.csv", "the server has no such file; check the address and the credentials in it"),
        ("/", "an address on the web is that of one file"),
        ("/elsewhere.csv", "cannot be reached or trusted"),
        ("/chunked.csv", "or ended the transfer"),
        ("/endless.csv", "the server does not say how long the file is"),
    ],
)
def test_what_cannot_be_had_of_the_web_is_refused(tmp_path: Path, server: type[Server], path: str, message: str):
    with pytest.raises(InputRefused, match=message) as refused:
        read(tmp_path, f"http://ann:secret@{server.url}{path}?sig=hidden")
    assert "secret" not in str(refused.value) and "hidden" not in str(refused.value)
    with pytest.raises(InputRefused, match="give the https:// address"):
        read(tmp_path, "http://example.com/visits.csv")


def test_a_server_that_moved_a_file_is_followed_without_the_credentials(tmp_path: Path, server: type[Server]):
    server.files["/visits.csv"] = VISITS
    (file,) = read(tmp_path, f"http://ann:secret@{server.url}/moved.csv?sig=hidden").files
    assert file.bytes == len(VISITS) and server.requests[1:] == [("/visits.csv?sig=own", "")]
    server.denied = True
    with pytest.raises(InputRefused, match="the server denies access; check the address and the credentials in it"):
        read(tmp_path, f"http://{server.url}/visits.csv")


@pytest.mark.parametrize(
    ("address", "variables"),
    [
        ("gs://b/v.csv", {"GOOGLE_SERVICE_ACCOUNT_KEY": "S3CRET"}),
        ("gs://b/v.csv", {"GOOGLE_APPLICATION_CREDENTIALS": "/none/S3CRET.json"}),
        ("az://b/v.csv", {"AZURE_STORAGE_ACCOUNT_NAME": "a", "AZURE_STORAGE_ACCOUNT_KEY": "S3CRET!"}),
        ("az://b/v.csv", {"AZURE_STORAGE_ACCOUNT_NAME": "a", "AZURE_STORAGE_SAS_KEY": "S3CRET"}),
    ],
)
def test_credentials_that_are_none_are_not_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, variables: dict[str, str]
):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputRefused, match="check address, region, credentials") as refused:
        read(tmp_path, address)
    assert "S3CRET" not in "".join(traceback.format_exception(refused.value))


def test_a_server_that_goes_away_ends_the_run(tmp_path: Path, server: type[Server]):
    server.files |= {"/visits.csv": VISITS, "/bucket/visits.csv": VISITS}
    server.cut = 10
    for address in (f"http://{server.url}/visits.csv", "s3://bucket/visits.csv"):
        with pytest.raises(InputRefused, match="ended the transfer; check "):
            read(tmp_path, address)


def test_objects_prefixes_and_globs(tmp_path: Path, server: type[Server]):
    """Each object is read once, however often it is named; parts of its key are columns; a glob is that of files."""
    server.files |= {f"/bucket/x/status=completed/{n}.csv": VISITS.replace(b"v1", n.encode()) for n in "ab"}
    server.files |= {
        "/bucket/x/status=completed/_hidden.csv": VISITS,
        "/bucket/x/status=completed": b"",
        "/bucket/xy.csv": b"?",
    }
    for address in (
        "s3://bucket/x/",
        "s3://bucket/x",
        "s3://bucket/x/*",
        "s3://bucket/x/**/*.csv",
        "s3://bucket/x/*/?.csv",
    ):
        extract = read(tmp_path, address, "s3://bucket/x/status=completed/a.csv")
        assert sorted(file.path for file in extract.files) == [f"s3://bucket/x/status=completed/{n}.csv" for n in "ab"]
        assert sorted(extract.frame["visit_id"]) == ["a", "b"]
        assert extract.files[0].mapping["status"] == ("status",)


def test_stores_that_deny_or_change_are_refused(tmp_path: Path, server: type[Server]):
    server.files["/bucket/visits.csv"] = VISITS
    for address in ("s3://bucket/none.csv", "s3://bucket/none/*.csv"):
        with pytest.raises(InputRefused, match="there is no such object, and none below it"):
            read(tmp_path, address)
    server.changed = True
    with pytest.raises(InputRefused, match="an object changed while it was read"):
        read(tmp_path, "s3://bucket/visits.csv")
    server.denied = True
    with pytest.raises(InputRefused, match="the store denies access") as refused:
        read(tmp_path, "s3://bucket/visits.csv")
    assert "AKID" not in str(refused.value)


@pytest.mark.slow
def test_findings_are_those_of_csv(tmp_path: Path, server: type[Server]):
    """Of a CSV, a Parquet and a Delta table in a store."""
    policy = policies.load(str(SAMPLE / "policy.toml"), select)
    for name in ("calls", "visits", "providers"):
        frame = pl.read_csv(SAMPLE / f"{name}.csv", infer_schema=False)
        write_deltalake(tmp_path / name, frame)
        for file in (tmp_path / name).rglob("*"):
            if file.is_file():
                server.files[f"/bucket/lake/{name}/{file.relative_to(tmp_path / name)}"] = file.read_bytes()
        server.files[f"/bucket/{name}.csv"] = (SAMPLE / f"{name}.csv").read_bytes()
    results = []
    for form in (f"{SAMPLE}/{{}}.csv", "s3://bucket/{}.csv", "s3://bucket/lake/{}@0"):
        given = {name: (form.format(name),) for name in ("calls", "visits", "providers")}
        settings = Settings(paths=given, policy=policy, max_rejects="5%")
        with Local() as engine:
            results.append(pipeline.audit(pipeline.read(settings, engine), settings, engine))
    places = "source_file", "source_record"
    for result in results[1:]:
        assert_frame_equal(result.findings.drop(places), results[0].findings.drop(places))
    assert results[0].findings.height == 65
    assert set(results[2].findings["source_file"].drop_nulls()) <= {
        f"s3://bucket/lake/{n}@0" for n in ("calls", "visits")
    }


def test_an_address_without_a_server_is_refused(tmp_path: Path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(InputRefused, match="cannot be reached or trusted"):
            read(tmp_path, f"https://127.0.0.1:{free.getsockname()[1]}/visits.csv")


class Full:
    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def write(self, _):
        raise OSError(28, "No space left on device")


def test_a_full_disk_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Path, "open", lambda *_: Full())
    with pytest.raises(OutputFailed, match="cannot be copied to a file here"):
        objects._write("visits: s3://bucket/x", tmp_path / "x", iter([b"data"]))
