"""Policies as they are read from TOML. A file holds only what it changes; all else comes from `policies/default.toml`.

Source: docs/specification.md#policy.
"""

import hashlib
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from auditor import small_files
from auditor.errors import UsageError
from auditor.policy import consistency
from auditor.policy.lists import with_whole_lists
from auditor.policy.model import OF_PAYER, OF_THE_PROGRAM, Policy
from auditor.policy.text import PolicyText, Problem
from auditor.policy.types import Severity
from auditor.schema.names import nearest
from auditor.schema.tables import fold_term
from auditor.sources import known

FindRules = Callable[[str, Iterable[str]], tuple[str, ...]]
"""`rules.select`: codes, prefixes and names → rule codes."""

_SHIPPED = resources.files("auditor") / "policies"
_DEPTH = 16
"""Levels of tables and lists in a policy, which has no more than six."""
_LARGEST = 16 << 20
"""Bytes of a policy."""


def load(
    name_or_file: str = "default",
    find_rules: FindRules | None = None,
    timezone: str | None = None,
    systems: Mapping[str, str] | None = None,
) -> Policy:
    """Read a shipped policy by name or a policy file by path, and those of its payers; `timezone` overrides the policy's.

    `systems`: table → a source that ships (`sources.known`); the policy's own keys come before those of the source.

    Raises UsageError naming file, line, key, what is wrong and the nearest valid key.
    """
    policy, file = _load(name_or_file, find_rules, timezone, systems or {})
    named, folded = dict[str, Policy](), set[str]()
    for payer, periods in policy.payers.items():
        if fold_term(payer) in folded:
            raise file.fault(("payers", payer), "the same payer twice")
        folded.add(fold_term(payer))
        for name in {period.policy: None for period in periods if (payer, period.policy) != ("otherwise", "none")}:
            own = _of_payer(name, Path(name_or_file).parent, find_rules)
            if own is None:
                raise file.fault(("payers", payer), f"{name}: no such policy{_included(name)}")
            if any(other.name == own.name and other.sha256 != own.sha256 for other in (policy, *named.values())):
                problem = f"another policy of the run has the name {own.name!r}, too; give one of them another name"
                raise file.fault(("payers", payer), problem)
            named[name] = own
    return policy.model_copy(update={"policies": {name: _within(policy, own) for name, own in named.items()}})


def _of_payer(name: str, folder: Path, find_rules: FindRules | None) -> Policy | None:
    """The policy of a payer; None where there is none. Raises UsageError for a key that it may not have."""
    if name in shipped():
        return _load(name, find_rules, None, of_payer=name != "default")[0]
    if not (path := folder / name).is_file():
        return None
    policy, file = _load(str(path), find_rules, None, of_payer=True)
    own = tomllib.loads(file.text)
    if "payers" in own:
        raise file.fault(("payers",), "the policy of a payer cannot name payers; remove the table")
    words = [("credentials", word) for word in own.pop("credentials", {}) if word != "may_report_em"]
    for place in (*((key,) for key in own if key not in OF_PAYER), *words):
        raise file.fault(place, "only the policy of the run may set this, not the policy of a payer; move it there")
    return policy


def _within(run: Policy, own: Policy) -> Policy:
    """The policy of a run with what the policy of a payer may set."""
    em = {"may_report_em": own.credentials.may_report_em}
    kept = {key: getattr(own, key) for key in (*OF_PAYER, "sha256", "own_keys")}
    return run.model_copy(update=kept | {"payers": {}, "credentials": run.credentials.model_copy(update=em)})


def _load(
    name_or_file: str,
    find_rules: FindRules | None,
    timezone: str | None,
    systems: Mapping[str, str] | None = None,
    *,
    of_payer: bool = False,
) -> tuple[Policy, PolicyText]:
    """One policy, and its text. That `of_payer` has no clock unless it says so."""
    file, own, sha256 = _parsed(name_or_file)
    unknown: list[Problem] = [((key,), "unknown key") for key in OF_THE_PROGRAM if own.pop(key, None) is not None]
    own.setdefault("name", Path(name_or_file).stem)
    base = tomllib.loads((_SHIPPED / "default.toml").read_text(encoding="utf-8"))
    if of_payer:
        base.pop("overpayment_clock")
    own, unknown_changes = with_whole_lists(own, base["lists"], file, Path(name_or_file).parent)
    if systems:
        described = known.policy_of(systems)
        own["instant_formats"] = [*own.get("instant_formats", []), *described.pop("instant_formats")]
        base = _merge(base, described)
    merged = _merge(base, own) | {
        "sha256": sha256,
        "timezone_defaulted": own.get("timezone") is None or name_or_file == "default",
        "own_keys": frozenset(key for key, _ in leaves(own)) if name_or_file != "default" else frozenset(),
        "systems": systems or {},
    }
    if timezone is not None:
        merged |= {"timezone": timezone, "timezone_defaulted": False}
    policy = _validated(merged, file, unknown + unknown_changes, timezone)
    consistency.check(policy, file)
    if find_rules:
        policy = policy.model_copy(update={"severity": _severity_by_code(policy, file, find_rules)})
    return policy, file


def _parsed(name_or_file: str) -> tuple[PolicyText, dict[str, Any], str]:
    """A policy as it is written, its keys, and its digest. Raises UsageError for what is not TOML."""
    where, raw = _read(name_or_file)
    try:
        text = raw.decode("utf-8-sig")
        own = tomllib.loads(text)
    except UnicodeDecodeError:
        raise UsageError(f"{where}: not UTF-8 text; save the policy as UTF-8") from None
    except ValueError as error:  # tomllib's own, and that of a number with thousands of digits
        raise UsageError(f"{where}: not valid TOML: {error}") from None
    except RecursionError:
        raise UsageError(f"{where}: values are nested too deeply; correct the policy") from None
    file = PolicyText(where, text)
    for key in (key for key, value in own.items() if _is_deeper(value, _DEPTH)):
        raise file.fault((key,), "nested too deeply; correct the policy")
    return file, own, hashlib.sha256(raw).hexdigest()


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether a value has more levels of tables and lists."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not levels or any(_is_deeper(one, levels - 1) for one in inner)


def _validated(merged: Mapping[str, Any], file: PolicyText, unknown: list[Problem], timezone: str | None) -> Policy:
    """The policy. Raises UsageError for all unknown keys, else for the first wrong value."""
    try:
        policy = Policy.model_validate(merged)
    except ValidationError as error:
        errors = [(tuple(map(str, one["loc"])), one["msg"].removeprefix("Value error, "), one["type"])
                  for one in error.errors(include_url=False, include_input=False)]  # fmt: skip
        unknown += [(path, f"unknown key{_suggestion(path)}") for path, _, kind in errors if kind == "extra_forbidden"]
        path, problem, _ = errors[0]
        if timezone is not None and path == ("timezone",):
            raise UsageError(f"--timezone: {problem}") from None
        file.refuse(unknown or [(path, problem)])
    file.refuse(unknown)
    return policy


def _suggestion(path: tuple[str, ...]) -> str:
    """The nearest key that is valid in this table of the policy."""
    model: Any = Policy
    for part in path[:-1]:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return ""
        model = annotation
    return nearest(path[-1], tuple(model.model_fields))


def _severity_by_code(policy: Policy, file: PolicyText, find_rules: FindRules) -> dict[str, Severity]:
    """Severities may name rules by code, prefix or name; the longest selector wins."""
    by_code: dict[str, Severity] = {}
    for selector in sorted(policy.severity, key=len):
        try:
            codes = find_rules("severity", [selector])
        except UsageError as error:
            raise file.fault(("severity", selector), str(error).removeprefix("severity: ")) from None
        by_code |= dict.fromkeys(codes, policy.severity[selector])
    return by_code


def settings(policy: Policy) -> Iterator[tuple[str, Any, bool]]:
    """Every threshold, list and mapping in force: dotted key, value, and whether the policy's own file sets it."""
    hidden = {"name", "description", "sources", "verified_on", "unverified", "timezone", "run", *OF_THE_PROGRAM}
    for key, value in leaves(policy.model_dump(mode="json", exclude=hidden - {"list_files"})):
        yield key, value, key in policy.own_keys or key.startswith("severity.")


def leaves(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of nested tables with its dotted key."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _merge(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`own` over `base`, table by table."""
    merged = dict(base)
    for key, value in own.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def shipped() -> tuple[str, ...]:
    """Names of the policies that ship with the package."""
    names = (Path(entry.name) for entry in _SHIPPED.iterdir())
    return tuple(sorted(name.stem for name in names if name.suffix == ".toml"))


def source(name: str) -> str:
    """The text of a shipped policy. Raises UsageError."""
    if name not in shipped():
        raise UsageError(f"no policy {name!r}{_included(name)}")
    return _read(name)[1].decode()


def _included(name: str) -> str:
    return f"{nearest(name, shipped())}; the included policies are {', '.join(shipped())}"


def _read(name_or_file: str) -> tuple[str, bytes]:
    if name_or_file in shipped():
        return f"policy {name_or_file}", (_SHIPPED / f"{name_or_file}.toml").read_bytes()
    try:
        return name_or_file, small_files.read(Path(name_or_file), _LARGEST)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{name_or_file}: no such policy ({reason}){_included(name_or_file)}") from None
    except OSError as error:
        raise UsageError(f"{name_or_file}: cannot be read ({error.strerror}); name a policy file") from None
