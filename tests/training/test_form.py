"""Stacked or looped: the possible form, then the clearly faster form."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from autoloss.core.settings import TrainingConfig
from autoloss.models import OwnModel, OwnNetwork
from autoloss.models.custom.check import Behaviour
from autoloss.training import Job, form
from autoloss.training.form import TrainingForm, choose_form
from tests.training.conftest import N_CLASSES, make_part, make_schema
from tests.training.test_own_network import plain


def choose(behaviour: Behaviour, together: int = 32) -> TrainingForm:
    rows = make_part(400, 0)
    fold: Any = SimpleNamespace(
        train=rows, valid=make_part(50, 1), class_counts=torch.bincount(rows.targets)
    )
    network = OwnNetwork(make_schema(), N_CLASSES, OwnModel(plain, "plain"))
    return choose_form(
        network,
        behaviour,
        fold,
        TrainingConfig(),
        device=torch.device("cpu"),
        together=together,
        task="multiclass",
    )


def clocked(monkeypatch: pytest.MonkeyPatch, stacked: float, looped: float) -> list[int]:
    """Let a step of each form take so many seconds; return the candidates that are timed."""
    timed: list[int] = []

    def seconds(jobs: Sequence[Job], k: int, *rest: object, **more: object) -> float:
        network = jobs[0].network
        assert isinstance(network, OwnNetwork)
        timed.append(k)
        return stacked if network.model.stacked else looped

    monkeypatch.setattr(form.timing, "step_seconds", seconds)
    return timed


@pytest.mark.parametrize(
    ("stacked", "looped", "expected"), [(1.0, 3.0, True), (1.0, 0.9, True), (1.0, 0.7, False)]
)
def test_the_clearly_faster_form_is_taken(
    stacked: float, looped: float, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed = clocked(monkeypatch, stacked / 1000, looped / 1000)
    found = choose(Behaviour(draws=False, refusal="", agrees=True), together=6)
    assert found.stacked is expected
    assert timed == [6, 6]
    assert f"{stacked if expected else looped:.3g} ms a step of 6" in found.reason
    assert f"{looped if expected else stacked:.3g} ms" in found.reason


def test_what_cannot_be_stacked_is_looped_and_nothing_timed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timed = clocked(monkeypatch, 1.0, 2.0)
    found = choose(Behaviour(draws=False, refusal="it says no", agrees=False))
    assert (found.stacked, timed) == (False, [])
    assert found.reason.endswith("because it says no")


def test_a_clock_does_not_decide_what_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    timed = clocked(monkeypatch, 2.0, 1.0)
    assert choose(Behaviour(draws=True, refusal="", agrees=False)).stacked
    assert timed == []


def test_both_forms_are_timed_in_earnest() -> None:
    found = choose(Behaviour(draws=True, refusal="", agrees=True), together=4)
    assert "ms a step of 4" in found.reason
