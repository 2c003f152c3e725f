"""A search space: the losses, the ranges of their parameters, and the constants."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from autoloss.core.errors import InputError
from autoloss.core.settings import (
    NO_AUGMENT,
    AugmentConfig,
    NetworkConfig,
    ProtocolConfig,
    TrainingConfig,
)
from autoloss.losses import ClassFacts, get
from autoloss.losses.components import KINDS, parameters_of
from autoloss.losses.parameters import ChoiceParam, Number, Parameter
from autoloss.records import REFINED_LOG_LOSS
from autoloss.search.quota import BRIER, CROSS_ENTROPY

NUISANCE = ("lr", "weight_decay", "dropout")
TEMPERATURE = "temperature"
METRIC = "error"
_WORDS = {
    "teacher_logits": "the logits of a teacher",
    "similarity": "a class-similarity matrix",
    "class_weights": "class weights",
    "mixup": "mixed examples",
    "cutmix": "images",
    "norms": "the norms of features and class weights",
    "row_ids": "the numbers of the training rows",
}
_REMEDIES = {
    "teacher_logits": "give teacher",
    "similarity": "give class_similarity",
    "class_weights": "give class_weights",
}
_LOOP = "let the training loop provide it and say so in provides="


@dataclass(frozen=True)
class Space:
    """The losses and ranges that a study searches, and the constants of its training runs.

    Each parameter of the bases, priors, targets and penalties is in `ranges` or in `fixed`, under
    its dotted key in TOML, in Optuna and in `LossSpec.to_dict`; so are ``lr``, ``weight_decay``
    and ``dropout``.

    Args:
        name: Its name.
        bases: Families; a small budget drops them from the end.
        ranges: Searched parameters: range, scale and the value of the first trial.
        fixed: Fixed parameters.
        priors: Priors, ``"none"`` among them.
        targets: Targets, ``"none"`` among them.
        penalties: Penalties, ``"none"`` among them.
        min_imbalance: The search has priors if the largest class has more than `min_imbalance`
            times the rows of the smallest.
        objectives: The objectives of the sampler: ``"refined_log_loss"``, and besides it
            ``"error"``, which stands for the study's metric, the custom metrics, or the
            OOD figures (`autoloss.records.ood.ood_names`).
        together: Candidates trained together; 0 for the fastest number.
        network: The network.
        augment: How images are changed in training.
        training: The constants of a training run.
        protocol: The constants of the comparison.
        description: One line for people.
    """

    name: str
    bases: tuple[str, ...]
    ranges: Mapping[str, Parameter]
    fixed: Mapping[str, Number]
    priors: tuple[str, ...] = ("none",)
    targets: tuple[str, ...] = ("none",)
    penalties: tuple[str, ...] = ("none",)
    min_imbalance: float = 1.0
    objectives: tuple[str, ...] = (REFINED_LOG_LOSS,)
    together: int = 0
    network: NetworkConfig = field(default_factory=NetworkConfig)
    augment: AugmentConfig = NO_AUGMENT
    training: TrainingConfig = field(default_factory=TrainingConfig)
    protocol: ProtocolConfig = field(default_factory=ProtocolConfig)
    description: str = ""

    def for_classes(self, facts: ClassFacts) -> Space:
        """Return the space for a task: bases that can train it, priors if it is imbalanced.

        Several labels are imbalanced if one of them is.

        Args:
            facts: The kind of label, with the training rows of each class.
        """
        task = facts.task

        def fitting(kind: str) -> tuple[str, ...]:
            parts = KINDS[kind]
            names = self.choices[kind]
            return tuple(name for name in names if name == "none" or task in parts[name].tasks)

        is_imbalanced = any(
            max(counts) > self.min_imbalance * min(count for count in counts if count > 0)
            for counts in facts.population.view(-1, facts.n_classes).tolist()
        )
        return replace(
            self,
            bases=tuple(base for base in self.bases if task in get(base).tasks),
            priors=tuple(
                name
                for name in fitting("prior")
                # The user's class weights count whether the classes are imbalanced or not.
                if is_imbalanced or name == "none" or "class_weights" in KINDS["prior"][name].needs
            ),
            targets=fitting("target"),
            penalties=fitting("penalty"),
        )

    @property
    def choices(self) -> dict[str, tuple[str, ...]]:
        """Return the priors, targets and penalties by kind, ``"none"`` first."""
        return {"prior": self.priors, "target": self.targets, "penalty": self.penalties}

    def with_losses_of(self, other: Space) -> Space:
        """Return the space with the losses of another: its lists, ranges and fixed parameters.

        Learning rate, weight decay, dropout and all constants stay.
        """

        def joined(own: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
            kept = {key: one for key, one in own.items() if key in NUISANCE}
            return kept | {key: one for key, one in others.items() if key not in NUISANCE}

        return replace(
            self,
            name=f"{other.name} on {self.name}",
            bases=other.bases,
            priors=other.priors,
            targets=other.targets,
            penalties=other.penalties,
            min_imbalance=other.min_imbalance,
            ranges=joined(self.ranges, other.ranges),
            fixed=joined(self.fixed, other.fixed),
            description=f"{other.description} {self.description}".strip(),
        )

    def joined_by(self, kind: Literal["prior", "target"], name: str) -> Space:
        """Return the space with another prior or target, at its declared ranges."""
        if name in self.choices[kind]:
            return self
        declared = parameters_of(name)
        ranges = {key: one for key, one in declared.items() if one.searched}
        fixed = {key: one.default for key, one in declared.items() if not one.searched}
        return replace(
            self,
            priors=(*self.priors, name) if kind == "prior" else self.priors,
            targets=(*self.targets, name) if kind == "target" else self.targets,
            ranges={**ranges, **self.ranges},
            fixed={**fixed, **self.fixed},
        )

    def with_bases(self, names: Sequence[str]) -> Space:
        """Return the space with more losses, at their declared ranges; see `join_bases`."""
        new = [name for name in names if name not in self.bases]
        declared = {key: one for name in new for key, one in parameters_of(name).items()}
        return replace(
            self,
            bases=join_bases(self.bases, new),
            ranges={**{key: one for key, one in declared.items() if one.searched}, **self.ranges},
            fixed={
                **{key: one.default for key, one in declared.items() if not one.searched},
                **self.fixed,
            },
        )

    def check_trainable(self, names: Iterable[str], facts: ClassFacts) -> None:
        """Check that losses which the user asks for can train the labels at hand.

        Args:
            names: The losses.
            facts: The kind of label, with the training rows of each class.

        Raises:
            InputError: If a loss cannot.
        """
        left = self.for_classes(facts).bases
        for name in names:
            if name not in left:
                raise InputError(
                    f"{name} must be for {facts.task} labels to be searched here, but got "
                    f"tasks={get(name).tasks}."
                )

    def check_provided(self, provided: Collection[str]) -> None:
        """Check that every loss of the space gets the values that it needs.

        Args:
            provided: Values of the training loop besides logits and targets: fields of
                `LossContext` and `ClassFacts`, ``"mixup"``, and ``"cosine head"`` or
                ``"unbiased head"``.

        Raises:
            InputError: If a value is missing; the message names it.
        """
        needs = {base: _needs_of(base) for base in self.bases}
        for kind, names in self.choices.items():
            needs |= {name: [*KINDS[kind][name].needs] for name in names if name != "none"}
        for name, wanted in needs.items():
            if lacking := _lacking(wanted, provided):
                raise InputError(
                    f"{name} must be given {_WORDS.get(lacking[0], lacking[0])}, but got a search "
                    f"without: {_REMEDIES.get(lacking[0], _LOOP)}, or take it out of the space "
                    f"{self.name!r}."
                )

    def served_by(self, provided: Collection[str]) -> Space:
        """Return the space without the bases that need values that are not provided."""
        left = {base for base in self.bases if _lacking(_needs_of(base), provided)}

        def kept(settings: Mapping[str, Any]) -> dict[str, Any]:
            return {key: one for key, one in settings.items() if key.partition(".")[0] not in left}

        return replace(
            self,
            bases=tuple(base for base in self.bases if base not in left),
            ranges=kept(self.ranges),
            fixed=kept(self.fixed),
        )

    def keys_of(self, owner: str) -> list[str]:
        """Return the dotted keys of the parameters of a base, prior, target or penalty."""
        return [key for key in (*self.fixed, *self.ranges) if key.startswith(f"{owner}.")]

    def default(self, key: str) -> Number:
        """Return the value of a parameter in the first trial of a family."""
        return self.ranges[key].default if key in self.ranges else self.fixed[key]

    def to_dict(self) -> dict[str, Any]:
        """Return the complete space as the keys and values of its file."""
        ranges = {key: _range(parameter) for key, parameter in self.ranges.items()}
        sections = {
            "network": asdict(self.network),
            "augment": asdict(self.augment),
            "training": asdict(self.training),
            "protocol": asdict(self.protocol),
        }
        constants = {
            f"{section}.{key}": value
            for section, values in sections.items()
            for key, value in values.items()
        }
        return {
            "description": self.description,
            "bases": list(self.bases),
            "priors": list(self.priors),
            "targets": list(self.targets),
            "penalties": list(self.penalties),
            "min_imbalance": self.min_imbalance,
            "objectives": list(self.objectives),
            "together": self.together,
            **ranges,
            **self.fixed,
            **constants,
        }


def _needs_of(base: str) -> list[str]:
    """Return the values that a base needs besides logits and targets."""
    head = get(base).head
    return [*get(base).needs, *([] if head == "linear" else [f"{head} head"])]


def _lacking(needs: Iterable[str], provided: Collection[str]) -> list[str]:
    """Return the needs that are not provided; the counts of the classes always are."""
    return [need for need in needs if need != "class_counts" and need not in provided]


def join_bases(bases: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Return bases with new bases after cross-entropy and Brier, so that they are dropped last.

    Examples:
        >>> join_bases(["cross_entropy", "focal"], ["mine"])
        ('cross_entropy', 'mine', 'focal')
    """
    first = [base for base in bases if base in (CROSS_ENTROPY, BRIER)]
    new = [name for name in names if name not in bases]
    return (*first, *new, *(base for base in bases if base not in first))


def _range(parameter: Parameter) -> dict[str, Any]:
    if isinstance(parameter, ChoiceParam):
        return {"choices": list(parameter.choices), "default": parameter.default}
    return {
        "low": parameter.low,
        "high": parameter.high,
        "log": parameter.log,
        "default": parameter.default,
    }
