"""Frames of other libraries are read like those of pandas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from autoloss.core.errors import InputError
from autoloss.data import read_table
from autoloss.data.class_table import read_class_table
from autoloss.data.exchange import as_pandas
from autoloss.experiment.request import Request
from tests.export.models import make_classifier

polars = pytest.importorskip("polars")


class Interchanged:
    """A frame with only the dataframe interchange protocol."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> Any:
        return self._table.__dataframe__(nan_as_null, allow_copy)


def rows() -> pd.DataFrame:
    chance = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "size": np.where(np.arange(80) % 9 == 0, np.nan, chance.normal(size=80)),
            "town": chance.choice(["a", "b", "c"], 80),
            "member": chance.random(80) < 0.4,
            "since": pd.Timestamp("2020-01-31")
            + pd.to_timedelta(chance.integers(0, 900, 80), "D"),
            "count": chance.integers(0, 5, 80),
        }
    )


def frames() -> dict[str, Any]:
    table = pa.Table.from_pandas(rows(), preserve_index=False)
    as_polars = polars.from_arrow(table)
    return {
        "polars": as_polars,
        "polars with categories": as_polars.with_columns(
            polars.col("town").cast(polars.Categorical)
        ),
        "pyarrow": table,
        "a batch of pyarrow": table.to_batches()[0],
        "the interchange protocol": Interchanged(table),
    }


@pytest.mark.parametrize("name", frames())
def test_a_frame_equals_its_form_in_pandas(name: str) -> None:
    classifier = make_classifier(rows())
    given = frames()[name]
    np.testing.assert_array_equal(
        classifier.predict_proba(given), classifier.predict_proba(rows())
    )
    trained = make_classifier(read_table(given))
    np.testing.assert_allclose(
        trained.predict_proba(rows()), classifier.predict_proba(rows()), rtol=0, atol=1e-6
    )
    request = Request(data=given, test=given).checked()
    assert request.to_dict()["frames"] == ["source", "test"]
    assert isinstance(request.data, pd.DataFrame)
    assert request.data.columns.tolist() == rows().columns.tolist()


def test_long_whole_numbers_stay_whole_beside_missing_cells() -> None:
    given = polars.DataFrame({"y": [2**60 + 1, None, 2**60 + 3]})
    assert as_pandas(given)["y"].dropna().tolist() == [2**60 + 1, 2**60 + 3]


def test_a_table_of_classes_has_them_in_its_first_column() -> None:
    given = polars.DataFrame({"true": ["a", "b"], "a": [0.0, 5.0], "b": [1.0, 0.0]})
    numbers, _ = read_class_table(given, "cost_matrix")
    assert numbers == {"a": {"a": 0.0, "b": 1.0}, "b": {"a": 5.0, "b": 0.0}}


def test_a_list_is_no_table_of_classes_or_rows() -> None:
    with pytest.raises(InputError, match=r"a DataFrame .* but got a list"):
        read_table([[1]])


@pytest.mark.parametrize("given", [polars.LazyFrame({"a": [1]}), pd.Series([1]), 3])
def test_an_object_that_is_no_table_is_refused_by_the_name_of_its_library(given: Any) -> None:
    library = type(given).__module__.partition(".")[0].replace("builtins", type(given).__name__)
    for read in (lambda: read_table(given), Request(data=given).checked):
        with pytest.raises(InputError, match=rf"a DataFrame .* but got a {library}") as told:
            read()
        assert len(str(told.value).splitlines()) == 1
