"""A file on the web, by its address. Source: docs/lakes.md.

obstore drops the query of an address, which signed addresses need, so that this is the standard library's client.
"""

import base64
from collections.abc import Iterator
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import SplitResult, unquote
from urllib.request import HTTPRedirectHandler, Request, build_opener

from auditor.errors import InputRefused

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_BLOCK = 1 << 20
_PATIENCE = 60
"""Seconds without an answer."""


def name(where: str, address: SplitResult) -> str:
    """The path of a file. Raises InputRefused for an address that is no file's, or that others can read on the way."""
    if not _is_private(address):
        raise InputRefused(f"{where}: http:// shows its data to others on the way; give the https:// address")
    path = unquote(address.path).lstrip("/")
    if not path or path.endswith("/") or "*" in path:
        raise InputRefused(f"{where}: an address on the web is that of one file; name each file")
    return path


def blocks(where: str, address: SplitResult) -> Iterator[bytes]:
    """The file's bytes, all of them. Raises InputRefused."""
    request = Request(address._replace(netloc=address.netloc.rpartition("@")[2], fragment="").geturl())
    if address.username:
        login = f"{unquote(address.username)}:{unquote(address.password or '')}".encode()
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(login).decode()}")
    try:
        with build_opener(_Redirects).open(request, timeout=_PATIENCE) as answer:
            length = answer.headers["Content-Length"]
            if length is None and not answer.chunked:
                raise InputRefused(f"{where}: the server does not say how long the file is; download it and name it")
            left = int(length or 0)
            while block := answer.read(_BLOCK):
                left -= len(block)
                yield block
            if length is not None and left:
                raise HTTPException
    except HTTPError as error:
        error.close()
        answers = {401: "denies access", 403: "denies access", 404: "has no such file", 410: "has no such file"}
        problem = answers.get(error.code, f"answers {error.code}")
        raise InputRefused(f"{where}: the server {problem}; check the address and the credentials in it") from None
    except (OSError, HTTPException, ValueError):
        raise InputRefused(
            f"{where}: the server cannot be reached or trusted, or ended the transfer; check the network and "
            "certificates, and run again"
        ) from None


class _Redirects(HTTPRedirectHandler):
    def redirect_request(self, *given: Any) -> Request | None:
        """The next request. Raises OSError for one that others can read on the way."""
        request = super().redirect_request(*given)
        if request and request.type != "https" and not (request.type == "http" and _host(request.host) in _LOOPBACK):
            given[1].close()
            raise OSError
        return request


def _is_private(address: SplitResult) -> bool:
    return address.scheme.lower() == "https" or address.hostname in _LOOPBACK


def _host(netloc: str) -> str | None:
    return SplitResult("http", netloc, "", "", "").hostname
