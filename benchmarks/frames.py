"""The core question in pandas: `python -m benchmarks.frames EXPORT FINDINGS` prints the number of findings.

As core.sql, it handles what the generated Parquet exports hold.
"""

import re
import sys
from pathlib import Path

import pandas as pd

from benchmarks.columns import CALLS, VISITS, ZONE
from benchmarks.lists import visit_codes

FAMILY = {"98966", "98967", "98968"}
COMPLETED = {"completed", "arrived", "attended", "checkedin", "checkedout", "fulfilled", "kept", "seen"}
SCHEDULED = {"scheduled", "booked", "pending", "confirmed"}
OFF = {"cancelled", "canceled", "rescheduled", "enteredinerror", "noshow", "noshowed", "didnotattend", "dna"}
INACTIVE = {"void", "voided", "reversed", "deleted", "cancelled", "canceled", "denied", "rejected"}
PHONE = {"phone", "telephone", "audio"}
KEY = ["claim_id", "claim_line"]
RUN = ["patient_id", "provider_id", "run"]
DAY = pd.Timedelta(days=1)


def answer(export: Path) -> pd.DataFrame:
    """The findings: claim_id, claim_line, rule, outcome, related_id."""
    calls = pd.read_parquet(export / "calls.parquet", columns=CALLS)
    claims_since = calls["call_start"].min().normalize()
    length = calls["call_end"] - calls["call_start"]
    sound = length.isna() | length.between(pd.Timedelta(0), DAY)
    for column, most in (("call_minutes", 1440), ("call_seconds", 86400), ("discussion_minutes", 1440)):
        sound &= calls[column].isna() | calls[column].between(0, most)
    tainted = calls.loc[~sound, "patient_id"].unique()
    members = _members(calls[sound])
    lines = _lines(members)
    minutes = lines["minutes"]
    found = [
        lines.loc[minutes < 21, KEY].assign(rule="DUR001", outcome="violation", related_id=None),
        lines.loc[minutes > 30, KEY].assign(rule="DUR002", outcome="violation", related_id=None),
        _repeats(lines, claims_since, tainted),
        _near_visits(members, lines, pd.read_parquet(export / "visits.parquet", columns=VISITS)),
    ]
    return pd.concat(found, ignore_index=True)


def _members(calls: pd.DataFrame) -> pd.DataFrame:
    """The calls of the audited lines; a call without a code joins the line of its claim."""
    coded = calls[calls["cpt_code"].notna()]
    coded = coded.assign(
        claim_id=coded["claim_id"].fillna(coded["call_id"]), claim_line=coded["claim_line"].fillna("1")
    )
    keys = coded[[*KEY, "cpt_code"]].drop_duplicates()
    keys = keys[keys.groupby("claim_id")["cpt_code"].transform("nunique") == 1]
    codeless = calls[calls["cpt_code"].isna() & calls["claim_id"].notna()].drop(columns="cpt_code")
    codeless = codeless.assign(claim_line=codeless["claim_line"].fillna("1")).merge(keys, on=KEY)
    members = pd.concat([coded, codeless])
    members = members[members["cpt_code"] == "98968"].sort_values(["call_start", "call_id"])
    stated = (members["call_minutes"] * 60).fillna(members["call_seconds"])
    spoken = members["discussion_minutes"] * 60
    clock = (members["call_end"] - members["call_start"]).dt.total_seconds()
    ends = members["call_start"] + pd.to_timedelta(stated.fillna(spoken), unit="s")
    return members.assign(seconds=spoken.fillna(stated).fillna(clock), ends=members["call_end"].fillna(ends))


def _lines(members: pd.DataFrame) -> pd.DataFrame:
    grouped = members.groupby(KEY, sort=False)
    lines = grouped.agg(
        patient_id=("patient_id", "first"), provider_id=("provider_id", "first"), start=("call_start", "min"),
        ends=("ends", "max"), seconds=("seconds", "sum"), calls=("call_id", "size"), timed=("seconds", "count"),
        ended=("ends", "count"),
    ).reset_index()  # fmt: skip
    status = _term(grouped["claim_status"].head(1))  # `first` would pass over a blank
    lines = lines[~status.isin(INACTIVE).to_numpy()].sort_values(["start", *KEY]).reset_index(drop=True)
    lines["day"], lines["line"] = lines["start"].dt.normalize(), lines.index
    lines["minutes"] = (lines["seconds"] // 60).where(lines["timed"] == lines["calls"])
    lines["reach"] = lines["ends"].where(lines["ended"] == lines["calls"], lines["start"])
    return lines


def _repeats(lines: pd.DataFrame, claims_since: pd.Timestamp, tainted: object) -> pd.DataFrame:
    """FRQ001. In a run of claims each 0-6 days after the one before, claims count unless a counted one flags them."""
    pair = ["patient_id", "provider_id"]
    starts = ~(lines["day"] - lines.groupby(pair)["day"].shift() <= 6 * DAY)
    runs = lines.assign(run=starts.groupby([lines[name] for name in pair]).cumsum())
    runs = runs[runs.groupby(RUN)["line"].transform("size") > 1]
    found = [lines.iloc[:0][KEY]]
    undecided, counted = runs, []
    while len(undecided):
        first = undecided.groupby(RUN, as_index=False)[["line", "day"]].first()
        counted.append(first)
        undecided = undecided.merge(first[[*RUN, "day"]], on=RUN, suffixes=("", "_counted"))
        undecided = undecided[undecided["day"] - undecided["day_counted"] > 6 * DAY].drop(columns="day_counted")
    if counted:
        anchors = pd.concat(counted)
        unsure = (anchors["day"] - 6 * DAY < claims_since) | anchors["patient_id"].isin(tainted)
        shaky = anchors[unsure].groupby(RUN)["line"].min().rename("unsure").reset_index()
        hits = runs.merge(anchors, on=RUN, suffixes=("", "_counted")).merge(shaky, on=RUN, how="left")
        hits = hits[(hits["line_counted"] < hits["line"]) & (hits["day"] - hits["day_counted"] <= 6 * DAY)]
        hits = hits.sort_values("line_counted").drop_duplicates("line", keep="last")
        outcome = (hits["unsure"] < hits["line"]).map({True: "review", False: "violation"})
        related = lines["claim_id"].reindex(hits["line_counted"]).to_numpy()
        found.append(hits[KEY].assign(rule="FRQ001", outcome=outcome, related_id=related))
    return pd.concat(found)


def _near_visits(members: pd.DataFrame, lines: pd.DataFrame, visits: pd.DataFrame) -> pd.DataFrame:
    """LBK001 and LAH001."""
    visits = visits[visits["visit_start"].notna()]
    completed = _term(visits["status"]).isin(COMPLETED)
    as_of = _instant(pd.Series([visits.loc[completed, "visit_start"].max()]))[0]
    visits = visits[visits["patient_id"].isin(lines["patient_id"])]
    pairs = lines[["line", *KEY, "patient_id", "provider_id", "day", "start", "reach"]].merge(
        visits, on="patient_id", suffixes=("", "_visit")
    )
    at = pairs["visit_start"]
    pairs = pairs[(at >= pairs["day"] - 7 * DAY) & (at <= pairs["reach"] + pd.Timedelta(hours=26))].drop_duplicates()
    pairs = pairs[~pairs.duplicated(["line", "visit_id"], keep=False)].reset_index(drop=True)
    facts = members.merge(lines[["line", *KEY]], on=KEY)
    facts = facts[facts["line"].isin(pairs["line"])].groupby("line")
    own_calls, named = facts["call_id"].agg(set), facts["related_visit_id"].agg(_known)
    problems, diagnoses = facts["problem_id"].agg(_known), facts["diagnosis_codes"].agg(_categories)
    line, visit = pairs["line"], pairs["visit_id"]
    calls_of = line.map(own_calls)
    own = _contains(calls_of, visit)
    pairs["linked"] = _contains(calls_of, pairs["originating_call_id"]) | _contains(line.map(named), visit)
    pairs["related"] = _related(pairs, line.map(problems), line.map(diagnoses))
    codes = {text: _codes(text) for text in pairs["cpt_codes"].dropna().unique()}
    no_codes = pairs["cpt_codes"].map({text: not found for text, found in codes.items()}).fillna(True).astype(bool)
    family = {text: bool(found) and set(found) <= FAMILY for text, found in codes.items()}
    observed = {text: any(map(_is_visit, found)) for text, found in codes.items()}
    only_family, has_visit = (pairs["cpt_codes"].map(flag).fillna(False).astype(bool) for flag in (family, observed))
    in_person = no_codes & ~_term(pairs["modality"]).isin(PHONE)
    pairs = pairs[~own & ~only_family & (pairs["linked"] | in_person | has_visit)].copy()
    for name in ("start", "reach", "visit_start", "booked_at"):
        pairs[f"{name}_at"] = _instant(pairs[name])
    status = _term(pairs["status"])
    done, open_, off = status.isin(COMPLETED), status.isin(SCHEDULED), status.isin(OFF)
    sure = status.isna() | done | open_ | off
    undone, past = status.isna() | ~sure, pairs["visit_start_at"] <= as_of
    kept = done | (undone & past)
    yes, maybe = pairs["related"] == "yes", pairs["related"] != "no"
    from_call = pairs["linked"] | (pairs["booked_at_at"] >= pairs["start_at"])
    back, ahead = pairs["start_at"] - pairs["visit_start_at"], pairs["visit_start_at"] - pairs["reach_at"]
    before = _outcomes(
        pairs, "LBK001", back > pd.Timedelta(0), kept & yes & sure, (kept | (open_ & past)) & maybe,
        pairs["day"] - pairs["visit_start"].dt.normalize(), back,
    )  # fmt: skip
    firm = pairs["linked"] | (yes & (pairs["booked_at"].isna() | from_call)) | (maybe & from_call)
    gap = pairs["visit_start"].dt.normalize() - pairs["reach"].dt.normalize()
    after = _outcomes(
        pairs, "LAH001", (back <= pd.Timedelta(0)) & (ahead <= DAY), ~off & sure & firm,
        (~off & (maybe | from_call)) | (off & from_call & maybe),
        gap.clip(lower=pd.Timedelta(0)), ahead.clip(lower=pd.Timedelta(0)),
    )  # fmt: skip
    return pd.concat([before, after])


def _outcomes(
    pairs: pd.DataFrame, rule: str, sight: pd.Series, violation: pd.Series, review: pd.Series, gap: pd.Series,
    elapsed: pd.Series,
) -> pd.DataFrame:  # fmt: skip
    """The strongest record of each claim, then the nearest."""
    found = pairs[KEY].assign(related_id=pairs["visit_id"], rule=rule, gap=gap, elapsed=elapsed)
    found["outcome"] = violation.map({True: "violation", False: "review"})
    found = found[sight & (violation | review)].sort_values(
        ["outcome", "gap", "elapsed", "related_id"], ascending=[False, True, True, True]
    )
    return found.drop_duplicates(KEY)[[*KEY, "rule", "outcome", "related_id"]]


def _related(pairs: pd.DataFrame, problems: pd.Series, diagnoses: pd.Series) -> list[str]:
    texts = {text: _categories([text]) for text in pairs["diagnosis_codes"].dropna().unique()}
    ladder = []
    columns = (pairs["linked"], problems, pairs["problem_id"], diagnoses, pairs["diagnosis_codes"],
               pairs["provider_id"] == pairs["provider_id_visit"])  # fmt: skip
    for linked, own, problem, categories, text, same in zip(*columns, strict=True):
        theirs = texts.get(text, set())
        if linked:
            ladder.append("yes")
        elif own and not pd.isna(problem):
            differs = "unknown" if categories & theirs else "no"
            ladder.append("yes" if problem in own else differs)
        elif categories and theirs:
            ladder.append("yes" if categories & theirs else "no")
        else:
            ladder.append("yes" if same else "unknown")
    return ladder


def _term(values: pd.Series) -> pd.Series:
    """Words without case, `_`, `-` or spaces; each different word is looked at once."""
    words = {word: re.sub("[_ -]", "", word.lower()) for word in values.dropna().unique()}
    return values.map(words)


def _instant(wall: pd.Series) -> pd.Series:
    return wall.dt.tz_localize(ZONE).dt.tz_convert("UTC")


def _contains(sets: pd.Series, values: pd.Series) -> pd.Series:
    found = [value in held for held, value in zip(sets, values, strict=True)]
    return pd.Series(found, index=values.index, dtype=bool)


def _known(values: pd.Series) -> set[str]:
    return set(values.dropna())


def _codes(text: str) -> list[str]:
    found = (re.match("[A-Z0-9]+", part) for part in re.split(r"[;,|\s]+", text.upper()))
    return [match[0] for match in found if match]


def _categories(values: object) -> set[str]:
    return {code[:3] for text in values if not pd.isna(text) for code in _codes(text.replace(".", ""))}


SINGLES, RANGES = visit_codes()


def _is_visit(code: str) -> bool:
    inside = code.isdigit() and len(code) == 5 and any(low <= int(code) <= high for low, high in RANGES)
    return code not in FAMILY and (code in SINGLES or inside)


def write(export: Path, file: Path) -> int:
    """Write the findings, and count them."""
    found = answer(export)
    found.to_parquet(file)
    return len(found)


if __name__ == "__main__":
    print(write(Path(sys.argv[1]), Path(sys.argv[2])))
