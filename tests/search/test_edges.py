from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest
import torch

from autoloss.losses import ClassFacts, LossSpec, names
from autoloss.losses.parameters import ChoiceParam
from autoloss.records import Edge
from autoloss.search import Study, load_space
from autoloss.search.edges import Tried, edges, widened_ranges
from autoloss.search.growth import ends_of
from autoloss.verdict.select import is_plain_cross_entropy
from tests.search.fake_training import LABELS, settings

SPACE = load_space("default").for_classes(ClassFacts(torch.tensor([50, 50])))
NUISANCE = {"lr": 2e-3, "weight_decay": 1e-2, "dropout": 0.1}
QUOTA = 4
LR = SPACE.ranges["lr"]
FIXED_NOISE = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))


def tried(refined=0.5, *, family="focal", widened=None, ended=True, **values):
    loss = LossSpec.default(family).to_dict()
    return Tried(
        {**loss, **NUISANCE, **{key.replace("__", "."): value for key, value in values.items()}},
        has_ended=ended,
        refined=refined,
        widened=widened or {},
    )


def ranges(history, *, family="focal", others=None):
    found = widened_ranges({family: history, **(others or {})}, SPACE, quota=QUOTA)
    return {name: ends_of(parameters) for name, parameters in found.items()}


def flagged(history, *, family="focal", space=SPACE):
    return edges({family: history}, space)


def test_a_best_value_at_the_end_widens_that_end_for_its_family_alone():
    history = [
        tried(0.5),
        tried(0.4, lr=9.9e-3, focal__gamma=4.9),
        tried(0.6, lr=3e-4),
        tried(0.7),
    ]
    plain = [tried(0.3, family="cross_entropy") for _ in range(4)]
    found = ranges(history, others={"cross_entropy": plain})
    assert set(found) == {"focal"}
    assert set(found["focal"]) == {"lr", "focal.gamma"}
    low, high = found["focal"]["lr"]
    assert low == LR.low
    assert high == pytest.approx(LR.high * math.sqrt(LR.high / LR.low))
    assert found["focal"]["focal.gamma"] == (0.0, 7.5)


def test_both_ends_widen():
    low, high = ranges([tried(lr=3.1e-4)] * 4)["focal"]["lr"]
    assert high == LR.high
    assert low == pytest.approx(LR.low / math.sqrt(LR.high / LR.low))


def test_nothing_widens_before_as_many_trials_ended_as_the_quota():
    at_the_end = tried(0.4, lr=9.9e-3)
    running = tried(None, ended=False)
    assert ranges([at_the_end, tried(), tried(), running]) == {}
    diverged = tried(None)
    assert ranges([at_the_end, tried(), tried(), diverged])["focal"]["lr"][1] > LR.high


def test_a_trial_that_is_not_complete_is_never_best():
    assert ranges([tried(None, lr=9.9e-3), *[tried()] * 4]) == {}


def test_a_range_stays_wide_and_grows_again_if_a_later_best_lies_at_its_new_end():
    history = [tried(0.5, lr=9.9e-3), *[tried(0.6)] * 3]
    once = ranges(history)["focal"]["lr"]
    # More of the same is no reason to go on.
    history.append(tried(0.55, widened={"lr": once}))
    assert ranges(history)["focal"]["lr"] == once
    inside = [*history, tried(0.4, lr=2e-3)]
    assert ranges(inside)["focal"]["lr"] == once
    beyond = [*history, tried(0.4, lr=once[1] * 0.99, widened={"lr": once})]
    twice = ranges(beyond)["focal"]["lr"]
    assert math.log(twice[1] / once[0]) == pytest.approx(1.5**2 * math.log(LR.high / LR.low))


def test_widening_is_the_same_whether_part_of_a_batch_is_written():
    history = [tried(0.5, lr=9.9e-3), *[tried(0.6)] * 3]
    found = ranges(history)
    written = [tried(None, ended=False, widened=found["focal"]) for _ in range(3)]
    assert ranges([*history, *written]) == found


@pytest.mark.parametrize("family", names())
def test_every_numeric_parameter_of_every_family_is_looked_at(family):
    space = load_space("default", overrides={"bases": [family]})
    own = [
        key for key in space.keys_of(family) if not isinstance(space.ranges.get(key), ChoiceParam)
    ]
    values = {key: space.ranges[key].high for key in own if key in space.ranges}
    values |= {key: space.ranges[key].high for key in NUISANCE}
    loss = LossSpec.default(family).to_dict()
    history = {family: [Tried({**loss, **values}, refined=0.1)] * QUOTA}
    found = {edge.key: edge for edge in edges(history, space)}
    # Not where the end is the end of the valid range.
    beyond = {
        key: math.nextafter(value, math.inf) if isinstance(value, float) else value + 1
        for key, value in values.items()
    }
    expected = {
        key
        for key in values
        if key in NUISANCE or space.ranges[key].mistake(key, beyond[key]) is None
    }
    assert set(found) == expected
    assert {edge.side for edge in found.values()} == {"high"}
    grown = widened_ranges(history, space, quota=QUOTA)[family]
    assert set(grown) == expected


def test_a_special_case_at_the_end_of_the_allowed_range_is_no_edge():
    assert flagged([tried(focal__gamma=0.0, dropout=0.0)]) == ()
    (edge,) = flagged([tried(focal__gamma=4.99)])
    assert edge == Edge("focal", "focal.gamma", 4.99, "high", 0.0, 5.0, is_widened=False)
    of_t2 = tried(family="bi_tempered", bi_tempered__t1=1.0, bi_tempered__t2=1.0)
    assert flagged([of_t2], family="bi_tempered") == ()


def test_an_optimum_inside_a_wider_range_is_no_edge_and_an_optimum_at_its_end_is():
    history = [tried(0.5, lr=9.9e-3), *[tried(0.6)] * 3]
    wider = ranges(history)["focal"]["lr"]
    at_first_end = Edge("focal", "lr", 9.9e-3, "high", LR.low, LR.high, is_widened=False)
    assert flagged(history) == (at_first_end,)
    # Draws from the wider range, but not beyond the best, say nothing of it.
    assert flagged([*history, tried(0.55, lr=5e-3, widened={"lr": wider})]) == (at_first_end,)
    running = tried(None, lr=3e-2, ended=False, widened={"lr": wider})
    assert flagged([*history, running]) == (at_first_end,)
    searched = [*history, tried(0.55, lr=3e-2, widened={"lr": wider})]
    assert flagged(searched) == ()
    # A trial for another setting's sake is not one for this one.
    assert flagged([*history, tried(0.55, lr=9.9e-3, widened={"lr": wider})]) == (at_first_end,)
    inside = [*history, tried(0.4, lr=3e-2, widened={"lr": wider})]
    assert flagged(inside) == ()
    (edge,) = flagged([*searched, tried(0.4, lr=wider[1], widened={"lr": wider})])
    assert edge == Edge("focal", "lr", wider[1], "high", *wider, is_widened=True)


def test_a_fixed_setting_has_no_edge():
    space = replace(
        SPACE,
        ranges={key: one for key, one in SPACE.ranges.items() if key != "lr"},
        fixed={**SPACE.fixed, "lr": 1e-2},
    )
    assert flagged([tried(lr=1e-2)], space=space) == ()


OVERRIDES = {
    "bases": ["cross_entropy", "poly1"],
    "targets": ["none"],
    # The first trial of a family lies at the end.
    "lr": {"low": 5e-4, "high": 1e-2, "default": 1e-2},
}


def new(out, name="s", **changes):
    return Study(
        name, [50, 50, 50], trials=44, space="quick", overrides=OVERRIDES | changes, out=out
    )


def logits_of(trial):
    """Return logits that are worse for poly1 than for others, but at a learning rate of 0.04."""
    optimum, best = (4e-2, 0.1) if trial.spec.base == "poly1" else (3e-3, 0.9)
    far = abs(math.log(trial.lr / optimum))
    return torch.nn.functional.one_hot(LABELS, 3) * 2.0 + (1.5 * far + best) * FIXED_NOISE


def run(study, *, is_cut_off=False):
    """Search to the end; on demand half of the batches are lost with their process."""
    cut = is_cut_off
    while not study.done:
        trials = study.ask(8)
        for trial in trials[: 3 if cut else 8]:
            study.tell(trial, logits_of(trial), LABELS)
        if cut:
            study.close()
            study = Study.open(study.folder)
        cut = is_cut_off and not cut
        counts = Counter(
            "plain" if is_plain_cross_entropy(record.loss) else record.family
            for record in study.trials
        )
        assert counts["plain"] >= max(counts["poly1"], counts["brier"])
    study.close()
    return study


def test_a_study_finds_an_optimum_beyond_its_range_for_the_family_that_has_it(tmp_path):
    study = run(new(tmp_path))
    with Study.open(study.folder) as study:
        records, found = study.trials, study._session.edges()
    beyond = [record for record in records if record.nuisance["lr"] > 1e-2]
    assert {record.family for record in beyond} == {"poly1"}
    assert {record.origin for record in beyond} == {"sampler"}
    best = min(records, key=lambda record: record.metrics["refined_log_loss"])
    assert best.family == "poly1"
    assert best.nuisance["lr"] > 2e-2
    others = [r for r in records if r.family == "poly1" and r.nuisance["lr"] <= 1e-2]
    plain = [r for r in records if r.family == "cross_entropy"]

    def least(some):
        return min(record.metrics["refined_log_loss"] for record in some)

    # Without the wider range it would have come last.
    assert least([best]) < least(plain) < least(others)
    assert ("poly1", "lr") not in {(edge.family, edge.key) for edge in found}


def test_an_interrupted_study_widens_as_an_uninterrupted_study(tmp_path):
    whole = run(new(tmp_path, "whole"))
    cut_off = run(new(tmp_path, "cut"), is_cut_off=True)
    with Study.open(whole.folder) as whole, Study.open(cut_off.folder) as cut_off:
        assert len(cut_off._session.trials()) > len(whole._session.trials())
        assert settings(cut_off) == settings(whole)
        assert any(record.nuisance["lr"] > 1e-2 for record in whole.trials)


def test_two_objectives_widen_too(tmp_path):
    study = run(new(tmp_path, objectives=["error", "refined_log_loss"]))
    with Study.open(study.folder) as study:
        assert any(record.nuisance["lr"] > 1e-2 for record in study.trials)


def test_cross_entropy_outside_the_space_widens_as_any_family(tmp_path):
    """Plain cross-entropy has no temperature of 2 to 4: the sampler does not see it."""
    lr = {"low": 1e-4, "high": 2e-3, "default": 2e-3}
    study = run(new(tmp_path, lr=lr, temperature={"low": 2.0, "high": 4.0}))
    with Study.open(study.folder) as study:
        plain = [record for record in study.trials if record.loss == {"base": "cross_entropy"}]
        assert max(record.nuisance["lr"] for record in plain) > 2e-3
        shown = [trial.params.get("base") for trial in study._session.trials() if trial.params]
        assert "poly1" in shown
        assert all(
            not trial.params or trial.params["temperature"] >= 2.0
            for trial in study._session.trials()
        )
