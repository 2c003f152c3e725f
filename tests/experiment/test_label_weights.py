"""Weights that the user gives to labels: from the table to the loss."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from autoloss.core.errors import InputError
from autoloss.core.task import Task
from autoloss.data.class_knowledge import check_weights, ordered_weights
from autoloss.losses import LossSpec
from autoloss.losses.tuned import as_counts
from autoloss.search.config import StudyConfig

TASK = Task("multilabel", ("no", "yes"), names=("calm", "sad", "loud"))
COUNTS = ((50.0, 50.0), (80.0, 20.0), (95.0, 5.0))


def test_the_weight_of_a_label_is_that_of_yes(tmp_path) -> None:
    path = tmp_path / "weights.csv"
    path.write_text("label,weight\nloud,5\ncalm,1\nsad,2.5\n", encoding="utf-8")
    pairs = ordered_weights(check_weights(path), TASK)
    assert pairs == [[1.0, 1.0], [1.0, 2.5], [1.0, 5.0]]
    pairs = as_counts(pairs)
    config = StudyConfig("mine", TASK, COUNTS, 4, "", {}, class_weights=pairs)
    again = StudyConfig.from_dict({**config.to_dict(), "space": {}})
    assert again.class_weights == pairs
    assert again.facts.weights is not None
    assert again.facts.weights.tolist() == [list(pair) for pair in pairs]


def test_a_loss_with_given_weights_is_that_of_torch_with_pos_weight() -> None:
    pairs = ((1.0, 1.0), (1.0, 2.5), (1.0, 5.0))
    spec = LossSpec("cross_entropy", prior="given_weights")
    module = spec.module(torch.tensor(COUNTS), task="multilabel", class_weights=pairs)
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(8, 3, generator=generator, dtype=torch.float64)
    answers = (torch.rand(8, 3, generator=generator) < 0.4).long()
    share = torch.tensor(COUNTS)[:, 1].double() / 100
    yes = torch.tensor([pair[1] for pair in pairs]).double()
    expected = functional.binary_cross_entropy_with_logits(
        logits, answers.double(), pos_weight=yes, reduction="none"
    ) / (1 - share + share * yes)
    torch.testing.assert_close(module(logits, answers), expected.mean())


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"calm": 1, "sad": 2}, "must have every label, but got none for 'loud'"),
        ({"calm": 1, "sad": 2, "lowd": 3}, "of known labels, but got 'lowd', did you mean 'loud'"),
    ],
)
def test_every_label_has_a_weight(weights, message) -> None:
    with pytest.raises(InputError, match=message):
        ordered_weights(check_weights(weights), TASK)
