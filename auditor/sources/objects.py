"""Addresses in object stores (s3://, gs://, az://) and on the web (https://) → files here. Source: docs/lakes.md.

Each object is fetched once, in the version that was found, so that everything that reads it sees the same bytes.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from fnmatch import fnmatchcase
from glob import escape, has_magic
from os import environ
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from auditor.errors import InputRefused, OutputFailed
from auditor.reading import kinds, paths
from auditor.sources import web
from auditor.sources.scratch import made, scratch
from auditor.sources.source import require_extra

_SCHEMES = ("s3", "gs", "az", "https", "http")
_PATIENCE = timedelta(seconds=60)


@contextmanager
def fetched(given: Mapping[str, Sequence[str]], parent: Path | None) -> Iterator[dict[str, list[str]]]:
    """Each table's paths; what addresses name is in a folder inside `parent` until the block is left.

    Raises InputRefused for what cannot be fetched whole, OutputFailed where there is no room for it.
    """
    if not any(scheme(path) for several in given.values() for path in several):
        yield {table: list(several) for table, several in given.items()}
        return
    roots: dict[str, Path] = {}
    with scratch(parent, ".unfinished-objects-") as folder:
        try:
            yield {table: [_fetched(table, one, folder, roots) for one in several] for table, several in given.items()}
        finally:
            paths.forget(folder)


def scheme(path: str) -> str:
    """The scheme of an address that is fetched; empty for other paths."""
    given, colon, _ = path.partition("://")
    return given.lower() if colon and given.lower() in _SCHEMES else ""


def _fetched(table: str, address: str, folder: Path, roots: dict[str, Path]) -> str:
    """A path, or what an address names as a path of this machine. `roots`: the folders of what was fetched before."""
    kind = scheme(address)
    if not kind:
        return address
    where = f"{table}: {paths.shown(address)}"
    if kind in ("http", "https"):
        parts = urlsplit(address)
        root = _root(f"{kind}://{parts.netloc.rpartition('@')[2]}", parts.query, folder, roots)
        target = root / _safe(where, web.name(where, parts))
        if not target.exists():
            _write(where, target, web.blocks(where, parts))
        return f"{target}#{parts.fragment}" if parts.fragment else str(target)
    bucket, _, key = address.partition("://")[2].partition("/")
    root = _root(f"{kind}://{bucket}", "", folder, roots)
    _Store(where, kind, bucket).copy(key, root)
    return f"{escape(str(root))}/{key}" if has_magic(key) and not (root / key).exists() else f"{root}/{key}"


def _root(address: str, query: str, folder: Path, roots: dict[str, Path]) -> Path:
    """The folder for what is below an address; the same object is fetched once."""
    if (root := roots.get(f"{address}?{query}")) is None:
        root = roots[f"{address}?{query}"] = made(folder)
        paths.place(root, address)
    return root


def _safe(where: str, key: str) -> str:
    """The name of an object. Raises InputRefused where it is no path below a folder."""
    if not key or "\0" in key or any(part in ("", ".", "..") for part in key.split("/")):
        raise InputRefused(f"{where}: the name of an object cannot be that of a file; copy it under another name")
    return key


def _write(where: str, target: Path, blocks: Iterator[Any]) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        stream = target.open("xb")
    except OSError as error:
        raise OutputFailed(f"{where}: cannot be copied to {target.parent} ({error.strerror})") from None
    with stream:
        for block in blocks:
            try:
                stream.write(block)
            except OSError as error:
                raise OutputFailed(f"{where}: cannot be copied to a file here ({error.strerror}); free space") from None


class _Store:
    """A bucket of an object store."""

    def __init__(self, where: str, scheme: str, bucket: str) -> None:
        require_extra("objects", "obstore", "boto3")
        from obstore.store import AzureStore, GCSStore, S3Store

        retries: Any = {"max_retries": 3, "retry_timeout": _PATIENCE}
        here = any(f"//{host}" in environ.get("AWS_ENDPOINT_URL", "") for host in ("127.0.0.1", "localhost", "[::1]"))
        try:
            if scheme == "s3":
                self._store: Any = S3Store(
                    bucket, retry_config=retries, client_options={"allow_http": here}, **_of_profile()
                )
            elif scheme == "gs":
                self._store = GCSStore(bucket, retry_config=retries)
            else:
                self._store = AzureStore(bucket, retry_config=retries)
        except Exception as error:
            raise _refusal(where, error) from None
        self._where = where

    def copy(self, key: str, root: Path) -> None:
        """Copy what a key, a prefix or a glob names into a folder. Raises InputRefused for what cannot be copied whole."""
        try:
            objects = self._found(key)
            names = (str(path) for path, _, _ in kinds.splits(key))
            while not objects and (name := next(names, None)):
                objects = self._found(name)
        except Exception as error:
            raise _refusal(self._where, error) from None
        if not objects:
            raise InputRefused(f"{self._where}: there is no such object, and none below it; check the address")
        folders = {
            "/".join(parts[:n]) for one in objects if (parts := one["path"].split("/")) for n in range(1, len(parts))
        }
        for one in objects:
            target = root / _safe(self._where, one["path"])
            if not target.exists() and (one["size"] or one["path"] not in folders):  # else it marks a folder
                self._copy(one, target)

    def _found(self, key: str) -> list[Any]:
        """An object, those below a prefix, or those of a glob."""
        import obstore

        if key and not key.endswith("/"):
            try:
                return [obstore.head(self._store, key)]
            except FileNotFoundError:
                pass
        parts = key.strip("/").split("/")
        fixed = next((n for n, part in enumerate(parts) if has_magic(part)), len(parts))
        batches = obstore.list(self._store, "/".join(parts[:fixed]) or None)
        return [one for batch in batches for one in batch if _fits(one["path"].split("/"), parts)]

    def _copy(self, one: Any, target: Path) -> None:
        _write(self._where, target, self._blocks(one))
        if target.stat().st_size != one["size"]:
            raise InputRefused(f"{self._where}: an object changed while it was read; run again when it is finished")

    def _blocks(self, one: Any) -> Iterator[Any]:
        import obstore

        try:
            pinned: Any = {"if_match": one["e_tag"]} if one["e_tag"] else {}
            yield from obstore.get(self._store, one["path"], options=pinned).stream()
        except Exception as error:
            raise _refusal(self._where, error) from None


def _fits(name: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether an object may be of a glob, or below one of its folders; what it is for good is decided here, as for files."""
    if "**" in pattern or pattern == [""]:
        return True
    return len(name) >= len(pattern) and all(map(fnmatchcase, name, pattern))


def _of_profile() -> dict[str, Any]:
    """Region and credentials as boto3 finds them, such as in the files of profiles; obstore itself knows the environment."""
    if "AWS_SKIP_SIGNATURE" in environ:
        return {}
    import boto3
    from obstore.auth.boto3 import Boto3CredentialProvider

    session = boto3.Session()
    found: dict[str, Any] = {"region": session.region_name} if session.region_name else {}
    try:
        return found | {"credential_provider": Boto3CredentialProvider(session)}
    except ValueError:  # it finds none
        return found


def _refusal(where: str, error: Exception) -> InputRefused:
    """The client's own words may hold keys and signatures."""
    from obstore import exceptions

    if isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError):
        problem = "the store denies access; check the credentials, and that they may list and read there"
    elif isinstance(error, exceptions.PreconditionError):
        problem = "an object changed while it was read; run again when it is finished"
    elif isinstance(error, FileNotFoundError):
        problem = "an object is gone, or there is no such bucket; check the address, and run again"
    else:
        problem = (
            "the store cannot be reached, lacks the bucket, or ended the transfer; check address, region, credentials"
        )
    return InputRefused(f"{where}: {problem}")
