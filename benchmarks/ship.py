"""What ships on rows kept apart: the three policies, with and without a refit, and calibration.

    python -m benchmarks.ship --data DIR [SET ...] [--seeds 5] [--out FILE]

DIR holds a folder for each table, with ``NAME/NAME.parquet``; other sets are scikit-learn's. Some
rows of a table are kept apart before the search, and all models of the same search predict them.
Each search of a set and seed is a line of JSON in `--log`; a line that is there is not made again.
The figures are written to FILE as JSON, and the tables to README.md beside it. `--print` makes no
searches. A search takes up to a minute on one core.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

import autoloss
from autoloss.experiment import conclusion
from autoloss.experiment.policies import compare_policies
from autoloss.experiment.refit import refit, trained_again
from autoloss.inference.classifier import Classifier
from autoloss.inference.entrance import encoded_rows
from autoloss.metrics import debiased_calibration_error, top_label
from autoloss.readout import fit_temperature

Figures = dict[str, Any]
OUT, LOG = Path("reports/quality/ship.json"), Path("reports/quality/ship.jsonl")
POLICIES = ("verdict", "best", "blend")
ROWS, FRESH = 2_000, 5_000
"""The most rows of a search, and the most rows kept apart."""
SHARE = 0.6
"""The share of a small table that is searched on."""
ENOUGH = 1_000
"""Fresh rows that a temperature needs to be known within some percent."""
TRIALS = 16


@dataclass(frozen=True)
class Set:
    """A table: its name, its target, and columns that are no inputs."""

    name: str
    target: str
    drop: tuple[str, ...] = ("split",)

    def frame(self, data: Path) -> pd.DataFrame:
        """Return the table with its inputs and its target."""
        if self.name in ("digits", "breast_cancer"):
            from sklearn import datasets

            found = getattr(datasets, f"load_{self.name}")(as_frame=True).frame
        else:
            found = pd.read_parquet(data / self.name / f"{self.name}.parquet")
        frame: pd.DataFrame = found.drop(columns=list(self.drop), errors="ignore")
        return frame


SETS = (
    Set("digits", "target"),
    Set("breast_cancer", "target"),
    Set("german_credit", "class"),
    Set("pima", "class"),
    Set("vehicle", "Class"),
    Set("phoneme", "class"),
    Set("satimage", "class"),
    Set("wine_quality", "quality"),
    Set("telco_churn", "Churn", ("customerID",)),
    Set("mammography", "class"),
    Set("magic_gamma", "class"),
    Set("letter", "lettr"),
    Set("adult", "income"),
)


def make_space(folder: Path) -> Path:
    """Return the space quick with two repeats, so that every row is held out twice."""
    text = Path("search_spaces/quick.toml").read_text(encoding="utf-8")
    assert "outer_repeats = 1" in text
    path = folder / "twice.toml"
    path.write_text(text.replace("outer_repeats = 1", "outer_repeats = 2"), encoding="utf-8")
    return path


def study(one: Set, data: Path, seed: int) -> Figures:
    """Search on a part of a set, and judge the models that could ship on the other rows."""
    frame = one.frame(data)
    # Each seed has rows of its own.
    frame = frame.sample(frac=1, random_state=seed)
    count = min(ROWS, int(SHARE * len(frame)))
    searched, fresh = frame.iloc[:count], frame.iloc[count : count + FRESH]
    fresh = fresh[fresh[one.target].isin(set(searched[one.target]))]
    kept: dict[str, tuple[Classifier, Classifier]] = {}

    def keep(session: Any, selection: Any, model: Classifier, numbers: Sequence[int]) -> Any:
        """Make the six models besides the model that ships."""
        found = compare_policies(session, selection, numbers[0])
        for record in found.records:
            plain = found.models[record.name]
            again = trained_again(session, selection, plain, record.numbers)
            kept[record.name] = plain, again or plain
        return refit(session, selection, model, numbers)

    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(conclusion, "refit", keep):
        result = autoloss.search(
            searched,
            one.target,
            space=make_space(Path(folder)),
            trials=TRIALS,
            seed=seed,
            device="cpu",
            track="off",
            out=folder,
            refit=False,
        )
    seconds = time.monotonic() - started
    assert result.model is not None
    labels = {str(label): code for code, label in enumerate(result.model.classes.tolist())}
    targets = torch.tensor([labels[_text(value)] for value in fresh[one.target]])
    return {
        "set": one.name,
        "seed": seed,
        "rows": len(searched),
        "fresh": len(fresh),
        "seconds": round(seconds, 1),
        "decision": result.verdict.decision,
        "weights": list(result.summary.policies[2].weights),
        **{
            name: {"kept": judged(plain, fresh, targets), "refit": judged(again, fresh, targets)}
            for name, (plain, again) in kept.items()
        },
    }


def _text(value: Any) -> str:
    """Return a label as the model writes it."""
    return str(value.item() if isinstance(value, np.generic) else value)


def judged(model: Classifier, fresh: pd.DataFrame, targets: Tensor) -> Figures:
    """Return log loss, calibration and the temperature that these rows would choose."""
    rows = model.by_member(encoded_rows(model.encodings, fresh, force=True))
    each = torch.stack(
        [
            replace(model, members=(member,), temperature=1.0).encoded_log_probs([own])
            for member, own in zip(model.members, rows, strict=True)
        ]
    )
    mean, whole = model.mean(each, raw=True), model.mean(each)
    error = _calibration_error(torch.cat([whole[None], mean[None], each]), targets)
    return {
        "log_loss": -float(whole[torch.arange(len(targets)), targets].mean()),
        "log_loss_of_mean": -float(mean[torch.arange(len(targets)), targets].mean()),
        "temperature": model.temperature,
        "left": _temperature(whole, targets),
        "left_of_mean": _temperature(mean, targets),
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


def read(log: Path) -> list[Figures]:
    """Return the studies that the log has."""
    if not log.exists():
        return []
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def run(names: Sequence[str], seeds: int, data: Path, log: Path) -> Iterator[Figures]:
    """Make the studies that the log lacks, seed after seed; yield each."""
    done = {(line["set"], line["seed"]) for line in read(log)}
    log.parent.mkdir(parents=True, exist_ok=True)
    for seed in range(seeds):
        for one in SETS:
            if one.name in names and (one.name, seed) not in done:
                line = study(one, data, seed)
                with log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
                yield line


def calibration_rows(lines: Sequence[Mapping[str, Any]]) -> list[Figures]:
    """Return the calibration of what the verdict ships on each set, the median over the seeds."""
    rows = []
    for name, own in _by_set(lines):

        def median(key: str, own: Sequence[Mapping[str, Any]] = own, kind: str = "kept") -> float:
            return float(statistics.median(line["verdict"][kind][key] for line in own))

        rows.append(
            {
                "set": name,
                "rows": own[0]["rows"],
                "fresh rows": own[0]["fresh"],
                "seeds": len(own),
                "T for the plain mean": round(median("left_of_mean"), 3),
                "T stored": round(median("temperature"), 3),
                "T left": round(median("left"), 3),
                "T left after refit": round(median("left", kind="refit"), 3),
                "DCE of a member": round(median("dce_of_member"), 5),
                "DCE of the whole": round(median("dce"), 5),
            }
        )
    return rows


def policy_rows(lines: Sequence[Mapping[str, Any]]) -> list[Figures]:
    """Return the log loss of each policy on each set, the mean over the seeds."""
    rows = []
    for name, own in _by_set(lines):
        row: Figures = {"set": name, "seeds": len(own)}
        for kind in ("kept", "refit"):
            for policy in POLICIES:
                label = policy if kind == "kept" else f"{policy}, refit"
                mean = statistics.fmean(line[policy][kind]["log_loss"] for line in own)
                row[label] = round(mean, 4)
        rows.append(row)
    return rows


def overall(rows: Sequence[Mapping[str, Any]]) -> list[Figures]:
    """Return the mean log loss of each policy over the sets, relative to verdict, and its rank."""
    names = [name for name in rows[0] if name not in ("set", "seeds")]
    table = np.array([[row[name] for name in names] for row in rows])
    ranks = table.argsort(axis=1).argsort(axis=1) + 1
    return [
        {
            "policy": name,
            "mean log loss": round(float(table[:, place].mean()), 4),
            "mean ratio to verdict": round(float((table[:, place] / table[:, 0]).mean()), 4),
            "mean rank": round(float(ranks[:, place].mean()), 2),
            "sets with less than verdict": int((table[:, place] < table[:, 0]).sum()),
        }
        for place, name in enumerate(names)
    ]


def _by_set(lines: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    found = [(one.name, [line for line in lines if line["set"] == one.name]) for one in SETS]
    return [(name, own) for name, own in found if own]


def markdown(lines: Sequence[Mapping[str, Any]]) -> str:
    """Return the figures as a page."""
    calibrated, policies = calibration_rows(lines), policy_rows(lines)
    large = [row for row in calibrated if row["fresh rows"] >= ENOUGH]
    within = sum(0.9 <= row["T left"] <= 1.1 for row in large)
    below = sum(row["DCE of the whole"] <= row["DCE of a member"] for row in large)
    return "\n\n".join(
        [
            "# What ships",
            "```console\n$ python -m benchmarks.ship --data DIR\n```",
            f"Searches of {TRIALS} trials in the space `quick` with two repeats, on at most "
            f"{ROWS:,} rows of a table; all figures are of rows that were kept apart before.",
            "## Calibrated as a whole",
            "The temperature (T) that the fresh rows would choose for what the verdict ships: for "
            "the plain mean of its members, and for the model with its stored temperature. DCE: "
            "debiased calibration error. Medians over the seeds. The bar, of "
            f"{len(large)} sets with at least {ENOUGH:,} fresh rows: T left within 0.9 to 1.1 for "
            f"all but one ({within} are), and the DCE of the whole not above that of a member "
            f"({below} are).",
            _table(calibrated),
            "## Policies",
            "Log loss in nats on fresh rows, the mean over the seeds.",
            _table(policies),
            "Over the sets:",
            _table(overall(policies)),
        ]
    ) + "\n"  # fmt: skip


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as a table in Markdown."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def main() -> None:
    """Make the studies that are missing; print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    known = [one.name for one in SETS]
    parser.add_argument("sets", nargs="*", default=known, help=", ".join(known))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--print", action="store_true", help="make no searches")
    parser.add_argument("--out", type=Path, default=OUT, help="the figures as JSON")
    parser.add_argument("--log", type=Path, default=LOG, help="studies, a line of JSON each")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if not options.print:
        for line in run(options.sets, options.seeds, options.data, options.log):
            print(json.dumps(line), flush=True)
    lines = read(options.log)
    page = markdown(lines)
    print(page)
    figures = {"calibration": calibration_rows(lines), "policies": policy_rows(lines)}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    (options.out.parent / "README.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
