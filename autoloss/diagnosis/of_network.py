"""The surface of the losses around the network of a model, on a part of labelled rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.core.ragged import Labels, Ragged
from autoloss.diagnosis.loss import label_of
from autoloss.diagnosis.surface import surface_of
from autoloss.inference.classifier import Classifier
from autoloss.losses import get
from autoloss.models import Heads, Network
from autoloss.readout import Items
from autoloss.records.surface import Surface
from autoloss.training.token_rows import EncodedTokens

ROWS, FEWEST = 512, 32
"""The most rows of a surface, and the fewest where a network is large."""
_NUMBERS = 1 << 20
# Of a network with more weights, the vectors of the method of Lanczos would fill the memory.
_WEIGHTS = 4_000_000


def network_surface(
    classifier: Classifier, inputs: Any, labels: Labels, *, place: int, seed: int
) -> Surface | str:
    """Return the surface around the network of a training run, or why there is none.

    Args:
        classifier: The model.
        inputs: The rows, encoded for the training run.
        labels: Their labels; below 0 where missing.
        place: The number of the training run.
        seed: Seed of the part of the rows and of the random directions.
    """
    member, network = classifier.members[place], classifier.networks[place]
    spec = member.readout.spec
    if get(spec.base).head != "linear":
        return f"the last layer of {spec.base} is not linear, so its outputs are not logits"
    if network.layout.size > _WEIGHTS:
        return f"the network has {network.layout.size:,} weights, more than {_WEIGHTS:,}"
    chosen = _chosen(labels, network, seed)
    taken, own = inputs.take(chosen), labels[chosen]
    items = Items.of(own, classifier.facts(member))
    if len(items) == 0 or bool((items.labels == items.labels[0]).all()):
        return "its rows have a single class"
    of_rows = _logits(network, taken, is_sequence=isinstance(labels, Ragged))
    whole = member.weights.double()
    learnt = torch.cat(
        [
            torch.full((torch.Size(shape).numel(),), name not in network.layout.state)
            for name, shape in network.layout.shapes.items()
        ]
    )
    moving = learnt.nonzero().flatten()
    # Running statistics have no gradient.
    fixed = {
        name: one
        for name, one in network.layout.views(whole[None]).items()
        if name in network.layout.state
    }

    def logits(weights: Tensor) -> Tensor:
        own = network.layout.views(whole.index_copy(0, moving, weights)[None])
        found = classifier.facts(member).over_classes(of_rows({**own, **fixed}))
        return items.scores(found)[0]

    try:
        return surface_of(
            logits,
            whole[moving],
            items.labels,
            filters=[
                shape
                for name, shape in network.layout.shapes.items()
                if name not in network.layout.state
            ],
            rows=len(chosen),
            loss_label=label_of(spec),
            seed=seed,
        )
    except (ArithmeticError, InputError, NotImplementedError, RuntimeError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return f"the slices through the network cannot be computed: {first:.120}"


def _chosen(labels: Labels, network: Network, seed: int) -> Tensor:
    """Return the numbers of a random part of the rows that have a label, rising."""
    most = min(ROWS, max(FEWEST, _NUMBERS // max(network.activations, 1)))
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    if isinstance(labels, Ragged):
        # As many sequences as have that number of tokens, at least one.
        tokens = labels.lengths[order].cumsum(0)
        return order[: max(1, int((tokens <= most).sum()))].sort().values
    known = labels[order] >= 0
    has_label = known if known.ndim == 1 else known.any(-1)
    return order[has_label][:most].sort().values


def _logits(
    network: Network, inputs: Any, *, is_sequence: bool
) -> Callable[[Mapping[str, Tensor]], Tensor]:
    """Return the function from weights by name to the logits of rows, with K = 1."""
    heads = Heads(("linear",))
    if is_sequence:
        tokens = EncodedTokens.unlabelled(network, inputs.to("cpu", torch.float64))
        [(places, own, features)] = tokens.chunks(1 << 40)
        assert places == slice(0, tokens.shape[-1])
        return lambda weights: network.body(weights, features, heads=heads)[:, own].unsqueeze(1)
    rows = torch.arange(len(inputs))[None]
    features = network.encode(inputs.take(rows).to("cpu", torch.float64))
    return lambda weights: network.body(weights, features, heads=heads)
