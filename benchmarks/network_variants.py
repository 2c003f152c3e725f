"""Variants of the default network and of its training, for the ablation of its parts."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar
from unittest import mock

import torch
from torch import Tensor
from torch.nn import functional

from autoloss.core.settings import NetworkConfig, TrainingConfig
from autoloss.data import TableInputs, encode
from autoloss.losses import Mix
from autoloss.models import DropoutRates, Features, Heads, TableNetwork
from autoloss.models.layers import dense, relu_dropout
from autoloss.models.layout import Layout
from autoloss.models.table import Dropout, spread
from autoloss.training import optimiser, pool, population

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "silu": functional.silu,
    "gelu": functional.gelu,
    "mish": functional.mish,
    "selu": functional.selu,
}
EMA_STEPS = 4
"""Steps between two updates of an average of weights."""


@dataclass(frozen=True)
class Parts:
    """The replacement of a part of the default network in a variant.

    Args:
        activation: Activation of the hidden layers.
        waves: Fixed frequencies of a numeric column, whose sine and cosine all candidates share.
        frequency: Standard deviation of the fixed frequencies, in periods a unit.
        periodic: Learnt frequencies of a numeric column, followed by a learnt product of width
            4 (PBLD of RealMLP).
        scale: Learnt scale of each input, with this factor on its learning rate; 0 for none.
        heads: Networks that share all weights but the signs of their inputs and their last layer
            (TabM-mini), with the mean of their probabilities; 0 for one network.
        residual: Whether a hidden layer but the first adds its inputs.
        skip: Whether the outputs have a linear term of the inputs.
        affine: Whether normalised layers have a learnt scale and shift.
        zero: Whether the last layer begins at 0.
        bias: Largest initial bias of a hidden layer.
    """

    activation: str = "relu"
    waves: int = 0
    frequency: float = 0.5
    periodic: int = 0
    scale: float = 0.0
    heads: int = 0
    residual: bool = False
    skip: bool = False
    affine: bool = False
    zero: bool = False
    bias: float = 0.0


@dataclass(frozen=True)
class Course:
    """The replacement of a part of the default training in a variant.

    Args:
        schedule: ``"linear"`` for the default, ``"cosine"`` from the first step, or ``"coslog4"``
            (RealMLP).
        beta2: Decay of AdamW's second moments.
        average: Decay a step of an average of the weights, which is scored and kept; 0 for none.
        falling_dropout: Whether dropout falls to 0 in the second half.
        rows_of_a_bin: Training rows for each quantile bin of a column.
        rows_of_any_bin: Training rows for each quantile bin of all columns together; None for any
            number of bins.
    """

    schedule: str = "linear"
    beta2: float = 0.999
    average: float = 0.0
    falling_dropout: bool = False
    rows_of_a_bin: int = 200
    rows_of_any_bin: int | None = 20


@dataclass(frozen=True)
class Variant:
    """A variant: its meaning, its settings, and its parts."""

    meaning: str
    network: NetworkConfig = field(default_factory=NetworkConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    parts: Parts = Parts()
    course: Course = Course()


class VariedNetwork(TableNetwork):
    """The default network with other parts.

    `parts` belongs to the class, because the network makes copies of itself.
    """

    parts: ClassVar[Parts] = Parts()

    def shaped(self, shape: Any) -> TableNetwork:
        """Return the network with a larger shape of its inputs."""
        return type(self)(self.schema, self.n_classes, self.config, shape=shape)

    @property
    def _dense_width(self) -> int:
        return super()._dense_width + 2 * self.parts.waves * self.schema.n_numeric

    def encode(self, inputs: TableInputs) -> Features:
        """Return the features of a batch, with sines and cosines behind the others."""
        features, count = super().encode(inputs), self.parts.waves
        if not count:
            return features
        place = (torch.arange(count, dtype=torch.float64) + 0.5) / count
        # Quantiles of the absolute value of a normal draw.
        frequencies = math.sqrt(2.0) * self.parts.frequency * torch.erfinv(place)
        numeric = inputs.numeric.nan_to_num(0.0)
        angles = (2.0 * math.pi * numeric[..., None] * frequencies.to(numeric)).flatten(-2)
        own = features["dense"][..., : self.shape.dense - 2 * angles.shape[-1]]
        dense = torch.cat([own, angles.cos(), angles.sin()], -1)
        return features.each(lambda one: dense if one is features["dense"] else one)

    @cached_property
    def layout(self) -> Layout:
        """Return the names and shapes of the weights."""
        shapes = dict(super().layout.shapes)
        parts, n_numeric, width = self.parts, self.schema.n_numeric, self.config.width
        inputs = shapes["hidden.0.weight"][1]
        if parts.periodic and n_numeric:
            shapes["frequency"] = shapes["phase"] = (n_numeric, parts.periodic)
            shapes["wave.weight"] = (n_numeric, 4, parts.periodic)
            shapes["wave.bias"] = (n_numeric, 4)
            inputs += 4 * n_numeric
            shapes["hidden.0.weight"] = (width, inputs)
        if parts.scale:
            shapes["scale"] = (inputs,)
        for layer in range(self.config.depth if parts.affine else 0):
            shapes[f"gain.{layer}"] = shapes[f"shift.{layer}"] = (width,)
        if parts.skip:
            shapes["skip"] = (self.n_classes, inputs)
        if parts.heads:
            shapes["sign"] = (parts.heads, inputs)
            shapes["output.weight"] = (parts.heads * self.n_classes, width)
            shapes["output.bias"] = (parts.heads * self.n_classes,)
        return Layout(shapes, pooled=super().layout.pooled)

    def initial(self, generator: torch.Generator) -> Tensor:
        """Draw a candidate's weights ``(P,)``."""
        drawn = {
            name: self._drawn(name, shape, generator) for name, shape in self.layout.shapes.items()
        }
        if self._wide:
            drawn["embedding"][[0, *itertools.accumulate(self._wide[:-1])]] = 0.0
        return self.layout.row(drawn)

    def _drawn(self, name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        parts, kind = self.parts, name.partition(".")[0]
        bounds = {"embedding": 0.1, "terms": 0.01}
        bound = bounds.get(name, 1.0 / math.sqrt(max(shape[-1], 1)))
        if kind == "scale":
            return torch.full(shape, 1.0 / parts.scale)
        if kind == "gain":
            return torch.ones(shape)
        if kind == "frequency":
            return 0.1 * torch.randn(shape, generator=generator)
        if kind == "sign":
            return 2.0 * torch.randint(0, 2, shape, generator=generator) - 1.0
        if kind == "phase":
            bound = math.pi
        elif kind in ("shift", "skip") or (kind == "output" and parts.zero):
            bound = 0.0
        elif name.endswith("bias"):
            bound = parts.bias if kind == "hidden" else 0.0
        if not bound:
            return torch.zeros(shape)
        return torch.empty(shape).uniform_(-bound, bound, generator=generator)

    def hidden(
        self,
        weights: Mapping[str, Tensor],
        features: Features,
        orders: Tensor | None = None,
        dropout: Dropout | None = None,
        mix: Mix | None = None,
        products: torch.dtype | None = None,
        pool: Tensor | None = None,
    ) -> Tensor:
        """Return the features for the last layer; those of the heads one after the other."""
        parts = self.parts
        hidden = self._first_inputs(weights, features, orders, pool)
        if parts.periodic and self.schema.n_numeric:
            hidden = torch.cat([hidden, self._waves(weights, features, orders)], -1)
        self._inputs = hidden
        if parts.heads:
            hidden = (hidden[:, None] * weights["sign"][:, :, None]).flatten(1, 2)
        for layer in range(self.config.depth):
            weight, before = weights[f"hidden.{layer}.weight"], hidden
            if layer == 0 and parts.scale:
                weight = weight * (weights["scale"] * parts.scale)[:, None]
            if layer > 0 and dropout is not None:
                weight = weight * dropout.rates.scale
            hidden = dense(hidden, weight, weights[f"hidden.{layer}.bias"], products=products)
            if self.config.normalise:
                hidden = functional.layer_norm(hidden, hidden.shape[-1:])
            if parts.affine:
                gain, shift = (weights[f"{name}.{layer}"][:, None] for name in ("gain", "shift"))
                hidden = hidden * gain.to(hidden.dtype) + shift.to(hidden.dtype)
            levels = None if dropout is None else spread(dropout.levels[layer], orders)
            if levels is not None and parts.heads:
                levels = levels.repeat(*[1] * (levels.ndim - 2), parts.heads, 1)
            hidden = self._activated(hidden, levels, dropout)
            if parts.residual and layer > 0:
                hidden = hidden + before
        return hidden

    def _activated(self, x: Tensor, levels: Tensor | None, dropout: Dropout | None) -> Tensor:
        """Return the activations after dropout, not scaled."""
        rates = None if dropout is None else dropout.rates
        if self.parts.activation == "relu":
            return relu_dropout(x, levels, rates)
        x = ACTIVATIONS[self.parts.activation](x)
        return x if levels is None or rates is None else x * (levels >= rates.lowest).to(x.dtype)

    def _waves(
        self, weights: Mapping[str, Tensor], features: Features, orders: Tensor | None
    ) -> Tensor:
        """Return the learnt periodic embedding of all numbers, ``(K, B, 4 F)``."""
        numeric = spread(features["dense"][..., : self.schema.n_numeric], orders)[..., None]
        angles = (
            2.0 * math.pi * numeric * weights["frequency"][:, None] + weights["phase"][:, None]
        )
        waves = torch.einsum("kbfw,kfew->kbfe", angles.cos(), weights["wave.weight"])
        return (waves + weights["wave.bias"][:, None]).flatten(2)

    def head(
        self,
        weights: Mapping[str, Tensor],
        hidden: Tensor,
        heads: Heads | None = None,
        dropout: Dropout | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the logits: in training ``(K, heads * B, C)``, else of the mean probability."""
        parts, weight = self.parts, weights["output.weight"]
        if not parts.heads:
            logits, norms = super().head(weights, hidden, heads, dropout)
            if parts.skip:
                zero = torch.zeros_like(weights["output.bias"])
                logits = logits + dense(self._inputs, weights["skip"], zero)
            return logits, norms
        if dropout is not None:
            weight = weight * dropout.rates.scale
        own = hidden.to(weight.dtype).unflatten(1, (parts.heads, -1))
        by_head = weight.unflatten(1, (parts.heads, self.n_classes))
        bias = weights["output.bias"].unflatten(1, (parts.heads, self.n_classes))
        found = torch.einsum("kebh,kech->kebc", own, by_head) + bias[:, :, None]
        if dropout is not None:
            return found.flatten(1, 2), None
        return found.log_softmax(-1).logsumexp(1) - math.log(parts.heads), None


class Averaging(optimiser.RowAdamW):
    """AdamW with an average of the weights, ``(K, P)``."""

    decay: ClassVar[float] = 0.0

    def _begin(self, rows: Tensor, rates: Tensor, moments: Tensor, ages: Sequence[int]) -> None:
        super()._begin(rows, rates, moments, ages)
        self.average, self.steps = rows.clone(), 0

    def step(self, lr_factor: float | Tensor) -> None:
        """Step every row by its gradient; update the average."""
        super().step(lr_factor)
        self.steps += 1
        if self.steps % EMA_STEPS == 0:
            # Early in training the average is of the last steps alone.
            kept = min(self.decay**EMA_STEPS, self.steps / (self.steps + 20.0))
            self.average.lerp_(self.rows, 1.0 - kept)

    def keep(self, kept: Sequence[int]) -> optimiser.RowAdamW:
        """Return the optimiser of the rows at `kept` alone."""
        chosen = list(kept)
        other = object.__new__(Averaging)
        other._shares, other._pool = self._shares, self._pool
        other._begin(
            self.rows[chosen],
            self._rates[:, chosen],
            self._moments[:, chosen],
            [self._ages[row] for row in chosen],
        )
        other.average, other.steps = self.average[chosen], self.steps
        return other


def varied(variant: Variant) -> ExitStack:
    """Replace parts of the package by those of a variant, until the stack is closed."""
    stack, course, parts = ExitStack(), variant.course, variant.parts

    def put(place: Any, name: str, value: Any) -> None:
        stack.enter_context(mock.patch.object(place, name, value))

    put(VariedNetwork, "parts", parts)
    put(encode, "_ROWS_OF_A_BIN", course.rows_of_a_bin)
    if course.rows_of_any_bin is None:
        # A bin for a share of a row, and so as many as the rules for a column allow.
        put(encode, "_ROWS_OF_ANY_BIN", 1e-9)
    else:
        put(encode, "_ROWS_OF_ANY_BIN", course.rows_of_any_bin)
    if course.schedule != "linear":
        put(pool, "lr_factor", SCHEDULES[course.schedule])
    if course.beta2 != Course.beta2:
        kernel = torch._fused_adamw_
        put(torch, "_fused_adamw_", lambda *a, **k: kernel(*a, **{**k, "beta2": course.beta2}))
    if course.average:
        put(Averaging, "decay", course.average)
        put(population, "RowAdamW", Averaging)
        put(population.Population, "rows", property(lambda own: own._optimiser.average))
    if course.falling_dropout:
        put(population.Population, "step", _with_falling_dropout(population.Population.step))
    if parts.heads:
        targets = population.Population._targets

        def repeated(own: Any, batch: Any, index: Tensor | None) -> Tensor:
            return targets(own, batch, index).repeat(1, parts.heads)

        put(population.Population, "_targets", repeated)
    return stack


def _cosine(step: int, total: int, *, warmup: float, decay: float) -> float:
    rising = (step + 1) / max(1.0, warmup * total)
    return min(rising, 0.5 * (1.0 + math.cos(math.pi * step / total)))


def _coslog4(step: int, total: int, *, warmup: float, decay: float) -> float:
    return 0.5 * (1.0 - math.cos(2.0 * math.pi * math.log2(1.0 + 15.0 * step / total)))


SCHEDULES = {"cosine": _cosine, "coslog4": _coslog4}


def _with_falling_dropout(step: Callable[..., None]) -> Callable[..., None]:
    """Return a training step whose dropout rates fall by a cosine in the second half."""

    def fallen(own: Any, batch: Any, orders: Any, factor: Any, *, progress: float = 0.0) -> None:
        if own._rates is not None:
            rates = torch.tensor([one.dropout for one in own.candidates])[:, None, None]
            share = 0.5 * (1.0 + math.cos(math.pi * max(0.0, 2.0 * progress - 1.0)))
            own._rates = DropoutRates(rates * share)
        step(own, batch, orders, factor, progress=progress)

    return fallen
