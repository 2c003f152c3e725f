"""All priors, targets and penalties, the temperature, and the parameters of each by key."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from types import MappingProxyType

from autoloss.core.errors import InputError, closest
from autoloss.losses import penalties
from autoloss.losses.component import Component, Penalty
from autoloss.losses.parameters import ChoiceParam, FloatParam, Interval, Parameter
from autoloss.losses.registry import cached, discover

_INFINITY = float("inf")
# The share of the training after which class weights count.
_START = FloatParam(
    0.0, 0.9, default=0.0, valid=Interval(0.0, 1.0, open_high=True), searched=False
)
_ABOVE_ZERO = Interval(0.0, _INFINITY, open_low=True)
# 0: a share for each batch, as in the papers; 1: a share for each example.
_PER_EXAMPLE = ChoiceParam((0, 1), default=0, searched=False)
MIXTURES = ("mixup", "cutmix")
"""The targets that mix examples."""


def _by_name(*components: Component) -> Mapping[str, Component]:
    """Return components by name, read-only."""
    return MappingProxyType({one.name: one for one in components})


PRIORS = _by_name(
    Component(
        name="class_weight",
        summary="Weights n_c ** -power on the examples of class c, of mean 1 over the data.",
        source="King and Zeng 2001, Logistic Regression in Rare Events Data, Polit. Anal. 9(2); "
        "start: Cao et al. 2019, arXiv:1906.07413 (deferred re-weighting)",
        use="Rare classes that must not be missed; `start` delays the weights.",
        parameters={
            "power": FloatParam(0.0, 1.5, default=0.5, valid=Interval(0.0, _INFINITY)),
            "start": _START,
        },
        aliases={"balanced": {"class_weight.power": 1.0}},
    ),
    Component(
        name="effective_number",
        summary="Weights (1 - b) / (1 - b ** n_c), b = 1 - decay, of mean 1 over the data.",
        source="Cui et al. 2019, Class-Balanced Loss Based on Effective Number of Samples, CVPR, "
        "arXiv:1901.05555",
        use="Rare classes, when common classes have many near duplicates.",
        parameters={
            "decay": FloatParam(
                1e-5, 1e-1, default=1e-3, log=True, valid=Interval(0.0, 1.0, open_low=True)
            ),
            "start": _START,
        },
    ),
    Component(
        name="given_weights",
        summary="The class weights that you give, to a power, of mean 1 over the data.",
        source="Elkan 2001, The Foundations of Cost-Sensitive Learning, IJCAI",
        use="Weights from the problem, for instance the cost of missing each class.",
        parameters={
            "power": FloatParam(0.0, 1.5, default=1.0, valid=Interval(0.0, _INFINITY)),
            "start": _START,
        },
        needs=("class_weights",),
    ),
    Component(
        name="logit_adjust",
        summary="Adds tau * log(share of the class) to the logits in training.",
        source="Menon et al. 2021, Long-Tail Learning via Logit Adjustment, arXiv:2007.07314; at "
        "tau = 1 Ren et al. 2020, Balanced Meta-Softmax, arXiv:2007.10740",
        use="Rare classes and a flexible network, for which class weights lose their effect.",
        parameters={"tau": FloatParam(0.0, 2.0, default=1.0, valid=Interval(0.0, _INFINITY))},
        aliases={"balanced_softmax": {"logit_adjust.tau": 1.0}},
    ),
    Component(
        name="vector_scaling",
        summary="Multiplies logits by (n_c / n_max) ** gamma and adds tau * log(share).",
        source="Kini et al. 2021, Label-Imbalanced and Group-Sensitive Classification under "
        "Overparameterization, NeurIPS, arXiv:2103.01550 (VS loss)",
        use="Rare classes, when the network memorises its rows.",
        parameters={
            "gamma": FloatParam(0.0, 0.5, default=0.15, valid=Interval(0.0, _INFINITY)),
            "tau": FloatParam(0.0, 2.0, default=1.0, valid=Interval(0.0, _INFINITY)),
        },
    ),
)
WEIGHTS = ("class_weight", "effective_number", "given_weights")
"""The priors that weight examples by class; the other priors act on the logits."""
TARGETS = _by_name(
    Component(
        name="smoothing",
        summary="Labels (1 - epsilon) * one-hot + epsilon / C.",
        source="Szegedy et al. 2016, Rethinking the Inception Architecture, arXiv:1512.00567",
        use="An overconfident network, or a few wrong labels.",
        parameters={
            "epsilon": FloatParam(0.0, 0.3, default=0.05, valid=Interval(0.0, 1.0, open_high=True))
        },
        masked=False,
    ),
    Component(
        name="similarity_smoothing",
        summary="Labels (1 - epsilon) * one-hot + epsilon * (row of a class-similarity matrix).",
        source="Szegedy et al. 2016, arXiv:1512.00567, with the matrix in place of 1 / C",
        use="Classes of different similarity: a cat is more like a tiger than like a lorry.",
        parameters={
            "epsilon": FloatParam(0.0, 0.3, default=0.05, valid=Interval(0.0, 0.5, open_high=True))
        },
        tasks=("binary", "multiclass", "sequence"),
        needs=("similarity",),
        masked=False,
    ),
    Component(
        name="mixup",
        summary="Mixes pairs of examples and their labels, with a share from Beta(alpha, alpha).",
        source="Zhang et al. 2018, mixup: Beyond Empirical Risk Minimization, arXiv:1710.09412",
        use="Few rows; check the calibration afterwards.",
        parameters={
            "alpha": FloatParam(0.05, 1.0, default=0.2, log=True, valid=_ABOVE_ZERO),
            "per_example": _PER_EXAMPLE,
        },
        needs=("mixup",),
    ),
    Component(
        name="cutmix",
        summary="Pastes a box of another image into each, and mixes their labels by its area.",
        source="Yun et al. 2019, CutMix: Regularization Strategy to Train Strong Classifiers with "
        "Localizable Features, ICCV, arXiv:1905.04899",
        use="Images, where no single part should decide; check the calibration afterwards.",
        parameters={
            "alpha": FloatParam(0.1, 2.0, default=1.0, log=True, valid=_ABOVE_ZERO),
            "per_example": _PER_EXAMPLE,
        },
        tasks=("binary", "multiclass", "multilabel"),
        needs=("cutmix",),
    ),
    Component(
        name="distillation",
        summary="Replaces a share of the loss by the divergence from a teacher at temperature T.",
        source="Hinton et al. 2015, Distilling the Knowledge in a Neural Network, "
        "arXiv:1503.02531",
        use="A larger or better model is available, with its probabilities on the training rows.",
        parameters={
            "T": FloatParam(
                1.0, 20.0, default=4.0, log=True, valid=Interval(0.0, _INFINITY, open_low=True)
            ),
            "weight": FloatParam(0.0, 1.0, default=0.5),
        },
        masked=False,
        needs=("teacher_logits",),
    ),
)


@functools.cache
def _penalties() -> Mapping[str, Penalty]:
    """Return every penalty that a module of `autoloss.losses.penalties` declares."""
    found: dict[str, Penalty] = {}
    for module_info in pkgutil.iter_modules(penalties.__path__):
        module = importlib.import_module(f"{penalties.__name__}.{module_info.name}")
        found |= {
            value.name: value
            for value in vars(module).values()
            if isinstance(value, Penalty) and value.function.__module__ == module.__name__
        }
    return MappingProxyType(found)


PENALTIES: Mapping[str, Penalty] = _penalties()
TEMPERATURE = FloatParam(
    0.1, 10.0, default=1.0, log=True, valid=Interval(0.0, _INFINITY, open_low=True)
)
KINDS: Mapping[str, Mapping[str, Component]] = MappingProxyType(
    {"prior": PRIORS, "target": TARGETS, "penalty": PENALTIES}
)


@cached
def parameters_of(name: str) -> Mapping[str, Parameter]:
    """Return the parameters of a base, prior, target or penalty by dotted name.

    Examples:
        >>> sorted(parameters_of("bi_tempered"))
        ['bi_tempered.t1', 'bi_tempered.t2']
    """
    owners: list[Mapping[str, Parameter]] = [
        *(loss.parameters for base, loss in discover().items() if base == name),
        *(known[name].parameters for known in KINDS.values() if name in known),
    ]
    dotted = {f"{name}.{key}": value for owned in owners for key, value in owned.items()}
    return MappingProxyType(dotted)


@cached
def all_parameters() -> Mapping[str, Parameter]:
    """Return all parameters of losses by the key that TOML, Optuna and trials use."""
    owners = [*discover(), *(name for known in KINDS.values() for name in known)]
    dotted = {key: value for owner in owners for key, value in parameters_of(owner).items()}
    return MappingProxyType({"temperature": TEMPERATURE, **dotted})


def parameter(key: str) -> Parameter:
    """Return the parameter of a dotted key.

    Raises:
        InputError: If the key is unknown; the message has the closest key.

    Examples:
        >>> parameter("logit_adjust.tau").default
        1.0
    """
    known = all_parameters()
    if key not in known:
        raise InputError(
            f"key must be a known parameter, but got key={key!r}{closest(key, known)}"
        )
    return known[key]
