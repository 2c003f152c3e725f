"""The effect of bfloat16 products: the same trials trained in both precisions, on real tables.

    python -m benchmarks.precision --data DIR [--sets adult,letter] [--trials 24] [--rows 10000]
        [--space quick] [--out reports/speed/precision.json]

The trials are defaults and random draws of the quotas, so that both searches train the same
settings; each pair begins with the same weights and sees the same batches. The figures of a set
are the mean change of the refined log loss over its trials, with its 95 % interval, and the change
of the best trial. The bar: each interval within 0.005.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from scipy import stats

import autoloss
from autoloss.experiment.session import SearchSession
from autoloss.records import REFINED_LOG_LOSS
from benchmarks.racing import SearchedError, table_of

SETS = ("adult", "letter", "satimage", "telco_churn", "wine_quality")
BAR = 0.005


def searched(frame: pd.DataFrame, target: str, precision: str, options: Any) -> dict[str, Any]:
    """Return settings and refined log loss of every trial."""
    found: dict[str, Any] = {}

    def over(session: SearchSession, *rest: object, **more: object) -> None:
        plan = session.study.plan
        fixed = session.study.trials[: len(plan.first) + len(plan.then)]
        found["trials"] = [
            (one.loss, one.nuisance, one.metrics.get(REFINED_LOG_LOSS)) for one in fixed
        ]
        raise SearchedError

    with tempfile.TemporaryDirectory() as out:
        text = (Path("search_spaces") / f"{options.space}.toml").read_text(encoding="utf-8")
        before, _, after = text.partition("[training]\n")
        space = Path(out, "space.toml")
        space.write_text(f'{before}[training]\nprecision = "{precision}"\n{after}', "utf-8")
        with mock.patch("autoloss.experiment.running.conclude", over), suppress(SearchedError):
            autoloss.search(
                frame,
                target=target,
                space=space,
                trials=options.trials,
                out=out,
                track="off",
                device=options.device,
            )
    return found


def compare(frame: pd.DataFrame, target: str, options: Any) -> dict[str, Any]:
    """Return the figures of one table."""
    found = {name: searched(frame, target, name, options) for name in ("float32", "bfloat16")}
    changes, ends = [], []
    for one, other in zip(found["float32"]["trials"], found["bfloat16"]["trials"], strict=True):
        if one[:2] != other[:2]:
            raise RuntimeError(f"trials must be the same, but got {one[:2]} and {other[:2]}.")
        if one[2] is not None and other[2] is not None:
            changes.append(other[2] - one[2])
            ends.append((one[2], other[2]))
    mean, spread = float(np.mean(changes)), float(np.std(changes, ddof=1)) / len(changes) ** 0.5
    half = float(stats.t.ppf(0.975, len(changes) - 1)) * spread
    return {
        "trials": len(changes),
        "change": [mean, mean - half, mean + half],
        "change_of_best": min(b for _, b in ends) - min(a for a, _ in ends),
    }


def main() -> None:
    """Train the requested sets and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--space", default="quick")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    sets: dict[str, Any] = {}
    for name in options.sets.split(","):
        frame, target = table_of(options.data, name, options.rows)
        one = sets[name] = compare(frame, target, options)
        low, high = one["change"][1:]
        print(
            f"{name:14} {one['trials']} trials: log loss {one['change'][0]:+.5f} "
            f"({low:+.5f} to {high:+.5f}), of the best {one['change_of_best']:+.5f}, "
            f"{'within' if max(-low, high) <= BAR else 'NOT within'} {BAR}",
            flush=True,
        )
    if options.out:
        ends = [end for one in sets.values() for end in one["change"][1:]]
        low, high = min(ends), max(ends)
        found = {
            "measured": f"{low:+.4f} to {high:+.4f} nats at the ends of {len(sets)} intervals",
            "sets": sets,
            "trials": options.trials,
            "rows": options.rows,
        }
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
