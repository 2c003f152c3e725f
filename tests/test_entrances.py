"""A table has the same probabilities from every source."""

from __future__ import annotations

import datetime
import decimal
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoloss.core.errors import InputError, UnusableCellsWarning
from autoloss.data import read_table
from autoloss.data.stream import open_rows
from autoloss.inference.classifier import Classifier
from autoloss.inference.predicting import Predicting
from tests.export.models import make_classifier

N = 60
DAY = datetime.date(2021, 3, 1)


def spread(values: list[Any], dtype: Any = None) -> pd.Series:
    """A column of some values, each of them often."""
    return pd.Series([values[k * 7 % len(values)] for k in range(N)], dtype=dtype)


COLUMNS = {
    "integers": spread([3, 1, 2, 900]),
    "integers, some missing": spread([3, None, 2, 900], "Int64"),
    "floats": spread([0.1, 2.5, -1e-7, 1e20, float("nan")]),
    "single floats": spread([0.1, 2.7, 3.3], "float32"),
    "a float that is 1.0": spread([1.0, float("nan")]),
    "a float that is 0.1": spread([0.1, float("nan")], "float32"),
    "long whole floats": spread([2.0**54, None]),
    "infinite floats": spread([1.5, float("inf"), 2.5, 3.5]),
    "flags": spread([True, False, False]),
    "flags, some missing": spread([True, None, False], "boolean"),
    "flags as objects": spread([True, None, False], object),
    "one flag": spread([True, None], "boolean"),
    "flags as 0 and 1": spread([0, 1, 1]),
    "flags as words": spread(["true", "false", None]),
    "flags as capitals": spread(["TRUE", "FALSE", "TRUE"]),
    "yes and no": spread(["yes", "no", "yes", None]),
    "categories of floats": spread([1.0, 2.5, 1.0]).astype("category"),
    "categories of single floats": spread([0.1, 2.5, 1.0], "float32").astype("category"),
    "categories of integers": spread([1, 2, 10]).astype("category"),
    "categories of long integers": spread([2**53, 2**53 + 1, 2**60 + 1]).astype("category"),
    "categories of flags": spread([True, False]).astype("category"),
    "categories of text": spread(["a", " b", "c", None]).astype("category"),
    "categories of numbers in words": spread(["1.10", "1.1", "2"]).astype("category"),
    "categories of days": pd.to_datetime(spread([DAY, "2022-05-06"])).astype("category"),
    "categories of moments": pd.to_datetime(
        spread(["2021-03-01 00:00", "2022-05-06 11:30"]), format="%Y-%m-%d %H:%M"
    ).astype("category"),
    "bins": pd.cut(spread([0.5, 1.5, 7.5]), [0, 1, 2, 10]).astype(str).astype("category"),
    "days": spread([DAY, datetime.date(2020, 2, 29), datetime.date(2022, 12, 31)], object),
    "moments": pd.to_datetime(spread(["2021-03-01 06:00", "2022-05-06 11:30", None])),
    "moments of a zone": pd.to_datetime(spread(["2021-03-01", "2021-07-06"])).dt.tz_localize(
        "Europe/Berlin"
    ),
    "days in words": spread(["03.01.2021", "31.12.2020", "29.02.2020"]),
    "words": spread(["red", "green ", "blue", None]),
    "words that say missing": spread(["red", "NA", "?", "green", " n/a "]),
    "words that are numbers": spread(["1.0", "2", "x"]),
    "numbers in words": spread(["1.10", "2.5", "3", None]),
    "grouped numbers": spread(["1,234.5", "2,000", "13"]),
    "numbers with a comma": spread(["1.234,5", "2,25", "13"]),
    "codes": spread(["007", "01", "123"]),
    "versions": spread(["3.1", "3.10", "3.9b"]),
    "decimals": spread([decimal.Decimal("1.50"), decimal.Decimal("2.25"), None], object),
    "one decimal": spread([decimal.Decimal("1.50"), None], object),
    "sentences": pd.Series([f"word{k % 11} stands, here\nwith word{k % 5} and" for k in range(N)]),
    "times": spread([datetime.time(10, 30), datetime.time(7)], object),
}
OTHER = pd.Series(np.random.default_rng(0).normal(size=N))


def written(frame: pd.DataFrame, folder: Path) -> dict[str, pd.DataFrame | str]:
    """The table as a frame and as files."""
    frame.to_csv(folder / "rows.csv", index=False)
    frame.to_parquet(folder / "rows.parquet", index=False)
    files = {ending: str(folder / f"rows.{ending}") for ending in ("csv", "parquet")}
    return {"frame": frame, **files}


def streamed(classifier: Classifier, source: Any, *, rows: int, **options: Any) -> pd.DataFrame:
    pieces = Predicting(classifier, open_rows(source), **options).pieces(rows=rows)
    return pa.concat_tables(list(pieces)).to_pandas()


def check_all_ways(frame: pd.DataFrame, trained: str, rows: int = 17) -> None:
    with tempfile.TemporaryDirectory() as name:
        ways = written(frame, Path(name))
        classifier = make_classifier(read_table(ways[trained]))
        wanted = classifier.predict_proba(read_table(ways[trained]))
        said: list[str] = []
        for source in ways.values():
            # A cell that cannot be read would be an error, as all warnings are.
            probs = classifier.predict_proba(source)
            np.testing.assert_allclose(probs, wanted, rtol=0, atol=1e-6)
            found = streamed(classifier, source, rows=rows, tell=said.append)
            np.testing.assert_allclose(found.iloc[:, 1:], wanted, rtol=0, atol=1e-6)
        assert said == []


@pytest.mark.parametrize("trained", ["frame", "csv", "parquet"])
@pytest.mark.parametrize("name", COLUMNS)
def test_every_kind_of_column_is_read_alike_from_everywhere(name: str, trained: str) -> None:
    check_all_ways(pd.DataFrame({"x": COLUMNS[name], "other": OTHER}), trained)


CELLS: dict[str, st.SearchStrategy[Any]] = {
    "integers": st.integers(-(2**62), 2**62),
    "small integers": st.integers(-3, 3),
    "floats": st.floats(allow_infinity=False),
    "short floats": st.integers(-30, 30).map(lambda number: number / 10),
    "flags": st.booleans(),
    "words": st.sampled_from(
        ["yes", "Yes", "no", "1", "1.0", "1.00", "true", "01", "x", "", "NA"]
    ),
    "numbers": st.sampled_from(["1", "1.0", "1.50", "2e1", "-0", "+3", ".5", "7."]),
    "text": st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=5),
    "days": st.dates(datetime.date(1700, 1, 1), datetime.date(2200, 1, 1)),
}


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    columns = {"other": OTHER}
    for number in range(draw(st.integers(1, 2))):
        cells = CELLS[draw(st.sampled_from(sorted(CELLS)))]
        few = draw(st.lists(cells, min_size=1, max_size=5))
        few += [None] if draw(st.booleans()) else []
        column = spread(few)
        is_declared = draw(st.booleans()) and column.notna().any()
        columns[f"c{number}"] = column.astype("category") if is_declared else column
    return pd.DataFrame(columns)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    frame=tables(),
    trained=st.sampled_from(["frame", "csv", "parquet"]),
    rows=st.sampled_from([1, 7, N]),
)
def test_a_table_gives_the_same_by_every_way(frame: pd.DataFrame, trained: str, rows: int) -> None:
    check_all_ways(frame, trained, rows)


def voters(n: int = 100, **columns: Any) -> pd.DataFrame:
    """Rows of the model below, some columns replaced."""
    chance = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "answer": np.where(np.arange(n) % 3 == 0, "Yes", "No"),
            "price": chance.uniform(500, 5000, n).round(2),
            "since": [str(DAY + datetime.timedelta(days=k % 50)) for k in range(n)],
            "dull": np.where(np.arange(n) == 0, "b", "a"),
        }
    )
    return frame.assign(**columns)


@pytest.fixture(scope="module")
def trained() -> Classifier:
    both = ({"base": "cross_entropy"}, {"base": "brier"})
    return make_classifier(voters(400), losses=both, sources=("softmax", "softmax"))


LOST = {
    "answer": (["yes", "no"], "levels that training had ('No', 'Yes')"),
    "price": (["1,234.50", "ask"], "numbers, as in training"),
    "since": (["last May", "now"], "dates as in training (ISO8601)"),
}


@pytest.mark.parametrize("column", LOST)
def test_a_column_that_mattered_and_is_mostly_lost_is_refused(
    trained: Classifier, tmp_path: Path, column: str
) -> None:
    cells, rule = LOST[column]
    frame = voters()
    frame[column] = frame[column].astype(str)
    frame.loc[:49, column] = cells[0]
    with pytest.warns(UnusableCellsWarning, match=f"50 of 100 in '{column}'"):
        assert len(trained.predict(frame)) == 100
    frame.loc[50, column] = cells[1]
    for way, source in written(frame, tmp_path).items():
        with pytest.raises(InputError) as told:
            trained.predict_proba(source)
        assert rule in str(told.value)
        assert f"51 of 100 rows hold other cells, such as {cells[0]!r}" in str(told.value)
        assert str(told.value).startswith("DATA: " if way == "frame" else f"{source}: ")
        with pytest.raises(InputError, match="continue with --force"):
            streamed(trained, source, rows=7)
        with pytest.warns(UnusableCellsWarning, match=f"51 of 100 in '{column}'"):
            probs = trained.predict_proba(source, force=True)
        said: list[str] = []
        found = streamed(trained, source, rows=7, force=True, tell=said.append)
        np.testing.assert_allclose(found.iloc[:, 1:], probs, rtol=0, atol=1e-6)
        assert len(said) == 1
        assert f"51 of 100 in '{column}'" in said[0]
    missing = frame.assign(**{column: frame[column].where(~frame[column].isin(cells))})
    np.testing.assert_array_equal(trained.predict_proba(missing)[51:], probs[51:])


def test_cells_of_no_use_are_told_once_for_all_columns(trained: Classifier) -> None:
    frame = voters().astype({"price": object})
    frame.loc[3, "answer"], frame.loc[4, "price"] = "maybe", "ask"
    with pytest.warns(UnusableCellsWarning) as told:
        trained.predict_proba(frame)
    (line,) = [str(one.message) for one in told]
    assert line == (
        "DATA: cells that the model cannot use count as missing: 1 of 100 in 'answer' (no level"
        " that training had, such as 'maybe'), 1 of 100 in 'price' (no number, such as 'ask')."
    )


def test_new_levels_of_a_few_rows_or_a_dull_column_are_a_note(trained: Classifier) -> None:
    for rows in (voters(4, answer="maybe"), voters(dull="c")):
        with pytest.warns(UnusableCellsWarning, match="no level that training had"):
            trained.predict_proba(rows)


def test_levels_too_rare_to_learn_do_not_count_as_new() -> None:
    # Most of them stand once, so that more than half of the training rows have no level.
    names = [f"name {k % 30 if k % 2 else 100 + k}" for k in range(400)]
    frame = pd.DataFrame({"name": names, "price": voters(400)["price"]})
    classifier = make_classifier(frame)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier.predict_proba(frame)
    with pytest.warns(UnusableCellsWarning, match="1 of 400 in 'name'"):
        classifier.predict_proba(frame.replace("name 100", "somebody else"))


def test_a_saved_model_still_knows_its_rare_levels(trained: Classifier, tmp_path: Path) -> None:
    from autoloss.inference.loading import load

    again = load(trained.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.predict_proba(voters()), trained.predict_proba(voters()))
    with pytest.raises(InputError, match="'answer' must hold levels"):
        again.predict(voters(answer="yes"))


@pytest.mark.parametrize(
    "form", [int, float, str, "boolean", lambda b: b.map({True: "yes", False: "N"})]
)
def test_flags_are_read_from_numbers_and_words(form: Any) -> None:
    chance = np.random.default_rng(3)
    frame = pd.DataFrame({"flag": chance.random(200) < 0.4, "x": chance.normal(size=200)})
    given = form(frame["flag"]) if callable(form) and form not in (int, float, str) else None
    other = frame.assign(flag=frame["flag"].astype(form) if given is None else given)
    wanted = make_classifier(frame).predict_proba(frame)
    np.testing.assert_array_equal(make_classifier(frame).predict_proba(other), wanted)
    numbers = frame.astype({"flag": int})
    wanted = make_classifier(numbers).predict_proba(numbers)
    np.testing.assert_array_equal(make_classifier(numbers).predict_proba(other), wanted)


@pytest.mark.parametrize(
    "text", ["x\n1\n\n3\n", "\n\nx\r\n1\r\n\r\n3", 'x\n1\n""\n3\n', "x\n\n\n\n"]
)
def test_an_empty_line_of_one_column_is_a_row(tmp_path: Path, text: str) -> None:
    file = tmp_path / "one.csv"
    file.write_bytes(text.encode())
    wanted = pd.DataFrame({"x": [1.0, None, 3.0] if "1" in text else [None] * 3}, dtype="float64")
    pd.testing.assert_frame_equal(read_table(file).astype("float64"), wanted)
    classifier = make_classifier(pd.DataFrame({"x": [1.0, 2.0, 3.0, None] * 10}))
    probs = classifier.predict_proba(wanted)
    np.testing.assert_allclose(classifier.predict_proba(file), probs, rtol=0, atol=1e-12)
    for rows in (1, 2, 9):
        found = streamed(classifier, file, rows=rows)
        np.testing.assert_allclose(found.iloc[:, 1:], probs, rtol=0, atol=1e-12)


def test_an_empty_line_of_more_columns_is_none(tmp_path: Path) -> None:
    file = tmp_path / "two.csv"
    file.write_text("a,b\n1,2\n\n3,4\n\n", encoding="utf-8")
    assert len(read_table(file)) == 2
    (piece,) = open_rows(file).pieces(["a", "b"])
    assert piece.num_rows == 2
