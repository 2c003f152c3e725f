"""The models that could ship, compared on rows that their training runs held out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine

import autoloss
from autoloss.core.errors import InputError
from autoloss.experiment.held_out import HeldOut, HeldOutFinalists, HeldOutRows
from autoloss.inference.loading import load
from autoloss.report import render_markdown
from tests.spaces import SMALL

N, CLASSES = 400, 3


def noisy_wine() -> pd.DataFrame:
    """Return wines with noisy inputs, so that no finalist is right alone."""
    frame = load_wine(as_frame=True).frame
    noise = np.random.default_rng(0).normal(0.0, 1.0, frame.shape) * 0.8 * frame.std().to_numpy()
    return frame.assign(**(frame + noise).drop(columns="target"))


class Studies(dict[str, autoloss.SearchResult]):
    """The results of a study by its shipping policy, and their folder."""

    def __init__(self, out: Path, results: dict[str, autoloss.SearchResult]) -> None:
        super().__init__(results)
        self.out = out


def make_held_out(seed: int, *, skill: float = 1.0, trainings: int = 4) -> HeldOut:
    """Return predictions of training runs that each hold out half of the rows, twice in all."""
    draw = np.random.default_rng(seed)
    targets = np.random.default_rng(99).integers(0, CLASSES, N)
    halves = np.random.default_rng(98).permutation(N).reshape(2, -1)
    rows = np.concatenate([halves[number % 2] for number in range(trainings)])
    own = targets[rows]
    logits = draw.normal(0.0, 1.0, (len(rows), CLASSES))
    logits[np.arange(len(rows)), own] += skill
    log_probs = logits - np.logaddexp.reduce(logits, 1, keepdims=True)
    return HeldOut(log_probs, lambda: log_probs, HeldOutRows(own, rows, rows, rows, (len(rows),)))


def log_loss(log_probs: np.ndarray, targets: np.ndarray) -> float:
    return float(-log_probs[np.arange(len(targets)), targets].mean())


def best(pool: HeldOutFinalists, rows: np.ndarray) -> dict[int, float]:
    return dict(pool.lowest(rows, pool.numbers))


def test_a_crossfitted_blend_of_equal_finalists_gains_nothing() -> None:
    one = make_held_out(0)
    pool = HeldOutFinalists({3: one, 5: one, 8: one})
    alone = pool.crossfitted(lambda pool, rows: {3: 1.0}, 0)
    assert np.array_equal(pool.crossfitted(HeldOutFinalists.blend, 0), alone)


def test_finalists_that_differ_by_luck_alone_do_not_look_better_when_crossfitted() -> None:
    # On the rows of its choice, the best of many equal finalists looks better than they are.
    pool = HeldOutFinalists({number: make_held_out(number) for number in range(12)})
    losses = [
        log_loss(pool.crossfitted(lambda pool, rows, n=n: {n: 1.0}, 0), pool.targets)
        for n in pool.numbers
    ]
    chosen = best(pool, pool.every)
    lucky = log_loss(pool.crossfitted(lambda pool, rows: chosen, 0), pool.targets)
    honest = log_loss(pool.crossfitted(best, 0), pool.targets)
    assert lucky == min(losses)
    assert honest > lucky + 0.01
    assert honest > np.mean(losses) - 2.0 * np.std(losses)


def test_a_blend_of_different_finalists_is_better_than_each() -> None:
    pool = HeldOutFinalists({number: make_held_out(number) for number in range(4)})
    blend = log_loss(pool.crossfitted(HeldOutFinalists.blend, 0), pool.targets)
    singles = [
        log_loss(pool.crossfitted(lambda pool, rows, n=n: {n: 1.0}, 0), pool.targets)
        for n in pool.numbers
    ]
    assert blend < min(singles)


def test_a_finalist_alone_has_the_temperature_of_its_model() -> None:
    one = make_held_out(1, skill=2.0)
    pool = HeldOutFinalists({3: one, 5: make_held_out(2)})
    assert pool.temperature({3: 1.0}, pool.every) == HeldOutFinalists({0: one}).temperature(
        {0: 1.0}, pool.every
    )


def test_a_row_does_not_decide_the_temperature_of_its_own_prediction() -> None:
    one = make_held_out(1, skill=2.0)
    before = one.calibrated(0)
    row = 7
    worse = np.where(one.of.rows == row, (one.of.targets + 1) % CLASSES, one.of.targets)
    changed = replace(one, of=replace(one.of, targets=worse))
    assert np.array_equal(changed.calibrated(0)[row], before[row])
    assert not np.array_equal(changed.calibrated(0), before)


@pytest.fixture(scope="module")
def studies(tmp_path_factory) -> Studies:
    out = tmp_path_factory.mktemp("ships")
    space = out / "small.toml"
    space.write_text(SMALL.replace("max_epochs = 4", "max_epochs = 15"), encoding="utf-8")
    options = {"space": space, "trials": 8, "track": "off", "out": out, "device": "cpu"}
    frame = noisy_wine()
    return Studies(
        out,
        {
            name: autoloss.search(frame, "target", ship=name, name=name, **options)
            for name in ("verdict", "best", "blend")
        },
    )


def test_the_three_policies_are_compared_alike_whatever_ships(studies) -> None:
    plain = [
        [replace(one, ships=False) for one in result.summary.policies]
        for result in studies.values()
    ]
    assert plain[0] == plain[1] == plain[2]
    assert [one.name for one in plain[0]] == ["verdict", "best", "blend"]
    for name, result in studies.items():
        assert [one.name for one in result.summary.policies if one.ships] == [name]


def test_the_verdict_is_the_same_whatever_ships(studies) -> None:
    assert studies["verdict"].verdict == studies["best"].verdict == studies["blend"].verdict


def test_the_model_is_the_mean_of_the_finalists_of_its_policy(studies) -> None:
    frame = noisy_wine()
    for name, result in studies.items():
        own = next(one for one in result.summary.policies if one.name == name)
        model = result.model
        assert model is not None
        assert model.temperature == own.temperature
        alone = [
            replace(model, members=(member,), temperature=1.0).predict_proba(frame)
            for member in model.members
        ]
        weights = [member.weight for member in model.members]
        mean = np.average(alone, axis=0, weights=weights) ** (1.0 / own.temperature)
        wanted = mean / mean.sum(1, keepdims=True)
        np.testing.assert_allclose(model.predict_proba(frame), wanted, rtol=0, atol=1e-9)
        count = len(model.members) // len(own.numbers)
        shares = np.array(weights).reshape(len(own.numbers), count).sum(1)
        np.testing.assert_allclose(shares / shares.sum(), own.weights, rtol=0, atol=1e-12)


def test_the_recommended_loss_is_a_loss_also_of_a_blend(studies) -> None:
    blend = studies["blend"]
    assert blend.summary.recommended == studies["verdict"].summary.recommended
    assert blend.recommended.base
    assert blend.recommended.source(task="multiclass")
    best_one = studies["best"].summary
    assert best_one.policies[1].numbers == (best_one.recommended,)


def test_the_report_shows_what_could_ship(studies) -> None:
    for result in studies.values():
        text = render_markdown(result.summary)
        assert "## Shipping policies" in text
        rows = text.partition("## Shipping policies")[2].partition("##")[0]
        assert rows.count("| ships |") == 1


def test_a_person_can_ship_the_recommended_loss_in_the_place_of_a_blend(studies) -> None:
    blend = studies["blend"]
    assert len(blend.summary.policies[2].numbers) > 1
    result = autoloss.ship(
        "blend", blend.summary.recommended, out=studies.out, reason="one loss is enough"
    )
    assert result.model is not None
    assert len({member.readout.spec for member in result.model.members}) == 1
    assert result.summary.policies[0].ships
    assert not result.summary.policies[2].ships


def test_an_unknown_policy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ship must be a policy"):
        autoloss.search("sklearn:iris", ship="bset", track="off", out=tmp_path)  # type: ignore


def test_a_saved_blend_predicts_as_the_one_in_memory(studies, tmp_path: Path) -> None:
    model, frame = studies["blend"].model, noisy_wine()
    assert model is not None
    again = load(model.save(tmp_path))
    assert np.array_equal(again.predict_proba(frame), model.predict_proba(frame))
