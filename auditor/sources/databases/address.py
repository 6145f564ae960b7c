"""The URL of a database: which kind it is, the file it names, and whether it holds a password."""

import re
from pathlib import Path

from auditor.errors import InputRefused, UsageError
from auditor.reading.paths import shown

ENGINES = {
    "postgresql": "auditor.sources.databases.postgresql",
    "sqlite": "auditor.sources.databases.sqlite",
    "duckdb": "auditor.sources.databases.duck",
}
"""The kinds of databases by the schemes of their URLs, each with the module of its connections."""
_PASSWORD = re.compile(r"://[^/@?]*:[^/]*@|[?&](ssl)?password=", re.IGNORECASE)


def scheme_of(where: str, url: str | None) -> str:
    """The scheme of a database's URL. Raises UsageError where there is none; `where`: what needs it."""
    if not url:
        raise UsageError(f"{where}: a query needs a database; give --database URL")
    scheme, colon, rest = url.partition("://")
    if not colon or scheme not in ENGINES or (scheme != "postgresql" and rest[:1] != "/"):
        known = "postgresql://HOST/NAME, sqlite:///FILE or duckdb:///FILE"
        raise UsageError(f"{where}: not the URL of a database; give {known}")
    return scheme


def has_password(url: str) -> bool:
    """Whether a URL holds a password."""
    return _PASSWORD.search(url) is not None


def existing_file(url: str) -> Path:
    """The file of a URL with three slashes; a fourth begins an absolute path. Raises InputRefused."""
    path = Path(url.partition("://")[2].removeprefix("/").partition("?")[0])
    if not path.is_file():
        raise InputRefused(f"--database: {shown(path)}: no such file; an absolute path begins with a fourth slash")
    return path


def not_opened(path: Path) -> InputRefused:
    """The refusal of a file that its database cannot open."""
    problem = "is not a database of this kind or version, may not be read, or is open for writing in another program"
    return InputRefused(f"--database: {shown(path)}: it {problem}; correct --database, or try again later")
