"""Studies of the models that could ship, kept as predictions so that rules can be tried on them.

A study is a search on some rows of a table. All its finalists, as the verdict trained them and
trained again on all rows, predict rows that were kept apart. An ``.npz`` file keeps these
predictions and those for held-out rows.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, Self
from unittest import mock

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

import autoloss
from autoloss.experiment import conclusion, out_of_fold
from autoloss.experiment.held_out import HeldOut, HeldOutFinalists, HeldOutRows
from autoloss.experiment.refit import Refitted, trained_again
from autoloss.inference.classifier import Classifier
from autoloss.inference.entrance import encoded_rows
from autoloss.records import Refit

Array = NDArray[Any]
ROWS, FRESH = 2_000, 5_000
"""The most rows of a search, and the most rows kept apart."""
SHARE = 0.6
"""The share of a small table that is searched on."""
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


@dataclass(frozen=True, eq=False)
class Predicted:
    """The predictions of a study's finalists.

    Args:
        numbers: Their trials.
        recommended: The trial that the verdict recommends.
        admissible: The trials that could ship.
        epochs: The best epoch of each training run.
        rows: The number of rows searched on.
        seconds: The time of the search without the last training runs.
        refit_seconds: The time of the last training runs of all finalists.
        held: Log probabilities of the rows that the training runs held out, one after another.
        held_rows: The numbers of these rows; `held_targets` and `held_clusters` their classes and
            clusters.
        held_targets: See `held_rows`.
        held_clusters: See `held_rows`.
        fresh: Calibrated log probabilities of each training run for the rows kept apart.
        refit: The same of the last training runs, on all rows of the search; NaN where one
            diverged.
        targets: The classes of the rows kept apart.

    Shape:
        numbers (F,), epochs (F, R), held (F, M, C), held_rows (M,), fresh and refit (F, R, N, C),
        targets (N,).
    """

    numbers: Array
    recommended: Array
    admissible: Array
    epochs: Array
    rows: Array
    seconds: Array
    refit_seconds: Array
    held: Array
    held_rows: Array
    held_targets: Array
    held_clusters: Array
    fresh: Array
    refit: Array
    targets: Array

    def finalists(self) -> HeldOutFinalists:
        """Return the finalists with their predictions for held-out rows."""
        # Blend and temperature pool the training runs, whatever their sizes.
        sizes = (len(self.held_rows),)
        rows = HeldOutRows(
            self.held_targets, self.held_rows, self.held_clusters, self.held_rows, sizes
        )
        return HeldOutFinalists(
            {
                int(number): HeldOut(own, partial(np.copy, own), rows)
                for number, own in zip(self.numbers, self.held.astype(np.float64), strict=True)
            }
        )

    def save(self, path: Path) -> None:
        """Write the predictions; a file is whole or not there."""
        half = path.with_suffix(".half.npz")
        np.savez_compressed(half, **{one.name: getattr(self, one.name) for one in fields(self)})
        half.replace(path)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the predictions of a file."""
        with np.load(path) as found:
            return cls(**{one.name: found[one.name] for one in fields(cls)})


def path_of(folder: Path, name: str, seed: int) -> Path:
    """Return the file of a study."""
    return folder / f"{name}-{seed}.npz"


def known(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, int, Predicted]]:
    """Yield the studies of a folder: set, seed and predictions."""
    for name in names:
        for path in sorted(folder.glob(f"{name}-[0-9]*.npz")):
            seed = path.stem.removeprefix(f"{name}-")
            if seed.isdigit():
                yield name, int(seed), Predicted.read(path)


def make_missing(names: Sequence[str], seeds: range, data: Path, folder: Path) -> Iterator[str]:
    """Make the studies that a folder lacks, seed after seed; yield a line about each."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        for one in SETS:
            path = path_of(folder, one.name, seed)
            if one.name in names and not path.exists():
                found = study(one, data, seed)
                found.save(path)
                yield (
                    f"{one.name} {seed}: {float(found.seconds):.0f} s, last training runs of "
                    f"{len(found.numbers)} finalists {float(found.refit_seconds):.0f} s"
                )


def study(one: Set, data: Path, seed: int) -> Predicted:
    """Search on a part of a set; keep what its finalists predict for the other rows."""
    # Each seed has its own rows.
    frame = one.frame(data).sample(frac=1, random_state=seed)
    count = min(ROWS, int(SHARE * len(frame)))
    searched, fresh = frame.iloc[:count], frame.iloc[count : count + FRESH]
    fresh = fresh[fresh[one.target].isin(set(searched[one.target]))]
    kept: list[Predicted] = []
    started = time.monotonic()

    def keep(session: Any, selection: Any, model: Classifier, numbers: Sequence[int]) -> Refitted:
        """Train all finalists again on all rows, and predict."""
        searching = time.monotonic() - started
        models = selection.replication.models
        joined, data = _joined(models), session.opened.data
        folds = [data.whole()] * (len(joined.members) // len(models))
        again, count = trained_again(session, selection, joined, list(models), folds)
        trained = time.monotonic() - started - searching
        first = _by_training(_joined(models), len(models), fresh)
        kept.append(
            Predicted(
                **_held_out(selection),
                epochs=np.array([selection.replication.epochs[number] for number in models]),
                recommended=np.array(numbers[0]),
                rows=np.array(count),
                seconds=np.array(searching),
                refit_seconds=np.array(trained),
                fresh=first,
                refit=np.full_like(first, np.nan)
                if count < len(again.members)
                else _by_training(again, len(models), fresh),
                targets=_codes(model, fresh[one.target]),
            )
        )
        return Refitted(model, Refit(count, False, ""))

    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(conclusion, "refit", keep),
        # The shipped model does not depend on gradient boosting.
        mock.patch.object(out_of_fold, "boost_folds", return_value=None),
    ):
        autoloss.search(
            searched,
            one.target,
            space=make_space(Path(folder)),
            trials=TRIALS,
            seed=seed,
            device="cpu",
            workers=1,
            track="off",
            out=folder,
            refit=False,
        )
    return kept[0]


def make_space(folder: Path) -> Path:
    """Return the space quick with two repeats, so that every row is held out twice."""
    text = Path("search_spaces/quick.toml").read_text(encoding="utf-8")
    assert "outer_repeats = 1" in text
    path = folder / "twice.toml"
    path.write_text(text.replace("outer_repeats = 1", "outer_repeats = 2"), encoding="utf-8")
    return path


def _held_out(selection: Any) -> dict[str, Array]:
    """Return the predictions of the finalists for held-out rows."""
    replication = selection.replication
    numbers = list(replication.models)
    first = replication.held_out[numbers[0]]
    return {
        "numbers": np.array(numbers),
        "admissible": np.array([f.number for f in selection.finalists if f.is_admissible]),
        "held": np.stack([replication.held_out[n].log_probs for n in numbers]).astype("f4"),
        "held_rows": first.rows,
        "held_targets": first.targets,
        "held_clusters": first.clusters,
    }


def _joined(models: Mapping[int, Classifier]) -> Classifier:
    """Return a model with the members of all models, model after model."""
    members = tuple(member for model in models.values() for member in model.members)
    return replace(next(iter(models.values())), members=members, temperature=1.0)


def _by_training(model: Classifier, count: int, fresh: pd.DataFrame) -> Array:
    """Return the log probabilities of each training run of each finalist, (F, R, N, C)."""
    rows = model.by_member(encoded_rows(model.encodings, fresh, force=True))
    found = torch.stack(list(model.member_log_probs(rows))).float()
    return np.asarray(found.unflatten(0, (count, -1)).numpy())


def _codes(model: Classifier, labels: pd.Series[Any]) -> Array:
    """Return the codes of labels, (N,)."""
    codes = {str(label): code for code, label in enumerate(model.classes.tolist())}
    return np.array([codes[_text(value)] for value in labels])


def _text(value: Any) -> str:
    """Return a label as the model writes it."""
    return str(value.item() if isinstance(value, np.generic) else value)
