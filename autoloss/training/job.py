"""A job: the data, network and configuration that all candidates of a division share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.core.ragged import Ragged
from autoloss.core.settings import Precision, TrainingConfig
from autoloss.data import Part
from autoloss.losses import ClassFacts
from autoloss.models import Network
from autoloss.training.batch import Batch
from autoloss.training.rows import EncodedRows
from autoloss.training.token_rows import EncodedTokens


@dataclass(frozen=True, eq=False)
class Job:
    """The data, network and configuration of a division, on the training device.

    Args:
        network: The network.
        train: Training rows.
        valid: Validation rows: early stopping and scores. Without any, a training runs to the end
            of its epochs and keeps its last weights.
        classes: Facts on the classes for the losses.
        folds: Fold of each validation row for the cross-fitted read-out.
        config: The training configuration.
        device: The device.
        dtype: Type of the weights.
        teacher: Logits of a teacher for the training rows; None if there is none.

    Shape:
        - folds: ``(N,)``
        - teacher: ``(N, C)``; of the tokens of sequences ``(T, C)``
    """

    network: Network
    train: EncodedRows | EncodedTokens
    valid: EncodedRows | EncodedTokens
    classes: ClassFacts
    folds: Tensor
    config: TrainingConfig
    device: torch.device
    dtype: torch.dtype = torch.float32
    teacher: Tensor | None = None

    @classmethod
    def prepare(
        cls,
        network: Network,
        train: Part,
        valid: Part,
        *,
        class_counts: Tensor | ClassFacts,
        folds: Tensor,
        config: TrainingConfig,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        teacher: Tensor | None = None,
    ) -> Self:
        """Return the job of two parts, brought to the device and encoded.

        Args:
            network: The network.
            train: Training rows.
            valid: Validation rows.
            class_counts: Training rows of each class; or `ClassFacts`, which have the class
                weights and the likeness that a user gives.
            folds: Fold of each validation row.
            config: The training configuration.
            device: The device.
            dtype: Type of the weights.
            teacher: Logits of a teacher, a row for each training row, or for each token.

        Raises:
            InputError: The teacher has another number of rows, or logits that are not finite.
        """
        own = train.targets.values if isinstance(train.targets, Ragged) else train
        if teacher is not None and (len(teacher) != len(own) or not teacher.isfinite().all()):
            noun = "training rows" if own is train else "tokens that train"
            raise InputError(
                f"teacher must have finite logits for each of {len(own)} {noun}, but got "
                f"{tuple(teacher.shape)=}, {int((~teacher.isfinite()).sum())} of them not finite."
            )
        return cls(
            network=network,
            train=encoded_rows(network, train, device, dtype),
            valid=encoded_rows(network, valid, device, dtype),
            classes=ClassFacts.of(class_counts),
            folds=folds.to(device),
            config=config,
            device=device,
            dtype=dtype,
            teacher=None if teacher is None else teacher.to(device, dtype),
        )

    def batch(self, rows: Tensor) -> Batch:
        """Return the training examples of one step, ``(G, B)``."""
        return self.train.batch(rows, self.teacher)

    def encoded(self, part: Part) -> EncodedRows | EncodedTokens:
        """Return further rows with the same encoding, on the device."""
        return encoded_rows(self.network, part, self.device, self.dtype)

    @property
    def products(self) -> torch.dtype:
        """Return the number type of the products of hidden layers in training."""
        return product_dtype(self.config.precision, self.device, self.dtype)

    @property
    def class_counts(self) -> Tensor:
        """Return the training rows of each class, ``(C,)``."""
        return self.classes.counts


def encoded_rows(
    network: Network, part: Part, device: torch.device, dtype: torch.dtype
) -> EncodedRows | EncodedTokens:
    """Return the rows of a part as a network reads them, on a device, with numbers of a type."""
    inputs, targets = part.inputs.to(device, dtype), part.targets.to(device)
    if isinstance(targets, Ragged):
        return EncodedTokens(network, inputs, targets)
    weights = _weights(part, device, dtype)
    return EncodedRows(network, replace(part, inputs=inputs, targets=targets, weights=weights))


def _weights(part: Part, device: torch.device, dtype: torch.dtype) -> Tensor | None:
    return None if part.weights is None else part.weights.to(device, dtype)


def product_dtype(
    precision: Precision, device: torch.device, dtype: torch.dtype = torch.float32
) -> torch.dtype:
    """Return the type of the numbers that go into the products of the hidden layers.

    By default it is bfloat16 on a CPU with such products (AVX-512 BF16, AMX), where they were
    measured to be twice as fast as in float32. On a GPU, where nobody has measured them, the space
    must ask for them.

    Args:
        precision: The precision that the space asks for.
        device: Where candidates train.
        dtype: Type of the weights; other types than float32 are kept.
    """
    if dtype != torch.float32 or precision == "float32":
        return dtype
    is_asked = precision == "bfloat16"
    return torch.bfloat16 if is_asked or _is_fast(device) else torch.float32


def _is_fast(device: torch.device) -> bool:
    """Return whether the processor has products of bfloat16, and the library that uses them."""
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):
        return False
    found = torch.cpu.get_capabilities()
    has_products = bool(found.get("avx512_bf16") or found.get("amx_bf16"))
    return has_products and _library_has_them()


def _library_has_them() -> bool:
    """Return whether oneDNN takes products of bfloat16; `ONEDNN_MAX_CPU_ISA` may forbid it.

    Without it they are 50 times slower than products of float32.
    """
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
