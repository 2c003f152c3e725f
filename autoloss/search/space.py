"""A search space: what may vary, in which range, and what is constant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from autoloss.losses import get
from autoloss.losses.parameters import ChoiceParam, Number, Parameter
from autoloss.settings import NetworkConfig, TrainingConfig

NUISANCE = ("lr", "weight_decay", "dropout")
TEMPERATURE = "temperature"
REFINED = "refined_log_loss"
METRIC = "error"


@dataclass(frozen=True)
class Space:
    """What a study may try, and the constants of its trainings.

    Every parameter of the bases, priors and targets stands either in `ranges` or in `fixed`, under
    the dotted key that it has in TOML, in Optuna and in `LossSpec.to_dict`; so do ``lr``,
    ``weight_decay`` and ``dropout``.

    Args:
        name: Its name.
        bases: Families, in the order in which a short budget drops them from the end.
        ranges: What is searched: range, scale and the value of the first trial.
        fixed: What is not.
        priors: Priors, ``"none"`` among them.
        targets: Targets, ``"none"`` among them.
        min_imbalance: Priors are searched where the largest class has more than so many times the
            rows of the smallest.
        objectives: What the sampler minimises: ``"refined_log_loss"``, or that and ``"error"``, in
            whose place the study's metric stands.
        together: Candidates trained together, at most.
        network: The network.
        training: How it is trained.
        description: One line for people.
    """

    name: str
    bases: tuple[str, ...]
    ranges: Mapping[str, Parameter]
    fixed: Mapping[str, Number]
    priors: tuple[str, ...] = ("none",)
    targets: tuple[str, ...] = ("none",)
    min_imbalance: float = 1.0
    objectives: tuple[str, ...] = (REFINED,)
    together: int = 32
    network: NetworkConfig = field(default_factory=NetworkConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    description: str = ""

    def for_classes(self, class_counts: Sequence[float]) -> Space:
        """Return the space for a task: bases that can train it, priors if it is imbalanced.

        Args:
            class_counts: Training rows of each class.
        """
        task = "binary" if len(class_counts) == 2 else "multiclass"
        present = [count for count in class_counts if count > 0]
        is_imbalanced = max(present) > self.min_imbalance * min(present)
        return replace(
            self,
            bases=tuple(base for base in self.bases if task in get(base).tasks),
            priors=self.priors if is_imbalanced else ("none",),
        )

    def keys_of(self, owner: str) -> list[str]:
        """Return the dotted keys of the parameters of a base, prior or target."""
        return [key for key in (*self.fixed, *self.ranges) if key.startswith(f"{owner}.")]

    def default(self, key: str) -> Number:
        """Return the value of a parameter in the first trial of a family."""
        return self.ranges[key].default if key in self.ranges else self.fixed[key]

    def to_dict(self) -> dict[str, Any]:
        """Return the space as the keys and values of its file, complete."""
        ranges = {key: _range(parameter) for key, parameter in self.ranges.items()}
        sections = {"network": asdict(self.network), "training": asdict(self.training)}
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
            "min_imbalance": self.min_imbalance,
            "objectives": list(self.objectives),
            "together": self.together,
            **ranges,
            **self.fixed,
            **constants,
        }


def space_names() -> tuple[str, ...]:
    """Return the names of the spaces that come with autoloss, default first.

    Examples:
        >>> space_names()[:2]
        ('default', 'calibration')
    """
    names = [
        entry.name.removesuffix(".toml")
        for entry in shipped_spaces().iterdir()
        if entry.name.endswith(".toml")
    ]
    return tuple(sorted(names, key=lambda name: (name != "default", name)))


def shipped_spaces() -> Traversable:
    """Return the folder of the spaces: inside the installed package, beside it in a checkout."""
    inside = resources.files("autoloss") / "search_spaces"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "search_spaces"


def _range(parameter: Parameter) -> dict[str, Any]:
    if isinstance(parameter, ChoiceParam):
        return {"choices": list(parameter.choices), "default": parameter.default}
    return {
        "low": parameter.low,
        "high": parameter.high,
        "log": parameter.log,
        "default": parameter.default,
    }
