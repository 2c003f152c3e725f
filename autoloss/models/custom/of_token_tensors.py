"""The custom network for tags of tensors of tokens, which reads them padded to one length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from autoloss.core.errors import InputError
from autoloss.data import TokenTensorInputs, TokenTensorSchema
from autoloss.models.custom.of_tensors import placed_in
from autoloss.models.custom.outputs import in_full, is_logits, kind_of, output_of
from autoloss.models.custom.own import OwnModel
from autoloss.models.custom.padding import Padding
from autoloss.models.custom.stack import Arguments, ModuleNetwork
from autoloss.models.network import Features, StepInputs, StepOutputs
from autoloss.models.tokens import around_tokens

_AROUND = "(around)"
"""The name of the tokens around each token, which no tensor of a data set has."""
_TOKENS = 32
"""The most tokens of a sequence in a sample."""


class OwnTokenTensorNetwork(ModuleNetwork):
    """A custom module, which reads sequences padded to the longest of their batch.

    Args:
        schema: The tensors of a token.
        n_classes: C, the module's outputs.
        model: Makes the module.

    Shape:
        each input ``(N, T, ...)``, logits ``(N, T, C)``.
    """

    one_shape = False
    # Pads differ from sequence to sequence.
    alone = 8
    beside = (
        "a token the same logits in eval mode beside any other sequences and pads",
        "leave pads out by an attention_mask, and switch off dropout in eval mode",
    )
    pads = True
    reach = 64
    """Tokens to each side of a window of a long sequence."""

    def __init__(self, schema: TokenTensorSchema, n_classes: int, model: OwnModel) -> None:
        super().__init__(n_classes, model, sum(one[0].numel() for one in schema.zeros(1)))
        self.schema = schema

    def formed(self, model: OwnModel) -> OwnTokenTensorNetwork:
        """Return the same network with its candidates trained in another form."""
        return OwnTokenTensorNetwork(self.schema, self.n_classes, model)

    def module(self, seed: int) -> nn.Module:
        """Return a module whose weights are drawn as after ``torch.manual_seed(seed)``."""
        example = self.schema.nested(self.examples(1))
        return self.model.module({"n_outputs": self.n_classes}, seed, example=example)

    def sample(self, inputs: Any, rows: Tensor) -> Any:
        """Return the beginnings of some sequences, of unlike lengths."""
        found: TokenTensorInputs = inputs.take(rows)
        most = torch.where(torch.arange(len(rows)) % 2 > 0, _TOKENS, _TOKENS // 2)
        return found.begun(found.lengths.minimum(most))

    def encode(self, inputs: TokenTensorInputs) -> Features:
        """Return the features of whole sequences, one after the other, as one batch, G = 1."""
        places = torch.arange(int(inputs.lengths.sum()), device=inputs.lengths.device)
        return self.features(inputs, places, around_tokens(inputs.lengths))

    def batch(self, inputs: TokenTensorInputs, rows: Tensor) -> Features:
        """Return the features of some sequences as one batch, G = 1."""
        return self.encode(inputs.take(rows))

    def features(self, inputs: TokenTensorInputs, places: Tensor, around: Tensor) -> Features:
        """Return the features of some tokens as one batch, G = 1; see `TokenNetwork.features`."""
        found = {name: one[places][None] for name, one in inputs.tensors.items()}
        # A pad has 0 before it after batches of unlike lengths are joined.
        return Features(**found, **{_AROUND: around[None] + 1})

    @property
    def can_mix(self) -> bool:
        """Return False: tokens are not mixed."""
        return False

    def like(self, features: Features) -> Tensor:
        """Return an empty tensor of the numbers that the module learns, ``(G, 0)``."""
        first = features[_AROUND]
        return torch.empty(len(first), 0, device=first.device)

    def arguments(self, features: Features) -> list[Arguments]:
        """Return the padded sequences of each of G batches, in the order of the leaves."""
        found = []
        for number, around in enumerate(features[_AROUND]):
            padding = Padding.of(around - 1)
            tensors = [features[leaf.name][number] for leaf in self.schema.leaves]
            found.append(Arguments(tuple(map(padding.laid, tensors)), padding.back))
        return found

    def examples(self, count: int) -> tuple[Tensor, ...]:
        """Return a sequence of tokens of zeros, ``(1, count, ...)``."""
        return tuple(one[None] for one in self.schema.zeros(count))

    def placed(self, given: Sequence[Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of a call in the structure of the data set."""
        return placed_in(self.schema, self.template, given)

    def scores(
        self, weights: Mapping[str, Tensor], features: Features, step: StepInputs
    ) -> StepOutputs:
        """Return the logits of a training step, with tokens as positions of one example."""
        found = super().scores(weights, features, step)
        return StepOutputs(found.logits.unsqueeze(1), state=found.state)

    def checked(self, found: Any, given: Sequence[Tensor]) -> Tensor:
        """Return the output of a module after a check that it is logits ``(N, T, C)``."""
        padded, found = tuple(given[0].shape[:2]), output_of(found)
        if is_logits(found, (*padded, self.n_classes)):
            return in_full(found)
        leaves = zip(self.schema.leaves, given, strict=True)
        words = ", ".join(f"{leaf.name} {tuple(one.shape)}" for leaf, one in leaves)
        raise InputError(
            f"model must map {words} to logits {(*padded, self.n_classes)}, but {self.model.name} "
            f"gave {kind_of(found)}."
        )
