"""The custom network for sequences, which reads them padded to one length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoloss.core.errors import InputError
from autoloss.data import SequenceInputs, SequenceSchema
from autoloss.models.custom.outputs import in_full, is_logits, kind_of, output_of
from autoloss.models.custom.own import OwnModel
from autoloss.models.custom.padding import Padding
from autoloss.models.custom.stack import Arguments, ModuleNetwork
from autoloss.models.network import Features, StepInputs, StepOutputs
from autoloss.models.tokens import around_tokens

_TOKENS = 32
"""The most tokens of a sequence in a sample."""


class OwnTokenNetwork(ModuleNetwork):
    """A custom module, which reads sequences padded to the longest of their batch.

    It is called with the codes of the tokens (0 for a pad, 1 for a rare or unseen form), their
    numbers, and the mask of the tokens that are not pads.

    Args:
        schema: The codes and numbers of a token.
        n_classes: C, the module's outputs.
        model: Makes the module.
        shape: The codes and numbers of the widest of several encodings; by default the schema's.

    Shape:
        codes and mask ``(N, T)``, numbers ``(N, T, D)``, logits ``(N, T, C)``.
    """

    one_shape = False
    # Pads differ from sequence to sequence.
    alone = 8
    beside = (
        "a token the same logits in eval mode beside any other sequences and pads",
        "leave pads out by mask, and switch off dropout in eval mode",
    )
    pads = True
    reach = 64
    """Tokens to each side of a window of a long sequence, because it is unknown how far the module
    sees."""

    def __init__(
        self,
        schema: SequenceSchema,
        n_classes: int,
        model: OwnModel,
        *,
        shape: SequenceSchema | None = None,
    ) -> None:
        self.schema = schema
        self.shape = schema if shape is None else shape
        super().__init__(n_classes, model, self.shape.width)

    def formed(self, model: OwnModel) -> OwnTokenNetwork:
        """Return the same network with its candidates trained in another form."""
        return OwnTokenNetwork(self.schema, self.n_classes, model, shape=self.shape)

    def module(self, seed: int) -> nn.Module:
        """Return a module whose weights are drawn as after ``torch.manual_seed(seed)``."""
        sizes = {"n_codes": self.shape.n_codes + 1, "n_features": self._width}
        sizes["n_outputs"] = self.n_classes
        return self.model.module(sizes, seed, example=self.examples(1))

    def sample(self, inputs: Any, rows: Tensor) -> Any:
        """Return the beginnings of some sequences, of unlike lengths."""
        found: SequenceInputs = inputs.take(rows)
        most = torch.where(torch.arange(len(rows)) % 2 > 0, _TOKENS, _TOKENS // 2)
        return found.begun(found.lengths.minimum(most))

    def encode(self, inputs: SequenceInputs) -> Features:
        """Return the features of whole sequences, one after the other, as one batch, G = 1."""
        places = torch.arange(len(inputs.codes), device=inputs.codes.device)
        return self.features(inputs, places, around_tokens(inputs.lengths))

    def batch(self, inputs: SequenceInputs, rows: Tensor) -> Features:
        """Return the features of some sequences as one batch, G = 1."""
        return self.encode(inputs.take(rows))

    def features(self, inputs: SequenceInputs, places: Tensor, around: Tensor) -> Features:
        """Return the features of some tokens as one batch, G = 1; see `TokenNetwork.features`."""
        of_kind = inputs.of_kind.index_select(0, inputs.kinds[places])
        numbers = torch.cat([of_kind, inputs.numbers.index_select(0, places)], -1)
        numbers = functional.pad(numbers, (0, self.shape.width - self.schema.width))
        codes = torch.where(around[:, 0] >= 0, inputs.codes[places] + 1, 0)
        return Features(dense=numbers[None], codes=codes[None, :, None], around=around[None])

    @property
    def can_mix(self) -> bool:
        """Return False: codes of tokens are not mixed."""
        return False

    def arguments(self, features: Features) -> list[Arguments]:
        """Return the padded sequences of each of G batches."""
        parts = zip(features["codes"][..., 0], features["dense"], features["around"], strict=True)
        found = []
        for codes, numbers, around in parts:
            # The code of a pad is 0.
            padding = Padding.of(around.masked_fill(codes[:, None] == 0, -1))
            laid = padding.laid(codes)
            found.append(Arguments((laid, padding.laid(numbers), laid > 0), padding.back))
        return found

    def examples(self, count: int) -> tuple[Tensor, ...]:
        """Return a sequence of rare tokens."""
        codes = torch.ones(1, count, dtype=torch.int64)
        return codes, torch.zeros(1, count, self._width), codes > 0

    def scores(
        self, weights: Mapping[str, Tensor], features: Features, step: StepInputs
    ) -> StepOutputs:
        """Return the logits of a training step, with tokens as positions of one example."""
        found = super().scores(weights, features, step)
        return StepOutputs(found.logits.unsqueeze(1), state=found.state)

    def checked(self, found: Any, given: Sequence[Tensor]) -> Tensor:
        """Return the output of a module after a check that it is logits ``(N, T, C)``."""
        padded, found = tuple(given[0].shape), output_of(found)
        if is_logits(found, (*padded, self.n_classes)):
            return in_full(found)
        raise InputError(
            f"model must map codes {padded}, numbers {(*padded, self._width)} and mask {padded} "
            f"to logits {(*padded, self.n_classes)}, but {self.model.name} gave {kind_of(found)}."
        )
