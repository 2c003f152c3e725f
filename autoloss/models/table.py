"""The default network for tables: every column embedded, dense layers, K candidates at once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from autoloss.core.settings import NetworkConfig
from autoloss.data import TableSchema
from autoloss.losses import Mix
from autoloss.models.bags import bag
from autoloss.models.bins import Bins, bins_of, piecewise_linear
from autoloss.models.heads import Heads, apply_heads
from autoloss.models.input_shape import InputShape
from autoloss.models.layers import DropoutRates, dense, mixed, relu_dropout
from autoloss.models.layout import Layout
from autoloss.models.network import Features, StepInputs, StepOutputs
from autoloss.models.waves import FREQUENCY, WAVE_WIDTH, WAVES, embed, wave_shapes

ONE_HOT = 12
"""A categorical column with at most this many codes is one-hot; others get an embedding."""


@dataclass(frozen=True)
class Dropout:
    """The dropout of one step.

    Args:
        levels: The draws of all hidden layers, ``(depth, G, B, H)``.
        rates: Rates of the candidates.
    """

    levels: Tensor
    rates: DropoutRates


class TableNetwork:
    """A multi-layer perceptron over embedded columns.

    Numeric columns enter as they are and by one of two embeddings. The piecewise-linear encoding
    of quantile bins (Gorishniy et al. 2022, arXiv:2203.05556) is the same for all candidates, and
    is computed once for each batch; learnt frequencies are a candidate's own, see `waves`. Missing
    numbers are zero, and columns that lacked some in training have an indicator. Free text is the
    weighted sum of the embeddings of its terms, beside the other inputs or in the first layer.

    Args:
        schema: The columns.
        n_classes: C.
        config: Width, depth, bins, embedding width, normalisation.
        shape: Shape of the encoded inputs, padded with zeros; by default as large as the columns
            need.
    """

    def __init__(
        self,
        schema: TableSchema,
        n_classes: int,
        config: NetworkConfig,
        *,
        shape: InputShape | None = None,
    ) -> None:
        self.schema = schema
        self.n_classes = n_classes
        self.config = config
        self.narrow = tuple(c <= ONE_HOT for c in schema.cardinalities)
        self._wide = [c for c in schema.cardinalities if c > ONE_HOT]
        waves = schema.n_numeric if config.numbers == "waves" else 0
        n_wide, n_codes = len(self._wide), sum(self._wide)
        own = InputShape(self._dense_width, n_wide, n_codes, waves, schema.n_terms, schema.places)
        self.shape = own if shape is None else shape
        self._spare = {
            "dense": self.shape.dense - own.dense,
            "codes": self.shape.embedded - own.embedded,
            "numbers": self.shape.waves - own.waves,
            "terms": self.shape.places - own.places,
            "shares": self.shape.places - own.places,
        }

    def shaped(self, shape: InputShape) -> TableNetwork:
        """Return the network with a larger shape of its inputs."""
        return TableNetwork(self.schema, self.n_classes, self.config, shape=shape)

    @property
    def n_bins(self) -> int:
        """Return the quantile bins of a numeric column; few distinct values fill fewer."""
        return self.schema.edges.shape[1] - 1 if self._has_bins and self.schema.n_numeric else 0

    @property
    def _has_bins(self) -> bool:
        return bool(self.config.bins) and self.config.numbers != "waves"

    @property
    def text(self) -> str:
        """Return the network in words for the plan."""
        config, bins = self.config, self.n_bins
        layers = "hidden layer" if config.depth == 1 else "hidden layers"
        parts = f"{config.depth} {layers} of {config.width}, {self.encoded_width:,} inputs"
        of_numbers = f" with up to {bins} quantile bins of a number" if bins else ""
        if self.shape.waves:
            of_numbers = f" with {WAVES} learnt frequencies of a number"
        if config.numbers == "auto" and bins:
            of_numbers += " (or learnt frequencies, if these are better in a short training)"
        of_text = f", {self.shape.terms:,} terms of free text" if self.shape.terms else ""
        return f"{parts}{of_numbers}{of_text}, {self.layout.size:,} weights"

    @property
    def settings(self) -> Mapping[str, object]:
        """Return the settings that the columns use, with the bins and terms that the data fill."""
        found = {**asdict(self.config), "bins": self.n_bins, "terms": self.shape.terms}
        unused = () if self.shape.terms else ("terms", "text_width")
        return {name: value for name, value in found.items() if name not in unused}

    @cached_property
    def _lacking(self) -> list[int]:
        """Return the numeric columns that lacked numbers in training."""
        return [place for place, lacks in enumerate(self.schema.has_missing) if lacks]

    @property
    def encoded_width(self) -> int:
        """Return D, the numbers of a row."""
        return self.shape.dense

    @property
    def _dense_width(self) -> int:
        """Return the width that the columns need."""
        bins = len(self._bins[0])
        numeric = self.schema.n_numeric + sum(self.schema.has_missing) + bins
        one_hot = sum(c - 1 for c in self.schema.cardinalities if c <= ONE_HOT)
        return numeric + one_hot + self.schema.vector_width

    @property
    def _text_width(self) -> int:
        return self.config.text_width if self.shape.terms else 0

    @property
    def exact(self) -> torch.dtype:
        """Return double precision, in which sums do not depend on the rows beside a row."""
        return torch.float64

    @property
    def widest(self) -> int:
        """Return the width of the widest activation."""
        return max(self.encoded_width, self.config.width)

    @property
    def activations(self) -> int:
        """Return an upper bound of the numbers that a training step keeps for a row."""
        inputs = self.encoded_width + self.shape.embedded * self.config.embedding
        inputs += self.shape.waves * (WAVES + WAVE_WIDTH) + 2 * self.shape.places
        inputs += self._text_width
        return 3 * inputs + 8 * self.config.depth * self.config.width + 16 * self.n_classes

    @cached_property
    def _bins(self) -> Bins:
        return bins_of(self.schema.edges if self._has_bins else self.schema.edges[:, :1])

    @cached_property
    def layout(self) -> Layout:
        """Return the names and shapes of the weights."""
        config = self.config
        shapes: dict[str, tuple[int, ...]] = {}
        if self.shape.embedded:
            shapes["embedding"] = (self.shape.codes, config.embedding)
        width = self.encoded_width + self.shape.embedded * config.embedding
        if terms := self.shape.terms:
            shapes["terms"] = (terms, config.text_width or config.width)
            width += self._text_width
        if waves := self.shape.waves:
            shapes |= wave_shapes(waves)
            width += waves * WAVE_WIDTH
        for layer in range(config.depth):
            shapes[f"hidden.{layer}.weight"] = (config.width, width)
            shapes[f"hidden.{layer}.bias"] = (config.width,)
            width = config.width
        shapes["output.weight"] = (self.n_classes, width)
        shapes["output.bias"] = (self.n_classes,)
        return Layout(shapes, pooled="terms" if terms else "")

    def initial(self, generator: torch.Generator) -> Tensor:
        """Draw a candidate's weights ``(P,)``: uniform by fan-in, as in `torch.nn.Linear`.

        Frequencies are normal, phases uniform over a period.
        """
        bounds = {"embedding": 0.1, "terms": 0.01, "phase": math.pi}
        drawn = {}
        for name, shape in self.layout.shapes.items():
            bound = bounds.get(name, 1.0 / math.sqrt(max(shape[-1], 1)))
            if name.endswith("bias"):
                drawn[name] = torch.zeros(shape)
            elif name == "frequency":
                drawn[name] = FREQUENCY * torch.randn(shape, generator=generator)
            else:
                drawn[name] = torch.empty(shape).uniform_(-bound, bound, generator=generator)
        if self._wide:
            unseen = [0, *itertools.accumulate(self._wide[:-1])]
            drawn["embedding"][unseen] = 0.0
        return self.layout.row(drawn)

    def encode(self, inputs: Any) -> Features:
        """Return numbers for the first layer and codes of the embedded columns.

        The codes are offset into one table of embeddings.

        Shape:
            - inputs: fields ``(G, B, ...)`` or ``(B, ...)``
            - dense ``(G, B, D)``, codes ``(G, B, Q)``, numbers ``(G, B, F)`` if these have learnt
              frequencies, terms and shares ``(G, B, M)`` if there is free text; or without G
        """
        dtype = inputs.numeric.dtype
        parts, found = [], {}
        if self.schema.n_numeric:
            missing = inputs.numeric.isnan()
            numeric = inputs.numeric.masked_fill(missing, 0.0)
            if self.shape.waves:
                found["numbers"] = numeric
            parts += [numeric, missing[..., self._lacking].to(dtype)]
            parts.append(piecewise_linear(numeric, missing, self._bins))
        offset, wide = 0, []
        for column, narrow in enumerate(self.narrow):
            codes = inputs.categories[..., column]
            if narrow:
                # Code 0, a level without training rows, is all zeros.
                one_hot = functional.one_hot(codes, self.schema.cardinalities[column])[..., 1:]
                parts.append(one_hot.to(dtype))
            else:
                wide.append(codes + offset)
                offset += self.schema.cardinalities[column]
        if self.schema.vector_width:
            parts.append(inputs.vectors)
        empty = inputs.categories[..., :0]
        found["dense"] = torch.cat(parts, -1) if parts else empty.to(dtype)
        found["codes"] = torch.stack(wide, -1) if wide else empty
        if self.shape.terms:
            found["terms"] = self.schema.joined_terms(inputs.terms)
            found["shares"] = inputs.shares
        for name, one in found.items():
            if self._spare[name]:
                found[name] = functional.pad(one, (0, self._spare[name]))
        return Features(**found)

    def scores(
        self, weights: Mapping[str, Tensor], features: Features, step: StepInputs
    ) -> StepOutputs:
        """Return the outputs of a training step; see `Network.scores`."""
        # Every layer draws, even without dropout, so that draws depend on the step alone.
        levels = step.draws.levels(self.config.depth, self.config.width)
        dropout = None if step.rates is None else Dropout(levels, step.rates)
        hidden = self.hidden(
            weights, features, step.orders, dropout, step.mix, step.products, step.pool
        )
        logits, norms = self.head(weights, hidden, step.heads, dropout)
        return StepOutputs(logits, norms)

    def body(
        self,
        weights: Mapping[str, Tensor],
        features: Features,
        orders: Tensor | None = None,
        dropout: Dropout | None = None,
        heads: Heads | None = None,
        mix: Mix | None = None,
    ) -> Tensor:
        """Return the logits: `head` of `hidden`.

        Args:
            weights: Weights by name, each ``(K, ...)``.
            features: The batch; G = 1 where all candidates share it.
            orders: The number of the batch, of G, that each candidate reads, ``(K,)``; None if
                G = 1.
            dropout: The dropout of the step; None at prediction.
            heads: The last layer of each candidate; None if all are linear.
            mix: The mixup of the step; None at prediction.

        Shape:
            - output: ``(K, B, C)``
        """
        hidden = self.hidden(weights, features, orders, dropout, mix)
        return self.head(weights, hidden, heads, dropout)[0]

    def head(
        self,
        weights: Mapping[str, Tensor],
        hidden: Tensor,
        heads: Heads | None = None,
        dropout: Dropout | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the logits, and the norms for losses of an unbiased head; see `apply_heads`.

        Args:
            weights: Weights by name, each ``(K, ...)``.
            hidden: The features that `hidden` returned.
            heads: The last layer of each candidate; None if all are linear.
            dropout: The dropout that made them.

        Shape:
            - hidden: ``(K, B, H)``
            - output: ``(K, B, C)``, ``(K, B, C)`` or None
        """
        weight = weights["output.weight"]
        if dropout is not None:
            # Scaling the weights has the same effect on cosines and norms as scaling the features.
            weight = weight * dropout.rates.scale
        return apply_heads(hidden, weight, weights["output.bias"], heads)

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
        """Return the features for the last layer, not scaled for dropout.

        Args:
            weights: As in `body`.
            features: As in `body`.
            orders: As in `body`.
            dropout: As in `body`.
            mix: As in `body`.
            products: Type of the products and of the output; by default that of the weights.
            pool: See `StepInputs`.

        Shape:
            - output: ``(K, B, H)``
        """
        hidden = self._first_inputs(weights, features, orders, pool)
        for layer in range(self.config.depth):
            weight = weights[f"hidden.{layer}.weight"]
            if dropout is not None and layer > 0:
                weight = weight * dropout.rates.scale
            bias = weights[f"hidden.{layer}.bias"]
            hidden = dense(hidden, weight, bias, products=products)
            if layer == 0 and self.shape.terms and not self._text_width:
                hidden = hidden + self._bag(weights, features, orders, pool).to(hidden.dtype)
            if mix is not None and layer == 0:
                # The first layer is linear, so this equals mixing the inputs, which are shared.
                exact = hidden.to(mix.share.dtype)
                hidden = mixed(exact, mix.partner, mix.share).to(hidden.dtype)
            if self.config.normalise:
                hidden = functional.layer_norm(hidden, hidden.shape[-1:])
            if dropout is None:
                hidden = relu_dropout(hidden)
            else:
                levels = spread(dropout.levels[layer], orders)
                hidden = relu_dropout(hidden, levels, dropout.rates)
        return hidden

    def _first_inputs(
        self,
        weights: Mapping[str, Tensor],
        features: Features,
        orders: Tensor | None,
        pool: Tensor | None,
    ) -> Tensor:
        n_candidates = weights["output.bias"].shape[0]
        shared = spread(features["dense"], orders).expand(n_candidates, -1, -1)
        parts = [shared]
        if self.shape.waves:
            parts.append(embed(weights, spread(features["numbers"], orders)))
        if self._text_width:
            parts.append(self._bag(weights, features, orders, pool))
        if self.shape.embedded:
            looked_up = self._looked_up(weights["embedding"], features["codes"], orders)
            parts.append(looked_up.view(*shared.shape[:2], -1))
        return torch.cat(parts, -1) if len(parts) > 1 else shared

    def _bag(
        self,
        weights: Mapping[str, Tensor],
        features: Features,
        orders: Tensor | None,
        pool: Tensor | None,
    ) -> Tensor:
        """Return the weighted sum of the embeddings of the terms."""
        places = None if orders is None else orders.tolist()
        return bag(weights["terms"], features["terms"], features["shares"], places, pool)

    def _looked_up(self, table: Tensor, codes: Tensor, orders: Tensor | None) -> Tensor:
        """Return the embeddings of codes, in a row for each candidate."""
        if orders is None:
            # The backward of table[:, codes] would sort the codes in every step.
            return table.index_select(1, codes[0].flatten())
        start = torch.arange(len(table), device=table.device)[:, None, None] * table.shape[1]
        return table.flatten(0, 1).index_select(0, (codes[orders] + start).flatten())


def spread(values: Tensor, orders: Tensor | None) -> Tensor:
    """Return each candidate's values ``(K, ...)`` by its order; ``(G, ...)`` as is if G = 1."""
    return values if orders is None else values[orders]
