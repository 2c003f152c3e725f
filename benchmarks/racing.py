"""The cost of racing: searches with and without it, of the same budget, on real tables.

    python -m benchmarks.racing --data DIR [--out reports/speed/racing.json]
        [--sets pima,phoneme] [--trials 128] [--seeds 2] [--first-seed 0] [--rows 10000]
        [--space quick]

The cost is counted in epochs of candidates and in seconds of training. The figures: the cost of
the race as a share of the cost without it; the same until the best complete trial so far has the
refined log loss that both searches reach; and the differences between their final results: the
lowest log loss of complete trials, their lowest error, and the error of the trial with the lowest
log loss. The bars: at most 1/3 of the cost, within 0.005 nats. `--out` writes the figures, with
the sentence that `benchmarks.speed` shows.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy import stats

import autoloss
from autoloss.experiment.session import SearchSession
from autoloss.records import REFINED_LOG_LOSS, TrialRecord
from autoloss.training import Pool

SETS = {
    "pima": None,
    "phoneme": None,
    "satimage": None,
    "wine_quality": None,
    "telco_churn": None,
    "magic_gamma": 10_000,
    "adult": 10_000,
    "letter": 5_000,
}
"""The tables, each with the most rows that are taken from it."""
DIFFERENCE, SHARE = 0.005, 1.0 / 3.0


class SearchedError(Exception):
    """Ends a run after its search, because only the search is measured."""


class Meter:
    """Counts the epochs of all candidates, and records the best trial whenever trials end."""

    def __init__(self) -> None:
        self.cost = 0
        self.seconds = 0.0
        self.path: list[tuple[int, float, float]] = []
        self.records: list[TrialRecord] = []

    def __enter__(self) -> Meter:
        epoch_of, ended_of, meter = Pool.epoch, SearchSession.tell, self

        def epoch(pool: Pool) -> list[int]:
            meter.cost += len(pool.alive)
            started = time.perf_counter()
            found = epoch_of(pool)
            meter.seconds += time.perf_counter() - started
            return found

        def ended(session: SearchSession, *given: Any, **more: Any) -> None:
            ended_of(session, *given, **more)
            meter.records = list(session.study.trials)
            done = [r.metrics[REFINED_LOG_LOSS] for r in meter.records if r.state == "complete"]
            best = min((value for value in done if math.isfinite(value)), default=math.inf)
            meter.path.append((meter.cost, meter.seconds, best))

        self._patches = ExitStack()
        self._patches.enter_context(mock.patch.object(Pool, "epoch", epoch))
        self._patches.enter_context(mock.patch.object(SearchSession, "tell", ended))
        self._patches.enter_context(
            mock.patch("autoloss.experiment.running.conclude", side_effect=SearchedError)
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._patches.close()

    def until(self, target: float) -> tuple[int, float]:
        """Return the cost and the seconds until the best log loss reached the target."""
        return next((cost, seconds) for cost, seconds, best in self.path if best <= target)


def table_of(folder: Path, name: str, rows: int) -> tuple[pd.DataFrame, str]:
    """Return at most `rows` rows of a table, and its target."""
    frame = pd.read_parquet(folder / name / f"{name}.parquet")
    meta = json.loads((folder / name / "meta.json").read_text(encoding="utf-8"))
    # Some tables come with a column that names their own split.
    frame = frame.drop(columns=["split"], errors="ignore")
    most = min(rows, SETS[name] or rows)
    if len(frame) > most:
        frame = frame.sample(most, random_state=0).reset_index(drop=True)
    return frame, str(meta["targets"][0])


def space_of(folder: Path, options: Any, *, racing: bool) -> Path:
    """Write the space with or without racing, and return its file."""
    text = (Path("search_spaces") / f"{options.space}.toml").read_text(encoding="utf-8")
    before, _, after = text.partition("\n[protocol]\n")
    own = f"\n[protocol]\nracing = {str(racing).lower()}\nfolds = {options.folds}\n"
    rest = [line for line in after.splitlines() if not line.startswith(("folds =", "racing ="))]
    path = folder / "space.toml"
    path.write_text("\n".join([before, own, *rest]) + "\n", encoding="utf-8")
    return path


def search(frame: pd.DataFrame, target: str, *, racing: bool, options: Any, seed: int) -> Meter:
    """Run a search without its conclusion."""
    with tempfile.TemporaryDirectory() as out, Meter() as meter, suppress(SearchedError):
        autoloss.search(
            frame,
            target=target,
            space=space_of(Path(out), options, racing=racing),
            trials=options.trials,
            seed=seed,
            out=out,
            track="off",
            device=options.device,
            # The epochs are counted in this process.
            workers=1,
        )
    return meter


def compare(frame: pd.DataFrame, target: str, *, options: Any, seed: int) -> dict[str, Any]:
    """Return the figures of one pair of searches."""
    without = search(frame, target, racing=False, options=options, seed=seed)
    race = search(frame, target, racing=True, options=options, seed=seed)
    ends = [one.path[-1][2] for one in (without, race)]
    reached = [one.until(max(ends)) for one in (without, race)]
    whole = [[r.metrics for r in one.records if r.state == "complete"] for one in (without, race)]
    least = [min(one["error"] for one in some) for some in whole]
    of_best = [min(some, key=lambda one: one[REFINED_LOG_LOSS])["error"] for some in whole]
    return {
        "seed": seed,
        "cost": [without.cost, race.cost],
        "seconds": [without.seconds, race.seconds],
        "cost_to_same": [reached[0][0], reached[1][0]],
        "seconds_to_same": [reached[0][1], reached[1][1]],
        REFINED_LOG_LOSS: ends,
        "difference": ends[1] - ends[0],
        "difference_in_error": least[1] - least[0],
        "difference_in_error_of_best": of_best[1] - of_best[0],
        "left": sum(r.state == "pruned" for r in race.records),
    }


def summary(runs: list[dict[str, Any]]) -> dict[str, list[float]]:
    """Return geometric means of the ratios and mean differences, with 95 % intervals."""
    found = {}
    for name in ("cost", "cost_to_same", "seconds", "seconds_to_same"):
        logs = np.log([run[name][1] / run[name][0] for run in runs])
        found[name] = np.exp(_interval(logs)).tolist()
    for name in ("difference", "difference_in_error", "difference_in_error_of_best"):
        found[name] = _interval(np.array([run[name] for run in runs])).tolist()
    return found


def _interval(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return a mean and its 95 % interval by Student's t, which needs two values."""
    half = 0.0
    if len(values) > 1:
        half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return values.mean() + np.array([0.0, -half, half])


def sentence(found: dict[str, list[float]], runs: int, sets: int, trials: int) -> str:
    """Return the measurement in a sentence."""

    def ratio(name: str) -> str:
        mean, low, high = found[name]
        return f"{mean:.2f} ({low:.2f} to {high:.2f})"

    def change(name: str) -> str:
        mean, low, high = found[name]
        return f"{mean:+.4f} ({low:+.4f} to {high:+.4f})"

    return (
        f"{ratio('cost_to_same')} of the cost, geometric mean of {runs} pairs of searches on "
        f"{sets} data sets with {trials} trials each (95 % intervals); {ratio('cost')} of the "
        f"whole cost; final refined log loss {change('difference')}; lowest validation error "
        f"{change('difference_in_error')}"
    )


def main() -> None:
    """Run the requested searches and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--trials", type=int, default=128)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--folds", type=int, default=1)
    parser.add_argument("--space", default="quick")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    runs: dict[str, list[dict[str, Any]]] = {}
    everything: list[dict[str, Any]] = []
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for name in options.sets.split(","):
            frame, target = table_of(options.data, name, options.rows)
            run = compare(frame, target, options=options, seed=seed)
            runs.setdefault(name, []).append(run)
            shares = [run[key][1] / run[key][0] for key in ("cost", "cost_to_same", "seconds")]
            print(
                f"{name:14} seed {seed}: cost {shares[0]:.2f}, to the same {shares[1]:.2f}, "
                f"seconds {shares[2]:.2f}, log loss {run['difference']:+.4f}, "
                f"error {run['difference_in_error']:+.4f}, {run['left']} left",
                flush=True,
            )
            everything.append(run)
            if options.out:
                found = summary(everything)
                text = sentence(found, len(everything), len(runs), options.trials)
                figures = {"measured": text, "all": found, "trials": options.trials, "runs": runs}
                options.out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    found = summary(everything)
    print(json.dumps(found, indent=2))
    print(sentence(found, len(everything), len(runs), options.trials))
    print(f"bars: cost_to_same at most {SHARE:.3f}, difference within {DIFFERENCE}")


if __name__ == "__main__":
    main()
