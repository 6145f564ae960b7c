"""Options: flag > AUDIT98968_* variable > policy file > default, with where each came from.

Source: docs/specification.md#options.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditor import policy as policies
from auditor.cases import store
from auditor.engines import memory
from auditor.errors import UsageError
from auditor.identity import Identity, read_key
from auditor.policy import Policy
from auditor.quality import rejects
from auditor.rules import CODES, select
from auditor.run_options import BY_NAME, LOG, RUN_OPTIONS, TABLES, WRITABLE, RunOption
from auditor.schema.codes import FAMILY
from auditor.settings import Settings
from auditor.sources import known
from auditor.sources.databases.address import has_password, scheme_of
from cli import discovery
from cli.flags import require_choice
from cli.log import log

_WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
_FILE = "policy file"
_AS_GIVEN = ("as_of", "visits_since", "claims_since", "service_from", "service_to", "max_rejects", "allow_empty",
             "allow_unjoined", "max_shrink")  # fmt: skip


@dataclass(frozen=True)
class Options:
    """Resolved options by name, the settings made of them, and where each option came from."""

    values: Mapping[str, Any]
    origins: Mapping[str, str]
    settings: Settings

    @property
    def found_policy(self) -> str | None:
        """The policy file that was found without --policy."""
        return self.values["policy"] if self.origins["policy"] == discovery.NAME else None

    @property
    def out(self) -> Path | None:
        return Path(self.values["out"]) if self.values["out"] else None

    @property
    def ledger(self) -> Path | None:
        """The ledger's file: the one named, else the one in the output folder, if there is one."""
        if self.values["ledger"] == "none":
            return None
        given = self.values["ledger"] or ""
        if self.begins_anew:
            given = given.partition(":")[2]
        return Path(given) if given else self.out and self.out / store.NAME

    @property
    def begins_anew(self) -> bool:
        """Whether another ledger is meant to begin in the place of the one that is there, or is gone."""
        return (self.values["ledger"] or "").split(":")[0] == "new"


def resolve(flags: Mapping[str, Any]) -> Options:
    """Resolve the options of `run` and `check`. `flags` holds None where a flag was not given. Raises UsageError."""
    found = {"policy": policy_of(flags)}
    zone, origin = _settle(BY_NAME["timezone"], flags)
    policy = policies.load(found["policy"][0], select, None if origin == "default" else zone)
    where = found["policy"][0]
    in_file = _in_its_folder(policy.run.model_dump(), Path(where).parent)  # type: ignore[attr-defined]
    found |= {each.name: _settle(each, flags, in_file[each.name], where) for each in RUN_OPTIONS if each.in_policy}
    own_zone = None if policy.timezone_defaulted else policy.timezone
    found["timezone"] = _settle(BY_NAME["timezone"], flags, own_zone)
    if systems := known.chosen(_named("source", found["source"][1], where), found["source"][0]):
        policy = policies.load(where, select, None if origin == "default" else zone, systems)
    database_of(flags, in_file["database"])
    values, origins = ({name: pair[part] for name, pair in found.items()} for part in (0, 1))
    named = {name: _named(name, origin, where) for name, origin in origins.items()}
    options = Options(values, origins, _settings(values, named, policy))
    if values["master"] and values["engine"] != "spark":
        raise UsageError(f"{named['master']}: needs --engine spark; give both or neither")
    if values["phone_log"] and values["engine"] == "spark":
        raise UsageError(f"{named['phone_log']}: not possible with --engine spark; run it with --engine local")
    if values["fail_on"] == "new" and not options.ledger:
        raise UsageError(f"{named['fail_on']}: new needs a ledger; give --out DIR or --ledger FILE")
    return options


def _in_its_folder(values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The values of [run], whose paths are relative to the policy's folder, as the working directory has them."""
    if folder.absolute() == Path.cwd():
        return values

    def path(text: str) -> str:
        if text in ("", "-", "none", "new") or "://" in text:
            return text
        file = text.removeprefix("new:")
        return text.removesuffix(file) + str(folder / file)

    return values | {
        name: path(value) if isinstance(value, str) else [path(each) for each in value]
        for name, value in values.items()
        if value and name in (*TABLES, "out", "ledger", "pseudonymize", "log_file")
    }


def policy_of(flags: Mapping[str, Any]) -> tuple[Any, str]:
    """The policy and where it came from: `discovery.NAME` for the file of the working directory. Raises UsageError."""
    given, origin = _settle(BY_NAME["policy"], flags)
    found = discovery.find(Path.cwd()) if origin == "default" else None
    return (str(found), discovery.NAME) if found else (given, origin)


def log_of(flags: Mapping[str, Any]) -> list[Any]:
    """The options of the log by flag or variable, known before there is a policy. Raises UsageError."""
    return [_settle(BY_NAME[name], flags)[0] for name in LOG]


def database_of(flags: Mapping[str, Any], in_file: str | None = None) -> str | None:
    """The URL of the database; warns of a password that others can see. Raises UsageError."""
    url, origin = _settle(BY_NAME["database"], flags, in_file)
    if url:
        scheme_of(origin, url)
        if origin.startswith("--") and has_password(url):
            log.warn(
                f"{origin}: other users of this machine can see the password in the list of processes; keep it in "
                "PGPASSWORD, a service file or a pass file"
            )
    return str(url) if url else None


def _settle(option: RunOption, flags: Mapping[str, Any], from_file: Any = None, where: str = "") -> tuple[Any, str]:
    """One option's value and where it came from; `where` is the policy that has `from_file`."""
    flag = flags.get(option.name)
    for value, origin in (
        (flag or None if option.kind == "switch" else flag, option.flag),
        (os.environ.get(option.variable), option.variable),
        (from_file, _FILE),
        (CODES if option.name == "select" else option.default, "default"),
    ):
        if value is not None and value != [] and (value != "" or origin.startswith("--")):
            return _typed(option, value, _named(option.name, origin, where)), origin
    return None, "default"


def _named(name: str, origin: str, where: str) -> str:
    """How messages name an option: its flag, its variable, or its key in the policy."""
    return f"{where}: run.{name}" if origin == _FILE else origin


def _typed(option: RunOption, value: Any, origin: str) -> Any:
    """One option's value in its own type, whether it came from a flag, a variable or the file."""
    if "\0" in "".join(map(str, value if isinstance(value, list | tuple) else (value,))):
        raise UsageError(f"{origin}: has a null character; remove it")
    if option.kind == "paths":
        return tuple(value.split(os.pathsep)) if isinstance(value, str) else tuple(str(path) for path in value)
    if option.kind in ("list", "rules"):
        texts = value.split(",") if isinstance(value, str) else value
        value = tuple(text.strip() for text in texts if text.strip())
    if option.kind == "switch" and isinstance(value, str):
        if value.casefold() not in _WORDS:
            raise UsageError(f"{origin}: must be yes or no")
        return _WORDS[value.casefold()]
    for text in (value if isinstance(value, tuple) else (value,)) if option.choices else ():
        require_choice(origin, text, option.choices)
    if option.name == "memory":
        return memory.parse(str(value), origin)
    return value if isinstance(value, bool | tuple) else str(value)


def _settings(values: Mapping[str, Any], origins: Mapping[str, str], policy: Policy) -> Settings:
    for name in ("calls", "visits"):
        if not values[name] and not values["claims"]:
            export = f"name the {name} export (a file, a glob, a folder, or - for CSV)"
            raise UsageError(f"--{name} is missing: {export}; only with --claims may it be left out")
    if not values["select"]:
        raise UsageError(f"{origins['select']}: names no rule; leave the option out to select all rules")
    if not values["codes"]:
        raise UsageError(f"{origins['codes']}: names no code; choose from {', '.join(FAMILY)}")
    rejects.limit(origins["max_rejects"], values["max_rejects"])
    if not re.fullmatch(r"\d{1,2}(\.\d+)?%|100%", values["max_shrink"]):
        raise UsageError(f"{origins['max_shrink']}: must be a percentage, such as 20%")
    if "none" in values["write"] and len(values["write"]) > 1:
        raise UsageError(f"{origins['write']}: none cannot be combined; give none, or the files to write")
    return Settings(
        paths={name: values[name] for name in TABLES if values[name]},
        policy=policy,
        database=values["database"],
        **{name: values[name] for name in _AS_GIVEN},
        codes=tuple(code for code in FAMILY if code in values["codes"]),
        selected=select(origins["select"], values["select"]),
        ignored=select(origins["ignore"], values["ignore"]),
        required=None if origins["require"] == "default" else select(origins["require"], values["require"]),
        write=tuple(text for text in WRITABLE if text in values["write"]),
        identity=read_key(Path(values["pseudonymize"])) if values["pseudonymize"] else Identity(),
    )
