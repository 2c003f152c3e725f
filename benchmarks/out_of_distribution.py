"""Out-of-distribution rows beside three searches: digits, shuffled pixels, people born elsewhere.

    python -m benchmarks.out_of_distribution digits|pixels|adult ... --data DIR [--seconds 170]

DIR holds ``fashion_mnist`` and ``adult``. `digits` and `pixels` search 12,000 training images of
Fashion-MNIST, beside scikit-learn's digits resized to 28 x 28, and beside test images whose pixels
are shuffled separately. `adult` searches the rows born in the United States, beside the rows born
elsewhere. Each prints a line of JSON, with the scores of tuned cross-entropy at T = 1 and of the
shipped model on the locked OOD rows. docs/out-of-distribution.md has a table of them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

import autoloss
from autoloss.records.ood import StrangerScore
from benchmarks.pictures import subset

IMAGES, SHUFFLED, SIDE = 12_000, 2_000, 28
COLUMN, HERE = "native-country", "United-States"


class Case(NamedTuple):
    """The files of a search, and its options."""

    data: Path
    ood: Path
    options: dict[str, Any]


def resized(images: NDArray[np.uint8], side: int = SIDE) -> NDArray[np.uint8]:
    """Return grey images at another size, (N, H, W) -> (N, side, side)."""
    return np.stack([np.asarray(Image.fromarray(image).resize((side, side))) for image in images])


def shuffled(images: NDArray[np.uint8], seed: int = 0) -> NDArray[np.uint8]:
    """Return images whose pixels are shuffled, each by its own order; (N, H, W)."""
    flat = images.reshape(len(images), -1)
    return np.random.default_rng(seed).permuted(flat, axis=1).reshape(images.shape)


def digits(data: Path, to: Path) -> Case:
    """Write images of clothes, and digits."""
    images = np.round(load_digits().images * (255 / 16)).astype(np.uint8)
    return Case(subset(data, IMAGES, to), _images(resized(images), to / "digits.npz"), {})


def pixels(data: Path, to: Path) -> Case:
    """Write images of clothes, and images with shuffled pixels."""
    with np.load(data / "fashion_mnist" / "test.npz") as stored:
        images = shuffled(stored["images"][:SHUFFLED])
    return Case(subset(data, IMAGES, to), _images(images, to / "shuffled.npz"), {})


def adult(data: Path, to: Path) -> Case:
    """Write the training rows born in the United States, and those born elsewhere or unknown."""
    frame = pd.read_parquet(data / "adult" / "adult.parquet")
    frame = frame[frame["split"] == "train"].drop(columns="split")
    is_here = frame[COLUMN].astype(str).str.strip() == HERE
    here, elsewhere = to / "here.parquet", to / "elsewhere.parquet"
    frame[is_here].to_parquet(here, index=False)
    frame[~is_here].to_parquet(elsewhere, index=False)
    return Case(here, elsewhere, {"target": "income", "drop": [COLUMN]})


CASES: dict[str, Callable[[Path, Path], Case]] = {
    "digits": digits,
    "pixels": pixels,
    "adult": adult,
}


def run(name: str, data: Path, seconds: float) -> dict[str, Any]:
    """Search, and return the scores as a line of JSON."""
    with tempfile.TemporaryDirectory() as folder:
        case = CASES[name](data, Path(folder))
        result = autoloss.search(
            case.data,
            ood=case.ood,
            time_limit=seconds,
            workers=1,
            track="off",
            out=folder,
            **case.options,
        )
    found = result.summary.strangers
    assert found is not None
    baseline = result.verdict.baseline
    (tuned,) = (one for one in found.finalists if one.number == baseline)
    return {
        "case": name,
        "ood rows": found.judged,
        "rows": found.known,
        "trials": len(result.summary.trials),
        "tuned cross-entropy": [_figures(one) for one in tuned.scores],
        "shipped model": _figures(found.ships),
    }


def _images(images: NDArray[np.uint8], path: Path) -> Path:
    # A label is needed by the format, and ignored.
    np.savez(path, images=images, labels=np.zeros(len(images), dtype=np.int64))
    return path


def _figures(score: StrangerScore) -> dict[str, Any]:
    auroc = score.auroc
    return {
        "score": score.name,
        "auroc": round(auroc.value, 3),
        "interval": [round(auroc.low, 3), round(auroc.high, 3)],
        "average precision": round(score.average_precision.value, 3),
        "false acceptance": round(score.false_acceptance.value, 3),
    }


def main() -> None:
    """Run the searches that are named, and print their scores."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cases", nargs="+", choices=list(CASES))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=170.0, help="the time limit of each")
    options = parser.parse_args()
    for name in options.cases:
        print(json.dumps(run(name, options.data, options.seconds)), flush=True)


if __name__ == "__main__":
    main()
