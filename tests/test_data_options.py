"""The options for cells and columns, from the call to the shipped model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import autoloss
from autoloss.core.errors import InputError
from autoloss.data.stream import open_rows
from autoloss.experiment.request import Request
from autoloss.inference.predicting import Predicting
from autoloss.search import load_space
from tests.spaces import SMALL

N = 400
RNG = np.random.default_rng(0)
AMOUNT = RNG.integers(100, 4000, N)
LABEL = np.where(AMOUNT + RNG.normal(0, 200, N) > 2000, "much", "little")
OPTIONS = {
    "columns": {"place": "number", "code": "category", "remark": "drop"},
    "decimal": ",",
    "date_format": "%d/%m/%y",
    "missing": ["refused", "-9"],
}


def rows() -> dict[str, object]:
    chance = np.random.default_rng(1)
    gauge = chance.integers(0, 50, N).astype(str)
    days = pd.Series(pd.date_range("2019-01-01", periods=N)).dt.strftime("%d/%m/%y")
    grouped = [f"{value:,}".replace(",", ".") for value in AMOUNT]
    return {
        "amount": ["refused" if i % 9 == 0 else one for i, one in enumerate(grouped)],
        "size": [f"{value}kg" for value in chance.integers(1, 99, N)],
        "left": [f"({-v:.1f})" if v < 0 else f"{v:.1f}" for v in chance.normal(size=N)],
        "when": days,
        "place": chance.permutation(N),
        "code": chance.integers(1, 4, N),
        "level": ["-9" if i % 7 == 0 else "ab"[i % 2] for i in range(N)],
        "gauge": np.where(np.arange(N) % 5 == 0, "n.a.", gauge),
        "remark": ["x y z"] * N,
        "y": LABEL,
    }


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("asked")
    pd.DataFrame(rows()).to_csv(place / "rows.csv", index=False, sep=";")
    (place / "small.toml").write_text(SMALL, encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def result(place: Path) -> autoloss.SearchResult:
    return autoloss.search(
        place / "rows.csv",
        "y",
        **OPTIONS,  # type: ignore[arg-type]
        space=place / "small.toml",
        trials=6,
        name="mine",
        track="off",
        out=place / "reports",
    )


def test_columns_have_the_kinds_of_the_options(result: autoloss.SearchResult) -> None:
    data = result.summary.data
    kinds = dict(data.columns)
    assert kinds == {
        "amount": "numeric",
        "size": "numeric",
        "left": "numeric",
        "when": "date",
        "place": "numeric",
        "code": "categorical",
        "level": "categorical",
        "gauge": "numeric",
    }
    assert data.aside == (("remark", "left out as asked"),)
    assert len(data.reasons) == len(data.columns)


def test_new_rows_are_read_as_in_training(result: autoloss.SearchResult, place: Path) -> None:
    model = autoloss.load(place / "reports" / "mine")
    expected = result.model.predict_proba(place / "rows.csv")
    # A few rows alone tell neither the decimal mark nor the kind of a column.
    few = pd.DataFrame(rows()).head(3)
    few.to_csv(place / "few.csv", index=False)
    streamed = pd.concat(
        piece.to_pandas() for piece in Predicting(model, open_rows(place / "few.csv")).pieces()
    )
    found = streamed.select_dtypes("number").to_numpy()
    np.testing.assert_allclose(found, expected[:3], atol=1e-6)


def test_marks_are_missing_in_new_rows(result: autoloss.SearchResult) -> None:
    frame = pd.DataFrame(rows()).head(20)
    gone = frame.replace({"refused": None, "-9": None, "n.a.": None})
    np.testing.assert_array_equal(
        result.model.predict_proba(frame), result.model.predict_proba(gone)
    )


def test_a_study_keeps_the_options(place: Path) -> None:
    options = Request(
        data=str(place / "rows.csv"),
        target="y",
        columns=("place=number", "code=category", "remark=drop"),
        decimal=",",
        date_format="%d/%m/%y",
        missing=("refused", "-9"),
        classes=True,
    )
    again = Request.from_dict(options.to_dict())
    space = load_space(place / "small.toml")
    one, other = (each.read(space) for each in (options, again))
    assert one.fingerprint == other.fingerprint
    assert one.summary.columns == other.summary.columns
    command = options.command()
    for words in ("--column place=number", "--decimal ,", "--missing -9", "--classes"):
        assert words in command
    # A study of an earlier version has none of these.
    older = {
        key: value
        for key, value in Request(data="a.csv").to_dict().items()
        if key not in ("column", "decimal", "date_format", "missing", "classes")
    }
    assert Request.from_dict(older).columns == ()


def test_an_estimator_takes_the_same_words(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SMALL, encoding="utf-8")
    frame = pd.DataFrame(rows()).drop(columns="y")
    model = autoloss.AutoLossClassifier(
        space=str(tmp_path / "small.toml"), trials=4, columns={"code": "category"}, missing=["-9"]
    ).fit(frame, LABEL)
    assert dict(model.result_.summary.data.columns)["code"] == "categorical"
    assert len(model.predict(frame)) == N


def test_many_numbers_of_a_target_are_asked_about(place: Path) -> None:
    frame = pd.DataFrame({"x": RNG.normal(size=1400), "age": np.arange(1400) % 70})
    with pytest.raises(InputError, match=r"70 different numbers.*--classes"):
        autoloss.plan(frame, "age", space=place / "small.toml", trials=4)
    plan = autoloss.plan(frame, "age", space=place / "small.toml", trials=4, classes=True)
    assert len(plan.data.classes) == 70
