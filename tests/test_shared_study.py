"""Two processes work on one study: none ends it while the other trains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import autoloss
from autoloss.core.errors import InputError
from autoloss.experiment.session import SearchSession
from autoloss.search import Study
from tests.spaces import TWO_BASES

TRIALS, HELD = 8, 3


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a study that was interrupted before its first training run."""

    def stop(self: SearchSession, *_: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "small.toml").write_text(TWO_BASES, encoding="utf-8")
    with monkeypatch.context() as context:
        context.setattr(SearchSession, "search", stop)
        with pytest.raises(KeyboardInterrupt):
            autoloss.search(
                "sklearn:iris",
                space=tmp_path / "small.toml",
                trials=TRIALS,
                name="s",
                out=tmp_path,
                track="off",
                workers=1,
            )
    return tmp_path


def resumed_beside(
    other: Study, out: Path, patch: pytest.MonkeyPatch, act: Callable[[], object]
) -> autoloss.SearchResult:
    """Resume a study whose trials another worker holds; it acts when the first waits for it."""
    waited: list[int] = []

    def sleep(seconds: float) -> None:
        if not waited:
            assert Counter(one.state for one in other.trials)["running"] == HELD
            act()
        waited.append(other.elsewhere)

    with patch.context() as context:
        context.setattr("autoloss.experiment.session.time.sleep", sleep)
        result = autoloss.resume("s", out=out)
    assert len(waited) == 1
    return result


def test_trials_that_another_process_gives_up_are_trained_before_the_end(
    begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Study.open("s", out=begun)
    slots = {trial.slot for trial in other.ask(HELD)}
    result = resumed_beside(other, begun, monkeypatch, other.close)
    states = Counter(trial.state for trial in result.summary.trials)
    assert states == {"complete": TRIALS}
    assert slots == set(range(HELD))


def test_trials_that_another_process_ends_are_not_trained_again(
    begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Study.open("s", out=begun) as other:
        held = other.ask(HELD)
        result = resumed_beside(
            other, begun, monkeypatch, lambda: [other.fail(one, "diverged") for one in held]
        )
    states = Counter(trial.state for trial in result.summary.trials)
    assert states == {"complete": TRIALS - HELD, "diverged": HELD}


def test_no_verdict_is_reached_without_the_rows_of_every_trial(
    begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = begun / "away.npz"

    def lose(self: SearchSession, *_: object) -> bool:
        (trial, *_) = [one for one in self.study.trials if one.metrics]
        (begun / "s" / "examples" / f"{trial.number:06d}.npz").rename(away)
        return False

    with monkeypatch.context() as context:
        context.setattr(SearchSession, "await_others", lose)
        with pytest.raises(InputError, match="lacks those of 1 of 8 trials: copy them"):
            autoloss.resume("s", out=begun)
    with pytest.raises(InputError, match="lacks those of 1 of 8 trials"):
        autoloss.resume("s", out=begun, judge_now=True)
    with Study.open("s", out=begun) as study:
        # Seven trials would flatter the winner less than eight.
        assert study.optimism() is None
        assert study.pair_optimism() is None
        (lost,) = study.examples.lacking(range(TRIALS))
    assert not (begun / "s" / "summary.json").exists()
    away.rename(begun / "s" / "examples" / f"{lost:06d}.npz")
    assert autoloss.resume("s", out=begun).summary.optimism is not None
