"""A PostgreSQL server of Debian's packages, on a loopback port, in a temporary folder, by a user that is not root."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER, PASSWORD = "auditor", "S3CRETWORD"
NOBODY = 65534


@contextmanager
def started() -> Iterator[str]:
    """Start a server and stop it; the URL of its database, without a password."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise SystemExit("PostgreSQL is missing; install it with: apt-get install -y postgresql")
    tools, folder = found[-1].parent, Path(tempfile.mkdtemp(prefix="audit98968-postgresql-"))
    owner = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}

    def tool(name: str, *arguments: str) -> None:
        subprocess.run([tools / name, *arguments], check=True, stdout=subprocess.DEVNULL, cwd=folder, **owner)

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "password").write_text(PASSWORD)
    if owner:
        for path in (folder, folder / "password"):
            os.chown(path, NOBODY, NOBODY)
    data = str(folder / "data")
    try:
        tool(
            "initdb", "-D", data, "-U", USER, "-A", "scram-sha-256", "--pwfile", "password", "-E", "UTF8", "--no-locale"
        )
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        tool("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql://{USER}@127.0.0.1:{port}/postgres"
        finally:
            tool("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)
