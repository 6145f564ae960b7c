"""Ways to spoil an export: in its cells, or in the bytes of its files. Every way takes its chances from `rng` alone."""

from __future__ import annotations

import random
from collections.abc import Callable

from auditor.schema.tables import TABLES
from tests.slow.fuzz.exports import CANARY, LINKS, Table

Tables = dict[str, Table]

NUMBERS = ("0", "-0", "+1", "-1", "1e400", "-1e400", "1e-400", "1e18", "1E5", "9" * 40, "0." + "9" * 40, "NaN", "inf",
           "-Infinity", "0x10", "1_000", "1,5", "1,234.50", "$1.005", "($5)", "٣", "½", "1 000", ".", "e", "99999999999999.99",
           "9999999999999999.99", "1440", "1440.0001", "24:00:01", "00:30", "999999:59", "21:60", "-5:00", "2.98725E+13")  # fmt: skip
TIMES = ("0000-00-00", "0000-01-01", "0001-01-01", "0002-01-01", "1582-10-10", "1677-09-20", "1883-11-18T12:00:00",
         "1970-01-01T00:00:00Z", "2262-04-12", "9998-12-31T23:59:59", "9999-12-31", "9999-12-31T23:59:59", "10000-01-01",
         "2026-02-29", "2024-02-29", "2026-13-01", "2026-03-08T02:30:00", "2025-11-02T01:30:00", "2025-11-02T01:30:00-05:00",
         "2026-03-01T24:00:00", "2026-03-01T23:59:60", "2026-03-01T10:00:00+25:00", "2026-03-01T10:00:00-12:00",
         "2026-03-01T10:00:00.123456789123Z", "2026-03-01T10:00:00,5", "2026-03-01 9:00", "3/1/2026 12:00 AM",
         "13/13/2026", "1/1/26", "20260301", "2026-W10-1", "46082", "1772323200", "2026-03-01T10:00:00 America/New_York",
         "-2026-03-01", "2026-03-01T00:00:00", "2026-06-29T17:30:01")  # fmt: skip
TEXTS = ("", " ", "\t", "\u00a0", "\u200b", "\ufeff", "\u202eABC", "e\u0301", "\u00e9", "\U0001f4de", "\U0001f468\u200d\U0001f469",
         "\U0010ffff", "\ufffe", "\\ud800", "\x01", "\x1b[31m", "\x7f", "\x85", "\u2028", "=1+1", "=HYPERLINK(\"http://x\")",
         "+1", "-1", "@SUM(A1)", "|calc", "'", '"', '""', ",", ";", "|", "a\nb", "a\r\nb", "a\rb", "\\", "\\N", "%s", "{}", "{0}",
         "[red]x[/red]", "<script>alert(1)</script>", "</script><!--", "&amp;", "null", "None", "NA", "n/a", "true", "FALSE",
         "yes", "0", "1", "-", "x" * 5_000, "y" * 40_000, "\u0130", "\u00df", "ﬁ", "../../etc/passwd", "C:\\x",
         "98968", "98966", "99213-25", "98968;98968", "99213 98968", "36591", "99213 " * 500)  # fmt: skip
WORDS = tuple(
    word
    for spec in TABLES.values()
    for column in spec.columns.values()
    for term, also in (column.vocabulary or {}).items()
    for word in (term, *also, term.upper(), f" {term} ", f"{term}x")
    if term
)
_FIT = (
    *((part, TIMES) for part in ("_start", "_end", "_at", "_date")),
    *((part, NUMBERS) for part in ("minutes", "seconds", "units", "amount", "_days", "_line")),
    *((part, WORDS) for part in ("status", "modality", "initiated", "caller", "purpose", "established", "soonest")),
)
NOISE = (b'"', b'"', b'""', b"\n", b"\r", b"\r\n", b"\n\n", b"\0", b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\xff\xfe", b",", b";", b"|", b"\t",
         b" ", b"0", b"-", b"=", b"\xf0\x9f\x93\x9e", b"\xed\xa0\x80", b"\x1a", b"\x1f\x8b", b"PAR1", b"'", b"\\", b",,,,,,,,")  # fmt: skip


def cells(tables: Tables, rng: random.Random) -> str:
    """Spoil the cells, rows or columns of one table in one way; says how, without values."""
    name = rng.choices(list(tables), [3 if name != "providers" else 1 for name in tables])[0]
    way = rng.choices([way for way, _ in _WAYS], [weight for _, weight in _WAYS])[0]
    if tables[name].rows:
        way(tables[name], rng, name)
    return f"{way.__name__.lstrip('_')} in {name}"


def nasty(rng: random.Random, header: str) -> str:
    """A value that some reader somewhere has stumbled over, more often than not one of the column's kind."""
    kinds = (NUMBERS, TIMES, TEXTS, WORDS)
    fit = next((values for part, values in _FIT if part in header), TEXTS)
    value = rng.choice(fit if rng.random() < 0.6 else rng.choice(kinds))
    return f"{CANARY}{value}" if rng.random() < 0.15 else value


def _replace(table: Table, rng: random.Random, name: str) -> None:
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(len(table.headers))
        rng.choice(table.rows)[at] = nasty(rng, table.headers[at])


def _steal(table: Table, rng: random.Random, name: str) -> None:
    """A link, a patient or a provider becomes another row's, or another column's value."""
    links = [at for at, header in enumerate(table.headers) if header in (*LINKS, "patient_id", "provider_id")]
    to = rng.choice(links or [0])
    origin = rng.choice(links or [0]) if rng.random() < 0.3 else to
    rng.choice(table.rows)[to] = rng.choice(table.rows)[origin] + rng.choice(("", "", "", " ", "\n", "\u200b", "."))


def _move(table: Table, rng: random.Random, name: str) -> None:
    """Two cells of one row change places."""
    row = rng.choice(table.rows)
    one, other = rng.randrange(len(row)), rng.randrange(len(row))
    row[one], row[other] = row[other], row[one]


def _pad(table: Table, rng: random.Random, name: str) -> None:
    """Blanks around values say nothing."""
    at = rng.randrange(len(table.headers))
    for row in rng.sample(table.rows, min(20, len(table.rows))):
        row[at] = f" {row[at]}\t" if rng.random() < 0.5 else f"{row[at]} "


def _column(table: Table, rng: random.Random, name: str) -> None:
    at = rng.randrange(len(table.headers))
    value = nasty(rng, table.headers[at])
    for row in table.rows:
        row[at] = value


def _swap_headers(table: Table, rng: random.Random, name: str) -> None:
    one, other = rng.randrange(len(table.headers)), rng.randrange(len(table.headers))
    table.headers[one], table.headers[other] = table.headers[other], table.headers[one]


def _drop_column(table: Table, rng: random.Random, name: str) -> None:
    required = [column.name for column in TABLES[name].columns.values() if column.required]
    optional = [at for at, header in enumerate(table.headers) if header not in required or rng.random() < 0.1]
    if optional:
        at = rng.choice(optional)
        for row in (table.headers, *table.rows):
            del row[at]


def _repeat_column(table: Table, rng: random.Random, name: str) -> None:
    at = rng.randrange(len(table.headers))
    for row in (table.headers, *table.rows):
        row.append(row[at])


def _rename(table: Table, rng: random.Random, name: str) -> None:
    at = rng.randrange(len(table.headers))
    column = TABLES[name].columns.get(table.headers[at])
    known = (table.headers[at], *(column.aliases if column else ()))
    change: Callable[[str], str] = rng.choice((str, str.upper, str.title, lambda text: f" {text.replace('_', '-')} "))
    table.headers[at] = change(rng.choice(known))


def _add_column(table: Table, rng: random.Random, name: str) -> None:
    header = rng.choice(("notes", "", " ", "unnamed: 0", "日付", "a\nb", "x" * 300, f"column_{len(table.headers)}"))
    at = rng.randint(0, len(table.headers))
    for row in table.rows:
        row.insert(at, nasty(rng, header))
    table.headers.insert(at, header)


def _reorder(table: Table, rng: random.Random, name: str) -> None:
    order = rng.sample(range(len(table.headers)), len(table.headers))
    for row in (table.headers, *table.rows):
        row[:] = [row[at] for at in order]


def _shuffle(table: Table, rng: random.Random, name: str) -> None:
    rng.shuffle(table.rows)


def _repeat(table: Table, rng: random.Random, name: str) -> None:
    """Exact copies of rows."""
    for _ in range(rng.randint(1, 4)):
        table.rows.insert(rng.randint(0, len(table.rows)), list(rng.choice(table.rows)))


def _contradict(table: Table, rng: random.Random, name: str) -> None:
    """A copy of a row with one cell changed."""
    row = list(rng.choice(table.rows))
    at = rng.randrange(len(row))
    row[at] = nasty(rng, table.headers[at]) if rng.random() < 0.5 else rng.choice(table.rows)[at]
    table.rows.insert(rng.randint(0, len(table.rows)), row)


def _delete(table: Table, rng: random.Random, name: str) -> None:
    for _ in range(rng.randint(1, 3)):
        if len(table.rows) > 1:
            table.rows.pop(rng.randrange(len(table.rows)))


def _blank(table: Table, rng: random.Random, name: str) -> None:
    table.rows.insert(rng.randint(0, len(table.rows)), [""] * len(table.headers))


_WAYS = (
    (_replace, 12), (_steal, 5), (_move, 3), (_pad, 3), (_repeat, 3), (_contradict, 4), (_delete, 3), (_shuffle, 2),
    (_reorder, 2), (_rename, 2), (_add_column, 2), (_blank, 1), (_column, 1), (_swap_headers, 1), (_drop_column, 1),
    (_repeat_column, 1),
)  # fmt: skip


def data(raw: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Spoil bytes in one way."""
    at = rng.randrange((len(raw) if rng.random() < 0.8 else min(len(raw), 1000)) + 1)
    until = min(len(raw), at + rng.choice((1, 1, 2, 8, 100, 1000)))
    way = rng.choices(("change", "flip", "insert", "delete", "repeat", "blank", "exchange", "cut", "substitute", "headless",
                       *_OF_LINES), (6, 3, 6, 3, 2, 1, 2, 2, 1, 1, *[1] * len(_OF_LINES)))[0]  # fmt: skip
    if way == "change":
        raw = raw[:at] + bytes([rng.randrange(32, 127)]) + raw[at + 1 :]
    elif way == "flip" and at < len(raw):
        raw = raw[:at] + bytes([raw[at] ^ (1 << rng.randrange(8))]) + raw[at + 1 :]
    elif way == "insert":
        raw = raw[:at] + rng.choice(NOISE) + raw[at:]
    elif way == "delete":
        raw = raw[:at] + raw[until:]
    elif way == "repeat":
        raw = raw[:until] + raw[at:until] + raw[until:]
    elif way == "blank":
        raw = raw[:at] + rng.choice((b"\0", b" ", b"\n", b",")) * (until - at) + raw[until:]
    elif way == "exchange":
        other = rng.randrange(len(raw) + 1)
        first, second = sorted((at, other))
        raw = raw[:first] + raw[second : second + until - at] + raw[first:second] + raw[second + until - at :]
    elif way == "cut":
        raw = raw[: rng.choice((at, 0, 1, 3, 4, len(raw) - 1, len(raw) - 4))]
    elif way == "substitute":
        raw = raw.replace(*rng.choice(((b",", b";"), (b",", b"\t"), (b"\n", b"\r"), (b"\n", b"\r\n"), (b"\n", b"\n\n"), (b"ZQX", b'"ZQX"'),
                                       (b"-", b"/"), (b"T", b" "), (b"0", b"\xd9\xa0"))))  # fmt: skip
    elif way == "headless":
        raw = raw.partition(b"\n")[2]
    elif way in _OF_LINES:
        lines = raw.splitlines(keepends=True)
        _OF_LINES[way](lines, rng)
        raw = b"".join(lines)
    return raw, way


def _short_and_long(lines: list[bytes], rng: random.Random) -> None:
    """A record loses a delimiter and another one gets it: the sum says nothing."""
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    if b"," in lines[one]:
        lines[one] = lines[one].replace(b",", b"", 1)
        lines[other] = b"," + lines[other]


def _late_quote(lines: list[bytes], rng: random.Random) -> None:
    """A quote in one of the last lines, well placed or not."""
    at = rng.randrange(max(0, len(lines) - 3), len(lines))
    lines[at] = rng.choice((b'"' + lines[at], lines[at].replace(b",", b',"', 1), lines[at].replace(b",", b',"",', 1)))


def _lone_cr(lines: list[bytes], rng: random.Random) -> None:
    at = rng.randrange(len(lines))
    lines[at] = lines[at].rstrip(b"\r\n") + rng.choice((b"\r", b"\r\r\n", b"\n\r"))


def _quoted_delimiter(lines: list[bytes], rng: random.Random) -> None:
    """A cell becomes two, in quotes: `a` → `"a,a"`."""
    at = rng.randrange(len(lines))
    cells = lines[at].rstrip(b"\r\n").split(b",")
    cell = rng.randrange(len(cells))
    cells[cell] = b'"' + cells[cell] + b"," + cells[cell] + b'"'
    lines[at] = b",".join(cells) + b"\n"


_OF_LINES: dict[str, Callable[[list[bytes], random.Random], None]] = {
    "short and long": _short_and_long, "late quote": _late_quote, "lone CR": _lone_cr, "quoted delimiter": _quoted_delimiter,
}  # fmt: skip
