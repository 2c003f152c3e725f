"""The default network for images: residual convolutions of K candidates at once."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

from autoloss.core.settings import NO_AUGMENT, AugmentConfig, NetworkConfig
from autoloss.data import ImageInputs, ImageSchema
from autoloss.losses import Mix
from autoloss.models.augment import augmented
from autoloss.models.convolve import blocks, convolve, overlapping, share_products
from autoloss.models.heads import Heads, apply_heads
from autoloss.models.layers import mixed, relu_dropout
from autoloss.models.layout import Layout
from autoloss.models.network import Features, StepInputs, StepOutputs
from autoloss.models.table import Dropout, spread

_FIRST, _LAST = 16, 7
"""The longest side, in places, after the first layer, and from which four places are joined."""
_POOLED = 4


class ImageNetwork:
    """A residual network over the pixels of an image.

    The first layer reads overlapping squares, so that at most 16 places remain to a side, and a
    second joins four of them into one if they are more than 7. The blocks are convolutions of
    3 x 3 places, each added to its input (He et al. 2016, Deep Residual Learning for Image
    Recognition, arXiv:1512.03385), normalised over the channels of a place (as is the layer before
    them), so that an image does not depend on others of its batch. The last layer reads the mean
    of each of 4 x 4 parts.

    All candidates read the same images, so the squares of the first layer are cut once.

    Args:
        schema: The size of the images, and the mean and deviation of their channels.
        n_classes: C.
        config: Width (channels of a block), depth (blocks), normalisation.
        augment: How images are changed in training.
    """

    def __init__(
        self,
        schema: ImageSchema,
        n_classes: int,
        config: NetworkConfig,
        *,
        augment: AugmentConfig = NO_AUGMENT,
    ) -> None:
        self.schema = schema
        self.n_classes = n_classes
        self.config = config
        self.augment = augment
        side = max(schema.height, schema.width)
        self._stride = max(1, -(-side // _FIRST))
        self._side = 2 * self._stride if self._stride > 1 else 3
        self._first = tuple(-(-one // self._stride) for one in (schema.height, schema.width))
        self._joins = max(self._first) > _LAST
        self._map = tuple(-(-one // 2) for one in self._first) if self._joins else self._first
        self._parts = tuple(-(-one // -(-one // _POOLED)) for one in self._map)

    @property
    def text(self) -> str:
        """Return the network in words for the plan."""
        schema, config = self.schema, self.config
        places = " x ".join(map(str, self._map))
        return (
            f"{config.depth} residual convolutions of {config.width} on {places} places of"
            f" images of {schema.height} x {schema.width}, {self.layout.size:,} weights"
        )

    @property
    def picture_size(self) -> tuple[int, int]:
        """Return height and width of the images, which CutMix needs."""
        return self.schema.height, self.schema.width

    @property
    def settings(self) -> Mapping[str, object]:
        """Return the settings that the report shows."""
        config = self.config
        names = ("width", "depth", "normalise")
        return {name: getattr(config, name) for name in names} | vars(self.augment)

    @property
    def _narrow(self) -> int:
        """Return the channels of the first layer."""
        return max(1, self.config.width // 2) if self._joins else self.config.width

    @property
    def _hidden(self) -> int:
        """Return the numbers that the last layer reads."""
        return math.prod(self._parts) * self.config.width

    @property
    def exact(self) -> torch.dtype:
        """Return single precision: convolutions take five times as long in double."""
        return torch.float32

    @property
    def widest(self) -> int:
        """Return the width of the widest activation."""
        patches = self._side**2 * self.schema.channels
        first = math.prod(self._first) * max(patches, self._narrow)
        return max(first, self.config.width * math.prod(self._map))

    @property
    def activations(self) -> int:
        """Return an upper bound of the numbers that a training step keeps for a row."""
        first = math.prod(self._first) * (self._side**2 * self.schema.channels + 4 * self._narrow)
        joined = math.prod(self._map) * (4 * self._narrow + 4 * self.config.width)
        block = math.prod(self._map) * 6 * self.config.width
        return first + joined + self.config.depth * block + 4 * self._hidden + 16 * self.n_classes

    @cached_property
    def layout(self) -> Layout:
        """Return the names and shapes of the weights."""
        width, narrow = self.config.width, self._narrow
        shapes: dict[str, tuple[int, ...]] = {
            # The last column is the bias.
            "first.weight": (narrow, self._side**2 * self.schema.channels + 1),
        }
        if self._joins:
            shapes["join.weight"] = (width, 4 * narrow)
        for block in range(self.config.depth):
            shapes[f"block.{block}.weight"] = (width, 9 * width)
            shapes[f"block.{block}.bias"] = (width,)
        shapes["output.weight"] = (self.n_classes, self._hidden)
        shapes["output.bias"] = (self.n_classes,)
        return Layout(shapes)

    def initial(self, generator: torch.Generator) -> Tensor:
        """Draw a candidate's weights ``(P,)``: uniform by fan-in, as in `torch.nn.Conv2d`."""
        drawn = {}
        for name, shape in self.layout.shapes.items():
            bound = 0.0 if name.endswith("bias") else 1.0 / math.sqrt(shape[-1])
            drawn[name] = torch.empty(shape).uniform_(-bound, bound, generator=generator)
        return self.layout.row(drawn)

    def encode(self, inputs: ImageInputs) -> Features:
        """Return the pixels as bytes, ``(G, B, H, W, C)`` or ``(B, H, W, C)``."""
        return Features(pixels=inputs.pixels)

    def scores(
        self, weights: Mapping[str, Tensor], features: Features, step: StepInputs
    ) -> StepOutputs:
        """Return the outputs of a training step on changed images; see `Network.scores`."""
        levels = step.draws.levels(1, self._hidden)
        dropout = None if step.rates is None else Dropout(levels, step.rates)
        pixels = features["pixels"]
        fill = torch.tensor(self.schema.mean, device=pixels.device)
        pixels, orders = augmented(pixels, step.draws.seeds(), self.augment, fill), step.orders
        if step.mix is not None and step.mix.boxes is not None:
            pixels = step.mix.cut(
                spread(pixels, orders).expand(len(step.places), *pixels.shape[1:])
            )
            orders = torch.arange(len(pixels), device=pixels.device)
        hidden = self._body(weights, pixels, orders, step.mix, products=step.products)
        weight = weights["output.weight"]
        if dropout is not None:
            own = spread(dropout.levels[0], step.orders)
            hidden = relu_dropout(hidden, own, dropout.rates)
            weight = weight * dropout.rates.scale
        return StepOutputs(*apply_heads(hidden, weight, weights["output.bias"], step.heads))

    def body(
        self, weights: Mapping[str, Tensor], features: Features, *, heads: Heads | None = None
    ) -> Tensor:
        """Return the logits ``(K, B, C)`` of rows that all candidates predict; G = 1."""
        hidden = self._body(weights, features["pixels"])
        return apply_heads(hidden, weights["output.weight"], weights["output.bias"], heads)[0]

    def _body(
        self,
        weights: Mapping[str, Tensor],
        pixels: Tensor,
        orders: Tensor | None = None,
        mix: Mix | None = None,
        *,
        products: torch.dtype | None = None,
    ) -> Tensor:
        """Return the features for the last layer, ``(K, B, H)``."""
        k, n, dtype = len(weights["output.bias"]), pixels.shape[1], weights["output.bias"].dtype
        taken = dtype if products is None else products

        def weight_of(name: str) -> Tensor:
            # The gradient of a bias would be a sum over all places, as long as the product.
            return weights[f"{name}.weight"].to(taken)

        squares = overlapping(self._scaled(pixels, dtype), self._side, self._stride)
        squares = functional.pad(squares, (0, 1), value=1.0).to(taken)
        places = squares.shape[1:4]
        flat = share_products(squares.flatten(1, 3), weight_of("first"), orders)
        hidden = torch.unflatten(flat, 1, places)
        if mix is not None:
            # The first layer is linear, so this equals mixing the images, which are shared.
            exact = hidden.flatten(2).to(mix.share.dtype)
            hidden = mixed(exact, mix.partner, mix.blended).to(hidden.dtype).view_as(hidden)
        # A norm of all places of the first layer takes a seventh of a step and changes no error.
        hidden = relu_dropout(hidden) if self._joins else self._activated(hidden)
        if self._joins:
            joined = blocks(hidden, 2)
            own = torch.bmm(joined.flatten(1, 3), weight_of("join").mT)
            hidden = self._activated(torch.unflatten(own, 1, joined.shape[1:4]))
        for block in range(self.config.depth):
            weight, bias = weights[f"block.{block}.weight"], weights[f"block.{block}.bias"]
            own = convolve(hidden, weight, bias, products=products)
            hidden = hidden + self._activated(own)
        # Sums of rectified numbers: dropout may rectify them again.
        return _pooled(hidden, self._parts).reshape(k, n, -1)

    def _scaled(self, pixels: Tensor, dtype: torch.dtype) -> Tensor:
        """Return pixels with mean 0 and deviation 1 by channel."""
        mean = torch.tensor(self.schema.mean, dtype=dtype, device=pixels.device)
        scale = torch.tensor(self.schema.scale, dtype=dtype, device=pixels.device)
        return (pixels.to(dtype) - mean) / scale

    def _activated(self, y: Tensor) -> Tensor:
        if self.config.normalise:
            y = functional.layer_norm(y, y.shape[-1:])
        return relu_dropout(y)


def _pooled(x: Tensor, parts: tuple[int, ...]) -> Tensor:
    """Return the means over parts of equal size, zeros beyond the edges.

    Shape:
        - x: ``(K, B, H, W, C)``
        - output: ``(K, B, *parts, C)``
    """
    k, b, h, w, c = x.shape
    high, wide = (-(-size // count) for size, count in zip((h, w), parts, strict=True))
    x = functional.pad(x, (0, 0, 0, wide * parts[1] - w, 0, high * parts[0] - h))
    x = x.view(k, b, parts[0], high, parts[1], wide, c)
    # A mean over two axes takes five times as long.
    rows = functools.reduce(torch.add, x.unbind(3))
    return functools.reduce(torch.add, rows.unbind(4)) / (high * wide)
