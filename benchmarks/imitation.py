"""Cloning an expert of CartPole: losses by the return of their policies, beside the bounds.

An expert keeps the pole up. A search on tables of its states and actions, grouped by episode,
trains clones with several losses; their policies play on. Then one round of data aggregation
(DAgger) adds states that the clone visits, and as many rows of the expert are the control. All of
it runs twice: with the expert's own actions, and with a share of its actions turned around.

    python -m benchmarks.imitation --work FOLDER   # runs, and writes reports/imitation/
    python -m benchmarks.imitation --page          # writes docs/imitation.md from the results
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import autoloss
from autoloss.report import summary_from_json
from benchmarks import log

ROOT = Path(__file__).parents[1]
RESULTS, PAGE = ROOT / "reports" / "imitation" / "results.json", ROOT / "docs" / "imitation.md"
FIGURE = ROOT / "docs" / "images" / "imitation.svg"
STATE = ("position", "velocity", "angle", "spin")
EXPERT = np.array([0.1, 0.3, 2.0, 1.0])
SOURCES = ("expert", "aggregated", "more expert")
HORIZONS = (25, 50, 100, 200, 500)
TURNED = 0.2
SPACE = """
bases = ["cross_entropy", "brier", "focal", "generalized_cross_entropy"]
[network]
width = 32
[training]
max_epochs = 20
patience = 6
[protocol]
folds = 1
replicates = 3
outer_folds = 0
"""

States = NDArray[np.float64]
Actions = NDArray[np.int64]
Policy = Callable[[States], Actions]


@dataclass(frozen=True)
class Budget:
    """The size of the run.

    Args:
        demonstrations: Episodes that the expert shows.
        steps: Steps of each.
        trials: Trials of a search.
        episodes: Episodes that a policy plays.
    """

    demonstrations: int = 10
    steps: int = 25
    trials: int = 32
    episodes: int = 100


@dataclass(frozen=True, eq=False)
class Episodes:
    """Episodes of a policy.

    Args:
        states: The states that each visits.
        actions: The actions that it takes in them.
    """

    states: list[States]
    actions: list[Actions]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Return the steps of each episode, which are its return."""
        return np.array([len(one) for one in self.actions])


@dataclass(frozen=True)
class Figures:
    """A policy as the page shows it.

    Args:
        data: The rows that it learnt from: ``"expert"``, ``"aggregated"`` or ``"more expert"``.
        noise: Share of the actions of the rows that are turned around.
        rows: Their number.
        loss: The loss.
        why: Why it is a finalist.
        log_loss: Log loss of the finalist's training runs on rows that they held out, in nats.
        returned: Mean steps that the pole stays up, of 500.
        low: Lower end of the 95 % interval (bootstrap of the episodes).
        high: Upper end.
        disagrees: Share of the expert's states, in the first 25, 50, ... steps, in which the
            policy decides against the expert.
        lost: Mean steps that the policy loses up to each horizon.
        is_recommended: Whether the verdict recommends the loss.
    """

    data: str
    noise: float
    rows: int
    loss: str
    why: str
    log_loss: float
    returned: float
    low: float
    high: float
    disagrees: tuple[float, ...]
    lost: tuple[float, ...]
    is_recommended: bool = False


def expert(states: States) -> Actions:
    """Return the expert's actions: towards the side to which the pole falls."""
    return (states @ EXPERT > 0).astype(np.int64)


def absorbing_cost(error: float, horizon: int) -> float:
    """Return the steps that a policy loses if its first error ends the episode.

    Each of `horizon` steps has an error with the probability `error`, and a step after it is lost
    as the step of the error is.

    Examples:
        >>> round(absorbing_cost(0.01, 100), 6), round(absorbing_cost(0.001, 100), 6)
        (37.237202, 4.887355)
    """
    return horizon - (1 - error) * (1 - (1 - error) ** horizon) / error


def quadratic_bound(error: float, horizon: int) -> float:
    """Return the steps that a clone can lose: ``min(T, T² error)`` (Ross and Bagnell 2010)."""
    return min(float(horizon), horizon**2 * error)


def play(policy: Policy, *, episodes: int, steps: int, seed: int, turned: float = 0.0) -> Episodes:
    """Return episodes of a policy, all of them step by step together.

    Args:
        policy: The policy.
        episodes: How many.
        steps: The most steps of each.
        seed: Seed of the first states and of the noise.
        turned: Share of the actions that are turned around.
    """
    import gymnasium

    random = np.random.default_rng(seed)
    rooms = [gymnasium.make("CartPole-v1") for _ in range(episodes)]
    now = [room.reset(seed=seed * 10_000 + i)[0] for i, room in enumerate(rooms)]
    states: list[list[Any]] = [[] for _ in rooms]
    actions: list[list[int]] = [[] for _ in rooms]
    alive = list(range(episodes))
    for _ in range(steps):
        chosen = policy(np.array([now[i] for i in alive], dtype=np.float64))
        chosen = np.where(random.random(len(alive)) < turned, 1 - chosen, chosen)
        left = []
        for i, action in zip(alive, chosen.tolist(), strict=True):
            states[i].append(now[i])
            actions[i].append(action)
            now[i], _, fell, over, _ = rooms[i].step(action)
            if not (fell or over):
                left.append(i)
        alive = left
        if not alive:
            break
    for room in rooms:
        room.close()
    return Episodes(
        [np.array(one, dtype=np.float64) for one in states], [np.array(one) for one in actions]
    )


def table(found: Episodes, first: int = 0) -> pd.DataFrame:
    """Return episodes as a table: a row a step, with the number of its episode."""
    frames = []
    for i, (states, actions) in enumerate(zip(found.states, found.actions, strict=True)):
        frame = pd.DataFrame(states, columns=list(STATE))
        frames.append(
            frame.assign(action=np.where(actions == 1, "right", "left"), episode=first + i)
        )
    return pd.concat(frames, ignore_index=True)


def policy_of(model: autoloss.Classifier) -> Policy:
    """Return the policy of a model: its likelier action."""

    def act(states: States) -> Actions:
        decided = model.predict(pd.DataFrame(states, columns=list(STATE)))
        return (decided == "right").astype(np.int64)

    return act


def aggregated(policy: Policy, budget: Budget, *, turned: float, seed: int) -> pd.DataFrame:
    """Return states that a policy visits, evenly over its episodes, with the expert's actions.

    They are as many as the expert shows, of as many episodes.
    """
    random = np.random.default_rng(seed)
    visited = play(policy, episodes=budget.demonstrations, steps=HORIZONS[-1], seed=seed)
    chosen = []
    for states in visited.states:
        places = np.linspace(0, len(states) - 1, min(budget.steps, len(states)))
        chosen.append(states[places.astype(int)])
    wanted = [expert(states) for states in chosen]
    turns = [random.random(len(one)) < turned for one in wanted]
    named = [np.where(turn, 1 - one, one) for turn, one in zip(turns, wanted, strict=True)]
    return table(Episodes(chosen, named), budget.demonstrations)


def figures(policy: Policy, budget: Budget, **known: Any) -> Figures:
    """Return the figures of a policy, by its play and by the states of the expert."""
    own = play(policy, episodes=budget.episodes, steps=HORIZONS[-1], seed=1)
    shown = play(expert, episodes=budget.episodes, steps=HORIZONS[-1], seed=2)
    against = [policy(states) != expert(states) for states in shown.states]
    lengths = own.lengths
    draws = np.random.default_rng(0).choice(lengths, (2_000, len(lengths))).mean(1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return Figures(
        returned=float(lengths.mean()),
        low=float(low),
        high=float(high),
        disagrees=tuple(float(np.mean([one[:t].mean() for one in against])) for t in HORIZONS),
        lost=tuple(float((t - np.minimum(lengths, t)).mean()) for t in HORIZONS),
        **known,
    )


def clones(
    frame: pd.DataFrame, budget: Budget, folder: Path, *, data: str, noise: float
) -> list[Figures]:
    """Search on a table, unless its study is finished; return the figures of all finalists."""
    space = folder / "space.toml"
    space.write_text(SPACE, encoding="utf-8")
    place = study_of(folder, data=data, noise=noise)
    if not (place / "summary.json").is_file():
        autoloss.search(
            frame,
            "action",
            groups="episode",
            space=space,
            trials=budget.trials,
            ship="verdict",
            track="off",
            workers=1,
            out=folder,
            name=place.name,
        )
    summary = summary_from_json((place / "summary.json").read_text(encoding="utf-8"))
    found = []
    for finalist in summary.finalists:
        model = autoloss.load(place / "finalists" / f"{finalist.number:05d}")
        found.append(
            figures(
                policy_of(model),
                budget,
                data=data,
                noise=noise,
                rows=len(frame),
                loss=summary.trial(finalist.number).label,
                why=", ".join(finalist.reasons),
                log_loss=float(np.mean(finalist.log_loss)),
                is_recommended=finalist.number == summary.recommended,
            )
        )
    return found


def study_of(folder: Path, *, data: str, noise: float) -> Path:
    """Return the folder of a study."""
    return folder / f"{data}-{noise:g}".replace(" ", "-").replace(".", "-")


def demonstrations(budget: Budget, folder: Path, *, data: str, noise: float) -> pd.DataFrame:
    """Return the rows of a search; those of data aggregation need the study of the expert's."""
    options = {"episodes": budget.demonstrations, "steps": budget.steps, "turned": noise}
    frame = table(play(expert, seed=0, **options))
    if data == "expert":
        return frame
    if data == "more expert":
        more = table(play(expert, seed=4, **options), budget.demonstrations)
    else:
        model = autoloss.load(study_of(folder, data="expert", noise=noise) / "model")
        more = aggregated(policy_of(model), budget, turned=noise, seed=3)
    return pd.concat([frame, more], ignore_index=True)


def run(
    budget: Budget, folder: Path, told: Callable[[str], object] = print, *, pieces: int = 6
) -> list[Figures]:
    """Run everything, or the next few searches; return the figures of the policies so far.

    Args:
        budget: The size.
        folder: Has the studies, and a log of the pieces that are done.
        told: Called with a line for each policy.
        pieces: The most searches.
    """
    done = folder / "figures.jsonl"
    found = [_figures(one) for one in log.read(done)]
    for noise, data in itertools.product((0.0, TURNED), SOURCES):
        if any((one.noise, one.data) == (noise, data) for one in found):
            continue
        if not pieces:
            break
        pieces -= 1
        frame = demonstrations(budget, folder, data=data, noise=noise)
        new = clones(frame, budget, folder, data=data, noise=noise)
        for one in new:
            log.add(done, asdict(one))
            told(f"{one.data}, noise {one.noise:g}, {one.loss}: {one.returned:.0f} steps")
        found += new
    return found


def _figures(line: dict[str, Any]) -> Figures:
    """Return the figures of a line of the log."""
    lists = {key: tuple(value) for key, value in line.items() if isinstance(value, list)}
    return Figures(**{**line, **lists})


def document_of(budget: Budget, found: list[Figures], folder: Path) -> dict[str, Any]:
    """Return the results: the size, the figures, and the verdicts of the searches."""
    verdicts = []
    for noise, data in dict.fromkeys((one.noise, one.data) for one in found):
        text = (study_of(folder, data=data, noise=noise) / "summary.json").read_text("utf-8")
        verdict = summary_from_json(text).verdict
        verdicts.append(
            {"noise": noise, "data": data, "decision": verdict.decision, "text": verdict.text}
        )
    policies = [asdict(one) for one in found]
    return {"budget": asdict(budget), "verdicts": verdicts, "policies": policies}


def main() -> None:
    """Run the benchmark, or write the page from its results."""
    from benchmarks.imitation_page import draw, written

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, help="folder of the studies; runs what is missing")
    parser.add_argument("--pieces", type=int, default=6, help="the most searches of this run")
    parser.add_argument("--page", action="store_true", help="write the page from the results")
    chosen = parser.parse_args()
    if chosen.work is not None:
        budget = Budget()
        chosen.work.mkdir(parents=True, exist_ok=True)
        found = run(budget, chosen.work, pieces=chosen.pieces)
        document = document_of(budget, found, chosen.work)
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if chosen.page:
        results = json.loads(RESULTS.read_text(encoding="utf-8"))
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")
        FIGURE.write_text(draw(results), encoding="utf-8")


if __name__ == "__main__":
    main()
