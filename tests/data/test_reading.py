"""Findings from a whole table: the decimal mark, row numbers, words for missing cells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autoloss.core.errors import InputError
from autoloss.data import DataOptions, StudyData, prepare, read_table
from autoloss.data.categories import CategoryColumn
from autoloss.data.numbers import NumericColumn
from autoloss.data.read import load_table

N = 240
RNG = np.random.default_rng(0)
WHOLE = RNG.integers(100, 4000, N)
LABEL = np.where(WHOLE > 2000, "much", "little")


def _written(path: Path, columns: dict[str, object], separator: str) -> Path:
    pd.DataFrame(columns).to_csv(path, sep=separator, index=False)
    return path


def _grouped(mark: str) -> list[str]:
    return [f"{value:,}".replace(",", mark) for value in WHOLE]


def _decimal(mark: str) -> list[str]:
    return [f"{value:.2f}".replace(".", mark) for value in np.random.default_rng(1).normal(size=N)]


@pytest.mark.parametrize("separator", [";", "\t", ","])
def test_points_divide_thousands_if_other_columns_have_decimal_commas(
    tmp_path: Path, separator: str
) -> None:
    columns = {"sum": _grouped("."), "z": _decimal(","), "y": LABEL}
    table = load_table(_written(tmp_path / "t.csv", columns, separator))
    np.testing.assert_array_equal(table.frame["sum"], WHOLE)
    assert any("'sum'" in note and "comma" in note for note in table.notes)


def test_points_are_decimal_marks_if_other_columns_have_them(tmp_path: Path) -> None:
    columns = {"sum": _grouped("."), "z": _decimal("."), "y": LABEL}
    table = load_table(_written(tmp_path / "t.csv", columns, ";"))
    np.testing.assert_array_equal(table.frame["sum"], [float(one) for one in _grouped(".")])
    assert not table.notes


@pytest.mark.parametrize(("separator", "is_whole"), [(",", False), (";", True)])
def test_a_note_names_the_reading_if_no_column_tells_the_mark(
    tmp_path: Path, separator: str, is_whole: bool
) -> None:
    path = _written(tmp_path / "t.csv", {"sum": _grouped("."), "y": LABEL}, separator)
    table = load_table(path)
    expected = WHOLE if is_whole else [float(one) for one in _grouped(".")]
    np.testing.assert_array_equal(table.frame["sum"], expected)
    assert any("'sum'" in note and "--decimal" in note for note in table.notes)
    other = load_table(path, options=DataOptions(decimal="." if is_whole else ","))
    assert not np.array_equal(other.frame["sum"], expected)
    assert not any("--decimal" in note for note in other.notes)


def test_three_decimals_in_every_cell_are_decimals(tmp_path: Path) -> None:
    numbers = RNG.uniform(1, 900, N).round(3)
    columns = {"x": [f"{number:.3f}" for number in numbers], "y": LABEL}
    table = load_table(_written(tmp_path / "t.csv", columns, ","))
    np.testing.assert_array_equal(table.frame["x"], numbers)
    assert not table.notes


@pytest.mark.parametrize(("mark", "instead"), [(",", "."), (".", "")])
def test_commas_are_read_by_the_mark_of_the_table(tmp_path: Path, mark: str, instead: str) -> None:
    columns = {"sum": _grouped(","), "z": _decimal(mark), "y": LABEL}
    data = _prepared(_written(tmp_path / "t.csv", columns, ";"))
    numbers = np.array([float(one.replace(",", instead)) for one in _grouped(",")])
    column = next(one for one in data.encoding.columns if one.name == "sum")
    rows = data.train.rows.numpy()
    assert isinstance(column, NumericColumn)
    assert column.scale.center == pytest.approx(np.median(numbers[rows]))


def _prepared(source: Path | pd.DataFrame, **asked: object) -> StudyData:
    options = DataOptions("y", **asked)  # type: ignore[arg-type]
    options.check()
    return prepare(source, options)


def _kinds(data: StudyData) -> dict[str, str]:
    return dict(data.encoding.kinds)


def test_other_files_are_read_as_the_data(tmp_path: Path) -> None:
    columns = {"sum": _grouped("."), "z": _decimal(","), "y": LABEL}
    main = _written(tmp_path / "t.csv", columns, ";")
    # Alone, these cells would be small numbers with decimal points.
    few = {"sum": ["1.258", "2.300", "3.100"] * 10, "z": ["1,258"] * 30, "y": LABEL[:30]}
    other = _written(tmp_path / "test.csv", few, ";")
    asked = DataOptions("y", test=other)
    data = prepare(main, asked)
    assert data.locked is not None
    place = [one.name for one in data.encoding.columns].index("sum")
    numbers = data.locked.open().inputs.numeric[:3, place]
    expected = data.encoding.transform(
        pd.DataFrame({"sum": [1258, 2300, 3100], "z": ["1,258"] * 3})
    ).numeric[:, place]
    assert numbers.tolist() == expected.tolist()


def test_words_among_numbers_are_said(tmp_path: Path) -> None:
    amounts = WHOLE.astype(str).astype(object)
    amounts[::20], amounts[1::20] = "-", "n.a."
    data = _prepared(_written(tmp_path / "t.csv", {"amount": amounts, "y": LABEL}, ","))
    assert _kinds(data)["amount"] == "numeric"
    assert any("'-'" in note and "'amount'" in note for note in data.notes)
    assert any("'n.a.'" in note for note in data.notes)
    column = data.encoding.columns[0]
    assert set(column.marks) == {"-", "n.a."}


def test_unusual_writing_of_numbers_is_said(tmp_path: Path) -> None:
    columns = {"weight": [f"{value}kg" for value in WHOLE], "y": LABEL}
    data = _prepared(_written(tmp_path / "t.csv", columns, ","))
    assert any("Read as numbers: 'weight' (" in note and "kg' is" in note for note in data.notes)


@pytest.mark.parametrize("start", [0, 1, 1000])
@pytest.mark.parametrize("name", ["", "place"])
def test_a_shuffled_row_number_is_left_out(tmp_path: Path, name: str, start: int) -> None:
    order = np.random.default_rng(2).permutation(N)
    label = np.where(np.arange(N) < N // 2, "a", "b")
    frame = pd.DataFrame({name: np.arange(N) + start, "x": RNG.normal(size=N), "y": label})
    shuffled = frame.iloc[order]
    path = tmp_path / "t.csv"
    shuffled.to_csv(path, index=False)
    data = _prepared(path)
    shown = name or "column 1"
    assert _kinds(data)[shown].startswith("left out")
    assert any("likely a leak" in note and shown in note for note in data.notes)
    # Part of the rows, as after a division of them.
    shuffled.head(int(0.7 * N)).to_csv(path, index=False)
    assert _kinds(_prepared(path))[shown].startswith("left out")
    assert _kinds(_prepared(path, columns={shown: "number"}))[shown] == "numeric"


def test_whole_numbers_that_are_no_row_numbers_are_kept(tmp_path: Path) -> None:
    columns = {
        "income": RNG.choice(80_000_000, N, replace=False) + 12_000_000,
        "seconds": RNG.choice(10**8, N, replace=False) + 1_600_000_000,
        "age": RNG.integers(18, 90, N),
        "y": LABEL,
    }
    assert set(_kinds(_prepared(pd.DataFrame(columns))).values()) == {"numeric"}


KIND = {"number": "numeric", "category": "categorical", "text": "text", "date": "date"}


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (WHOLE, "category"),
        (WHOLE.astype(str), "category"),
        (np.random.default_rng(3).permutation(N), "number"),
        ([f"{value:05d}" for value in WHOLE], "number"),
        ([f"a{value % 7} b{value % 5}" for value in WHOLE], "text"),
        ([f"01.02.20{10 + value % 20}" for value in WHOLE], "category"),
        ([f"2{value % 9}.0{1 + value % 9}.19" for value in WHOLE], "date"),
        ([20_190_100 + 100 * (value % 9) + value % 28 + 1 for value in WHOLE], "date"),
    ],
)
def test_the_kind_that_the_user_says_is_taken(cells: object, kind: str) -> None:
    data = _prepared(pd.DataFrame({"c": cells, "x": WHOLE, "y": LABEL}), columns={"c": kind})
    assert _kinds(data)["c"] == KIND[kind]
    reasons = dict(zip(_kinds(data), data.summary.reasons, strict=True))
    assert "as asked" in reasons["c"]


def test_a_dropped_column_is_not_learnt_from() -> None:
    frame = pd.DataFrame({"c": WHOLE, "x": WHOLE, "y": LABEL})
    assert "c" not in _kinds(_prepared(frame, columns=["c=drop"]))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"columns": ["c"]}, "NAME=KIND"),
        ({"columns": {"c": "numbr"}}, "did you mean 'number'"),
        ({"columns": {"d": "number"}}, "column must name a column of DATA"),
        ({"columns": {"y": "number"}}, "must name an input"),
        ({"columns": ["c=number", "c=text"]}, "one kind"),
        ({"columns": {"c": "number"}}, "must hold numbers, as asked, but got"),
        ({"columns": {"c": "date"}}, "must hold dates, as asked, but got"),
        ({"decimal": ";"}, "decimal must be"),
        ({"date_format": "day first"}, "date_format must be a format"),
        ({"date_format": "%d/%m/%y"}, "date_format must be the format of a column"),
    ],
)
def test_a_kind_that_a_column_does_not_have_is_refused_in_one_line(
    asked: dict[str, object], expected: str
) -> None:
    frame = pd.DataFrame({"c": RNG.choice(["red", "blue"], N), "x": WHOLE, "y": LABEL})
    with pytest.raises(InputError, match=expected) as caught:
        _prepared(frame, **asked)
    assert "\n" not in str(caught.value)


def test_the_format_that_the_user_names_is_taken() -> None:
    days = pd.Series(pd.date_range("2020-01-01", periods=N).strftime("%d/%m/%Y"))
    early = days.where(days.str[:2].astype(int) <= 12, "05/06/2020")
    frame = pd.DataFrame(
        {"when": early, "code": days.str.replace("/", ""), "x": WHOLE, "y": LABEL}
    )
    forms = {}
    for form in (None, "%d/%m/%Y", "%d%m%Y"):
        data = _prepared(frame, date_format=form)
        forms[form] = {one.name: getattr(one, "form", "") for one in data.encoding.columns}
    assert forms[None]["when"] == "%m/%d/%Y"
    assert forms["%d/%m/%Y"]["when"] == "%d/%m/%Y"
    assert forms["%d%m%Y"]["code"] == "%d%m%Y"


@pytest.mark.parametrize("mark", ["-999", "nothing"])
@pytest.mark.parametrize("kind", ["csv", "frame", "parquet"])
def test_a_mark_of_the_user_is_missing_in_every_column(
    tmp_path: Path, mark: str, kind: str
) -> None:
    is_number = mark == "-999"
    numbers = [-999 if i % 4 == 0 else int(v) for i, v in enumerate(WHOLE)]
    cells = [mark if i % 4 == 0 else str(v) for i, v in enumerate(WHOLE)]
    words = [mark if i % 5 == 0 else ["red", "blue"][i % 2] for i in range(N)]
    frame = pd.DataFrame(
        {"a": numbers if is_number else cells, "b": words, "x": WHOLE, "y": LABEL}
    )
    source: Path | pd.DataFrame = frame
    if kind == "csv":
        frame.to_csv(source := tmp_path / "t.csv", index=False)
    elif kind == "parquet":
        frame.to_parquet(source := tmp_path / "t.parquet")
    data = _prepared(source, missing=[mark, "absent"])
    unused = [note for note in data.notes if "--missing" in note]
    assert len(unused) == 1
    assert "'absent'" in unused[0]
    assert mark not in unused[0]
    columns = {one.name: one for one in data.encoding.columns}
    assert columns["a"].kind == "numeric"
    assert isinstance(columns["b"], CategoryColumn)
    assert set(columns["b"].levels) == {"red", "blue"}
    assert columns["b"].missing
    new = data.encoding.transform(frame.head(8))
    assert new.numeric[:, 0].isnan().tolist() == [True, False, False, False] * 2
    gone = frame.head(8).replace({mark: None, -999: None})
    assert new.categories.tolist() == data.encoding.transform(gone).categories.tolist()


def test_a_frame_that_is_read_is_not_changed_by_marks() -> None:
    frame = pd.DataFrame({"a": [1, -9, 3], "b": ["x", "-9", None]})
    before = frame.copy()
    table = load_table(frame, options=DataOptions(missing="-9"))
    assert table.frame["a"].isna().tolist() == [False, True, False]
    assert table.frame["b"].isna().tolist() == [False, True, True]
    pd.testing.assert_frame_equal(frame, before)
    assert read_table(frame)["a"].tolist() == [1, -9, 3]


def test_a_mark_that_is_a_number_is_known_however_it_is_written(tmp_path: Path) -> None:
    cells = ["-9", "-9.0", "-9.00", "3", "4"] * 12
    words = ["-9.0", "red", "blue"] * 20
    frame = pd.DataFrame({"a": cells, "b": words, "y": ["yes", "no"] * 30})
    frame.to_csv(tmp_path / "t.csv", index=False)
    table = load_table(tmp_path / "t.csv", options=DataOptions(missing=["-9"]))
    assert table.frame["a"].isna().sum() == 36
    assert table.frame["b"].isna().sum() == 20
    data = _prepared(tmp_path / "t.csv", missing=["-9"])
    new = data.encoding.transform(frame.head(5).astype("str"))
    assert new.numeric[:, 0].isnan().tolist() == [True, True, True, False, False]
