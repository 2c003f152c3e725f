from __future__ import annotations

import pytest

from autoloss.cli.declarations import find, loss_cards, range_text
from autoloss.losses import PRIORS, TARGETS, FloatParam, IntParam, get, names


def test_every_loss_prior_and_target_is_listed_with_its_ranges_and_source(run) -> None:
    text = run("losses", env={"COLUMNS": "400"}).stdout
    for name in (*names(), *PRIORS, *TARGETS):
        assert name in text
    for loss in map(get, names()):
        assert loss.source in text
        assert loss.summary.replace("``", "") in text
        for key, parameter in loss.parameters.items():
            assert f"{key}: {range_text(parameter)}" in text


@pytest.mark.parametrize("name", [*names(), *PRIORS, *TARGETS])
def test_each_can_be_shown_in_full(run, name) -> None:
    result = run("losses", name)
    assert result.exit_code == 0
    assert name in result.stdout
    assert "Source" in result.stdout


def test_special_cases_are_told() -> None:
    facts = dict(find("focal").facts)
    assert facts["Equals"] == "cross_entropy at gamma=0"


def test_an_unknown_loss_names_the_closest(run) -> None:
    result = run("losses", "fokal")
    assert result.exit_code == 2
    assert "did you mean 'focal'?" in result.stderr


def test_ranges_say_their_scale() -> None:
    assert (
        range_text(FloatParam(0.05, 3.0, default=0.3, log=True)) == "0.05 to 3 (log), default 0.3"
    )
    assert range_text(IntParam(1, 10, default=2)) == "1 to 10, default 2"


def test_cards_stand_in_the_order_of_the_registry() -> None:
    assert tuple(name for name, _ in loss_cards()) == names()
