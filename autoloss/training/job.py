"""What all candidates of a study have in common."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from autoloss.data import Part
from autoloss.models import TableNetwork
from autoloss.settings import TrainingConfig
from autoloss.training.rows import EncodedRows


@dataclass(frozen=True, eq=False)
class Job:
    """What all candidates of a study have in common, on the device that trains them.

    Args:
        network: The network.
        train: Training rows.
        valid: Validation rows: early stopping and scores.
        class_counts: Training rows of each class.
        folds: Fold of each validation row for the cross-fitted read-out.
        config: How to train.
        device: Where.
        dtype: Type of the weights.

    Shape:
        - class_counts: ``(C,)``
        - folds: ``(N,)``
    """

    network: TableNetwork
    train: EncodedRows
    valid: EncodedRows
    class_counts: Tensor
    folds: Tensor
    config: TrainingConfig
    device: torch.device
    dtype: torch.dtype = torch.float32

    @classmethod
    def prepare(
        cls,
        network: TableNetwork,
        train: Part,
        valid: Part,
        *,
        class_counts: Tensor,
        folds: Tensor,
        config: TrainingConfig,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
    ) -> Self:
        """Return the job of two parts, brought to the device and encoded."""
        return cls(
            network=network,
            train=EncodedRows(network, _placed(train, device, dtype)),
            valid=EncodedRows(network, _placed(valid, device, dtype)),
            class_counts=class_counts.to(device),
            folds=folds.to(device),
            config=config,
            device=device,
            dtype=dtype,
        )


def _placed(part: Part, device: torch.device, dtype: torch.dtype) -> Part:
    """Return a part on a device, its numbers of a type."""
    inputs = part.inputs.to(device)
    return replace(
        part,
        inputs=replace(inputs, numeric=inputs.numeric.to(dtype), vectors=inputs.vectors.to(dtype)),
        targets=part.targets.to(device),
        weights=None if part.weights is None else part.weights.to(device, dtype),
    )
