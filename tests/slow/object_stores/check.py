"""The sample from moto's S3 server and from an https server: findings equal those of local files; refusals are named.

python -m tests.slow.object_stores.check
"""

import logging
import os
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import polars as pl
from deltalake import write_deltalake
from moto.server import ThreadedMotoServer
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
            print(said := refusal(form))
            assert "AKID" not in said


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
        https(Path(folder))
    print("All as described.")
