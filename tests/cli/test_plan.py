from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from autoloss.cli.plan import column_lines, plan_json, plan_lines
from tests.cli.conftest import make_plan


def test_the_smallest_difference_stands_before_anything_is_trained() -> None:
    lines = dict(plan_lines(make_plan(detectable=0.0123)))
    assert lines["Smallest detectable difference"] == "1.23 pp in error on the test rows"


def test_what_is_not_known_is_not_said() -> None:
    names = [name for name, _ in plan_lines(make_plan(detectable=math.nan))]
    assert "Smallest detectable difference" not in names
    assert "Rows" not in names


def test_the_resampling_stands_after_the_split() -> None:
    text = "Candidates are compared by 5-fold cross-validation."
    lines = list(plan_lines(make_plan(resampling=text)))
    place = lines.index(("Rows", text))
    assert lines[place - 1][0] == "Split"


@pytest.mark.parametrize(("verdict", "words"), [("locked", "test rows"), ("nested", "nested")])
def test_without_locked_rows_the_nested_cross_validation_is_named(
    verdict: str, words: str
) -> None:
    plan = make_plan(verdict=verdict)
    n_test = 0 if verdict == "nested" else 200
    counts = (300 + n_test, 100)
    data = replace(plan.data, n_train=300, n_valid=100, n_test=n_test, class_counts=counts)
    lines = dict(plan_lines(replace(plan, data=data)))
    assert words in lines["Smallest detectable difference"]
    assert ("none locked" in lines["Split"]) == (verdict == "nested")
    assert f"{400 + n_test} rows" in lines["Data"]


def test_every_note_is_a_line_and_the_document_has_every_field() -> None:
    plan = make_plan(notes=("One.", "Two."), resampling="Rows.", detectable=math.nan)
    assert [text for name, text in plan_lines(plan) if name == "Note"] == ["One.", "Two."]
    document = json.loads(plan_json(plan))
    assert (document["resampling"], document["detectable"]) == ("Rows.", None)


def test_rows_are_those_of_the_data_also_where_a_division_leaves_the_later_ones_out() -> None:
    plan = make_plan()
    data = replace(
        plan.data,
        n_train=240,
        n_valid=120,
        n_test=120,
        class_counts=(400, 200),
        classes=("a", "b"),
    )
    lines = dict(plan_lines(replace(plan, data=data)))
    assert "600 rows" in lines["Data"]
    assert lines["Split"].startswith("240 rows to train, 120 to validate in the first division, 1")
    whole = dict(plan_lines(replace(plan, data=replace(data, n_train=360))))
    assert whole["Split"].startswith("360 rows to train, 120 to validate, 120 locked")


def test_the_smallest_difference_speaks_of_the_metric() -> None:
    def said(metric: str) -> str:
        lines = dict(plan_lines(make_plan(detectable=0.0123, metric=metric)))
        return lines["Smallest detectable difference"]

    assert said("error") == "1.23 pp in error on the test rows"
    assert said("auroc").endswith("; in AUROC it is known once models are trained")


def test_every_column_is_listed_with_its_kind_and_why() -> None:
    data = replace(
        make_plan().data,
        target="y",
        columns=(("a", "numeric"), ("b", "boolean"), ("c", "left out: no value")),
        reasons=("numbers, such as '12kg'", "true and false", ""),
        aside=(("d", "holds the groups"),),
    )
    assert list(column_lines(data))[1:] == [
        ("a", "number (numbers, such as '12kg')"),
        ("b", "category (true and false)"),
        ("c", "left out: no value"),
        ("d", "holds the groups"),
    ]


def test_many_columns_that_are_alike_are_one_line() -> None:
    columns = (*((f"x{place}", "numeric") for place in range(100)), ("z", "date"))
    data = replace(make_plan().data, columns=columns, reasons=("numbers",) * 100 + ("dates",))
    assert list(column_lines(data))[1:] == [
        ("x0 to x99, 100 columns", "number (numbers)"),
        ("z", "date (dates)"),
    ]


def test_the_network_has_a_line_unless_it_is_the_users_own():
    assert dict(plan_lines(make_plan(network="2 hidden layers")))["Network"] == "2 hidden layers"
    assert "Network" not in dict(plan_lines(make_plan()))


def test_the_budget_names_the_rungs_of_a_race() -> None:
    race = "the best third continues after epochs 4 and 12"
    assert dict(plan_lines(make_plan(race=race)))["Budget"].endswith(f"; {race}")
    assert "third" not in dict(plan_lines(make_plan()))["Budget"]
