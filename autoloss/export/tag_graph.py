"""A model of sequences as one torch module: encoding, networks, read-outs, mean, decision."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoloss.data.sequences.encode import TokenNumbers
from autoloss.export.graph import ModelGraph, ReadoutGraph
from autoloss.export.tag_inputs import TagInputs
from autoloss.inference.member import Member
from autoloss.losses import ClassFacts, get
from autoloss.models import Features, Heads, TokenNetwork


class TagGraph(ModelGraph):
    """A model of sequences as a function of tensors: from tokens to tags and probabilities.

    Shape:
        - forms: ``(T,)``, int64
        - words: ``(T, W)``, float64
        - numbers: ``(T, F)``, float64
        - levels: ``(T, Q)``, int64
        - around: ``(T, 2)``, int64
        - output: ``(T,)``, the code of the decided tag, and ``(T, C)``, float64
    """

    def forward(  # type: ignore[override]
        self, forms: Tensor, words: Tensor, numbers: Tensor, levels: Tensor, around: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return decisions and probabilities."""
        return self.concluded(
            [member(forms, words, numbers, levels, around)[0] for member in self.members]
        )


class TagMember(nn.Module):
    """One member of a model of sequences: from tokens to log probabilities, ``(1, T, C)``."""

    def __init__(
        self, member: Member, network: TokenNetwork, inputs: TagInputs, facts: ClassFacts
    ) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("weights", member.weights.double())
        self.heads = Heads((get(member.readout.spec.base).head,))
        self.readout = ReadoutGraph(member, facts, torch.float64)
        code = {form: number for number, form in enumerate(member.encoding.forms, start=1)}
        self.register_buffer(
            "codes", torch.tensor([0, *(code.get(one, 0) for one in inputs.forms)])
        )
        words_of = dict(inputs.levels)
        self.features: list[tuple[str, int]] = []
        for number, one in enumerate(member.encoding.features):
            if isinstance(one, TokenNumbers):
                self.features.append(("number", inputs.numbers.index(one.name)))
                table = torch.tensor([one.mean, one.scale], dtype=torch.float64)
            else:
                self.features.append(("level", list(words_of).index(one.name)))
                place = {word: code for code, word in enumerate(one.levels, start=1)}
                rows = [0, *(place.get(word, 0) for word in words_of[one.name])]
                table = torch.eye(len(place) + 1, dtype=torch.float64)[rows][:, 1:].clone()
            self.register_buffer(f"feature_{number}", table)

    def forward(
        self, forms: Tensor, words: Tensor, numbers: Tensor, levels: Tensor, around: Tensor
    ) -> Tensor:
        """Return log probabilities."""
        parts = [words]
        for number, (kind, place) in enumerate(self.features):
            table = self.get_buffer(f"feature_{number}")
            if kind == "number":
                parts.append(_standardised(numbers[:, place], table))
            else:
                parts.append(table[levels[:, place].clamp(0, len(table) - 1)])
        dense = torch.cat(parts, 1)
        # Members that read fewer numbers than others have weights for zeros.
        dense = functional.pad(dense, (0, self.network.shape.width - dense.shape[1]))
        codes = self.get_buffer("codes")
        codes = codes[forms.clamp(0, len(codes) - 1)]
        features = Features(dense=dense[None], codes=codes[None, :, None], around=around[None])
        weights = self.network.layout.views(self.get_buffer("weights").unsqueeze(0))
        logits = self.network.body(weights, features, heads=self.heads)
        found: Tensor = self.readout(logits.unsqueeze(1))
        return found


def _standardised(numbers: Tensor, scale: Tensor) -> Tensor:
    """Return a number and whether it is missing, like `TokenNumbers`, ``(T, 2)``."""
    missing = numbers.isnan() | numbers.isinf()
    present = torch.where(missing, scale[0], numbers)
    scaled = ((present - scale[0]) / scale[1]).clamp(-10.0, 10.0).float()
    return torch.stack([scaled.double(), missing.double()], 1)
