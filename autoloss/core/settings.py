"""The constants of a search space: set in its TOML file, never searched."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Numbers = Literal["auto", "bins", "waves"]
Precision = Literal["auto", "float32", "bfloat16"]
Judge = Literal["out_of_fold", "nested", "locked"]
SearchRows = int | Literal["auto"]


@dataclass(frozen=True)
class NetworkConfig:
    """The default network for tables.

    Args:
        width: Units of a hidden layer.
        depth: Hidden layers.
        deeper_from: Rows of a table from which there is one hidden layer more; 0 for never.
        narrow_below: Classes, or labels, of a table below which hidden layers have two thirds of
            the width, if there is no hidden layer more; 0 for never.
        numbers: Embedding of the numeric columns: ``"bins"``, the piecewise-linear encoding of
            quantile bins; ``"waves"``, learnt frequencies of each column; or ``"auto"`` for the
            better of the two in a short training run before the search.
        bins: Most bins of a numeric column; 0 for none.
        embedding: Width of the embedding of a categorical column that is too wide for one-hot.
        terms: Most terms of the columns of free text, together: words and parts of words.
        text_width: Width of the embedding of free text, the weighted sum of its terms' embeddings;
            0 for a weight of each term for each unit of the first hidden layer.
        normalise: Whether hidden layers are normalised.
        gpu_width: Units of a hidden layer where a GPU trains; 0 for `width`.
        gpu_depth: Hidden layers where a GPU trains; 0 for `depth`.
    """

    width: int = 192
    depth: int = 2
    deeper_from: int = 0
    narrow_below: int = 0
    numbers: Numbers = "bins"
    bins: int = 48
    embedding: int = 8
    terms: int = 8192
    text_width: int = 32
    normalise: bool = True
    gpu_width: int = 0
    gpu_depth: int = 0

    def trained_on(self, device: str) -> NetworkConfig:
        """Return the network for a kind of device, which every device trains alike.

        Examples:
            >>> network = NetworkConfig(width=32, gpu_width=64)
            >>> [network.trained_on(kind).width for kind in ("cpu", "cuda")]
            [32, 64]
        """
        width, depth = self.width, self.depth
        if device != "cpu":
            width, depth = self.gpu_width or width, self.gpu_depth or depth
        return replace(self, width=width, depth=depth, gpu_width=0, gpu_depth=0)

    def sized(self, n_rows: int, n_outputs: int) -> NetworkConfig:
        """Return the network for a table of some rows, with some classes or labels.

        Examples:
            >>> network = NetworkConfig(deeper_from=10_000, narrow_below=8)
            >>> sizes = [network.sized(*given) for given in ((500, 2), (500, 8), (10_000, 2))]
            >>> [(one.width, one.depth) for one in sizes]
            [(128, 2), (192, 2), (192, 3)]
        """
        is_deeper = 0 < self.deeper_from <= n_rows
        is_narrow = n_outputs < self.narrow_below and not is_deeper
        return replace(
            self,
            width=2 * self.width // 3 if is_narrow else self.width,
            depth=self.depth + is_deeper,
            deeper_from=0,
            narrow_below=0,
        )


@dataclass(frozen=True)
class AugmentConfig:
    """The changes of images in training, drawn once a mini-batch for all candidates.

    Args:
        shift: The farthest shift as a share of the side, to all four sides; the edge is repeated.
        mirror: Whether half of the images are mirrored, left for right.
        erase: The share of the images in which a square of a fifth to two fifths of the side is
            erased.
        crop: The most that a random part of an image, which is enlarged to its size, is shorter
            than the image, as a share of the side.
    """

    shift: float = 0.0
    mirror: bool = False
    erase: float = 0.0
    crop: float = 0.0

    @property
    def is_none(self) -> bool:
        """Return whether images stay as they are."""
        return not (self.shift or self.mirror or self.erase or self.crop)


NO_AUGMENT = AugmentConfig()


@dataclass(frozen=True)
class ProtocolConfig:
    """The protocol by which candidates are compared.

    Args:
        folds: Folds of the cross-validation of fewer than 2 000 rows; 1 for a holdout, whatever
            the number of rows.
        finalists: Families whose best trial is trained again.
        replicates: Training runs of every finalist, each on a fresh division and seed, where rows
            are locked or nested.
        judge: The rows of the verdict: ``"out_of_fold"`` for all rows of fewer than 10 000, each
            judged by training runs that held it out; ``"nested"`` for nested cross-validation of
            the whole search under 1 000 rows; ``"locked"`` for a locked fifth, whatever the number
            of rows. With more rows, a fifth is locked in any case.
        outer_folds: Folds of the training runs that judge all rows, or outer folds of the nested
            cross-validation; 0 for a locked part, whatever the number of rows.
        outer_repeats: Repeats of these folds.
        outer_work: The most work of nested outer folds as a multiple of the search's, counted in
            rows; the trials asked last are left out of them. 0 for no bound.
        negatives: For two classes, the negative rows for each positive row that the search trains
            on, drawn at random. It keeps every positive row; finalists train on all rows, and the
            read-out undoes the changed prior. 0 for all rows.
        racing: Whether trials that fall behind others of their age leave the search early. Under a
            time limit they do in any case.
        rows: The training rows of each division on which candidates are compared, drawn by class,
            the same for all; the finalists train on all rows. 0 for all rows too; ``"auto"`` for
            all, or as many as let a time limit train every trial if there are 50 000 or more.
    """

    folds: int = 5
    finalists: int = 5
    replicates: int = 5
    judge: Judge = "out_of_fold"
    outer_folds: int = 5
    outer_repeats: int = 2
    outer_work: float = 0
    negatives: float = 0
    racing: bool = False
    rows: SearchRows = "auto"


@dataclass(frozen=True)
class TrainingConfig:
    """The training of a candidate.

    Args:
        batch_size: Rows of a mini-batch.
        smallest_batch: Rows below which mini-batches of few rows are not halved.
        max_epochs: The most epochs.
        patience: Epochs without a lower refined log loss before early stopping.
        warmup: Share of the steps at the start in which the learning rate rises linearly to its
            full value.
        decay: Share of the steps at the end in which the learning rate falls to zero.
        precision: Precision of the hidden layers in training: ``"float32"``, ``"bfloat16"``, or
            ``"auto"`` for bfloat16 on processors with bfloat16 products. Weights, logits, scores
            and the shipped model are always float32.
        clip: The largest norm of a candidate's gradient, which is scaled down to it; 0 for none.
    """

    batch_size: int = 256
    smallest_batch: int = 32
    max_epochs: int = 40
    patience: int = 8
    warmup: float = 0.02
    decay: float = 0.5
    precision: Precision = "auto"
    clip: float = 0.0
