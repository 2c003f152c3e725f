from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from autoloss.cli.catalogue.drawing import draw
from autoloss.cli.catalogue.signal import LogitSignal, signals
from autoloss.losses import declare, get, names
from autoloss.losses.samples import sizes_for

PROBS = torch.tensor([0.003, 0.01, 0.1, 0.4, 0.5, 0.9, 0.99, 0.999], dtype=torch.float64)
# In closed form: -p dL/dp for a loss of p alone.
CLOSED = {
    "cross_entropy": lambda p: torch.ones_like(p),
    "focal": lambda p: (1 - p) ** 2 - 2 * p * (1 - p) * p.log(),
    "inverse_focal": lambda p: (1 + p) ** 0.5 + 0.5 * p * (1 + p) ** -0.5 * p.log(),
    "generalized_cross_entropy": lambda p: p**0.7,
    "mae": lambda p: p,
    "poly1": lambda p: 1 + p,
    "taylor_cross_entropy": lambda p: 1 - (1 - p) ** 2,
}


def signal(name: str, n_classes: int = 2, label: int = 1) -> LogitSignal:
    loss = get(name)
    setting = {key: one.default for key, one in loss.parameters.items()}
    return LogitSignal(loss, setting, n_classes, label, "")


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("n_classes", [2, 10])
def test_the_signal_of_a_local_loss_is_its_closed_form(name: str, n_classes: int) -> None:
    found = signal(name, n_classes).at(PROBS)
    assert_close(found, CLOSED[name](PROBS), rtol=1e-9, atol=1e-12)
    assert len(signals(get(name))) == 1


def test_the_signal_of_brier_depends_on_the_number_of_classes() -> None:
    assert_close(signal("brier").at(PROBS), 4 * PROBS * (1 - PROBS), rtol=1e-9, atol=1e-12)
    # The gradient on the true logit is -2 p ((1 - p)² + the sum of the other p²).
    many = 2 * PROBS * ((1 - PROBS) + (1 - PROBS) / 9)
    assert_close(signal("brier", 10, 3).at(PROBS), many, rtol=1e-9, atol=1e-12)
    assert [one.name for one in signals(get("brier"))] == ["2 classes", "10 classes"]


@pytest.mark.parametrize("name", names())
def test_at_equal_logits_the_signal_is_the_gradient_scale(name: str) -> None:
    loss = get(name)
    if loss.needs or name == "dual_focal":
        pytest.skip("its scale depends on what it needs, or it jumps where classes tie")
    for n_classes in sizes_for(loss, 2, 10):
        found = signal(name, n_classes, 0).at(torch.tensor([1.0 / n_classes]).double())
        if found.isfinite().all():
            scale = loss.gradient_scale(n_classes)
            assert_close(float(found), scale, rtol=1e-6, atol=1e-9)


def test_p_is_what_the_softmax_of_the_loss_gives() -> None:
    # Cosines go into it 16 times as large, with the true one lowered by 0.35.
    s, m = 16.0, 0.35
    odds = PROBS.logit() - s * m
    expected = s * torch.sigmoid(-odds) / (1.0 - PROBS)
    assert_close(signal("am_softmax").at(PROBS), expected, rtol=1e-5, atol=0.0)


@pytest.mark.parametrize(
    ("name", "prob", "means"),
    [("focal", 0.9, 0.9974), ("generalized_cross_entropy", 0.99, 0.7988)],
)
def test_what_a_softmax_means_is_the_known_posterior(name: str, prob: float, means: float) -> None:
    assert signal(name).posterior(prob) == pytest.approx(means, abs=5e-5)


def test_yes_and_no_differ_where_the_loss_treats_them_so() -> None:
    assert [(one.name, one.label) for one in signals(get("asymmetric"))] == [("yes", 1), ("no", 0)]


def test_a_loss_of_the_direction_of_logits_has_no_signal() -> None:
    assert signals(get("logit_norm")) == []
    assert signal("logit_norm").at(PROBS).isnan().all()


def test_a_loss_of_your_own_has_a_signal() -> None:
    @declare(source="this test", local=True)
    def squared(log_p):
        """Half the square of the log loss."""
        return 0.5 * log_p**2

    (one,) = signals(squared)
    assert_close(one.at(PROBS), -PROBS.log(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", names())
def test_every_loss_can_be_drawn(name: str) -> None:
    found = signals(get(name))
    assert found or name == "logit_norm"
    for one in found:
        assert one.at(PROBS).isfinite().all()


def rows_of(text: list[str], letter: str) -> list[int]:
    return [number for number, line in enumerate(text) if letter in line[7:]]


@pytest.mark.parametrize("braille", [True, False])
@pytest.mark.parametrize("width", [40, 76])
def test_a_drawing_keeps_its_width_and_letters(width: int, braille: bool) -> None:
    text = draw([lambda ps: [math.sin(9 * p) for p in ps]], width=width, braille=braille)
    assert max(map(len, text)) <= width
    assert "".join(text).isascii() == (not braille)


def test_a_curve_stands_at_its_values() -> None:
    text = draw([lambda ps: [1.0] * len(ps)], width=60, height=10, braille=False)
    (row,) = rows_of(text[:10], "*")
    assert text[row].split()[0] == "1"
    assert text[row].count("*") == 60 - 7
    rising = draw([lambda ps: list(ps)], width=60, height=10, braille=False)
    columns = [line.rindex("*") for line in rising[:10] if "*" in line]
    assert columns == sorted(columns, reverse=True)
    assert rising[9][7] == "*"


def test_steep_pieces_are_joined_and_gaps_are_not() -> None:
    step = draw([lambda ps: [float(p > 0.5) for p in ps]], width=60, height=10, braille=False)
    assert len(rows_of(step[:10], "*")) == 10 - rows_of(step[:10], "*")[0]
    hole = draw(
        [lambda ps: [math.nan if 0.4 < p < 0.6 else float(p > 0.5) for p in ps]],
        width=60,
        height=10,
        braille=False,
    )
    assert len(rows_of(hole[:10], "*")) == 2


def test_values_of_many_sizes_get_a_logarithmic_axis() -> None:
    text = draw([lambda ps: [16.0 / (1.0 - p) for p in ps]], width=60)
    labels = [line.split()[0] for line in text if line[:6].strip()]
    assert labels == ["100", "10", "1"]


def test_the_second_curve_has_gaps() -> None:
    text = draw([lambda ps: [0.2] * len(ps), lambda ps: [0.8] * len(ps)], width=60, braille=False)
    assert [line.count("*") for line in text if "*" in line] == [53]
    assert [line.count("o") for line in text if "o" in line] == [27]
