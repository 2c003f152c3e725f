"""The checks of a custom network, on a few rows, before anything is trained."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from autoloss.core.errors import InputError
from autoloss.models.custom.own import first_line, forked, tensors_of
from autoloss.models.custom.stack import ModuleNetwork
from autoloss.models.network import Features, joined_orders

ROUNDING = 1e-3
"""Share of the largest logit by which two computations of a number may differ in float32."""
HALF_ROUNDING = 5e-2
"""The same for a module in float16 or bfloat16."""
_SLOW = "There is a performance drop"
_IN_PLACE = "modified by an inplace operation"


@dataclass(frozen=True)
class Behaviour:
    """The behaviour of a module, as the checks found it.

    Args:
        draws: Whether it draws random numbers in training.
        refusal: The reason that candidates cannot be stacked, a clause; empty if they can.
        agrees: Whether stacked and single candidates give the same results and draws.
    """

    draws: bool
    refusal: str
    agrees: bool


def check_network(network: ModuleNetwork, inputs: Any) -> Behaviour:
    """Return the behaviour of a module, after checks that it can be trained.

    Args:
        network: The module.
        inputs: Encoded rows or sequences, 4 or more, on the device and of the type of the weights.

    Raises:
        InputError: If it cannot be trained, or the result of a candidate would depend on others;
            the message, one line, names the cause.
    """
    check_weights(network)
    rows = torch.arange(len(inputs))
    batch = network.batch(inputs, rows)
    one_by_one = _in_form(network, stacked=False)
    weights = _perturbed(one_by_one, 1, batch)
    logits, _, draws = _train(one_by_one, weights, batch)
    name = network.model.name
    if not logits.requires_grad:
        raise InputError(
            f"model must give logits that depend on its parameters, but those of {name} do not."
        )
    if not bool(logits.isfinite().all()):
        raise InputError(
            f"model must give finite logits with its first weights, but {name} gave NaN or "
            "infinity."
        )
    _check_backward(one_by_one, weights, logits)
    again, _, _ = _train(one_by_one, weights, batch)
    if not _near(logits, again, network):
        raise InputError(
            "model must give the same logits for the same weights, buffers, rows and seed of "
            f"torch, but two calls of {name} differ: keep changing values in register_buffer, and "
            "draw from torch's random numbers alone."
        )
    alone, half = network.alone, len(rows) // 2
    parts = [*torch.split(rows[:alone], 1), rows[alone:half], rows[max(alone, half) :]]
    parts = [part for part in parts if len(part)]
    with torch.no_grad():
        whole = one_by_one.body(weights, batch)
        every = [one_by_one.body(weights, network.batch(inputs, part)) for part in parts]
    apart = torch.cat(every, 1)
    if not _near(whole, apart, network):
        rule, cause = network.beside
        raise InputError(f"model must give {rule}, but {name} does not: {cause}.")
    _check_that_weights_are_all(one_by_one, batch)
    rolled = [network.batch(inputs, rows.roll(k)) for k in range(3)]
    return Behaviour(
        draws, *_stacked_behaviour(network, batch, Features.of_each(rolled, joined_orders))
    )


def check_weights(network: ModuleNetwork) -> None:
    """Check that a module has parameters to learn, and that the seed decides their first values.

    Raises:
        InputError: If it has no parameters, or a second call under the seed differs.
    """
    name = network.model.name
    first, second = (network.module(0) for _ in range(2))
    learnt, state = tensors_of(first)
    everything = learnt | state
    for key, one in everything.items():
        if isinstance(one, UninitializedParameter | UninitializedBuffer):
            raise InputError(
                f"model must have weights of known shapes, but {key} of {name} is lazy: use "
                "n_features."
            )
        kept = one.detach().float().to(one.dtype)
        if not one.is_floating_point() and not torch.equal(kept, one):
            raise InputError(
                f"model must have buffers that float32 can hold, but {key} of {name} has "
                "integers beyond 2 ** 24."
            )
    if not learnt:
        raise InputError(f"model must have parameters to train, but {name} has none.")
    if not _are_equal(everything, first, second):
        raise InputError(
            "model must have the same first weights under the same seed of torch, but two calls "
            f"of {name} differ: draw its weights from torch's random numbers alone."
        )


def _check_backward(network: ModuleNetwork, weights: Mapping[str, Tensor], logits: Tensor) -> None:
    """Check that the logits of a training call have finite gradients.

    Raises:
        InputError: If the backward pass fails, or a gradient is NaN or infinite.
    """
    model = network.model
    learnt = {name: one for name, one in weights.items() if one.requires_grad}
    rule = "be trainable"
    try:
        with model.guarded(rule, where="the backward pass"):
            gradients = torch.autograd.grad(
                logits.logsumexp(-1).mean(), list(learnt.values()), materialize_grads=True
            )
    except InputError as error:
        if _IN_PLACE not in str(error.__cause__):
            raise
        raise InputError(
            f"model must {rule}, but {model.name} raises RuntimeError (in-place change) in the "
            "backward pass: a tensor that it needs was overwritten, so write h = h + 1 for "
            "h += 1, and leave out inplace=True."
        ) from error
    for name, one in zip(learnt, gradients, strict=True):
        if not bool(one.isfinite().all()):
            raise InputError(
                f"model must have finite gradients with its first weights, but that of {name} of "
                f"{model.name} is NaN or infinite."
            )


def _check_that_weights_are_all(network: ModuleNetwork, batch: Features) -> None:
    """Check that weights decide the logits: modules of two seeds agree once they share weights.

    Raises:
        InputError: If they do not agree.
    """
    weights = {name: one[1:].detach() for name, one in _perturbed(network, 2, batch).items()}
    module = network.module(1).to(network.like(batch)).eval()
    learnt, state = tensors_of(module)
    with torch.no_grad(), network.model.guarded("run on all rows"):
        for name, one in (learnt | state).items():
            one.copy_(weights[name][0])
        (given,) = network.arguments(batch)
        own = given.back(network.run(module, given.copies))
    if not _near(own, network.body(weights, batch)[0], network):
        raise InputError(
            "model must keep all that it draws or learns in parameters and buffers, but "
            f"{network.model.name} keeps some of it elsewhere: use register_buffer."
        )


def _are_equal(everything: Mapping[str, Tensor], first: nn.Module, second: nn.Module) -> bool:
    """Return whether two modules have the same tensors."""
    learnt, state = tensors_of(second)
    other = learnt | state
    return (
        first is not second
        and {key: tuple(one.shape) for key, one in everything.items()}
        == {key: tuple(one.shape) for key, one in other.items()}
        and all(
            torch.equal(one.nan_to_num(), other[key].nan_to_num())
            for key, one in everything.items()
        )
    )


def _stacked_behaviour(
    network: ModuleNetwork, batch: Features, several: Features
) -> tuple[str, bool]:
    """Return the reason why candidates cannot be stacked, and whether they equal single ones.

    Args:
        network: The network.
        batch: A batch that candidates share, G = 1.
        several: A batch for each of three candidates, G = 3.
    """
    stacked, looped = (_in_form(network, stacked=form) for form in (True, False))
    weights = _perturbed(network, 3, batch)
    agrees = True
    try:
        with warnings.catch_warnings():
            # An operation that vmap calls row by row is no faster than a loop.
            warnings.filterwarnings("error", message=_SLOW)
            for given in (batch, several):
                together = _train(stacked, weights, given)
                torch.autograd.grad(
                    together[0].sum(),
                    [one for one in weights.values() if one.requires_grad],
                    allow_unused=True,
                )
                for k in range(3):
                    own = {name: one[k : k + 1] for name, one in weights.items()}
                    alone = _train(stacked, own, _one_of(network, given, k))
                    if not _same(together, alone, network, k):
                        return "torch.func.vmap mixes candidates that it calls together", False
                agrees = agrees and _same(together, _train(looped, weights, given), network)
            with torch.no_grad():
                of_stacked, of_looped = (one.body(weights, batch) for one in (stacked, looped))
            if not _near(of_stacked, of_looped, network):
                return "torch.func.vmap predicts otherwise than the module itself", False
    except Exception as error:
        return _refusal(error.__cause__ or error), False
    return "", agrees


def _refusal(error: BaseException) -> str:
    """Return the reason why a module cannot be stacked: the message of vmap without its advice."""
    text = first_line(error)
    if _SLOW in text:
        return f"torch.func.vmap has no rule for {text.rpartition('aten::')[2].split('.')[0]}"
    return f"torch.func.vmap cannot call the module ({text.split('. ')[0]})"


def _in_form(network: ModuleNetwork, *, stacked: bool) -> ModuleNetwork:
    return network.formed(replace(network.model, stacked=stacked, draws=True))


def _perturbed(network: ModuleNetwork, n_candidates: int, batch: Features) -> dict[str, Tensor]:
    """Return different weights for each candidate; the first has the initial weights."""
    row = network.initial(torch.Generator().manual_seed(0)).to(network.like(batch))
    weights = dict(network.layout.views(row.repeat(n_candidates, 1)))
    for name in weights.keys() - network.layout.state:
        factors = 1.0 + 0.1 * torch.arange(n_candidates).to(network.like(batch))
        own = weights[name] * factors.view(-1, *[1] * (weights[name].ndim - 1))
        weights[name] = own.detach().requires_grad_()
    return weights


def _train(
    network: ModuleNetwork, weights: Mapping[str, Tensor], batch: Features
) -> tuple[Tensor, dict[str, Tensor], bool]:
    """Return logits and state of a training call, and whether it drew random numbers."""
    n_candidates, device = len(next(iter(weights.values()))), network.like(batch).device
    given = network.arguments(batch)
    places = list(range(n_candidates)) if len(given) > 1 else [0] * n_candidates
    network.template.train()
    with forked(device), network.model.guarded("run on a batch"):
        logits, state = network.call(weights, given, places, [7] * n_candidates)
    before = _random_state(device, 7)
    with forked(device):
        torch.manual_seed(7)
        own = {name: one[:1] for name, one in weights.items()}
        with network.model.guarded("run on a batch"):
            network._looped(own, given, [0], None)
        after = _random_state(device)
    return logits, state, not torch.equal(before, after)


def _random_state(device: torch.device, seed: int | None = None) -> Tensor:
    """Return torch's random state on a device: the present state, or the state after a seed."""
    get = torch.cuda.get_rng_state if device.type == "cuda" else torch.get_rng_state
    if seed is None:
        return get()
    with forked(device):
        torch.manual_seed(seed)
        return get()


def _one_of(network: ModuleNetwork, batch: Features, number: int) -> Features:
    """Return one of G batches; all candidates share a single batch."""
    if len(network.like(batch)) == 1:
        return batch
    return batch.each(lambda values: values[number : number + 1])


def _same(
    one: tuple[Tensor, dict[str, Tensor], bool],
    other: tuple[Tensor, dict[str, Tensor], bool],
    network: ModuleNetwork,
    k: int | None = None,
) -> bool:
    """Return whether logits and state agree; with `k`, for that candidate of the first."""
    chosen: Sequence[int] | slice = slice(None) if k is None else [k]
    return _near(one[0][chosen], other[0], network) and all(
        _near(state[chosen], other[1][name], network) for name, state in one[1].items()
    )


def _near(one: Tensor, other: Tensor, network: ModuleNetwork) -> bool:
    if one.shape != other.shape:
        return False
    scale = 1.0 + float(one.detach().abs().max()) if one.numel() else 1.0
    share = ROUNDING if network.half is None else HALF_ROUNDING
    return bool((one - other).abs().le(share * scale).all())
