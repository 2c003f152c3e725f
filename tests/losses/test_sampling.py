"""Rows of some classes are left out at random: the read-out returns to the posterior of all."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from autoloss.core.errors import InputError
from autoloss.losses import ClassFacts, LossSpec, Objective
from autoloss.metrics import balanced_error
from autoloss.readout import Readout, fit_readouts, fold_numbers

from .test_readouts import AROUND, COUNTS, FLAT, minimum

RATES = torch.tensor([0.1, 0.5, 0.25, 1.0], dtype=torch.float64)
LABELS = {"ids": lambda around: "-".join(map(str, around.values())) or "plain"}
# Proper and not, local and not, read in closed form and from slopes, one that needs the counts.
BASES = ("cross_entropy", "brier", "spherical", "focal", "poly1", "squared_hinge", "ldam")


def sampled(posterior: torch.Tensor, rates: torch.Tensor) -> torch.Tensor:
    """Return the posterior in a sample with a share of each class's rows."""
    return posterior * rates / (posterior * rates).sum()


def objective_of(*specs: LossSpec, rates: torch.Tensor | None = RATES) -> Objective:
    facts = ClassFacts(COUNTS) if rates is None else ClassFacts(COUNTS).thinned(rates)
    return Objective(specs, facts, dtype=torch.float64)


@pytest.mark.parametrize("around", AROUND, **LABELS)
@pytest.mark.parametrize("base", BASES)
def test_readout_recovers_the_posterior_of_all_rows(base, around):
    spec = LossSpec.from_dict({"base": base, **around})
    objective = objective_of(spec)
    learnt = sampled(FLAT, RATES)
    best = minimum(lambda z: objective(z[None, None], learnt[None])[0, 0], 4)
    assert bool(objective.has_prior & objective.has_link)
    assert_close(objective.log_links(best[None, None])[0, 0].exp(), FLAT, atol=1e-5, rtol=0)
    # Without the rates it is that of the rows that were left.
    plain = Objective([spec], objective.facts.counts, dtype=torch.float64)
    assert_close(plain.log_links(best[None, None])[0, 0].exp(), learnt, atol=1e-5, rtol=0)


@pytest.mark.parametrize("around", [a for a in AROUND if "target" not in a], **LABELS)
@pytest.mark.parametrize("base", ["cross_entropy", "brier"])
def test_prior_correction_recovers_the_posterior_of_all_rows(base, around):
    objective = objective_of(LossSpec.from_dict({"base": base, **around}))
    learnt = sampled(FLAT, RATES)
    best = minimum(lambda z: objective(z[None, None], learnt[None])[0, 0], 4)
    scores = objective.prior_corrected(best[None, None])[0, 0]
    assert_close(scores.softmax(-1), FLAT, atol=2e-6, rtol=0)


SPECS = [
    LossSpec.from_dict({"base": "brier", **AROUND[5]}),
    LossSpec("focal"),
    LossSpec("weston_watkins"),
    LossSpec("cross_entropy"),
    LossSpec.from_dict({"base": "cross_entropy", **AROUND[3]}),
]


def logits(n: int = 5) -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    return torch.randn(n, 7, 4, generator=random, dtype=torch.float64)


def test_training_knows_nothing_of_the_rates():
    rated, targets = objective_of(*SPECS), torch.arange(7) % 4
    plain = Objective(SPECS, rated.facts.counts, dtype=torch.float64)
    assert torch.equal(rated(logits(), targets), plain(logits(), targets))


def test_equal_rates_are_none():
    equal = objective_of(*SPECS, rates=torch.full((4,), 0.3))
    none = objective_of(*SPECS, rates=None)
    assert torch.equal(equal.has_prior, none.has_prior)
    assert not none.has_prior.all()
    assert_close(equal.log_links(logits()), none.log_links(logits()))


def test_a_loss_without_an_exact_readout_is_freed_of_the_rates_too():
    objective = objective_of(LossSpec("weston_watkins"))
    assert (bool(objective.has_prior), bool(objective.has_link)) == (True, False)
    expected = (logits(1) - RATES.log()).softmax(-1)
    assert_close(objective.prior_corrected(logits(1)).softmax(-1), expected)
    assert_close(objective.log_links(logits(1)).exp(), expected)


def test_candidates_have_rates_of_their_own_and_keep_them():
    random = torch.Generator().manual_seed(2)
    rates = torch.rand(5, 4, generator=random, dtype=torch.float64) * 0.9 + 0.1
    counts = torch.randint(20, 90, (5, 4), generator=random)
    facts = ClassFacts(counts).thinned(rates)
    together = Objective(SPECS, facts, dtype=torch.float64)
    kept = together.keep([4, 1])
    assert torch.equal(kept.facts.sampling, rates[[4, 1]])
    for k, spec in enumerate(SPECS):
        own = ClassFacts(counts[k]).thinned(rates[k])
        alone = Objective([spec], own, dtype=torch.float64)
        assert_close(together.log_links(logits())[k], alone.log_links(logits()[[k]])[0])
        assert_close(
            together.prior_corrected(logits())[k], alone.prior_corrected(logits()[[k]])[0]
        )
    assert_close(kept.log_links(logits()[[4, 1]]), together.log_links(logits())[[4, 1]])
    # One row of rates serves all, and their own rates make the counts their own.
    shared = Objective(SPECS, ClassFacts(counts).thinned(RATES), dtype=torch.float64)
    assert shared.keep([2]).facts.sampling.tolist() == [RATES.tolist()]
    assert ClassFacts(COUNTS).thinned(rates).is_stacked


def test_positions_of_a_sequence_share_their_rates():
    facts = ClassFacts(COUNTS, task="sequence").thinned(RATES)
    objective = Objective([LossSpec("cross_entropy")], facts, dtype=torch.float64)
    values = torch.randn(1, 2, 3, 4, dtype=torch.float64)
    expected = (values - RATES.log()).softmax(-1)
    assert_close(objective.log_links(values).exp(), expected)


def test_balanced_error_divides_by_the_prior_of_all_rows():
    objective = objective_of(LossSpec("cross_entropy"))
    assert_close(objective.class_counts, COUNTS)
    assert_close(objective.facts.counts, COUNTS * RATES)
    assert_close(objective.facts.thinned(RATES).counts, COUNTS * RATES)
    log_probs = torch.log_softmax(logits(1), -1)
    targets = torch.arange(7) % 4
    found = balanced_error(log_probs, targets, class_counts=objective.class_counts)
    assert_close(found, balanced_error(log_probs, targets, class_counts=COUNTS))


@pytest.mark.parametrize("rates", [[0.0, 1.0], [1.5, 1.0], [0.5, float("nan")], [0.5] * 3])
def test_rates_that_cannot_be_are_refused(rates):
    with pytest.raises(InputError, match=r"sampling must be shares in \(0, 1\]"):
        ClassFacts(torch.tensor([5, 5]), sampling=torch.tensor(rates))


def test_a_network_that_saw_few_negatives_gets_the_readout_that_undoes_it():
    random = torch.Generator().manual_seed(0)
    rates = torch.tensor([0.05, 1.0], dtype=torch.float64)
    odds = torch.randn(20_000, generator=random, dtype=torch.float64) * 1.5 - 4.0
    targets = (torch.rand(20_000, generator=random) < odds.sigmoid()).long()
    # The output of a network that was trained on one of twenty negatives.
    seen = torch.stack([torch.zeros_like(odds), odds - rates[0].log()], -1)
    facts = ClassFacts(torch.bincount(targets)).thinned(rates)
    objective = Objective([LossSpec("cross_entropy")], facts, dtype=torch.float64)
    fitted = fit_readouts(seen[None], targets, objective, folds=fold_numbers(targets, seed=0))
    readout = fitted.row(0)
    assert readout.source == "prior"
    assert readout.inverse_temperature == pytest.approx(1.0, abs=0.1)
    again = Readout.from_dict(readout.to_dict())
    right = again.log_probs(seen, facts)[:, 1].exp()
    assert_close(right.mean(), targets.double().mean(), atol=3e-3, rtol=0)
