"""The shipped model on rows kept apart: three policies, with and without a refit; calibration.

    python -m benchmarks.ship --data DIR [SET ...] [--seeds 5] [--cache FOLDER] [--out FILE]

DIR holds a folder for each table, with ``NAME/NAME.parquet``; other sets are scikit-learn's. Some
rows of a table are kept apart before the search, and all models of the same search predict them.
FOLDER keeps the predictions of each study (`benchmarks.ship_studies`), so that another policy or
temperature is measured without a search; a study that is there is not made again. The figures of
each study are a line of `--log`. The figures are written to FILE as JSON, and the tables to
``ship.md`` beside it. `--print` makes no searches. A search takes about 40 seconds of one core.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.metrics import debiased_calibration_error, top_label
from autoloss.readout import MeanTemperature, fit_temperature, mean_log_probs
from autoloss.readout.whole import TYPICAL_GAIN
from benchmarks.log import read
from benchmarks.ship_studies import ROWS, SETS, TRIALS, Predicted, known, make_missing

Figures = dict[str, Any]
OUT, LOG = Path("reports/quality/ship.json"), Path("reports/quality/ship.jsonl")
CACHE = Path("/tmp/autoloss-ship")
POLICIES = ("verdict", "best", "blend")
ENOUGH = 1_000
"""Fresh rows that a temperature needs to be known within some percent."""


def measured(name: str, seed: int, found: Predicted) -> Figures:
    """Return the figures of the models of a study that could ship."""
    pool = found.finalists()
    weights = {
        "verdict": {int(found.recommended): 1.0},
        "best": pool.lowest(pool.every, found.admissible.tolist()),
        "blend": pool.blend(pool.every),
    }
    line: Figures = {
        "set": name,
        "seed": seed,
        "rows": int(found.rows),
        "fresh": len(found.targets),
        "seconds": round(float(found.seconds), 1),
    }
    targets = torch.from_numpy(found.targets)
    for policy, own in weights.items():
        places = [found.numbers.tolist().index(number) for number in own]
        temperature = pool.temperature(own, pool.every)
        line[policy] = {
            "weights": list(own.values()),
            "gain": temperature.gain,
            **{
                kind: judged(each[places], list(own.values()), temperature, targets)
                for kind, each in (("kept", found.fresh), ("refit", found.refit))
                if np.isfinite(each[places]).all()
            },
        }
    return line


def judged(
    each: NDArray[Any], weights: Sequence[float], temperature: MeanTemperature, targets: Tensor
) -> Figures:
    """Return log loss, calibration and the temperature that these rows would choose.

    Args:
        each: Log probabilities of each training run of each finalist.
        weights: The weight of each finalist.
        temperature: The temperature of their mean.
        targets: The classes.

    Shape:
        each (F, R, N, C), targets (N,).
    """
    count = each.shape[1]
    members = torch.from_numpy(each).double().flatten(0, 1)
    shares = torch.tensor(weights, dtype=torch.float64).repeat_interleave(count) / count
    mean = mean_log_probs(members, log_shares=shares.log())
    whole = (mean / temperature.of(count)).log_softmax(-1)
    error = _calibration_error(torch.cat([whole[None], mean[None], members]), targets)
    left = _temperature(mean, targets)
    return {
        "log_loss": -float(whole[torch.arange(len(targets)), targets].mean()),
        "log_loss_of_mean": -float(mean[torch.arange(len(targets)), targets].mean()),
        "temperature": temperature.of(count),
        "left": _temperature(whole, targets),
        "left_of_mean": left,
        "left_with_typical": left / MeanTemperature(TYPICAL_GAIN).of(count),
        "dce": float(error[0]),
        "dce_of_mean": float(error[1]),
        "dce_of_member": float(error[2:].mean()),
    }


def _temperature(log_probs: Tensor, targets: Tensor) -> float:
    """Return the temperature with the lowest log loss on these rows."""
    return float((-fit_temperature(log_probs[None], targets)).exp())


def _calibration_error(log_probs: Tensor, targets: Tensor) -> NDArray[np.floating]:
    """Return the debiased calibration error of each model, (K,)."""
    error: NDArray[np.floating]
    error = debiased_calibration_error(*top_label(log_probs, targets)).numpy()
    return error


def measure(cache: Path, log: Path) -> list[Figures]:
    """Measure the studies of the cache anew, and return them with the others of the log."""
    lines = {(line["set"], line["seed"]): line for line in read(log)}
    for name, seed, found in known(cache, [one.name for one in SETS]):
        lines[name, seed] = measured(name, seed, found)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("".join(json.dumps(line) + "\n" for line in lines.values()), encoding="utf-8")
    return list(lines.values())


def calibration_rows(lines: Sequence[Mapping[str, Any]]) -> list[Figures]:
    """Return the calibration of the verdict's model on each set, the median over the seeds."""
    rows = []
    for name, own in _by_set(lines):

        def median(key: str, own: Sequence[Mapping[str, Any]] = own) -> float:
            return float(statistics.median(line["verdict"]["kept"][key] for line in own))

        rows.append(
            {
                "set": name,
                "rows": own[0]["rows"],
                "fresh rows": own[0]["fresh"],
                "seeds": len(own),
                "T for the plain mean": round(median("left_of_mean"), 3),
                "T stored": round(median("temperature"), 3),
                "T left": round(median("left"), 3),
                "range": _range([line["verdict"]["kept"]["left"] for line in own]),
                "T left by the typical gain": round(median("left_with_typical"), 3),
                "DCE of a member": round(median("dce_of_member"), 5),
                "DCE of the whole": round(median("dce"), 5),
            }
        )
    return rows


def policy_rows(lines: Sequence[Mapping[str, Any]]) -> list[Figures]:
    """Return the log loss of each policy on each set, the mean over the seeds."""
    return [
        {
            "set": name,
            "seeds": len(own),
            **{
                policy: round(
                    statistics.fmean(line[policy]["kept"]["log_loss"] for line in own), 4
                )
                for policy in POLICIES
            },
        }
        for name, own in _by_set(lines)
    ]


def overall(lines: Sequence[Mapping[str, Any]]) -> list[Figures]:
    """Return the log loss of each policy relative to that of the verdict's model."""
    rows = policy_rows(lines)
    table = np.array([[row[policy] for policy in POLICIES] for row in rows])
    ranks = table.argsort(axis=1).argsort(axis=1) + 1
    found = []
    for place, policy in enumerate(POLICIES):
        change = np.array(
            [
                line[policy]["kept"]["log_loss"] / line["verdict"]["kept"]["log_loss"] - 1.0
                for line in lines
            ]
        )
        found.append(
            {
                "policy": policy,
                "mean log loss": round(float(table[:, place].mean()), 4),
                "mean rank": round(float(ranks[:, place].mean()), 2),
                "mean change": f"{change.mean():+.2%}",
                "standard error": f"{change.std() / len(change) ** 0.5:.2%}",
                "median change": f"{np.median(change):+.2%}",
                "lower": f"{(change < 0.0).sum()} of {len(change)}",
            }
        )
    return found


def refit_rows(lines: Sequence[Mapping[str, Any]]) -> list[Figures]:
    """Return the change of the log loss by a refit of the verdict's model on each set."""
    rows = []
    for name, every in _by_set(lines):
        own = [line["verdict"] for line in every if "refit" in line["verdict"]]
        if not own:
            continue
        kept, again = (
            np.array([one[kind]["log_loss"] for one in own]) for kind in ("kept", "refit")
        )
        left = [statistics.median(one[kind]["left"] for one in own) for kind in ("kept", "refit")]
        change = again / kept - 1.0
        rows.append(
            {
                "set": name,
                "rows": every[0]["rows"],
                "seeds": len(own),
                "kept": round(float(kept.mean()), 4),
                "refit": round(float(again.mean()), 4),
                "change": f"{change.mean():+.1%}",
                "range": _range(change.tolist(), form="+.1%"),
                "lower": int((change < 0.0).sum()),
                "T left": round(left[0], 3),
                "T left after refit": round(left[1], 3),
            }
        )
    return rows


def _range(values: Sequence[float], *, form: str = ".2f") -> str:
    return f"{min(values):{form}} to {max(values):{form}}"


def _by_set(lines: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    found = [(one.name, [line for line in lines if line["set"] == one.name]) for one in SETS]
    return [(name, own) for name, own in found if own]


def markdown(lines: Sequence[Mapping[str, Any]]) -> str:
    """Return the figures as a page."""
    calibrated, policies, again = calibration_rows(lines), policy_rows(lines), refit_rows(lines)
    large = [row for row in calibrated if row["fresh rows"] >= ENOUGH]
    within = sum(0.9 <= row["T left"] <= 1.1 for row in large)
    below = sum(row["DCE of the whole"] <= row["DCE of a member"] for row in large)
    lower = [sum(row["lower"] for row in again), sum(row["seeds"] for row in again)]
    return "\n\n".join(
        [
            "# The shipped model",
            "```console\n$ python -m benchmarks.ship --data DIR\n```",
            f"Searches of {TRIALS} trials in the space `quick` with two repeats, on at most "
            f"{ROWS:,} rows of a table. All figures are of fresh rows, set aside before the "
            "search (repeated holdout: each seed has its own rows).",
            "## Calibrated as a whole",
            "The best temperature (T) on the fresh rows for the model of the recommended loss: "
            "for the plain mean of its members, and for the model with its stored temperature; "
            "also with the typical gain of other tables, which replaces the measured gain if no "
            "row is held out twice. DCE: debiased calibration error. Medians over the seeds. The "
            f"bar, of {len(large)} sets with at least {ENOUGH:,} fresh rows: T left within 0.9 "
            f"to 1.1 for all but one set ({within} are), and a DCE of the whole no higher than "
            f"that of a member ({below} are).",
            _table(calibrated),
            "## Policies",
            "Log loss in nats on fresh rows, the mean over the seeds.",
            _table(policies),
            "Relative to the model of the recommended loss, over all searches:",
            _table(overall(lines)),
            "## Refit",
            "Log loss in nats on fresh rows of the model of the recommended loss, and of its "
            f"members retrained on all rows of the search: lower in {lower[0]} of {lower[1]} "
            "searches.",
            _table(again),
        ]
    ) + "\n"  # fmt: skip


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as a table in Markdown; empty without rows."""
    lines = [list(row.values()) for row in rows]
    lines = [list(rows[0]), ["---"] * len(rows[0]), *lines] if rows else []
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def main() -> None:
    """Make the studies that are missing; print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    names = [one.name for one in SETS]
    parser.add_argument("sets", nargs="*", default=names, help=", ".join(names))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--print", action="store_true", help="make no searches")
    parser.add_argument("--cache", type=Path, default=CACHE, help="predictions of the studies")
    parser.add_argument("--out", type=Path, default=OUT, help="the figures as JSON")
    parser.add_argument("--log", type=Path, default=LOG, help="figures, a line of JSON a study")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if not options.print:
        for line in make_missing(options.sets, range(options.seeds), options.data, options.cache):
            print(line, flush=True)
    lines = measure(options.cache, options.log)
    page = markdown(lines)
    print(page)
    figures = {"calibration": calibration_rows(lines), "policies": policy_rows(lines)}
    figures["refit"] = refit_rows(lines)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    options.out.with_suffix(".md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
