"""The custom network for tensors, which reads them as its loader gives them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from autoloss.data import TensorInputs, TensorSchema
from autoloss.models.custom.outputs import logits_of_rows
from autoloss.models.custom.own import OwnModel
from autoloss.models.custom.stack import Arguments, ModuleNetwork
from autoloss.models.layers import mixed
from autoloss.models.network import Features, StepInputs, StepOutputs


class OwnTensorNetwork(ModuleNetwork):
    """A custom module, which reads inputs in the structure of its data set.

    A dict becomes arguments by name and a tuple arguments by place, unless the module takes a
    single argument.

    Args:
        schema: The structure of the inputs.
        n_classes: C, the module's outputs.
        model: Makes the module.

    Shape:
        each input ``(B, ...)``, logits ``(B, n_classes)``.
    """

    one_shape = True
    alone = 1
    beside = (
        "an example the same logits in eval mode beside any other examples",
        "its dropout or its statistics of the batch stay on",
    )

    def __init__(self, schema: TensorSchema, n_classes: int, model: OwnModel) -> None:
        sizes = [one[0].numel() for one in schema.zeros(1)]
        super().__init__(n_classes, model, sum(sizes))
        self.schema = schema

    def formed(self, model: OwnModel) -> OwnTensorNetwork:
        """Return the same network with its candidates trained in another form."""
        return OwnTensorNetwork(self.schema, self.n_classes, model)

    def module(self, seed: int) -> nn.Module:
        """Return a module whose weights are drawn as after ``torch.manual_seed(seed)``.

        Its function gets an example, or the size of the first axis of a single tensor, as for
        rows and images.
        """
        sizes, leaves = {"n_outputs": self.n_classes}, self.schema.leaves
        if isinstance(self.schema.tree, str) and leaves[0].shape:
            of = "n_features" if len(leaves[0].shape) == 1 else "n_channels"
            sizes = {of: leaves[0].shape[0], **sizes}
        example = self.schema.nested(self.examples(1))
        return self.model.module(sizes, seed, example=example)

    def sample(self, inputs: Any, rows: Tensor) -> Any:
        """Return some examples in memory, because another reading may change them at random."""
        found: TensorInputs = inputs.take(rows)
        return found.read()

    def encode(self, inputs: TensorInputs) -> Features:
        """Return the tensors by name, ``(G, B, ...)`` or ``(B, ...)``."""
        return Features(**inputs.tensors)

    def batch(self, inputs: TensorInputs, rows: Tensor) -> Features:
        """Return the features of some examples as one batch, G = 1."""
        return self.encode(inputs.take(rows[None]))

    @property
    def can_mix(self) -> bool:
        """Return whether all inputs are floats."""
        return self.schema.has_numbers_only

    def like(self, features: Features) -> Tensor:
        """Return an empty tensor of the numbers that the module learns, ``(G, 0)``."""
        first = features[self.schema.leaves[0].name]
        return torch.empty(len(first), 0, device=first.device)

    def arguments(self, features: Features) -> list[Arguments]:
        """Return the inputs of each of G batches, in the order of the leaves."""
        parts = [features[leaf.name] for leaf in self.schema.leaves]
        return [Arguments(tensors) for tensors in zip(*parts, strict=True)]

    def examples(self, count: int) -> tuple[Tensor, ...]:
        """Return examples of zeros."""
        return self.schema.zeros(count)

    def placed(self, given: Sequence[Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of a call in the structure of the data set."""
        return placed_in(self.schema, self.template, given)

    def scores(
        self, weights: Mapping[str, Tensor], features: Features, step: StepInputs
    ) -> StepOutputs:
        """Return the logits of a training step, and the state after it."""
        if step.mix is None:
            return super().scores(weights, features, step)
        drawn, places = step.draws.seeds(), list(step.places)
        parts = []
        for leaf in self.schema.leaves:
            one = features[leaf.name]
            own = one[places] if len(one) > 1 else one.expand(len(places), *one.shape[1:])
            flat = own.reshape(*own.shape[:2], -1)
            parts.append(mixed(flat, step.mix.partner, step.mix.share).view_as(own))
        batches = [Arguments(tensors) for tensors in zip(*parts, strict=True)]
        seeds = [drawn[place] for place in places]
        return self.trained(weights, batches, list(range(len(batches))), seeds)

    def checked(self, found: Any, given: Sequence[Tensor]) -> Tensor:
        """Return the output of a module after a check that it is logits ``(B, C)``."""
        leaves = zip(self.schema.leaves, given, strict=True)
        words = ", ".join(f"{leaf.name} {tuple(one.shape)}" for leaf, one in leaves)
        return logits_of_rows(found, words, (len(given[0]), self.n_classes), self.model)


def placed_in(
    schema: TensorSchema, module: nn.Module, given: Sequence[Tensor]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a module, by place and by name, from the tensors of a data set.

    Args:
        schema: Their structure.
        module: The module, whose signature decides.
        given: The tensors, in the order of the leaves.
    """
    return placed(schema.nested(given), module)


def placed(whole: Any, module: nn.Module) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a module, by place and by name, from an item of a data set.

    Args:
        whole: A tensor, or a dict or tuple of them.
        module: The module, whose signature decides.
    """
    if isinstance(whole, Tensor):
        return (whole,), {}
    takes = _Takes.of(module)
    if isinstance(whole, dict):
        return ((), whole) if takes.names(whole) else ((whole,), {})
    return (whole, {}) if takes.several(len(whole)) else ((whole,), {})


class _Takes:
    """The arguments that a module takes.

    Args:
        parameters: The parameters of its method `forward`.
    """

    def __init__(self, parameters: Mapping[str, inspect.Parameter]) -> None:
        self._all = parameters
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        self._places = [name for name, one in parameters.items() if one.kind in kinds]

    @classmethod
    def of(cls, module: nn.Module) -> _Takes:
        """Return the arguments of a module."""
        return cls(inspect.signature(module.forward).parameters)

    def names(self, keys: Mapping[str, Any]) -> bool:
        """Return whether it takes a dict as arguments by name."""
        is_one = len(self._places) == 1 and self._places[0] not in keys
        return not is_one or any(
            one.kind is inspect.Parameter.VAR_KEYWORD for one in self._all.values()
        )

    def several(self, count: int) -> bool:
        """Return whether it takes a number of arguments by place."""
        return len(self._places) >= count or any(
            one.kind is inspect.Parameter.VAR_POSITIONAL for one in self._all.values()
        )
