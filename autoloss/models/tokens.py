"""The default network for sequences: embedded tokens and dilated convolutions, K at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from autoloss.core.settings import NetworkConfig
from autoloss.data import SequenceInputs, SequenceSchema
from autoloss.losses import Mix
from autoloss.models.heads import Heads, apply_heads
from autoloss.models.layers import dense, mixed, relu_dropout
from autoloss.models.layout import Layout
from autoloss.models.neighbours import with_neighbours
from autoloss.models.network import Features, StepInputs, StepOutputs
from autoloss.models.table import Dropout, spread


class TokenNetwork:
    """Dilated convolutions over the tokens of concatenated sequences.

    A token enters by a learnt embedding of its form, if that is frequent in training, and by its
    numbers. The first layer reads a token alone. Each further layer reads the tokens at a distance
    of 1, 2, 4, ... on both sides as well and is added to its input (Strubell et al. 2017, Fast and
    Accurate Entity Recognition with Iterated Dilated Convolutions, arXiv:1702.02098). Tokens are
    not padded: neighbours beyond the ends of a sequence are zero.

    Args:
        schema: The codes and numbers of a token.
        n_classes: C.
        config: Width, depth (the convolutions), embedding width, normalisation.
        shape: The codes and numbers of the widest of several encodings; by default the schema's.
    """

    def __init__(
        self,
        schema: SequenceSchema,
        n_classes: int,
        config: NetworkConfig,
        *,
        shape: SequenceSchema | None = None,
    ) -> None:
        self.schema = schema
        self.n_classes = n_classes
        self.config = config
        self.shape = schema if shape is None else shape

    pads = False

    @property
    def distances(self) -> list[int]:
        """Return the distance of the neighbours in each convolution."""
        return [1 << layer for layer in range(self.config.depth)]

    @property
    def reach(self) -> int:
        """Return the number of tokens to each side that affect the logits of a token."""
        return sum(self.distances)

    @property
    def text(self) -> str:
        """Return the network in words for the plan."""
        config = self.config
        return (
            f"{config.depth} convolutions of {config.width} that see {self.reach} tokens to each "
            f"side, {self.shape.n_codes - 1:,} embedded forms, {self.layout.size:,} weights"
        )

    @property
    def settings(self) -> Mapping[str, object]:
        """Return nothing: the plan describes the network."""
        return {}

    @property
    def encoded_width(self) -> int:
        """Return D, the numbers of a token."""
        return self.shape.width

    @property
    def exact(self) -> torch.dtype:
        """Return double precision, in which sums do not depend on the tokens beside a token."""
        return torch.float64

    @property
    def widest(self) -> int:
        """Return the width of the widest activation."""
        return max(self.encoded_width + self.config.embedding, 3 * self.config.width)

    @property
    def activations(self) -> int:
        """Return an upper bound of the numbers that a training step keeps for a token."""
        inputs = 2 * (self.encoded_width + self.config.embedding)
        return inputs + 12 * (self.config.depth + 1) * self.config.width + 16 * self.n_classes

    @cached_property
    def layout(self) -> Layout:
        """Return the names and shapes of the weights."""
        config = self.config
        shapes: dict[str, tuple[int, ...]] = {
            "embedding": (self.shape.n_codes, config.embedding),
            "embedded.weight": (config.width, config.embedding),
            "embedded.bias": (config.width,),
        }
        if self.encoded_width:
            shapes["numbers.weight"] = (config.width, self.encoded_width)
            shapes["numbers.bias"] = (config.width,)
        for layer in range(config.depth):
            shapes[f"hidden.{layer}.weight"] = (config.width, 3 * config.width)
            shapes[f"hidden.{layer}.bias"] = (config.width,)
        shapes["output.weight"] = (self.n_classes, config.width)
        shapes["output.bias"] = (self.n_classes,)
        return Layout(shapes)

    def initial(self, generator: torch.Generator) -> Tensor:
        """Draw a candidate's weights ``(P,)``: uniform by fan-in, as in `torch.nn.Linear`."""
        drawn = {}
        for name, shape in self.layout.shapes.items():
            if name.endswith("bias"):
                drawn[name] = torch.zeros(shape)
                continue
            bound = 0.1 if name == "embedding" else 1.0 / math.sqrt(max(shape[-1], 1))
            drawn[name] = torch.empty(shape).uniform_(-bound, bound, generator=generator)
        drawn["embedding"][0] = 0.0
        return self.layout.row(drawn)

    def encode(self, inputs: SequenceInputs) -> Features:
        """Return the features of whole sequences, one after the other, as one batch, G = 1."""
        places = torch.arange(len(inputs.codes), device=inputs.codes.device)
        return self.features(inputs, places, around_tokens(inputs.lengths))

    def features(self, inputs: SequenceInputs, places: Tensor, around: Tensor) -> Features:
        """Return the features of some tokens as one batch, G = 1.

        Args:
            inputs: The sequences.
            places: The places of the tokens among all tokens.
            around: The tokens before and after each of them that it may see.

        Shape:
            - places: ``(B,)``
            - around: ``(B, 2)``
        """
        # Rows are copied whole, and a word's numbers are kept once, however often it occurs.
        of_kind = inputs.of_kind.index_select(0, inputs.kinds[places])
        numbers = torch.cat([of_kind, inputs.numbers.index_select(0, places)], -1)
        numbers = functional.pad(numbers, (0, self.shape.width - self.schema.width))
        codes = inputs.codes[places]
        return Features(dense=numbers[None], codes=codes[None, :, None], around=around[None])

    def scores(
        self, weights: Mapping[str, Tensor], features: Features, step: StepInputs
    ) -> StepOutputs:
        """Return the outputs of a training step, with tokens as positions of one example."""
        levels = step.draws.levels(self.config.depth + 1, self.config.width, step.sizes)
        dropout = None if step.rates is None else Dropout(levels, step.rates)
        hidden = self.hidden(
            weights, features, step.orders, dropout, step.mix, products=step.products
        )
        logits, norms = self._head(weights, hidden, step.heads, dropout)
        return StepOutputs(logits.unsqueeze(1), None if norms is None else norms.unsqueeze(1))

    def body(
        self, weights: Mapping[str, Tensor], features: Features, *, heads: Heads | None = None
    ) -> Tensor:
        """Return the logits ``(K, B, C)`` of B tokens that all candidates predict; G = 1."""
        return self._head(weights, self.hidden(weights, features), heads, None)[0]

    def hidden(
        self,
        weights: Mapping[str, Tensor],
        features: Features,
        orders: Tensor | None = None,
        dropout: Dropout | None = None,
        mix: Mix | None = None,
        *,
        products: torch.dtype | None = None,
    ) -> Tensor:
        """Return the features of the tokens for the last layer, not scaled for dropout.

        Args:
            weights: Weights by name, each ``(K, ...)``.
            features: The batch; G = 1 where all candidates share it.
            orders: The number of the batch, of G, that each candidate reads, ``(K,)``; None if
                G = 1.
            dropout: The dropout of the step; None at prediction.
            mix: The mixup of the step; None at prediction.
            products: Type of the products and of the output; by default that of the weights.

        Shape:
            - output: ``(K, B, H)``
        """
        around = spread(features["around"], orders)

        def product(x: Tensor, name: str, scale: Tensor | None = None) -> Tensor:
            weight = weights[f"{name}.weight"]
            weight = weight if scale is None else weight * scale
            return dense(x, weight, weights[f"{name}.bias"], products=products)

        def activated(y: Tensor, number: int) -> Tensor:
            if self.config.normalise:
                y = functional.layer_norm(y, y.shape[-1:])
            if dropout is None:
                return relu_dropout(y)
            return relu_dropout(y, spread(dropout.levels[number], orders), dropout.rates)

        first = product(self._embedded(weights["embedding"], features, orders), "embedded")
        if self.encoded_width:
            # A product of its own, because numbers need no gradient and candidates share them.
            numbers = spread(features["dense"], orders).expand(len(first), -1, -1)
            first = first + product(numbers, "numbers")
        if mix is not None:
            # The first layer is linear, so this equals mixing embeddings and numbers of tokens.
            exact = first.to(mix.share.dtype)
            first = mixed(exact, mix.partner[:, 0], mix.share[:, 0]).to(first.dtype)
        hidden = activated(first, 0)
        scale = None if dropout is None else dropout.rates.scale
        for number, distance in enumerate(self.distances):
            seen = with_neighbours(hidden, around, distance)
            hidden = hidden + activated(product(seen, f"hidden.{number}", scale), number + 1)
        return hidden

    def _embedded(self, table: Tensor, features: Features, orders: Tensor | None) -> Tensor:
        """Return the embedding of every token, (K, B, E)."""
        if orders is None:
            return table.index_select(1, features["codes"][0].flatten())
        start = torch.arange(len(table), device=table.device)[:, None] * table.shape[1]
        codes = features["codes"][orders, :, 0] + start
        looked_up = table.flatten(0, 1).index_select(0, codes.flatten())
        return looked_up.view(*codes.shape, -1)

    def _head(
        self,
        weights: Mapping[str, Tensor],
        hidden: Tensor,
        heads: Heads | None,
        dropout: Dropout | None,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the logits and the norms for losses of an unbiased head; see `apply_heads`."""
        weight = weights["output.weight"]
        if dropout is not None:
            weight = weight * dropout.rates.scale
        return apply_heads(hidden, weight, weights["output.bias"], heads)


def around_tokens(lengths: Tensor) -> Tensor:
    """Return the tokens before and after each token in its sequence, (N,) -> (T, 2).

    Examples:
        >>> around_tokens(torch.tensor([2, 1])).tolist()
        [[0, 1], [1, 0], [0, 0]]
    """
    first = (lengths.cumsum(0) - lengths).repeat_interleave(lengths)
    before = torch.arange(len(first), device=lengths.device) - first
    return torch.stack([before, lengths.repeat_interleave(lengths) - 1 - before], -1)
