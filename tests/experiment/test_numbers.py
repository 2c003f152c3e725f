"""The embedding of numbers, chosen by a short training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import autoloss
from autoloss.experiment import numbers as module
from autoloss.experiment import running
from tests.spaces import SMALL

AUTO = SMALL.replace("[network]\n", '[network]\nnumbers = "auto"\n')
LONGER = AUTO.replace("width = 16", "width = 64").replace("max_epochs = 4", "max_epochs = 16")


def oscillation(speed: float, *, is_normal: bool = True, n: int = 1_500) -> pd.DataFrame:
    """Return two columns, normal or uniform in (-1, 1); the sine of their sum tells the class."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(n, 2)) if is_normal else rng.uniform(-1.0, 1.0, (n, 2))
    chance = 1.0 / (1.0 + np.exp(-4.0 * np.sin(speed * numbers.sum(1))))
    frame = pd.DataFrame(numbers, columns=["a", "b"])
    return frame.assign(y=(rng.random(n) < chance).astype(int))


def search(out: Path, frame: pd.DataFrame, space: str = AUTO, **options: Any) -> Any:
    file = out / "space.toml"
    file.write_text(space, encoding="utf-8")
    given = {
        "space": file,
        "trials": 24,
        "track": "off",
        "device": "cpu",
        "workers": 1,
        "out": out,
    }
    return autoloss.search(frame, "y", **{**given, **options})


class _ChosenError(Exception):
    pass


@pytest.fixture
def choices(monkeypatch: pytest.MonkeyPatch) -> list[module.NumbersChoice]:
    """Keep the choices of a search, which ends after the first."""
    found: list[module.NumbersChoice] = []

    def choose(opened: Any) -> Any:
        found.append(module.choose_numbers(opened))
        raise _ChosenError

    monkeypatch.setattr(running, "choose_numbers", choose)
    return found


@pytest.mark.parametrize(
    ("speed", "is_normal", "chosen"), [(4.0, True, "waves"), (5.0, False, "bins")]
)
def test_the_embedding_that_suits_the_columns_is_chosen(
    tmp_path: Path,
    choices: list[module.NumbersChoice],
    speed: float,
    is_normal: bool,
    chosen: str,
) -> None:
    with pytest.raises(_ChosenError):
        search(tmp_path, oscillation(speed, is_normal=is_normal), LONGER)
    (found,) = choices
    assert found.numbers == chosen
    assert abs(found.change) > 2.0 * found.error > 0.0
    assert (found.change < 0.0) == (chosen == "waves")
    assert f"{found.change:+.4f} nats" in found.text


@pytest.mark.parametrize(
    ("shift", "chosen"), [(-2.0, "waves"), (-0.5, "bins"), (2.0, "bins"), (np.nan, "bins")]
)
def test_learnt_frequencies_must_be_better_by_a_standard_error(
    tmp_path: Path,
    choices: list[module.NumbersChoice],
    monkeypatch: pytest.MonkeyPatch,
    shift: float,
    chosen: str,
) -> None:
    change = np.random.default_rng(0).normal(size=400)
    change = (change - change.mean()) / change.std(ddof=1)
    losses = {"bins": torch.ones(400), "waves": 1.0 + torch.tensor(change + shift / 20.0)}
    trained: list[str] = []

    def known(opened: Any, divisions: Any) -> torch.Tensor:
        (numbers,) = {job.network.config.numbers for job in divisions.jobs}
        trained.append(numbers)
        return losses[numbers]

    monkeypatch.setattr(module, "_losses", known)
    with pytest.raises(_ChosenError):
        search(tmp_path, oscillation(1.0, n=200))
    (found,) = choices
    assert trained == ["bins", "waves"]
    assert found.numbers == chosen
    if np.isfinite(shift):
        assert found.change == pytest.approx(shift / 20.0, abs=1e-6)
        assert found.error == pytest.approx(1.0 / 20.0, rel=1e-6)


def test_there_is_no_choice_without_time_or_numbers(
    tmp_path: Path, choices: list[module.NumbersChoice], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_losses", lambda *given: pytest.fail("it was trained"))
    frame = oscillation(1.5, n=200)
    words = frame.assign(
        a=np.where(frame["a"] > 0, "x", "z"), b=np.where(frame["b"] > 0, "u", "v")
    )
    short = ({"time_limit": 30.0}, {"trials": 23}, {"frame": words})
    for name, given in zip("abc", ({"frame": frame, **one} for one in short), strict=True):
        with pytest.raises(_ChosenError):
            search(tmp_path, name=name, **given)
    assert [one.numbers for one in choices] == ["bins"] * 3
    assert "without a short training" in choices[0].text


def test_the_model_has_the_embedding_that_was_chosen_and_a_resumed_search_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def choose(opened: Any) -> module.NumbersChoice:
        calls.append("chosen")
        return module.NumbersChoice("waves", -0.1, 0.01)

    monkeypatch.setattr(running, "choose_numbers", choose)
    frame, told = oscillation(1.5, n=300), autoloss.Study.tell_many

    def stop(self: Any, trials: Any, *given: Any, **options: Any) -> Any:
        told(self, trials, *given, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(autoloss.Study, "tell_many", stop)
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path, frame, name="stopped", refit=False, trials=8)
    result = autoloss.resume("stopped", data=frame, out=tmp_path)
    whole = search(tmp_path, frame, name="whole", refit=False, trials=8)
    assert len(calls) == 2
    for one in (result, whole):
        assert one.summary.settings["numbers"] == one.model.config.numbers == "waves"
        loaded = autoloss.load(tmp_path / one.summary.name / "model")
        assert np.array_equal(loaded.predict_proba(frame), one.model.predict_proba(frame))
    assert np.allclose(result.model.predict_proba(frame), whole.model.predict_proba(frame))


def test_a_space_may_fix_the_embedding(tmp_path: Path, choices: list[Any]) -> None:
    fixed = SMALL.replace("[network]\n", '[network]\nnumbers = "waves"\n')
    result = search(tmp_path, oscillation(1.5, n=200), fixed, trials=8)
    assert result.model.config.numbers == "waves"
    assert not choices
    with pytest.raises(autoloss.InputError, match='"auto", "bins" or "waves"'):
        search(
            tmp_path, oscillation(1.5, n=200), fixed.replace('"waves"', '"sines"'), name="wrong"
        )
