"""The keys of a space file besides the parameters of losses, with the rule of each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from autoloss.core.settings import Judge, Numbers, Precision
from autoloss.losses.parameters import FloatParam, Interval, Parameter, as_number

# The gradients of losses differ in scale, at the start by phi(1 / C), the weight of an example
# among C equally likely classes. AdamW divides by this scale, and its decay does not depend on the
# gradient: all losses share a range of learning rates, which grows if the optimum lies at its end.
NUISANCE_PARAMETERS: dict[str, Parameter] = {
    "lr": FloatParam(
        3e-4, 1e-2, default=2e-3, log=True, valid=Interval(0.0, math.inf, open_low=True)
    ),
    "weight_decay": FloatParam(1e-5, 0.3, default=1e-2, log=True, valid=Interval(0.0, math.inf)),
    "dropout": FloatParam(0.0, 0.5, default=0.1, valid=Interval(0.0, 1.0, open_high=True)),
}


@dataclass(frozen=True)
class Constant:
    """The rule for a key that is not searched.

    Args:
        rule: The rule in words, after "must be".
        is_allowed: Whether a value meets the rule.
    """

    rule: str
    is_allowed: Callable[[Any], bool]


def _whole(low: int) -> Constant:
    def is_allowed(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= low

    return Constant(f"a whole number of at least {low}", is_allowed)


def _share(rule: str = "a number in [0, 1]") -> Constant:
    return Constant(rule, lambda value: as_number(value) is not None and 0.0 <= value <= 1.0)


CONSTANTS: dict[str, Constant] = {
    "description": Constant("text", lambda value: isinstance(value, str)),
    "min_imbalance": Constant(
        "a number of at least 1",
        lambda value: as_number(value) is not None and 1.0 <= value < math.inf,
    ),
    "together": _whole(0),
    "network.width": _whole(1),
    "network.depth": _whole(1),
    "network.deeper_from": _whole(0),
    "network.narrow_below": _whole(0),
    "network.numbers": Constant(
        '"auto", "bins" or "waves"', lambda value: value in get_args(Numbers)
    ),
    "network.bins": _whole(0),
    "network.embedding": _whole(1),
    "network.terms": _whole(2),
    "network.text_width": _whole(0),
    "network.normalise": Constant("true or false", lambda value: isinstance(value, bool)),
    "network.gpu_width": _whole(0),
    "network.gpu_depth": _whole(0),
    "augment.shift": _share(),
    "augment.mirror": Constant("true or false", lambda value: isinstance(value, bool)),
    "augment.erase": _share(),
    "augment.crop": _share(),
    "training.batch_size": _whole(1),
    "training.smallest_batch": _whole(1),
    "training.max_epochs": _whole(1),
    "training.patience": _whole(1),
    "training.warmup": _share(),
    "training.decay": _share(),
    "training.precision": Constant(
        '"auto", "float32" or "bfloat16"', lambda value: value in get_args(Precision)
    ),
    "training.clip": Constant(
        "a number of at least 0",
        lambda value: as_number(value) is not None and 0.0 <= value < math.inf,
    ),
    "protocol.folds": _whole(1),
    "protocol.finalists": _whole(1),
    "protocol.replicates": _whole(1),
    "protocol.judge": Constant(
        '"out_of_fold", "nested" or "locked"', lambda value: value in get_args(Judge)
    ),
    "protocol.outer_folds": Constant(
        "0, or a whole number of at least 2",
        lambda value: value == 0 or _whole(2).is_allowed(value),
    ),
    "protocol.outer_repeats": _whole(1),
    "protocol.outer_work": Constant(
        "0, or a number above 0",
        lambda value: as_number(value) is not None and 0 <= value < math.inf,
    ),
    "protocol.negatives": Constant(
        "0, or a number of at least 1",
        lambda value: as_number(value) is not None and (value == 0 or 1.0 <= value < math.inf),
    ),
    "protocol.rows": Constant(
        '"auto", 0 or a whole number of at least 100',
        lambda value: (
            value == "auto" or (_whole(0).is_allowed(value) and (value == 0 or value >= 100))
        ),
    ),
    "protocol.racing": Constant("true or false", lambda value: isinstance(value, bool)),
}
LISTS = ("bases", "priors", "targets", "penalties", "objectives")
RANGE_KEYS = ("low", "high", "log", "default", "choices")
