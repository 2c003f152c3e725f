"""The page on imitation: its script runs, its figures are its results, its bounds are exact."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import imitation
from benchmarks.imitation import FIGURE, HORIZONS, PAGE, RESULTS
from benchmarks.imitation_page import draw, written

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SMALLER = {
    'space="quick"': 'space="small.toml", track="off", workers=1',
    "trials=32": "trials=4",
    "steps=100": "steps=30",
}
HAS_GYMNASIUM = find_spec("gymnasium") is not None
needs_gymnasium = pytest.mark.skipif(
    not HAS_GYMNASIUM, reason="needs gymnasium: pip install 'autoloss[imitation]'"
)


@pytest.mark.parametrize(
    ("error", "horizon", "cost"),
    [(0.01, 100, 37.237202), (0.001, 100, 4.887355), (0.01, 10, 0.533825)],
)
def test_a_chain_that_ends_at_the_first_mistake_loses_less_than_the_bound(
    error: float, horizon: int, cost: float
) -> None:
    assert imitation.absorbing_cost(error, horizon) == pytest.approx(cost, abs=5e-7)
    # The same as the sum over the step of the first mistake.
    first = (1 - error) ** np.arange(horizon) * error
    expected = (first * (horizon - np.arange(horizon))).sum()
    assert imitation.absorbing_cost(error, horizon) == pytest.approx(expected)
    assert error * horizon < cost <= error * horizon * (horizon + 1) / 2
    assert cost <= imitation.quadratic_bound(error, horizon)


def test_the_page_is_what_its_run_printed() -> None:
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    assert written(page, results) == page
    assert draw(results) == FIGURE.read_text(encoding="utf-8")
    other = json.loads(json.dumps(results))
    for one in other["policies"]:
        one["returned"] += 1.0
    assert written(page, other) != page


def test_episodes_end_where_the_room_says(monkeypatch: pytest.MonkeyPatch) -> None:
    class Room:
        """A room whose state counts the steps; an episode of number n ends after n + 1."""

        def reset(self, *, seed: int) -> tuple[np.ndarray, dict[str, int]]:
            self.last, self.now = seed % 10_000 + 1, 0
            return np.zeros(4), {}

        def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, int]]:
            self.now += 1
            return np.full(4, float(self.now)), 1.0, self.now == self.last, False, {}

        def close(self) -> None:
            pass

    monkeypatch.setitem(sys.modules, "gymnasium", SimpleNamespace(make=lambda name: Room()))
    found = imitation.play(lambda states: np.ones(len(states)), episodes=4, steps=3, seed=1)
    assert found.lengths.tolist() == [1, 2, 3, 3]
    assert found.states[2][:, 0].tolist() == [0.0, 1.0, 2.0]
    frame = imitation.table(found, first=7)
    assert frame["episode"].tolist() == [7, 8, 8, 9, 9, 9, 10, 10, 10]
    assert set(frame["action"]) == {"right"}
    turned = imitation.play(
        lambda states: np.ones(len(states)), episodes=400, steps=3, seed=1, turned=0.25
    )
    share = np.mean(np.concatenate(turned.actions) == 0)
    assert share == pytest.approx(0.25, abs=0.05)


@needs_gymnasium
def test_the_expert_keeps_the_pole_up() -> None:
    shown = imitation.play(imitation.expert, episodes=5, steps=HORIZONS[-1], seed=0)
    assert set(shown.lengths) == {HORIZONS[-1]}
    budget = imitation.Budget(episodes=5)
    known = {
        "data": "expert",
        "noise": 0.0,
        "rows": 0,
        "loss": "focal",
        "why": "",
        "log_loss": 0.0,
    }
    found = imitation.figures(imitation.expert, budget, **known)
    assert found.returned == HORIZONS[-1]
    assert found.disagrees == found.lost == (0.0,) * len(HORIZONS)
    worst = imitation.figures(lambda states: 1 - imitation.expert(states), budget, **known)
    assert worst.disagrees == (1.0,) * len(HORIZONS)
    assert worst.returned < 20


@pytest.mark.slow
@needs_gymnasium
def test_the_run_compares_losses_and_aggregates(tmp_path: Path) -> None:
    budget = imitation.Budget(demonstrations=8, trials=5, episodes=5)
    first = imitation.run(budget, tmp_path, told=str, pieces=2)
    found = imitation.run(budget, tmp_path, told=str)
    assert found[: len(first)] == first
    results = imitation.document_of(budget, found, tmp_path)
    page = written(PAGE.read_text(encoding="utf-8"), results)
    assert "after a round of data aggregation" in page
    for noise in (0.0, imitation.TURNED):
        some = [one for one in found if one.noise == noise]
        assert {one.data for one in some} == {"expert", "aggregated", "more expert"}
        for data in ("expert", "aggregated", "more expert"):
            own = [one for one in some if one.data == data]
            assert len(own) >= 2
            assert sum(one.is_recommended for one in own) == 1
        rows = {one.data: one.rows for one in some}
        assert rows["more expert"] == 2 * rows["expert"]
        assert rows["aggregated"] <= 2 * rows["expert"]


@pytest.mark.slow
@needs_gymnasium
def test_the_script_of_the_page_runs(tmp_path: Path) -> None:
    [text] = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    for old, new in SMALLER.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "cart.py").write_text(text, encoding="utf-8")
    (tmp_path / "small.toml").write_text(imitation.SPACE, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "cart.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if " nats, " in line]
    assert len(lines) >= 2
    assert all(float(line.rpartition(" nats, ")[2].split()[0]) > 0 for line in lines)
