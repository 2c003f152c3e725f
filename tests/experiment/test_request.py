"""The request has each option once: its edges, its written form and the study agree with it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import autoloss
from autoloss import api
from autoloss.cli.commands.search import search as command
from autoloss.core.option import writing_of
from autoloss.experiment.request import OUTPUT, Request

FIELDS = {one.name: one for one in fields(Request)}
# Fields that no user sets: `to_dict` finds them.
FOUND = {"frames", "objects"}

# Where an edge differs from the request, with the reason.
NO_OPTIONS = {"progress": "the receiver of the progress is no part of what a study keeps"}
OF_THE_COMMAND = {
    "dry_run": "shows the plan",
    "fail_unless": "decides the exit code",
    "as_json": "decides what is shown",
    "quiet": "decides what is shown",
    "verbose": "decides what is shown",
}
NOT_OF_THE_ESTIMATOR = {
    "data": "fit takes X",
    "target": "fit takes y",
    "labels_in": "fit takes y as a table of yes and no",
    "label_separator": "fit takes y as a table of yes and no",
    "tokens": "X of scikit-learn has no sequences",
    "constrained": "X of scikit-learn has no sequences",
    "images": "X of scikit-learn has no images",
    "image_size": "X of scikit-learn has no images",
    "skip_bad": "X of scikit-learn has no images",
    "features": "a pipeline computes features before",
    "valid": "scikit-learn divides the rows outside the estimator",
    "test": "scikit-learn divides the rows outside the estimator",
    "ood": "fit takes rows of the classes alone",
    "groups": "fit takes no groups",
    "cost_column": "fit takes no costs of rows",
    "split_by": "fit takes no times",
    "drop": "a pipeline selects columns",
    "code_length": "a fit writes no report",
    "examples": "X of scikit-learn has no images",
    "storage": "no fit continues with another",
    "register": "a fit is not published",
}
OTHER_DEFAULTS = {
    "track": "each of many fits would be a study in MLflow",
    "out": "a fit leaves nothing on disk",
}


def keywords(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the arguments of a function with their defaults."""
    return {name: one.default for name, one in inspect.signature(function).parameters.items()}


def declared(names: set[str]) -> dict[str, Any]:
    """Return the defaults of options of the request."""
    return {name: FIELDS[name].default for name in FIELDS if name in names}


def test_the_arguments_of_search_are_the_options_of_the_request() -> None:
    given = keywords(api.search)
    assert given.keys() - NO_OPTIONS == FIELDS.keys() - FOUND
    assert given.pop("data") is inspect.Parameter.empty
    assert declared({*given}) == {name: given[name] for name in declared({*given})}


def test_a_plan_takes_the_arguments_of_search_but_those_of_its_output() -> None:
    given, whole = keywords(api.plan), keywords(api.search)
    assert given == {
        name: value for name, value in whole.items() if name not in OUTPUT | {*NO_OPTIONS}
    }


def test_the_command_has_every_option_and_leaves_the_defaults_to_the_request() -> None:
    given = keywords(command)
    assert given.keys() - OF_THE_COMMAND == FIELDS.keys() - FOUND
    assert given.pop("data") is inspect.Parameter.empty
    for name in given.keys() - OF_THE_COMMAND:
        if given[name] is not None:
            assert str(given[name]) == str(FIELDS[name].default), name


def test_the_estimator_has_the_options_that_suit_scikit_learn() -> None:
    given = autoloss.AutoLossClassifier().get_params()
    assert given.keys() | NOT_OF_THE_ESTIMATOR.keys() == FIELDS.keys() - FOUND
    assert not given.keys() & NOT_OF_THE_ESTIMATOR.keys()
    same = given.keys() - OTHER_DEFAULTS
    assert declared(same) == {name: given[name] for name in declared(same)}
    assert all(given[name] != FIELDS[name].default for name in OTHER_DEFAULTS)


@pytest.mark.parametrize(
    ("function", "others"),
    [
        (api.resume, {"study", "judge_now"}),
        (api.ship, {"study", "by", "reason"}),
    ],
)
def test_what_is_given_again_is_named_as_at_first(
    function: Callable[..., Any], others: set[str]
) -> None:
    given = keywords(function)
    assert others < given.keys()
    assert given.keys() - others - {*NO_OPTIONS} < FIELDS.keys() - FOUND


# A value other than the default for each option, and how it is written where that differs.
OTHER: dict[str, Any] = {
    "data": "rows.csv",
    "target": "y",
    "labels_in": "list",
    "label_separator": "|",
    "label_decision": "2",
    "tokens": "words",
    "constrained": True,
    "images": "photo",
    "image_size": 32,
    "skip_bad": True,
    "features": "embed.py:vectors",
    "valid": "v.csv",
    "test": "t.csv",
    "ood": "o.csv",
    "groups": "g",
    "cost_column": "amount",
    "split_by": "day",
    "drop": ("a", "b"),
    "columns": ("c=number",),
    "decimal": ",",
    "date_format": "%d/%m/%y",
    "missing": ("-9",),
    "classes": True,
    "ship": "verdict",
    "refit": True,
    "code_length": True,
    "examples": False,
    "positive": "yes",
    "lock": True,
    "seed": 3,
    "metric": "auroc",
    "space": "quick",
    "trials": 7,
    "time_limit": 90.0,
    "device": "cpu",
    "workers": 3,
    "executor": "ray",
    "address": "auto",
    "track": "off",
    "register": "best",
    "name": "mine",
    "out": "there",
    "storage": "sqlite:///s.db",
    "tracking_uri": "http://here",
    "class_weights": "w.csv",
    "class_similarity": "s.csv",
    "cost_matrix": "c.csv",
    "teacher": "t",
    "trust_pickle": True,
    "losses": ("one.py",),
    "metrics": ("own.py:profit",),
    "model": "net.py:make",
}


def test_every_option_has_a_value_to_be_written() -> None:
    assert OTHER.keys() == FIELDS.keys() - FOUND
    assert all(value != FIELDS[name].default for name, value in OTHER.items())


@pytest.mark.parametrize("name", OTHER)
def test_an_option_is_written_and_read_back(name: str) -> None:
    request = Request.of({name: OTHER[name]})
    document = json.loads(json.dumps(request.to_dict()))
    again = Request.from_dict(document)
    if writing_of(FIELDS[name]).in_study:
        assert document != Request().to_dict()
        assert vars(again) == vars(request)
    else:
        assert document == Request().to_dict()
    before, after = Request().command().split(), request.command().split()
    assert before != after
    assert Request().completed(request).command().split() == after


def test_a_default_is_not_written_in_a_command() -> None:
    assert Request(data="a.csv").command() == (
        "autoloss search a.csv --space default --trials 128 --seed 0"
    )


def test_a_study_keeps_the_keys_of_earlier_versions() -> None:
    assert Request().to_dict().keys() >= {
        *("source", "target", "metric", "space", "trials", "time_limit", "valid", "test"),
        *("groups", "split_by", "drop", "column", "decimal", "date_format", "missing"),
        *("classes", "positive", "seed", "device", "track", "register"),
        *("class_weights", "class_similarity", "cost_matrix", "teacher", "losses", "model"),
        *("frames", "objects"),
    }


def test_a_study_of_a_later_version_is_refused() -> None:
    with pytest.raises(autoloss.InputError, match="request has the option 'patience'"):
        Request.from_dict({"source": "a.csv", "patience": 3})


def test_a_study_without_later_options_has_their_defaults() -> None:
    assert vars(Request.from_dict({"source": "a.csv"})) == vars(Request(data="a.csv"))


def test_objects_are_named_but_not_kept(tmp_path: Path) -> None:
    frame = pd.DataFrame({"y": [0, 1]})

    def make_net(n_features: int, n_outputs: int) -> None: ...

    request = Request.of({"data": frame, "test": frame, "teacher": frame, "model": make_net})
    values = request.to_dict()
    assert values["frames"] == ["source", "test"]
    assert values["objects"] == ["teacher", "model"]
    assert [values[key] for key in ("source", "test", "teacher")] == [None] * 3
    written = Request.from_dict(json.loads(json.dumps(values)))
    assert written.missing_tables() == ["data", "test"]
    with pytest.raises(autoloss.InputError, match=r"teacher must be given to continue"):
        written.check_objects()
    completed = written.completed(Request.of({"data": frame, "test": frame, "teacher": frame}))
    completed.check_objects()
    assert completed.missing_tables() == []
    assert completed.data is frame
    assert completed.to_dict() == values


def test_paths_are_written_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("rows.csv", "net.py", "w.csv", "auto", "y"):
        Path(name).touch()
    request = Request.of(
        {"data": Path("rows.csv"), "target": "y", "class_weights": "w.csv", "losses": "net.py"}
    )
    values = replace(request, model="net.py:make").to_dict()
    assert values["source"] == str(tmp_path / "rows.csv")
    assert values["class_weights"] == str(tmp_path / "w.csv")
    assert values["losses"] == [str(tmp_path / "net.py")]
    assert values["model"] == f"{tmp_path / 'net.py'}:make"
    # Neither is a path, although there is a file of that name.
    assert values["target"] == "y"
    assert request.to_dict()["model"] == "auto"


# Faults that need no data, in the order in which they are told.
FAULTS: dict[str, Any] = {
    "executor": "moon",
    "address": "auto",
    "time_limit": -1.0,
    "losses": "none.py",
    "class_weights": [1],
    "class_similarity": 3,
    "teacher": 3,
    "cost_matrix": 3,
    "model": "x",
    "valid": 3,
    "test": 3,
    "decimal": ";",
    "date_format": "q",
    "columns": "abc",
    "metric": "nope",
    "seed": -1,
    "workers": 0,
    "device": "tpu",
    "space": "nope",
}


@pytest.mark.parametrize("function", [api.search, api.plan])
def test_a_request_with_several_faults_is_refused_for_the_first(
    function: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = list(FAULTS)
    for place, name in enumerate(names):
        rest = {other: FAULTS[other] for other in names[place:]}
        with pytest.raises(autoloss.InputError) as told:
            function("rows.csv", "y", **rest)
        words = "column must" if name == "columns" else name
        assert words in str(told.value), name
        assert len(str(told.value).splitlines()) == 1
    # Nothing is written: neither a study nor a database of MLflow.
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["drop", "columns", "missing"])
def test_a_single_text_is_one_of_several(name: str) -> None:
    assert getattr(Request.of({name: "a=text"}), name) == ("a=text",)
    assert getattr(Request.of({name: iter(["a", "b"])}), name) == ("a", "b")
    assert getattr(Request.of({name: None}), name) == ()


def test_every_field_has_a_default() -> None:
    assert all(one.default is not MISSING for one in FIELDS.values())
