"""The custom network for images, which reads them as `torchvision` gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from autoloss.core.settings import NO_AUGMENT, AugmentConfig
from autoloss.data import ImageInputs, ImageSchema
from autoloss.models.augment import augmented
from autoloss.models.custom.outputs import logits_of_rows
from autoloss.models.custom.own import OwnModel
from autoloss.models.custom.stack import Arguments, ModuleNetwork
from autoloss.models.layers import mixed
from autoloss.models.network import Features, StepInputs, StepOutputs


class OwnImageNetwork(ModuleNetwork):
    """A custom module, which reads images of mean 0 and deviation 1 by channel.

    It is made with the number of channels in place of the number of features.

    Args:
        schema: The size of the images, and the mean and deviation of their channels.
        n_classes: The module's outputs.
        model: Makes the module.
        augment: How images are changed in training.

    Shape:
        images ``(B, C, H, W)``, logits ``(B, n_classes)``.
    """

    one_shape = True
    alone = 1
    beside = (
        "an image the same logits in eval mode beside any other images",
        "its dropout or its statistics of the batch stay on",
    )

    def __init__(
        self,
        schema: ImageSchema,
        n_classes: int,
        model: OwnModel,
        *,
        augment: AugmentConfig = NO_AUGMENT,
    ) -> None:
        super().__init__(n_classes, model, schema.height * schema.width * schema.channels)
        self.schema = schema
        self.augment = augment

    @property
    def picture_size(self) -> tuple[int, int]:
        """Return height and width of the images, which CutMix needs."""
        return self.schema.height, self.schema.width

    def formed(self, model: OwnModel) -> OwnImageNetwork:
        """Return the same network with its candidates trained in another form."""
        return OwnImageNetwork(self.schema, self.n_classes, model, augment=self.augment)

    def module(self, seed: int) -> nn.Module:
        """Return a module whose weights are drawn as after ``torch.manual_seed(seed)``."""
        sizes = {"n_channels": self.schema.channels, "n_outputs": self.n_classes}
        return self.model.module(sizes, seed, example=self.examples(1)[0])

    def sample(self, inputs: Any, rows: Tensor) -> Any:
        """Return some images."""
        return inputs.take(rows)

    def encode(self, inputs: ImageInputs) -> Features:
        """Return the pixels as bytes, ``(G, B, H, W, C)`` or ``(B, H, W, C)``."""
        return Features(pixels=inputs.pixels)

    def batch(self, inputs: ImageInputs, rows: Tensor) -> Features:
        """Return the features of some images as one batch, G = 1."""
        return self.encode(inputs.take(rows[None]))

    def like(self, features: Features) -> Tensor:
        """Return an empty tensor of the numbers that the module reads, ``(G, 0)``."""
        pixels = features["pixels"]
        return torch.empty(len(pixels), 0, device=pixels.device)

    def arguments(self, features: Features) -> list[Arguments]:
        """Return the images of each of G batches, ``(B, C, H, W)``."""
        return [Arguments((one,)) for one in self._scaled(features["pixels"])]

    def examples(self, count: int) -> tuple[Tensor, ...]:
        """Return grey images."""
        size = self.schema
        return (torch.zeros(count, size.channels, size.height, size.width),)

    def scores(
        self, weights: Mapping[str, Tensor], features: Features, step: StepInputs
    ) -> StepOutputs:
        """Return the logits of a training step on changed images, and the state after it."""
        pixels, drawn = features["pixels"], step.draws.seeds()
        fill = torch.tensor(self.schema.mean, device=pixels.device)
        pixels, rows = augmented(pixels, drawn, self.augment, fill), list(step.places)
        if (mix := step.mix) is not None:
            own = pixels[rows] if len(pixels) > 1 else pixels
            own = own.expand(len(rows), *pixels.shape[1:])
            pixels = own if mix.boxes is None else mix.cut(own)
            rows = list(range(len(rows)))
        batches = self._scaled(pixels)
        if mix is not None:
            flat = mixed(batches.flatten(2), mix.partner, mix.blended)
            batches = flat.view_as(batches)
        return self.trained(
            weights,
            [Arguments((one,)) for one in batches],
            rows,
            [drawn[place] for place in step.places],
        )

    def checked(self, found: Any, given: Sequence[Tensor]) -> Tensor:
        """Return the output of a module after a check that it is logits ``(B, C)``."""
        shape = tuple(given[0].shape)
        return logits_of_rows(found, f"images {shape}", (shape[0], self.n_classes), self.model)

    def _scaled(self, pixels: Tensor) -> Tensor:
        """Return images by channel, ``(..., H, W, C)`` → ``(..., C, H, W)``."""
        mean = torch.tensor(self.schema.mean, device=pixels.device)
        scale = torch.tensor(self.schema.scale, device=pixels.device)
        return ((pixels.float() - mean) / scale).movedim(-1, -3)
