"""Kinds of columns, and the encoding of each."""

from __future__ import annotations

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest

from autoloss.core.errors import InputError
from autoloss.data.categories import CategoryColumn
from autoloss.data.dates import DateColumn, date_parts, find_format
from autoloss.data.kinds import kind_of
from autoloss.data.number_text import find_numbers, find_style
from autoloss.data.numbers import NumericColumn, Scale, parse_numbers, quantile_edges
from autoloss.data.unusable import check_cells
from autoloss.data.values import values_of

N = 200
RNG = np.random.default_rng(0)
WORDS = np.array(["red", "green", "loud", "quiet", "old", "new", "fast", "slow", "warm", "cold"])
SENTENCES = [" ".join(RNG.choice(WORDS, size=6)) for _ in range(N)]


@pytest.mark.parametrize(
    ("name", "values", "kind", "detail"),
    [
        ("age", RNG.integers(0, 90, N), "numeric", "plain"),
        ("price", RNG.normal(size=N), "numeric", "plain"),
        ("price", [f"${x:,.2f}" for x in RNG.uniform(10, 9999, N)], "numeric", "thousands"),
        ("price", [f"{x:.1f}".replace(".", ",") for x in RNG.normal(size=N)], "numeric", "comma"),
        ("share", [f"{x:.1f}%" for x in RNG.uniform(0, 99, N)], "numeric", "plain"),
        ("total", [*map(str, RNG.uniform(0, 9, N - 2)), " ", "unknown"], "numeric", "plain"),
        ("zip", [f"{x:05d}" for x in RNG.choice([123, 4567, 89012], N)], "categorical", ""),
        ("town", RNG.choice(["a", "b", "c"], N), "categorical", ""),
        ("flag", RNG.choice([True, False], N), "boolean", ""),
        ("flag", RNG.choice(["Yes", "no"], N), "boolean", ""),
        ("flag", np.array([True, None] * (N // 2), dtype=object), "boolean", ""),
        ("level", pd.Categorical(RNG.choice([1, 2, 3], N)), "categorical", ""),
        ("when", pd.date_range("2024-01-01", periods=N), "date", "ISO8601"),
        ("when", [datetime.date(2024, 1, 1 + i % 28) for i in range(N)], "date", "ISO8601"),
        ("when", [f"2024-01-{1 + i % 28:02d}" for i in range(N)], "date", "ISO8601"),
        ("when", [f"{1 + i % 28:02d}.03.2024 11:30" for i in range(N)], "date", "%d.%m.%Y %H:%M"),
        ("when", [f"{1 + i % 28}/3/2024" for i in range(N)], "date", "%d/%m/%Y"),
        ("remark", SENTENCES, "text", ""),
        ("gene", ["".join(RNG.choice(list("acgt"), 90)) for _ in range(N)], "text", ""),
        ("review", ["".join(RNG.choice(list("好的坏菜很不"), 8)) for _ in range(N)], "text", ""),
        ("customerID", [f"{i:04d}-X" for i in RNG.permutation(N)], "dropped", "an identifier"),
        ("user_id", RNG.permutation(N) + 1000, "dropped", "an identifier"),
        ("row", np.arange(N), "dropped", "an identifier"),
        ("count", np.arange(N) * 10 + 5, "dropped", "counts the rows"),
        ("phone", RNG.choice(10**8, N, replace=False) + 10**9, "dropped", "an identifier"),
        ("uuid", [f"{x:032x}" for x in range(N)], "dropped", "an identifier"),
        ("same", ["x"] * N, "dropped", "the same value everywhere"),
        ("there", [1.0] * (N // 2) + [np.nan] * (N // 2), "boolean", ""),
        ("gone", [None] * N, "dropped", "no value"),
        ("gone", [np.inf] * N, "dropped", "no value"),
        ("gone", [" "] * N, "dropped", "no value"),
        ("lists", [[1, 2]] * N, "dropped", "neither numbers, dates nor text"),
        ("bytes", [b"x", b"y"] * (N // 2), "dropped", "neither numbers, dates nor text"),
        ("waves", RNG.normal(size=N) + 1j, "dropped", "neither numbers, dates nor text"),
        ("money", [decimal.Decimal(i) / 3 for i in range(N)], "numeric", "plain"),
        ("wait", pd.to_timedelta(RNG.integers(0, 9, N), unit="D"), "numeric", "plain"),
        ("mixed", [1, "a", 2.0, True] * (N // 4), "categorical", ""),
    ],
)
def test_kind(name: str, values: object, kind: str, detail: str) -> None:
    found = kind_of(name, pd.Series(values))
    assert (found.kind, found.detail) == (kind, detail)


def test_numbers_mean_the_same_in_every_style() -> None:
    text = pd.Series(["1.5", "-2e3", "x", None], dtype="string")
    np.testing.assert_array_equal(parse_numbers(text, "plain"), [1.5, -2000.0, np.nan, np.nan])
    text = pd.Series(["1,234.5", "€ 12", "1,23"], dtype="string")
    np.testing.assert_array_equal(parse_numbers(text, "thousands"), [1234.5, 12.0, np.nan])
    text = pd.Series(["1.234,5", "12", "-0,5%"], dtype="string")
    np.testing.assert_array_equal(parse_numbers(text, "comma"), [1234.5, 12.0, -0.5])


def test_words_are_no_numbers() -> None:
    assert find_style(pd.Series(["a1", "b2", "c3"], dtype="string")) is None
    assert find_style(pd.Series(["1", "2", "02"], dtype="string")) is None
    assert find_format(pd.Series(["a", "b"], dtype="string")) is None


@pytest.mark.parametrize("shift", [0.0, 1e12, -1e300])
@pytest.mark.parametrize("factor", [1e-300, 1.0, 1e8, 1e307])
def test_scaled_numbers_are_finite_and_ordered(shift: float, factor: float) -> None:
    draws = np.clip(np.random.default_rng(1).standard_cauchy(500), -10.0, 10.0)
    numbers = np.sort(draws) * factor + shift
    scaled = Scale.fit(numbers)(numbers)
    assert np.isfinite(scaled).all()
    assert (np.abs(scaled) <= 3.0 + 1e-6).all()
    assert (np.diff(scaled) >= 0).all()


def test_scaling_does_not_depend_on_the_unit() -> None:
    numbers = np.random.default_rng(2).normal(size=300)
    in_other_units = numbers * 1000.0 + 7.0
    one, other = Scale.fit(numbers)(numbers), Scale.fit(in_other_units)(in_other_units)
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_mostly_constant_column_keeps_a_scale() -> None:
    numbers = np.array([0.0] * 90 + [1000.0, 2000.0, 3000.0] * 3 + [1e6])
    scaled = Scale.fit(numbers)(numbers)
    assert scaled[90] > 0.3
    assert scaled[-1] > scaled[92] > scaled[91] > scaled[90]


def test_missing_and_infinite_numbers_are_missing() -> None:
    column = NumericColumn.fit("x", np.arange(50.0))
    numeric = column.encode(pd.Series([1.0, np.nan, np.inf, -np.inf])).numeric
    assert numeric is not None
    assert np.isnan(numeric[:, 0]).tolist() == [False, True, True, True]


def test_edges_are_quantiles_of_continuous_values() -> None:
    column = np.random.default_rng(3).normal(size=4000).astype(np.float32)
    edges = quantile_edges(column, 8)
    np.testing.assert_allclose(edges, np.quantile(column, np.linspace(0, 1, 9)), atol=5e-3)


def test_few_values_are_the_edges() -> None:
    edges = quantile_edges(np.array([0, 1, 1, 2, np.nan], np.float32), 8)
    assert edges.tolist() == [0.0, 1.0] + [2.0] * 7


def test_a_frequent_value_fills_a_single_bin() -> None:
    rare = np.random.default_rng(4).normal(5.0, 1.0, size=200)
    edges = quantile_edges(np.append(np.zeros(9800), rare).astype(np.float32), 8)
    assert (edges > 1.0).sum() >= 4


def test_levels_unseen_or_rare_share_code_zero() -> None:
    text = pd.Series(["a"] * 5 + ["b"] * 3 + ["once"] + [None] * 2, dtype="string")
    column = CategoryColumn.fit("x", text)
    assert column.cardinality == 4
    codes = column.encode(pd.Series(["a", "b", "once", "new", None])).codes
    assert codes is not None
    assert codes[:, 0].tolist() == [1, 2, 0, 0, 3]


def test_a_level_is_the_same_in_every_type() -> None:
    column = CategoryColumn.fit("x", pd.Series(["1", "2", "True"] * 3, dtype="string"))
    expected = column.encode(pd.Series(["1", "2", "1"])).codes
    for series in (
        pd.Series([1, 2, 1]),
        pd.Series([1.0, 2.0, 1.0]),
        pd.Series([1, 2, 1], dtype="Int64"),
        pd.Series(pd.Categorical([1, 2, 1])),
        pd.Series([" 1", "2 ", 1], dtype=object),
    ):
        np.testing.assert_array_equal(column.encode(series).codes, expected)
    assert column.encode(pd.Series([True])).codes == column.encode(pd.Series(["True"])).codes


def test_dates_are_the_same_in_every_type() -> None:
    when = pd.Series(pd.date_range("2020-01-31", periods=90, freq="37h"))
    text = when.dt.strftime("%d.%m.%Y %H:%M")
    form = find_format(text.astype("string"))
    assert form == "%d.%m.%Y %H:%M"
    column = DateColumn.fit("when", values_of(when).data, form=form)
    expected = column.encode(when).numeric
    for series in (text, when.dt.tz_localize("UTC"), when.astype("datetime64[ns]")):
        np.testing.assert_allclose(column.encode(series).numeric, expected, atol=1e-6)


def test_a_missing_date_is_missing() -> None:
    when = pd.Series(pd.date_range("2020-01-01", periods=50))
    column = DateColumn.fit("when", values_of(when).data)
    encoded = column.encode(pd.Series(["2020-02-01", None, "never"]))
    assert encoded.numeric is not None
    assert np.isnan(encoded.numeric).all(axis=1).tolist() == [False, True, True]
    assert "time.sin" not in dict(column.parts)


def test_a_column_of_another_type_is_refused_in_one_line() -> None:
    numbers = NumericColumn.fit("age", np.arange(50.0))
    dates = DateColumn.fit("when", values_of(pd.Series(pd.date_range("2020", periods=9))).data)
    for column, rule in ((numbers, "numbers"), (dates, "dates")):
        frame = pd.DataFrame({column.name: ["a", "b", None]})
        block = column.encode(frame[column.name])
        assert [cells.tolist() for _, cells in block.unusable] == [[True, True, False]]
        with pytest.raises(InputError, match=f"{column.name!r} must hold {rule}") as told:
            check_cells([column], frame, block)
        assert len(str(told.value).splitlines()) == 1


def test_the_same_hour_is_the_same_number_on_every_day() -> None:
    hours = pd.date_range("1999-01-01", periods=24 * 900, freq="h")
    when = pd.Series(hours.astype("datetime64[s]"))
    counts = {part: len(np.unique(values)) for part, values in date_parts(when).items()}
    # Sines and cosines of equal height are one number: 12 of 24 hours, and 0 and 1 besides.
    assert counts["time.sin"] == counts["time.cos"] == 13
    assert counts["month.sin"] == counts["month.cos"] == 7
    assert counts["weekday.cos"] == 4


def _text(cells: object) -> pd.Series:
    return pd.Series(cells, dtype="string")


VALUES = RNG.normal(size=N).round(2) * 1000


@pytest.mark.parametrize("separator", [" ", "\u00a0", "\u202f", "'", "’", ","])
def test_thousands_are_read_by_any_separator(separator: str) -> None:
    cells = _text([f"{value:,.2f}".replace(",", separator) for value in VALUES])
    style = find_style(cells)
    assert style is not None
    np.testing.assert_array_equal(parse_numbers(cells, style), VALUES)


@pytest.mark.parametrize("separator", [" ", "\u00a0", "\u202f", "'", "."])
def test_thousands_are_read_beside_decimal_commas(separator: str) -> None:
    plain = [f"{value:,.2f}".replace(",", "_").replace(".", ",") for value in VALUES]
    cells = _text([one.replace("_", separator) for one in plain])
    style = find_style(cells)
    assert style == "comma"
    np.testing.assert_array_equal(parse_numbers(cells, style), VALUES)


WRITINGS = {
    "unit": "{:.2f}kg",
    "unit and blank": "{:.2f} km/h",
    "degrees": "{:.2f} °C",
    "currency behind": "{:.2f} USD",
    "currency before": "€ {:.2f}",
    "percent": "{:.2f} %",
}


@pytest.mark.parametrize("form", WRITINGS.values(), ids=WRITINGS)
def test_a_unit_that_all_cells_have_is_taken_away(form: str) -> None:
    cells = _text([form.format(value) for value in VALUES])
    style = find_style(cells)
    assert style is not None
    np.testing.assert_array_equal(parse_numbers(cells, style), VALUES)


@pytest.mark.parametrize(
    "form", ["({:.2f})", "{:.2f}-", "- {:.2f}", "\u2212{:.2f}", "$({:.2f})", "-${:.2f}"]
)
def test_negative_numbers_are_read_however_they_say_so(form: str) -> None:
    cells = _text([f"{v:.2f}" if v >= 0 else form.format(-v) for v in VALUES])
    np.testing.assert_array_equal(parse_numbers(cells, find_style(cells) or ""), VALUES)


@pytest.mark.parametrize(
    "cells",
    [
        ["12A", "13", "14A", "7B"] * 20,
        ["1st", "2nd", "3rd", "4th"] * 20,
        ["12%", "0.12", "0.4", "3%"] * 20,
        ["5 USD", "6 EUR", "7 USD"] * 20,
        ["5 kg", "600 g", "7 kg"] * 20,
        ["R1", "R2", "R3"] * 20,
    ],
)
def test_units_that_differ_make_no_numbers(cells: list[str]) -> None:
    assert find_style(_text(cells)) is None


MARKS = (
    *("-", "--", ".", "..", ":", "*", "None", "none", "#DIV/0!", "#VALUE!", "#NA", "#N/A N/A"),
    *("-1.#IND", "Null", "n.a.", "N.A.", "unknown", "missing", "(null)", r"\N", "nil", "<LOD"),
)


@pytest.mark.parametrize("share", [0.05, 0.4])
@pytest.mark.parametrize("mark", [*MARKS, "refused"])
def test_words_that_are_few_in_kind_are_missing_numbers(mark: str, share: float) -> None:
    cells = _text([f"{value:.2f}" for value in VALUES])
    lacks = np.random.default_rng(1).random(N) < share
    cells[lacks] = mark
    found = find_numbers(cells)
    assert found is not None
    assert found.markers == (mark,)
    numbers = parse_numbers(cells, found.style)
    np.testing.assert_array_equal(numbers, np.where(lacks, np.nan, VALUES))


@pytest.mark.parametrize(
    "cells",
    [
        [*map(str, range(100)), *["low", "mid", "high"] * 30],
        ["1", "2", "3", "A", "B"] * 20,
        [*map(str, range(100)), *(f"<{i}" for i in range(20))],
    ],
)
def test_words_of_many_kinds_are_levels(cells: list[str]) -> None:
    assert find_style(_text(cells)) is None


def test_the_decimal_mark_of_the_table_decides_ambiguous_numbers() -> None:
    for cells in (["1,258", "519", "12,500"], ["1.258", "519", "12.500"]):
        small = parse_numbers(_text(cells), find_style(_text(cells), decimal=cells[0][1]) or "")
        np.testing.assert_array_equal(small, [1.258, 519.0, 12.5])
        other = "." if cells[0][1] == "," else ","
        large = parse_numbers(_text(cells), find_style(_text(cells), decimal=other) or "")
        expected = [1258.0, 519.0, 12_500.0] if other == "," or cells[0][1] == "," else small
        np.testing.assert_array_equal(large, expected)
    # A cell that has but one reading tells the mark itself.
    assert find_style(_text(["1.5", "2.258"]), decimal=",") == "plain"


DATES = pd.Series(
    pd.to_datetime("2018-01-01") + pd.to_timedelta(RNG.integers(0, 900 * 86_400, N), unit="s")
)
FORMATS = (
    *("%m/%d/%y", "%d/%m/%y", "%d.%m.%y", "%d-%m-%y", "%y-%m-%d", "%d %b %y", "%d/%m/%Y"),
    *("%d.%m.%y %H:%M", "%H:%M", "%H:%M:%S", "%I:%M %p", "%M:%S", "%M:%S.%f"),
)


@pytest.mark.parametrize("form", FORMATS)
def test_short_years_and_times_of_day_are_dates(form: str) -> None:
    text = DATES.dt.strftime(form).astype("string")
    found = kind_of("when", text)
    assert (found.kind, found.detail) == ("date", form)


def test_the_day_comes_first_only_if_the_cells_or_the_user_say_so() -> None:
    early = _text([f"{1 + i % 9:02d}/{1 + i % 7:02d}/2020" for i in range(99)])
    assert find_format(early) == "%m/%d/%Y"
    assert find_format(early, day_first=True) == "%d/%m/%Y"
    late = _text([f"{1 + i % 9:02d}/{1 + i % 28:02d}/2020" for i in range(99)])
    assert find_format(late, day_first=True) == "%m/%d/%Y"
    assert find_format(_text([*late, *["unknown", "-"] * 20])) == "%m/%d/%Y"
    assert find_format(_text(["1.1.1", "1.2.3", "1.10.2"] * 9)) is None
