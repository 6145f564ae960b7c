"""Why a rule found nothing, could not tell, or did not apply: words for `explain`. Source: SPEC.md section 5."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

Row = Mapping[str, Any]
NOT_APPLICABLE = "not applicable"
_TAINTED = "one of the patient's {} was rejected (rejects.csv), and it may be the one that matters"
_BLANK = "{} is blank or not recognised for a call of the claim"

_NOTHING = {
    "DUR003": "no call's stated minutes exceed its clock time by more than a minute",
    "LBK001": "no visit of the patient in the {lookback} days before",
    "LBK002": "no procedure of the patient whose global period reaches the call",
    "LAH001": "no visit of the patient from the call to {hours} hours after it",
    "LAH002": "no visit up to {horizon} days after the call that may be the soonest available",
    "FRQ001": "no earlier line of the patient, provider and code within {period} days",
    "FRQ002": "no earlier line of the patient and provider with another code of the family within {period} days",
    "FRQ003": "one unit",
    "FRQ004": "its calls support no earlier line",
    "FRQ005": "no earlier line of the patient and code by another provider within {period} days",
    "ELG001": "the patient's side started every call",
    "ELG002": "the patient was established",
    "ELG003": "the provider's credential is on the qualified list",
    "ELG004": "the service date is within the licence",
    "ELG005": "the patient, a parent or a guardian called",
    "ELG006": "every call was clinical",
    "DOC001": "documented",
    "DOC002": "documented",
    "DOC003": "documented",
    "DOC004": "documented",
    "DOC005": "documented",
    "EXC001": "no visit or line of the day has a code that bundles with it",
    "INT001": "a call supports it",
    "INT002": "its calls have its patient, provider and date",
    "INT003": "no other call of the provider overlaps",
}
_WEIGHS = ("LBK001", "LBK002", "LAH001", "LAH002", "FRQ001", "FRQ002", "FRQ005", "EXC001")
"""Rules whose weighed records are worth counting when none supports anything."""

_WHY_NOT = {"FRQ001": "flagged by this rule, so it does not count against later ones",
            "FRQ005": "of another group or specialty"}  # fmt: skip
_FIELDS = {"ELG001": "who started the call", "ELG002": "whether the patient was established", "ELG005": "the caller",
           "ELG006": "the purpose"}  # fmt: skip


def clear(code: str, claim: Row, weighed: Sequence[Row], policy: Row) -> str:
    """What was looked at by a rule that found nothing."""
    if code in ("DUR001", "DUR002"):
        band = policy["bands"][claim["cpt_code"]]
        limit = f"needs at least {band['low']}" if code == "DUR001" else f"allows at most {band['high']}"
        return f"{claim['minutes']} minutes ({claim['minutes_source']}); {claim['cpt_code']} {limit}"
    if code in _WEIGHS and weighed:
        kinds = Counter("line" if row["kind"] == "claim" else row["kind"] for row in weighed)
        counted = " and ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in sorted(kinds.items()))
        why = Counter(_WHY_NOT.get(code) or str(row["why_not"]) for row in weighed)
        return f"{counted} weighed, none counts: " + ", ".join(
            reason if len(why) == 1 else f"{count} {reason}" for reason, count in why.most_common()
        )
    return _NOTHING.get(code, "nothing found").format(
        lookback=policy["lookback"]["days"],
        hours=policy["lookahead"]["hours"],
        horizon=policy["horizon_days"],
        period=policy["frequency"]["period_days"],
    )


def not_applicable(code: str, claim: Row) -> str:
    """Why a rule does not apply to the claim."""
    if claim["disposition"] == NOT_APPLICABLE:
        return "the service date is outside the policy's dates"
    if code == "FRQ005":
        return "its group or specialty is blank"
    if not claim["call_ids"]:
        return "the claim has no call"
    if code == "LBK002":
        return "modifier 24 says that the call is not postoperative care"
    return "no call has both its minutes and its end" if code == "DUR003" else "the rule does not speak of this claim"


def unknown(code: str, claim: Row, weighed: Sequence[Row], run: Row) -> str:
    """Why a rule cannot tell; where the coverage explains nothing, what is left is a rejected row."""
    if code in _FIELDS:
        return _BLANK.format(_FIELDS[code])
    return _UNKNOWN[code](claim, weighed, run) if code in _UNKNOWN else "the export does not say"


def _back(days: Callable[[Row], int]) -> Callable[[Row, Sequence[Row], Row], str]:
    """Visits from `days` before the call up to it."""

    def say(claim: Row, _: Sequence[Row], run: Row) -> str:
        first = claim["start"].date() - timedelta(days(run["settings"]["policy"]))
        since, as_of = _day(run["coverage"]["visits_since"]), _instant(run["coverage"]["as_of"])
        if since is None or first < since:
            return f"its window begins on {first}, before the visits do ({since or 'no visits'})"
        if as_of is None or claim["start"] > as_of:
            return f"the call is later than the visits export is complete ({_short(as_of)})"
        return _TAINTED.format("visits")

    return say


def _ahead(claim: Row, weighed: Sequence[Row], run: Row) -> str:
    if claim["end"] is None:
        return "the end of the call is unknown, so its hours after cannot be placed"
    as_of = _instant(run["coverage"]["as_of"])
    hours = timedelta(hours=run["settings"]["policy"]["lookahead"]["hours"])
    if as_of is None or claim["end"].astimezone(UTC) + hours > as_of:
        return f"the visits export is complete to {_short(as_of)}, before the window ends"
    doubts = sum(row["outcome"] == "unknown" for row in weighed)
    if doubts:
        return (
            f"{doubts} visit{'s' if doubts > 1 else ''} of its window: neither when booked nor whether soonest is known"
        )
    return _TAINTED.format("visits")


def _lines(claim: Row, _: Sequence[Row], run: Row) -> str:
    """Lines of the period; with the coverage in order, a rejected line of the patient is what is left."""
    first = claim["service_date"] - timedelta(run["settings"]["policy"]["frequency"]["period_days"] - 1)
    since = _day(run["coverage"]["claims_since"])
    if since is None or first < since:
        return f"its period begins on {first}, before the lines do ({since or 'no lines'})"
    return _TAINTED.format("lines")


def _series(claim: Row, weighed: Sequence[Row], run: Row) -> str:
    """As the other rules on lines, or unknown because an earlier claim is: a rule beside it tells which."""
    told = _lines(claim, weighed, run)
    if told != _TAINTED.format("lines"):
        return told
    others = [rule["code"] for rule in run["rules"] if rule["code"] in ("FRQ002", "FRQ005") and rule["evaluated"]]
    settled = [code for code in others if code not in (*claim["unknowns"], *claim["reviews"], *claim["violations"],
                                                       *claim["not_applicable"])]  # fmt: skip
    series = "an earlier claim of its series is unknown, so which of them count is not known"
    if settled:  # they share the coverage and the rejects: what is left is the series
        return series
    return told if any(code in claim["unknowns"] for code in others) else f"{told}; or {series}"


def _same_day(claim: Row, _: Sequence[Row], run: Row) -> str:
    since, as_of = _day(run["coverage"]["visits_since"]), _instant(run["coverage"]["as_of"])
    day = claim["service_date"]
    if since is None or as_of is None or not since <= day <= as_of.date():
        return f"the visits export covers {since or 'nothing'} to {_short(as_of)}, not the day of service"
    return _TAINTED.format("visits")


def _minutes(claim: Row, _: Sequence[Row], __: Row) -> str:
    return "the minutes are unknown: a call has neither minutes nor an end"


_UNKNOWN: dict[str, Callable[[Row, Sequence[Row], Row], str]] = {
    "DUR001": _minutes,
    "DUR002": _minutes,
    "LBK001": _back(lambda policy: int(policy["lookback"]["days"])),
    "LBK002": _back(lambda policy: max(policy["lookback"]["postoperative_days"], default=0)),
    "LAH001": _ahead,
    "LAH002": _ahead,
    "FRQ001": _series,
    "FRQ002": _lines,
    "FRQ005": _lines,
    "FRQ003": lambda *_: "the units are blank",
    "ELG003": lambda *_: "the provider's credential is blank",
    "ELG004": lambda *_: "the provider is not in the providers table, or both licence dates are blank",
    "EXC001": _same_day,
    "INT003": lambda *_: "the end of one of its calls is unknown",
}


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _short(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "an unknown day"
