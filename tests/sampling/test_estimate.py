"""`estimate`: the formulas against published examples and other libraries, and every way a review can be wrong."""

from __future__ import annotations

import csv
import io
import json
import math
import random
import re
import statistics
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import combinations, product
from pathlib import Path

import pytest
from scipy import stats
from xlsxwriter import Workbook

from auditor.errors import AuditError, InputRefused, UsageError
from auditor.sampling.estimate import Stratum, estimate
from auditor.sampling.frame import Design, draw, write
from auditor.sampling.rat_stats import full_sample
from auditor.sampling.reviewed_sample import review
from cli import frame_command
from tests.sampling.test_frame import a_run, claim

Rows = list[dict[str, str]]


def spread(mean: float, variance: float, n: int) -> list[float]:
    """n values with exactly this mean and variance, as tables publish them."""
    away = math.sqrt(variance * (n - 1) / (n - n % 2))
    return [mean + away] * (n // 2) + [mean - away] * (n // 2) + [mean] * (n % 2)


def test_cochran_petitions():
    """Cochran (1977), section 2.8: signatures on 50 of 676 sheets.

    19,888 in all; 80% limits 18,107 and 21,669 (1.28 s.e.).
    """
    sheets = {42: 23, 41: 4, 36: 1, 32: 1, 29: 1, 27: 2, 23: 1, 19: 1, 16: 2, 15: 2, 14: 1, 11: 1, 10: 1, 9: 1, 7: 1,
              6: 3, 5: 2, 4: 1, 3: 1}  # fmt: skip
    values = [float(signatures) for signatures, number in sheets.items() for _ in range(number)]
    assert (len(values), sum(values), sum(value**2 for value in values)) == (50, 1471, 54497)
    made = estimate([Stratum("all", 676, values)])
    assert round(made.total) == 19_888
    assert made.total - 1.28 * made.standard_error == pytest.approx(18_107, abs=1)
    assert made.total + 1.28 * made.standard_error == pytest.approx(21_669, abs=1)
    assert made.degrees == pytest.approx(49)
    half = stats.t.ppf(0.95, 49) * made.standard_error
    assert (made.lower, made.upper) == pytest.approx((made.total - half, made.total + half))


def test_lohr_counties():
    """Lohr (2022), Sampling: Design and Analysis, example 3.2: farm acres of a stratified sample of 300 counties."""
    regions = (
        Stratum("North Central", 1054, spread(300_504.16, 29_618_183_543, 103)),
        Stratum("Northeast", 220, spread(97_629.81, 7_647_472_708, 21)),
        Stratum("South", 1382, spread(211_315.04, 53_587_487_856, 135)),
        Stratum("West", 422, spread(662_295.51, 396_185_950_266, 41)),
    )
    made = estimate(regions, net=True)
    assert made.total == pytest.approx(909_736_035, rel=1e-7)
    assert made.standard_error == pytest.approx(50_417_248, rel=1e-7)
    each = [estimate([region], net=True) for region in regions]
    assert [one.total for one in each] == pytest.approx([316_731_380, 21_478_558, 292_037_391, 279_488_706], rel=1e-6)
    assert [one.standard_error for one in each] == pytest.approx(
        [16_977_399, 3_992_889, 26_154_840, 39_416_342], rel=1e-6
    )


def test_r_survey_fpc():
    """The data set `fpc` of R's survey package: its manual's mean is 5.4481 with standard error 0.616."""
    made = estimate([Stratum("1", 15, [2.8, 4.1, 6.8, 6.8, 9.2]), Stratum("2", 12, [3.7, 6.6, 4.2])])
    assert made.total / 27 == pytest.approx(5.4481, abs=5e-5)
    assert made.standard_error / 27 == pytest.approx(0.616, abs=5e-4)


STRATUM_1 = [
    80,
    43,
    133,
    125,
    116,
    84,
    111,
    148,
    104,
    114,
    83,
    132,
    96,
    86,
    66,
    89,
    72,
    114,
    135,
    71,
    127,
    105,
    102,
    69,
    76,
]
STRATUM_2 = [354, 328, 313, 250, 261, 294, 380, 296, 248, 277, 331, 305, 360, 348, 318, 290, 249, 362, 348, 355, 295, 277,
             355, 314, 277]  # fmt: skip


def test_rat_stats_simple_sample():
    """RAT-STATS Companion Manual (5/2010), pages 3-5 and 3-6: 50 of 10,000, mean 70.60, standard deviation 48.2519."""
    made = estimate([Stratum("all", 10_000, spread(70.60, 48.2519**2, 50))])
    assert (round(made.total), round(made.standard_error)) == (706_000, 68_068)
    assert (round(made.lower), round(made.upper)) == (591_881, 820_119)
    assert (made.rat_stats_lower, made.rat_stats_upper) == (made.lower, made.upper)
    assert made.precision / made.total == pytest.approx(0.1616, abs=5e-5)


def test_rat_stats_stratified_sample_takes_the_normal_quantile():
    """Pages 3-11 to 3-14, file DATASTRAT.TXT: the limits by Student's t are wider."""
    made = estimate([Stratum("1", 5_200, STRATUM_1), Stratum("2", 3_500, STRATUM_2)])
    assert (round(made.total), round(made.standard_error)) == (1_605_948, 38_870)
    assert (round(made.rat_stats_lower), round(made.rat_stats_upper)) == (1_542_012, 1_669_884)
    assert (round(made.lower), round(made.upper)) == (1_540_754, 1_671_142)


@pytest.mark.parametrize(
    ("units", "reviewed", "wrong", "limits"),
    [
        (100, 10, 4, (16, 68)),  # the example of its technical notes
        (10_000, 400, 82, (1_729, 2_403)),  # page 2-2
        (40, 40, 3, (3, 3)),
        (5, 2, 2, (2, 5)),
        (100, 10, 0, (0, 24)),
    ],
)
def test_rat_stats_units_in_error_of_a_simple_sample(units: int, reviewed: int, wrong: int, limits: tuple[int, int]):
    """The limits by the definition on page 2-3, in whole numbers: those beside them are too far."""
    made = estimate([Stratum("all", units, [1] * wrong + [0] * (reviewed - wrong))])
    assert (made.wrong_lower, made.wrong_upper) == limits
    ways = lambda count, found: math.comb(count, found) * math.comb(units - count, reviewed - found)  # noqa: E731
    likely = lambda count, found: 20 * sum(ways(count, x) for x in found) > math.comb(units, reviewed)  # noqa: E731
    lower, upper = limits
    enough, few, most = range(wrong, reviewed + 1), range(wrong + 1), units - reviewed + wrong
    assert likely(lower, enough) and (lower == wrong or not likely(lower - 1, enough))
    assert likely(upper, few) and (upper == most or not likely(upper + 1, few))


def test_rat_stats_units_in_error_of_a_stratified_sample():
    """Pages 2-6 to 2-8: 2 of 100 from 1,000, 6 of 100 from 1,500."""
    made = estimate([Stratum("1", 1_000, [1] * 2 + [0] * 98), Stratum("2", 1_500, [1] * 6 + [0] * 94)])
    assert (made.rate, made.wrong_lower, made.wrong_upper) == (pytest.approx(0.044), 49, 171)


@pytest.mark.parametrize(
    ("mean", "deviation", "units", "sizes"),
    [
        (400, 50, 100_000, [1, 2, 4, 17, 106, 421]),  # page 4-5
        (45, 117.5532, 10_000, [287, 758, 1_559, 4_248, 8_219, 9_486]),  # page 4-9
    ],
)
def test_rat_stats_full_sample_of_a_probe(mean: float, deviation: float, units: int, sizes: list[int]):
    assert list(full_sample(mean * units, [(units, deviation**2)]).values()) == sizes


def test_a_full_sample_has_its_precision_when_it_is_allocated_in_proportion():
    strata = [Stratum("1", 5_200, STRATUM_1), Stratum("2", 3_500, STRATUM_2)]
    made = estimate(strata)
    assert list(made.full_sample) == [0.25, 0.15, 0.10, 0.05, 0.02, 0.01]
    size = made.full_sample[0.01]
    variance = sum(
        part.units**2 * (1 - size / 8_700) * statistics.variance(part.errors) / (size * part.units / 8_700)
        for part in strata
    )
    assert 1.644853626951 * math.sqrt(variance) / made.total == pytest.approx(0.01, rel=1e-3)
    assert estimate([Stratum("all", 90, [0] * 30)]).full_sample == {}
    assert estimate([Stratum("all", 90, [-1, -5])], net=True).full_sample == {}


def test_underpayments_count_as_0_unless_they_are_netted():
    strata = [Stratum("all", 90, [10, 0, -4, 6])]
    plain, netted = estimate(strata), estimate(strata, net=True)
    assert (plain.total, netted.total) == (360, 270)
    assert plain.lower == estimate([Stratum("all", 90, [10, 0, 0, 6])]).lower
    assert (plain.wrong, plain.underpaid, plain.underpayments) == (3, 1, -4)
    assert (plain.wrong, plain.rate, plain.underpaid) == (netted.wrong, netted.rate, netted.underpaid)
    assert (plain.netted, netted.netted) == (False, True)


def test_two_large_strata_are_welchs_interval():
    """Two strata of one size without a finite population are a Welch comparison: its limits and degrees, from scipy."""
    draws = random.Random(1)
    one, two = [draws.gauss(5, 1) for _ in range(12)], [draws.gauss(-3, 6) for _ in range(7)]
    many = 10**13
    made = estimate([Stratum("1", many, one), Stratum("2", many, two)], net=True)
    welch = stats.ttest_ind(one, [-value for value in two], equal_var=False)
    limits = welch.confidence_interval(0.90)
    assert made.degrees == pytest.approx(welch.df)
    assert [made.lower / many, made.upper / many] == pytest.approx([limits.low, limits.high])


def test_over_all_possible_samples_it_is_unbiased():
    """Every sample of a small population once: the mean of the estimates is the total, that of the variances their
    variance.
    """
    strata = ((3, (0, 0, 31, 48, 7)), (2, (0, 12, 90)), (2, (5, -6)))
    estimates, variances = [], []
    for samples in product(*(combinations(values, n) for n, values in strata)):
        parts = [Stratum("", len(all_of), some) for (_, all_of), some in zip(strata, samples, strict=True)]
        made = estimate(parts, net=True)
        estimates.append(made.total)
        variances.append(made.standard_error**2)
    truth = sum(sum(values) for _, values in strata)
    mean = sum(estimates) / len(estimates)
    assert mean == pytest.approx(truth)
    assert sum(variances) / len(variances) == pytest.approx(
        sum((value - mean) ** 2 for value in estimates) / len(estimates)
    )


def covered(population: Sequence[Sequence[int]], sizes: Sequence[int], samples: int) -> float:
    draws, truth, hits = random.Random(98968), float(sum(map(sum, population))), 0
    for _ in range(samples):
        made = estimate(
            [Stratum("", len(part), draws.sample(part, n)) for part, n in zip(population, sizes, strict=True)]
        )
        hits += made.lower <= truth <= made.upper
    return hits / samples


def errors(draws: random.Random, units: int, rate: float) -> list[int]:
    return [draws.randint(10, 60) if draws.random() < rate else 0 for _ in range(units)]


@pytest.mark.slow
def test_the_interval_covers_the_truth_in_nine_of_ten_samples():
    """2,000 samples of a known population; the share that covers has a standard error of 0.7 points."""
    draws = random.Random(1)
    assert covered([errors(draws, 2_000, 0.35)], [100], 2_000) == pytest.approx(0.90, abs=0.02)


@pytest.mark.slow
def test_the_stratified_interval_covers_too():
    draws = random.Random(2)
    parts = [errors(draws, units, rate) for units, rate in ((700, 0.15), (200, 0.7), (30, 0.9))]
    assert covered(parts, [70, 25, 12], 2_000) == pytest.approx(0.90, abs=0.025)


def test_the_interval_is_not_to_be_trusted_where_errors_are_few():
    """Why there is a caution: with 1% of units in error, samples of 60 cover far less often than they should."""
    parts = [errors(random.Random(3), 2_000, 0.01)]
    assert covered(parts, [60], 500) < 0.75


def test_a_full_review_leaves_nothing_open():
    for strata in ([Stratum("", 3, [1, 0, 5])], [Stratum("", 1, [6]), Stratum("", 2, [0, 0])]):
        made = estimate(strata)
        assert (made.lower, made.upper, made.degrees) == (6, 6, None)
        assert made.cautions == ()


def test_a_stratum_reviewed_as_a_whole_adds_no_variance():
    part = Stratum("part", 50, [0, 3, 9, 0])
    alone, both = estimate([part]), estimate([part, Stratum("whole", 1, [400])])
    assert both.total == alone.total + 400
    assert (both.standard_error, both.degrees) == (alone.standard_error, alone.degrees)


@pytest.mark.parametrize("found", [[], [5]])
def test_one_unit_of_several_has_no_variance(found: list[int]):
    with pytest.raises(InputRefused, match=r"stratum 2: \d of 9 units reviewed; review at least 2"):
        estimate([Stratum("1", 5, [0, 1]), Stratum("2", 9, found)])


@pytest.mark.parametrize(
    ("strata", "words"),
    [
        ([Stratum("", 90, [1] * 5 + [0] * 24)], ["Units reviewed: 29,"]),
        ([Stratum("", 90, [1] * 4 + [0] * 26)], ["Reviewed units in error: 4,"]),
        ([Stratum("", 90, [1] * 5 + [0] * 25)], []),
        ([Stratum("", 90, [7] * 30)], ["no width"]),
        ([Stratum("", 90, [7, 1] * 15), Stratum("", 9, [0, 0])], ["all have the same error amount: 1;"]),
    ],
)
def test_cautions(strata: list[Stratum], words: list[str]):
    cautions = estimate(strata).cautions
    assert len(cautions) == len(words)
    assert all(word in caution for word, caution in zip(words, cautions, strict=True))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A frame of 60 claims in two strata, 10 of them drawn, with 2 spares each; CANARY in every identifier."""
    folder = tmp_path_factory.mktemp("drawn")
    claims = [
        claim(
            number,
            claim_id=f"CANARY{number}",
            patient_id=f"CANARY{number}",
            disposition="clear" if number % 3 else "review",
        )
        for number in range(60)
    ]
    run = a_run(folder / "run", claims)
    write(folder / "frame", draw(run, Design(strata="disposition", size=10, spares=2, seed=6)))
    return folder / "frame"


def reviewed(drawn: Path, change: Callable[[Rows], object] = lambda _: None) -> Rows:
    """The sample with an error of 10.00 in every second unit, then changed."""
    rows = list(csv.DictReader((drawn / "sample.csv").read_text().splitlines()))
    for row in rows:
        if row["kind"] == "sample":
            row["error_amount"] = "10.00" if int(row["draw_order"]) % 2 else "0"
    change(rows)
    return rows


def as_csv(rows: Rows, path: Path) -> Path:
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(stream.getvalue())
    return path


def as_xlsx(rows: Rows, path: Path) -> Path:
    """As a spreadsheet saves it: amounts are numbers."""
    with Workbook(path) as book:
        sheet = book.add_worksheet("Sample")
        sheet.write(0, 0, "note")
        sheet.write_row(1, 0, list(rows[0]))
        for number, row in enumerate(rows, 2):
            for at, (head, value) in enumerate(row.items()):
                if head == "error_amount" and value:
                    sheet.write_number(number, at, float(value))
                else:
                    sheet.write_string(number, at, value)
    return path


def test_csv_and_workbook_say_the_same(drawn: Path, tmp_path: Path):
    rows = reviewed(drawn, lambda rows: rows[1].update(error_amount="0.1"))
    one = review(drawn, as_csv(rows, tmp_path / "done.csv"))
    rows[1]["error_amount"] = "0.1000000000000001"  # what a formula leaves
    random.Random(1).shuffle(rows)
    two = review(drawn, as_xlsx(rows, tmp_path / "done.xlsx"))
    assert [sorted(stratum.errors) for stratum in one.strata] == [sorted(stratum.errors) for stratum in two.strata]
    assert one.estimate == two.estimate
    assert (one.estimate.reviewed, one.estimate.wrong) == (10, 6)
    clear, flagged = one.strata
    assert (clear.name, clear.units, len(clear.errors)) == ("disposition clear", 40, 7)
    assert (flagged.name, flagged.units, len(flagged.errors)) == ("disposition review", 20, 3)
    assert one.estimate.total == pytest.approx(float(sum(clear.errors) * 40 / 7 + sum(flagged.errors) * 20 / 3))


@pytest.mark.parametrize(
    ("text", "value"),
    [("12.5", "12.50"), ("-3", "-3"), ("($1,234.00)", "-1234"), ("$7", "7"), (" 0 ", "0"), ("-0.00", "0")],
)
def test_amounts(drawn: Path, tmp_path: Path, text: str, value: str):
    rows = reviewed(drawn, lambda rows: [row.update(error_amount=text) for row in rows[:10]])
    reported = review(drawn, as_csv(rows, tmp_path / "done.csv"))
    assert {error for stratum in reported.strata for error in stratum.errors} == {Decimal(value)}


def test_spares_enlarge_the_sample_in_their_order(drawn: Path, tmp_path: Path):
    first = {row["stratum"]: row["draw_order"] for row in reversed(reviewed(drawn)) if row["kind"] == "spare"}
    rows = reviewed(
        drawn, lambda rows: [row.update(error_amount="4") for row in rows if row["draw_order"] in first.values()]
    )
    reported = review(drawn, as_csv(rows, tmp_path / "done.csv"))
    assert [len(stratum.errors) for stratum in reported.strata] == [8, 4]
    assert any("Reviewed spares counted as sampled units: 2;" in caution for caution in reported.estimate.cautions)
    rows = reviewed(
        drawn,
        lambda rows: [
            row.update(error_amount="4")
            for row in rows
            if row["kind"] == "spare" and row["draw_order"] not in first.values()
        ],
    )
    with pytest.raises(InputRefused, match=r"the spare of order 1\d is reviewed, but an earlier one"):
        review(drawn, as_csv(rows, tmp_path / "gap.csv"))


@pytest.mark.parametrize(
    ("change", "reported"),
    [
        (lambda rows: rows[3].update(error_amount=""), "record 4: error_amount is blank; write 0"),
        (lambda rows: rows[3].update(error_amount="ten"), "record 4: error_amount is not a valid amount"),
        (lambda rows: rows[3].update(error_amount="10,00"), "record 4: error_amount is not a valid amount"),
        (lambda rows: rows[3].update(error_amount="1.005"), "record 4: error_amount has more than two decimal places"),
        (
            lambda rows: rows[3].update(unit_id="claim:other:1:98968"),
            "record 4: the unit_id is not one of the drawn units",
        ),
        (lambda rows: rows[3].update(unit_id=""), "record 4: the unit_id is not one of the drawn units"),
        (lambda rows: rows.append(rows[3]), "record 15: the same unit as in record 4"),
        (lambda rows: rows.pop(3), "the unit of order 4 is missing"),
        (lambda rows: [row.pop("error_amount") for row in rows], "0 columns error_amount, not one"),
    ],
)
def test_reviews_that_are_refused(drawn: Path, tmp_path: Path, change: Callable[[Rows], object], reported: str):
    path = as_csv(reviewed(drawn, change), tmp_path / "done.csv")
    with pytest.raises(InputRefused, match=re.escape(reported)) as refusal:
        review(drawn, path)
    assert "CANARY" not in str(refusal.value)


def test_a_row_of_the_workbook_is_named_as_the_spreadsheet_numbers_it(drawn: Path, tmp_path: Path):
    path = as_xlsx(reviewed(drawn, lambda rows: rows[3].update(error_amount="")), tmp_path / "done.xlsx")
    with pytest.raises(InputRefused, match="row 6: error_amount is blank"):
        review(drawn, path)


def copied(drawn: Path, to: Path) -> Path:
    to.mkdir()
    for path in drawn.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    return to


def test_the_file_that_is_filled_in_is_found(drawn: Path, tmp_path: Path):
    mine = copied(drawn, tmp_path / "mine")
    with pytest.raises(UsageError, match="error_amount is blank in every row"):
        review(mine)
    as_xlsx(reviewed(drawn), mine / "sample.xlsx")
    assert review(mine).path == mine / "sample.xlsx"
    as_csv(reviewed(drawn), mine / "sample.csv")
    with pytest.raises(UsageError, match="both have error amounts; choose one with --reviewed"):
        review(mine)
    (mine / "sample.xlsx").unlink()
    assert review(mine).path == mine / "sample.csv"


@pytest.mark.parametrize(
    ("name", "old", "new", "error", "reported"),
    [
        ("frame.csv", "31.25", "31.26", InputRefused, "its SHA-256 is not the one in frame.json"),
        ("frame.json", '"frame_sha256"', '"other"', InputRefused, "the file was changed"),
        ("frame.json", "{", "[", InputRefused, "the file was changed"),
        ("frame.json", '"name": "disposition clear"', '"name": "clear"', InputRefused, "does not match frame.csv"),
        ("frame.json", '"drawn": 7', '"drawn": 6', InputRefused, "not one of the drawn units"),
        ("frame.json", '"seed": 6', '"seed": 8', InputRefused, "not one of the drawn units"),
    ],
)
def test_a_frame_that_was_changed(
    drawn: Path, tmp_path: Path, name: str, old: str, new: str, error: type[AuditError], reported: str
):
    mine = copied(drawn, tmp_path / "mine")
    text = (mine / name).read_text()
    assert old in text
    (mine / name).write_text(text.replace(old, new, 1))
    with pytest.raises(error, match=re.escape(reported)):
        review(mine, as_csv(reviewed(drawn), tmp_path / "done.csv"))


def test_files_that_are_not_there(drawn: Path, tmp_path: Path):
    with pytest.raises(UsageError, match=r"this folder has no frame\.json"):
        review(tmp_path)
    with pytest.raises(UsageError, match="cannot be read"):
        review(drawn, tmp_path / "none.csv")
    (tmp_path / "bad.xlsx").write_bytes(b"text")
    with pytest.raises(InputRefused, match="not a workbook with a sheet Sample"):
        review(drawn, tmp_path / "bad.xlsx")


def test_claims_before_the_lookback_period_are_a_caution(drawn: Path, tmp_path: Path):
    path, mine = as_csv(reviewed(drawn), tmp_path / "done.csv"), copied(drawn, tmp_path / "mine")
    caution_of_dates = "service dates before 2020-04-01, more than six years before the run: 3;"
    assert not any("six years" in caution for caution in review(mine, path).estimate.cautions)
    manifest = json.loads((mine / "frame.json").read_text())
    (mine / "frame.json").write_text(json.dumps(manifest | {"claims_before_lookback": 3}))
    assert any(caution_of_dates in caution for caution in review(mine, path).estimate.cautions)


def test_what_is_printed(drawn: Path, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]):
    path = as_csv(reviewed(drawn, lambda rows: rows[0].update(error_amount="99")), tmp_path / "done.csv")
    assert frame_command.estimate(drawn, path) == 0
    text = capfdbinary.readouterr().out.decode()
    assert "10 of 60 claims reviewed; population audited; stratified by disposition" in text
    assert "5 with an error" in text
    assert "Units reviewed: 10," in text
    assert "Units with an error amount above their own amount: 1;" in text
    assert "it establishes no overpayment" in text
    assert re.search(
        r"RAT-STATS of the OIG gives -?[\d.,]+ to [\d.,]+ \(normal quantile for a stratified sample\)", text
    )
    assert re.search(
        r"error rate [\d.]+%, 90% interval \d+ to \d+ claims in error \(normal limits, as in RAT-STATS\)", text
    )
    assert re.search(r"Full sample at 90% confidence, claims by precision: \d+ for 25%, \d+ for 15%", text)
    assert "CANARY" not in text
    assert frame_command.estimate(drawn, path, "json") == 0
    reported = json.loads(capfdbinary.readouterr().out)
    made = review(drawn, path).estimate
    assert (reported["lower"], reported["total"]) == (round(made.lower, 2), round(made.total, 2))
    assert f"Lower limit, which recoveries use by convention: {reported['lower']:,.2f}" in text
    assert (reported["rate"], reported["wrong"], reported["strata"][0]["reviewed"]) == (made.rate, 5, 7)
    assert reported["rat_stats_upper"] == round(made.rat_stats_upper, 2) < reported["upper"]
    assert reported["full_sample"][0] == {"precision": 0.25, "units": made.full_sample[0.25]}
    path = as_csv(reviewed(drawn, lambda rows: rows[0].update(error_amount="-99")), tmp_path / "under.csv")
    frame_command.estimate(drawn, path)
    assert "Underpayments found: 1 unit, 99.00, not subtracted; --net" in capfdbinary.readouterr().out.decode()
    frame_command.estimate(drawn, path, "json", net=True)
    assert json.loads(capfdbinary.readouterr().out)["total"] == round(review(drawn, path, net=True).estimate.total, 2)
    with pytest.raises(UsageError, match="--format: 'csv' is not one of text, json"):
        frame_command.estimate(drawn, path, "csv")
