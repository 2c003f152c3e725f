"""A column of texts goes in; verdict, model, predictions and exports come out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

import autoloss
from autoloss import AutoLossClassifier
from autoloss.cli import app
from autoloss.experiment.request import Request
from autoloss.inference.pyfunc import ServedModel, input_example
from autoloss.search import SearchResult, load_space
from autoloss.tracking.pyfunc import save_pyfunc
from tests.spaces import PROTOCOL
from tests.test_serving import ask, served

SPACE = f"""
bases = ["cross_entropy", "brier"]
lr = {{ low = 1e-2, high = 3e-2, log = true, default = 2e-2 }}
together = 4
[network]
width = 16
depth = 1
terms = 300
text_width = 0
[training]
batch_size = 32
max_epochs = 8
patience = 8
{PROTOCOL}
"""
SUBJECTS = {"zoo": ["zebra", "penguin", "walrus"], "bank": ["mortgage", "invoice", "dividend"]}
OTHER = "the old man said that it was seen on a day in the town near his house"


def texts(n: int, seed: int) -> tuple[list[str | None], np.ndarray[Any, Any]]:
    """Return texts that name a thing of their class, one of them missing."""
    draw = np.random.default_rng(seed)
    labels = draw.choice(list(SUBJECTS), n)
    found: list[str | None] = [
        " ".join(draw.permutation([*draw.choice(OTHER.split(), 6), draw.choice(SUBJECTS[label])]))
        for label in labels
    ]
    found[3] = None
    return found, labels


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> AutoLossClassifier:
    folder = tmp_path_factory.mktemp("text")
    (folder / "space.toml").write_text(SPACE, encoding="utf-8")
    classifier = AutoLossClassifier(space=str(folder / "space.toml"), trials=5, out=folder / "o")
    return classifier.fit(*texts(240, 0))


@pytest.fixture(scope="module")
def result(fitted: AutoLossClassifier) -> SearchResult:
    return fitted.result_


def test_a_list_of_texts_is_learnt(fitted: AutoLossClassifier) -> None:
    new, labels = texts(100, 1)
    assert fitted.n_features_in_ == 1
    assert (fitted.predict(new) == labels).mean() > 0.9
    # A text of unknown words, an empty and a missing one have probabilities too.
    probs = fitted.predict_proba(["qqq www", "", None, np.nan, pd.NA])
    np.testing.assert_allclose(probs.sum(1), 1.0)
    np.testing.assert_allclose(probs[2:], probs[[1, 1, 1]])


def test_the_search_says_what_it_read_and_compares_with_words(result: SearchResult) -> None:
    summary = result.summary
    assert summary.data.columns == (("x0", "text"),)
    (note,) = [one for one in summary.data.notes if "free text" in one]
    assert note.startswith("Read as free text: 'x0' (300 words and parts of words; 1 training row")
    assert summary.settings["terms"] == 300
    assert summary.reference is not None
    assert summary.reference.name == "logistic regression on words"


def test_a_stored_model_predicts_the_same_and_holds_no_word(
    fitted: AutoLossClassifier, result: SearchResult, tmp_path: Path
) -> None:
    new, _ = texts(30, 2)
    result.model.save(tmp_path)
    frame = pd.DataFrame({"x0": new})
    np.testing.assert_array_equal(
        autoloss.load(tmp_path).predict_proba(frame), fitted.predict_proba(new)
    )
    written = (tmp_path / "config.json").read_text(encoding="utf-8")
    assert not [word for words in SUBJECTS.values() for word in words if word in written]


def test_the_command_line_predicts_a_file_and_exports_code(
    fitted: AutoLossClassifier, result: SearchResult, tmp_path: Path
) -> None:
    new, _ = texts(30, 3)
    result.model.save(tmp_path / "model")
    pd.DataFrame({"x0": new}).to_csv(tmp_path / "new.csv", index=False)
    run = CliRunner().invoke
    done = run(app, ["predict", str(tmp_path / "model"), str(tmp_path / "new.csv"), "-o", "-"])
    assert done.exit_code == 0, done.output
    assert [line.split(",")[0] for line in done.stdout.split()[1:]] == list(fitted.predict(new))
    code = str(tmp_path / "own.py")
    done = run(app, ["export", str(tmp_path / "model"), "--to", "code", "-o", code])
    assert done.exit_code == 0, done.output
    names: dict[str, Any] = {"__file__": code, "__name__": __name__}
    exec(compile(Path(code).read_text(encoding="utf-8"), code, "exec"), names)
    own = names["predict_proba"](pd.DataFrame({"x0": new}))
    np.testing.assert_allclose(own, fitted.predict_proba(new), atol=1e-5)
    done = run(
        app, ["export", str(tmp_path / "model"), "--to", "onnx", "-o", str(tmp_path / "own.onnx")]
    )
    assert done.exit_code == 2
    assert "free text" in done.output


def test_a_served_model_takes_texts(fitted: AutoLossClassifier, result: SearchResult) -> None:
    served = ServedModel(result.model)
    new, _ = texts(30, 4)
    table = served.predict(pd.DataFrame({"x0": new}))
    probs = table.filter(like="probability").to_numpy()
    np.testing.assert_array_equal(probs, fitted.predict_proba(new))
    assert len(served.predict(input_example(result.model))) > 0


@pytest.mark.slow
def test_a_server_takes_texts_as_strings(
    fitted: AutoLossClassifier, result: SearchResult, tmp_path: Path
) -> None:
    folder = save_pyfunc(result.model.save(tmp_path / "model"), tmp_path / "served")
    new, _ = texts(30, 4)
    with served(folder) as port:
        answers = [ask(port, {"dataframe_records": [{"x0": text} for text in new]})]
        # In this form MLflow makes a missing text the word None.
        answers.append(ask(port, {"inputs": {"x0": [text or "" for text in new]}}))
    for answer in answers:
        table = pd.DataFrame(answer["predictions"])
        probs = table.filter(like="probability").to_numpy()
        np.testing.assert_allclose(probs, fitted.predict_proba(new), rtol=0, atol=1e-9)
        assert table["prediction"].tolist() == fitted.predict(new).tolist()


def test_a_text_that_is_the_same_everywhere_is_refused() -> None:
    frame = pd.DataFrame({"text": "the same words everywhere", "y": ["a", "b"] * 60})
    with pytest.raises(autoloss.InputError, match=r"column to learn from .*the same value every"):
        autoloss.plan(frame, "y")


def test_the_space_of_texts_decides_the_terms_before_the_data_are_read_and_after() -> None:
    words = ["".join(np.random.default_rng(k).choice(list("abcdefgh"), 7)) for k in range(500)]
    draw = np.random.default_rng(0)
    found = [" ".join(draw.choice(words, 12)) for _ in range(300)]
    frame = pd.DataFrame({"text": found, "y": ["a", "b"] * 150})
    request = Request(data=frame, target="y")
    first, again = (request.read(load_space(name)).encoding for name in ("default", "text"))
    other = replace(request, space="extended").read(load_space("extended")).encoding
    counts = [one.columns[0].n_terms for one in (first, again, other)]
    assert counts[0] == counts[1] > counts[2] == 1_000
    assert torch.equal(first.columns[0].kept, again.columns[0].kept)
