from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

import autoloss
from autoloss.experiment.session import SearchSession
from autoloss.records import TrialRecord
from autoloss.search import Study
from autoloss.training import Pool
from autoloss.training import pool as pools
from autoloss.verdict.baseline import default_cross_entropy, tuned_cross_entropy

SPACE = """
bases = ["cross_entropy", "brier", "focal"]
together = {together}
lr = {{ low = 1e-4, high = 0.1, log = true, default = 1e-2 }}
[network]
width = 8
depth = 1
bins = 0
[training]
batch_size = 16
max_epochs = 8
patience = 8
decay = 0.25
precision = "float32"
[protocol]
racing = {racing}
folds = {folds}
finalists = 2
replicates = 2
outer_folds = 0
"""
TRIALS = 40


def space(folder: Path, *, racing: bool = True, folds: int = 1, together: int = 12) -> Path:
    path = folder / f"space-{racing}-{folds}-{together}.toml"
    text = SPACE.format(racing=str(racing).lower(), folds=folds, together=together)
    path.write_text(text, encoding="utf-8")
    return path


def run(out: Path, name: str, **options: Any) -> autoloss.SearchResult:
    return autoloss.search(
        "sklearn:iris", space=space(out, **options), trials=TRIALS, name=name, out=out, track="off"
    )


def tried(records: tuple[TrialRecord, ...]) -> dict[str, tuple[Any, ...]]:
    """Return the result of every setting, without the numbers of trials."""
    found = {}
    for one in records:
        key = json.dumps([one.loss, one.nuisance, one.origin], sort_keys=True)
        curve = tuple((p.epoch, round(p.refined_log_loss, 4)) for p in one.curve)
        found[key] = (one.state, curve)
    return found


class Epochs:
    """Counts the epochs of candidates, and interrupts the search after a number of pool epochs."""

    def __init__(self, patch: pytest.MonkeyPatch, *, at: int | None = None) -> None:
        self.candidates = self.pool = 0
        unharmed = Pool.epoch

        def epoch(pool: Pool) -> list[int]:
            if self.pool == at:
                raise KeyboardInterrupt
            self.pool += 1
            self.candidates += len(pool.alive)
            return unharmed(pool)

        patch.setattr(Pool, "epoch", epoch)


@pytest.fixture(autouse=True)
def without_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the work after the search; a test of that work undoes this."""
    monkeypatch.setattr("autoloss.experiment.running.conclude", lambda session, *_: session.study)


def searched(out: Path, name: str, **options: Any) -> tuple[TrialRecord, ...]:
    run(out, name, **options)
    return Study.open(name, out=out).trials


def test_a_race_costs_less_and_tries_as_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs = {}
    for racing in (False, True):
        with monkeypatch.context() as patch:
            epochs = Epochs(patch)
            records = searched(tmp_path, str(racing), racing=racing)
            costs[racing] = epochs.candidates
        assert len(records) == TRIALS
    assert costs[True] < 0.75 * costs[False]
    states = Counter(record.state for record in records)
    assert states["pruned"] > TRIALS // 5
    whole = [record for record in records if record.state == "complete"]
    assert {record.family for record in whole} == {record.family for record in records}
    assert tuned_cross_entropy(records).loss == {"base": "cross_entropy"}
    assert default_cross_entropy(records, metric="error") is not None
    for one in records:
        if one.state == "pruned":
            assert not one.metrics
            assert len(one.curve) in (1, 3)
        else:
            assert "refined_log_loss" in one.metrics


def test_the_sampler_sees_the_figures_of_trials_at_the_rungs(tmp_path: Path) -> None:
    searched(tmp_path, "s")
    with Study.open("s", out=tmp_path) as study:
        trials = study._session.trials()
        left = [t for t in trials if t.user_attrs["facts"]["state"] == "pruned"]
        assert left
        for trial in left:
            curve = trial.user_attrs["facts"]["curve"]
            assert trial.state == TrialState.PRUNED
            assert max(trial.intermediate_values) == curve[-1][0]
            for epoch, value in trial.intermediate_values.items():
                assert value == min(point[1] for point in curve[:epoch])
        assert {r.number for r in study.trials if r.state == "pruned"} == {t.number for t in left}
        assert study.finalists().challenger.state == "complete"


def test_a_search_with_the_default_space_races() -> None:
    assert autoloss.plan("sklearn:iris").race == "the best third continues after epochs 4 and 12"
    assert autoloss.plan("sklearn:iris", space="quick").race == ""


def test_trials_of_two_objectives_leave_if_they_are_out_by_both(tmp_path: Path) -> None:
    path = space(tmp_path)
    path.write_text('objectives = ["error", "refined_log_loss"]\n' + path.read_text())
    autoloss.search("sklearn:iris", space=path, trials=20, name="s", out=tmp_path, track="off")
    records = Study.open("s", out=tmp_path).trials
    assert Counter(record.state for record in records)["pruned"] > 20 // 5
    assert {r.family for r in records if r.state == "complete"} == {r.family for r in records}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], int]:
    """Return the result of every setting of a race, and the epochs of its pool."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("autoloss.experiment.running.conclude", lambda session, *_: session.study)
        epochs = Epochs(patch)
        return tried(searched(tmp_path_factory.mktemp("whole"), "whole")), epochs.pool


@pytest.mark.parametrize("at", [0, 1, 3, 7, 14, -4, -1])
def test_an_interrupted_race_goes_on_as_if_it_had_not_been(
    uninterrupted: tuple[dict[str, Any], int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    at: int,
) -> None:
    whole, epochs = uninterrupted
    with monkeypatch.context() as patch:
        Epochs(patch, at=at % epochs)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, "cut")
    with monkeypatch.context() as patch:
        Epochs(patch, at=1)
        with pytest.raises(KeyboardInterrupt):
            autoloss.resume("cut", out=tmp_path)
    autoloss.resume("cut", out=tmp_path)
    with Study.open("cut", out=tmp_path) as study:
        assert tried(study.trials) == whole
        assert study.left == 0


def test_folds_of_a_trial_leave_together(tmp_path: Path) -> None:
    records = searched(tmp_path, "s", folds=3, together=36)
    assert len(records) == TRIALS
    assert sum(record.state == "pruned" for record in records) > TRIALS // 5


def test_a_full_memory_makes_a_smaller_race(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pools.Population

    def scarce(network: Any, candidates: Any, *rest: Any, **more: Any) -> Any:
        if len(candidates) > 5:
            raise MemoryError
        return whole(network, candidates, *rest, **more)

    monkeypatch.setattr(pools, "Population", scarce)
    notes: list[str] = []
    monkeypatch.setattr(
        SearchSession, "_on_halved", lambda self, together: notes.append(str(together))
    )
    records = searched(tmp_path, "s")
    assert notes
    assert len(records) == TRIALS
    assert Counter(r.state for r in records)["running"] == 0


def test_a_space_may_do_without(tmp_path: Path) -> None:
    records = searched(tmp_path, "s", racing=False)
    assert {record.state for record in records} == {"complete"}
    path = space(tmp_path)
    path.write_text(path.read_text().replace("racing = true", 'racing = "yes"'))
    with pytest.raises(autoloss.InputError, match=r"protocol\.racing"):
        autoloss.search("sklearn:iris", space=path, trials=4, out=tmp_path, track="off")


def test_a_search_with_a_race_ends_with_a_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    result = run(tmp_path, "s")
    states = {trial.number: trial.state for trial in result.summary.trials}
    assert "pruned" in states.values()
    assert states[result.summary.recommended] == "complete"
    assert "left the race" in (tmp_path / "s" / "report.html").read_text(encoding="utf-8")
