"""`init`: a valid, commented policy with a suggested column mapping for the given files.

It reads the headers and the first rows, and states how certain each mapping is. It quotes only values of vocabulary
columns.

Source: docs/specification.md#headers, docs/specification.md#commands.
"""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from auditor import policy
from auditor.errors import InputRefused, OutputFailed, UsageError
from auditor.mapping import match as suggest_match
from auditor.mapping import row_flags
from auditor.mapping import values as suggest_values
from auditor.mapping.guess import Guess
from auditor.mapping.known import MEANINGS, ZONES
from auditor.mapping.values import Source
from auditor.parsing import instants
from auditor.policy import Policy
from auditor.quality import clock_offset
from auditor.reading import headers
from auditor.schema.names import is_word, without_credentials
from auditor.schema.tables import TABLES, Kind, fold
from auditor.sources import known

_WITHOUT_CALLS = "# Without calls, the rules that read them are not evaluated, and other rules compare dates."
_COMMENT = 48
"""Column at which comments begin."""
_NUMBERS = (Kind.MINUTES, Kind.MONEY)
_ENOUGH = 20
"""Fewest times of day from which working hours are estimated."""
_UTC = re.compile(r"(?i)(?<![a-z])(utc|gmt|zulu)(?![a-z])")


@dataclass(frozen=True)
class Suggestion:
    """The text of a policy, and the required columns that it does not map."""

    text: str
    missing: tuple[str, ...]


def suggest(paths: Mapping[str, Sequence[str]], *, show_ids: bool = False, database: str | None = None) -> Suggestion:
    """A policy for the tables' files. Raises UsageError, and InputRefused for files that cannot be read.

    Unknown values of vocabulary columns are quoted only if they are frequent and have no digits, or with `show_ids`.
    """
    base = policy.load().model_copy(update={"zone_names": ZONES})
    if not any(paths.values()):
        raise UsageError("no exports given; name them with --calls, --visits, --claims, --providers")
    if sum(list(files).count("-") for files in paths.values()) > 1:
        raise UsageError("-: only one table can be read from standard input; name files for the others")
    exports = {table: suggest_values.read(table, files, base, database) for table, files in paths.items()}
    if not show_ids:
        for table, export in exports.items():
            _require_headers(table, export.sources)
    found = suggest_match.match_all({table: export.sources for table, export in exports.items()}, base)
    formats = _formats(found, base)
    reader = base.model_copy(update={"instant_formats": tuple(formats)})
    lines = _head(paths, database, formats, _carry_offsets(found, reader))
    active = [(table, guess) for table, guesses in found.items() for guess in guesses.values() if guess.active]
    if any(source.declared for export in exports.values() for source in export.sources):
        why = "an export is not UTF-8; check that names with accents are correct"
        lines.append(_commented(f"encoding = {_quoted(suggest_values.GUESS)}", f"guess: {why}"))
    if words := _null_words([guess for _, guess in active]):
        nulls = ", ".join(map(_quoted, (*base.nulls, *words)))
        lines.append(
            _commented(f"nulls = [{nulls}]", f"likely: these repeat among dates or numbers: {', '.join(words)}")
        )
    if any(suggest_values.has_decimal_commas(guess.sources[0]) for _, guess in active if guess.column.kind in _NUMBERS):
        lines.append(_commented('decimal = ","', "likely: the numbers have decimal commas, such as 21,5"))
    above = [f"{table} = {export.above}" for table, export in exports.items() if export.above]
    units = [_commented(f'{guess.column.name} = "{guess.unit}"', guess.why) for _, guess in active if guess.unit]
    lines += [
        *_section("zone_names", _zone_names(active) if any("%Z" in form for form in formats) else []),
        *_section("timezones", [*_zones_of_headers(active, reader), *_zones_of_hours(found, reader)]),
        *_section("skip_rows", [_commented(line, "lines above the header") for line in above]),
        *_section("units", units),
    ]
    for table, export in exports.items():
        lines += [*_row_choices(table, export.sources, found[table])]
        lines += ["", *_systems(table, export.sources), *_table(table, export.sources, found[table], reader, show_ids)]
    for table in exports:
        lines += _values(table, found[table], base, show_ids)
    missing = [f"{table}.{name}" for table in exports for name, column in TABLES[table].columns.items()
               if column.required and not (name in found[table] and found[table][name].active)]  # fmt: skip
    return Suggestion("\n".join(lines) + "\n", tuple(missing))


def _null_words(guesses: Sequence[Guess]) -> list[str]:
    """What means a blank among dates and numbers; in the place of a patient's id it is a placeholder."""
    words = {word for guess in guesses for source in guess.sources for word in source.nulls}
    patients = [source for guess in guesses if guess.column.name == "patient_id" for source in guess.sources]
    return sorted(words - {word for source in patients for word in source.nulls})


def _require_headers(table: str, sources: Sequence[Source]) -> None:
    """Refuse a file whose first line may be a row, which would be quoted as headers. Raises InputRefused.

    A cell of a row is often found again below it; headers are not, but for a header line that is repeated whole.
    """
    names = [source.name for source in sources]
    required = sum(column.required for column in TABLES[table].columns.values())
    if len(names) == 1 and required > 1:
        raise InputRefused(
            f"{table}: the first line has no comma, tab, pipe or semicolon, but {required} columns are required; "
            "export the table as CSV or Parquet"
        )
    again = [bool((source.values == source.name).any()) for source in sources]
    telling = sum(_is_plain(name) for name in names)
    if not telling or (any(again) and not all(again)) or (headers.like_data(names) and 2 * telling < len(names)):
        raise InputRefused(
            f"{table}: the first line looks like data; is the header line missing? If it is the header, use --show-ids, "
            "which shows it"
        )


def _is_plain(name: str) -> bool:
    """Whether a header is one: a telling name that no cell holds."""
    return suggest_match.is_telling(name) and not headers.like_data([name]) and fold(name) not in headers.WORDS


def save(text: str, path: Path) -> None:
    """Write the policy to a new file. Raises UsageError where there is one already, OutputFailed where it cannot be."""
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise UsageError(f"{path}: this file exists; choose another name or move the file") from None
    except OSError as error:
        problem = f"cannot be written ({error.strerror}); check the path and its permissions"
        raise OutputFailed(f"{path}: {problem}") from error


def command(paths: Mapping[str, Sequence[str]], policy_file: str, database: str | None = None) -> str:
    """The command that shows what a policy makes of the files, as a shell takes it."""
    options = [
        one for table, files in paths.items() for file in files for one in (f"--{table.replace('_', '-')}", file)
    ]
    options += ["--database", database] if database else []
    return shlex.join(map(without_credentials, ["audit98968", "check", "--policy", policy_file, *options]))


def _head(paths: Mapping[str, Sequence[str]], database: str | None, formats: Sequence[str], offsets: bool) -> list[str]:
    shown = command(paths, "THIS_FILE", database).encode("unicode_escape").decode()
    lines = [
        "# `audit98968 init` suggests this policy from the headers and the first rows of the exports. Check every line:",
        "# `certain` is a known header; `likely` has a similar name and matching values. A `guess` and a REQUIRED column",
        "# that was not found are commented out: correct the line and remove the #.",
        f"# Then check the result: {shown}",
        "# The default policy sets all other keys: audit98968 policies show default",
        *([_WITHOUT_CALLS] if "claims" in paths and "calls" not in paths else []),
        "",
    ]
    zone = (
        "the times have offsets; set the zone of the local dates" if offsets else "set the zone of the exports' times"
    )
    lines.append(_commented('# timezone = "America/New_York"', f"{zone}; the default is UTC"))
    if formats:
        listed = ", ".join(_quoted(form) for form in formats)
        lines.append(_commented(f"instant_formats = [{listed}]", "the exports use these date formats"))
    if any("%d/%m" in form for form in formats):
        lines.append("# day/month/year: values such as 3/4/2026 are always read as day/month")
    return lines


def _section(name: str, lines: Sequence[str]) -> list[str]:
    """A table of the policy; its header is a comment, too, where all its lines are."""
    mark = "" if any(not line.startswith("#") for line in lines) else "# "
    return ["", f"{mark}[{name}]", *lines] if lines else []


def _zone_names(active: Sequence[tuple[str, Guess]]) -> list[str]:
    columns = [suggest_values.joined(guess.sources) for _, guess in active if guess.column.kind is Kind.INSTANT]
    names = {name for values in columns for name in suggest_values.zone_names(values).drop_nulls().unique()}
    return [f'{name} = "{ZONES[name.upper()]}"' for name in sorted(names)]


def _zones_of_headers(active: Sequence[tuple[str, Guess]], reader: Policy) -> list[str]:
    """Columns whose header says that their times are in UTC, and whose values do not."""
    return [
        _commented(f'"{table}.{guess.column.name}" = "UTC"', "likely: the header names UTC")
        for table, guess in active
        if guess.column.kind is Kind.INSTANT and any(_UTC.search(source.name) for source in guess.sources)
        and instants.read(suggest_values.joined(guess.sources), reader).has_local
    ]  # fmt: skip


def _zones_of_hours(found: Mapping[str, Mapping[str, Guess]], reader: Policy) -> list[str]:
    """Calls and visits at different hours of the day, as if one export were in another zone."""
    spans = []
    for table, name in (("calls", "call_start"), ("visits", "visit_start")):
        guess = found.get(table, {}).get(name)
        if guess is None or not guess.active:
            return []
        read = instants.read(suggest_values.joined(guess.sources), reader)
        hours = read.local.filter(~read.date_only & read.utc.is_not_null()).dt.hour()
        span = clock_offset.busiest_hours([int((hours == hour).sum()) for hour in range(24)])
        if span is None or not read.has_local or len(hours) < _ENOUGH:
            return []
        spans.append(span)
    calls, visits = spans
    if not clock_offset.differ(calls, visits):
        return []
    why = f"9 of 10 calls start between {clock_offset.clock(calls)}, visits between {clock_offset.clock(visits)}"
    return [_commented('# visits = "UTC"', f"ARE THE CALLS OR THE VISITS IN ANOTHER ZONE? {why}")]


def _systems(table: str, sources: Sequence[Source]) -> list[str]:
    """The sources that ship whose headers these are: they know more than the first rows show."""
    names = known.recognized(table, [source.name for source in sources])
    return [
        f"# Headers of {known.content(name)['system']}: --source {table}={name} knows its zone, words and rows too; remove "
        "this table's lines then"
        for name in names
    ]


def _table(
    table: str, sources: Sequence[Source], guesses: Mapping[str, Guess], reader: Policy, show_ids: bool
) -> list[str]:
    lines = [f"[columns.{table}]"]
    for name, column in TABLES[table].columns.items():
        if guess := guesses.get(name):
            names = [_quoted(source.name) for source in guess.sources]
            line = f"{name} = {names[0] if len(names) == 1 else '[' + ', '.join(names) + ']'}"
            notes = "; ".join([guess.why, *_notes(guess, guesses, reader)])
            needed = "REQUIRED, " if column.required and not guess.active else ""
            lines.append(_commented(line if guess.active else f"# {line}", f"{needed}{guess.sure}: {notes}"))
        elif column.required:
            lines.append(_commented(f'# {name} = ""', f"REQUIRED, not found: {column.meaning}"))
    used = {source.name for guess in guesses.values() if guess.active for source in guess.sources}
    unused = [source.name for source in sources if source.name not in used]
    shown = [name for name in unused if show_ids or suggest_match.is_telling(name) or not headers.like_data([name])]
    lines += _wrapped("# unused columns:", shown)
    if hidden := len(unused) - len(shown):
        lines.append(f"# unused columns with headers that look like data: {hidden}; init --show-ids shows them")
    absent = [name for name, column in TABLES[table].columns.items() if name not in guesses and not column.required]
    return lines + _wrapped("# optional columns not found:", absent)


def _notes(guess: Guess, guesses: Mapping[str, Guess], reader: Policy) -> list[str]:
    """What the first rows say about a column; shares and counts only."""
    notes = []
    blank = 1 - guess.filled
    if blank >= 0.005:
        notes.append("blank in every row" if blank == 1 else f"blank in {min(blank, 0.99):.0%} of the rows")
        notes[-1] += ", which are rejected" if guess.column.required else ""
    values = suggest_values.joined(guess.sources)
    if guess.column.kind in (Kind.INSTANT, Kind.DATE) and values.count():
        read = instants.read(values, reader)
        if suggest_values.reads_both_ways(values):
            first = "day" if any(re.search("%d[/.-]%m", form) for form in reader.instant_formats) else "month"
            notes.append(
                f"EVERY DATE READS MONTH FIRST OR DAY FIRST: it is read {first} first; instant_formats decides"
            )
        unread = (read.problem == instants.UNREADABLE).sum() / values.count()
        if unread > 0:
            notes.append(f"{unread:.1%} of the values are not valid dates")
        if guess.column.kind is Kind.INSTANT and (read.date_only | read.utc.is_null()).all():
            notes.append("CALLS NEED A TIME OF DAY" if guess.column.name == "call_start" else "dates without times")
        if guess.column.name == "call_end" and (start := guesses.get("call_start")):
            began = instants.read(suggest_values.joined(start.sources), reader).utc
            if before := (read.utc < began).sum():
                notes.append(f"{before} of {len(began)} end before they start (after midnight?) and are rejected")
    return notes


def _values(table: str, guesses: Mapping[str, Guess], base: Policy, show_ids: bool) -> list[str]:
    """Values that are not in a vocabulary, for the user to map."""
    lines = []
    for name, guess in guesses.items():
        column = guess.column
        if guess.values:
            lines += _combinations(table, guess)
        if column.kind not in (Kind.TERM, Kind.FLAG) or name == "claim_status" or not guess.active or guess.values:
            continue
        unknown = suggest_values.unknown_terms(guess.sources[0], column, table, base)
        rows, read = sum(count for _, count in unknown), guess.sources[0].values.count()
        if unknown and (rows < read or rows >= 3 * len(unknown)):  # else it may hold names or notes
            terms = sorted(set(base.terms(table, name).values()))
            lines += ["", f"# [values.{table}.{name}]", f"# map each value to one of: {', '.join(terms)}"]
            shown_values = [(value, count) for value, count in unknown if show_ids or is_word(value, count)]
            if hidden := len(unknown) - len(shown_values):
                lines.append(f"# rare values and values with digits: {hidden}; init --show-ids shows them")
            for value, count in shown_values:
                meanings = (term for terms, term in MEANINGS.get(name, ()) if re.search(terms, value, re.IGNORECASE))
                term = next(meanings, "")
                why = f"{'likely, according to its words; ' if term else ''}{count} of the rows read"
                lines.append(_commented(f'# {_quoted(value)} = "{term}"', why))
    return lines


def _combinations(table: str, guess: Guess) -> list[str]:
    """What the combinations of joined flags mean; those that are not clear are comments."""
    counts = dict(suggest_values.joined(guess.sources).drop_nulls().value_counts().rows())
    lines = []
    for text, term in guess.values.items():
        mark = "" if term and guess.active else "# "
        why = "likely, according to the headers" if term else "WHAT BECAME OF THESE VISITS?"
        lines.append(_commented(f'{mark}{_quoted(text)} = "{term}"', f"{why}; {counts[text]} of the rows read"))
    return _section(f"values.{table}.{guess.column.name}", lines)


def _row_choices(table: str, sources: Sequence[Source], guesses: Mapping[str, Guess]) -> list[str]:
    """The rows that the policy may choose, as comments."""
    why = {"keep": "WHICH ROWS ARE CHARGES? keep them only", "drop": "ARE THESE ROWS NO RECORDS? leave them out"}
    lines = []
    for mode, words in row_flags.choices(sources, guesses).items():
        columns = ", ".join(f"{_quoted(name)} = [{', '.join(map(_quoted, some))}]" for name, some in words.items())
        lines.append(_commented(f"# {mode} = {{ {columns} }}", why[mode]))
    return _section(f"rows.{table}", lines)


def _formats(found: Mapping[str, Mapping[str, Guess]], base: Policy) -> list[str]:
    """Formats that the chosen columns need, in the order in which they are needed."""
    formats: list[str] = []
    for guess in (guess for guesses in found.values() for guess in guesses.values()):
        if guess.column.kind in (Kind.INSTANT, Kind.DATE) and (guess.active or guess.column.required):
            reader = base.model_copy(update={"instant_formats": tuple(formats)})
            formats += suggest_values.missing_formats(suggest_values.joined(guess.sources).drop_nulls(), reader)
    return formats


def _carry_offsets(found: Mapping[str, Mapping[str, Guess]], reader: Policy) -> bool:
    columns = [
        suggest_values.joined(guess.sources)
        for guesses in found.values()
        for guess in guesses.values()
        if guess.column.kind is Kind.INSTANT and all(source.filled for source in guess.sources)
    ]
    return bool(columns) and not any(instants.read(values, reader).has_local for values in columns)


def _quoted(text: str) -> str:
    """A TOML basic string; its escapes are JSON's, but for the one character that JSON leaves alone."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _commented(line: str, comment: str) -> str:
    return f"{line:<{_COMMENT - 1}} # {comment}"


def _wrapped(intro: str, names: Sequence[str]) -> list[str]:
    """A comment that lists names, in lines of about 120 columns."""
    lines: list[str] = []
    for name in names:
        item = json.dumps(name, ensure_ascii=False).strip('"')
        if lines and len(lines[-1]) + len(item) < 116:
            lines[-1] += f" {item},"
        else:
            lines.append(f"{'#  ' if lines else intro} {item},")
    return [*lines[:-1], lines[-1][:-1]] if lines else []
