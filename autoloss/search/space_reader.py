"""Reads a space from TOML and reports all of its mistakes at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autoloss.core.documents import parsed_toml
from autoloss.core.errors import SpaceError, closest
from autoloss.core.settings import AugmentConfig, NetworkConfig, ProtocolConfig, TrainingConfig
from autoloss.core.task import TaskKind
from autoloss.losses import get, names
from autoloss.losses.components import (
    PENALTIES,
    PRIORS,
    TARGETS,
    TEMPERATURE,
    all_parameters,
    parameters_of,
)
from autoloss.losses.parameters import Number, Parameter
from autoloss.records import REFINED_LOG_LOSS
from autoloss.records.ood import ood_names
from autoloss.search.range_reader import read_range
from autoloss.search.shipped_spaces import DEFAULT, shipped_spaces, space_names, usual_space
from autoloss.search.space import (
    METRIC,
    Space,
    join_bases,
)
from autoloss.search.space_keys import CONSTANTS, LISTS, NUISANCE_PARAMETERS, RANGE_KEYS

_TEMPERATURE = "temperature"


def load_space(
    name_or_path: str | Path,
    *,
    overrides: Mapping[str, Any] | None = None,
    losses: Sequence[str] = (),
    metrics: Sequence[str] = (),
) -> Space:
    """Return a space by its name or from a file.

    Args:
        name_or_path: ``"default"`` or another of `space_names`, or the path of a TOML file.
        overrides: Settings that replace the file's, with the same dotted keys: a number
            fixes a parameter, ``{"low": 1e-5, "high": 1e-3}`` is its range.
        losses: Names of losses that join the bases; the file may set their parameters.
        metrics: Names of the custom metrics, which may be objectives.

    Raises:
        SpaceError: If there is no such space, or it has mistakes; it lists all of them, each as a
            line ``file: key: message``.

    Examples:
        >>> space = load_space("default", overrides={"lr": {"low": 1e-5, "high": 1e-3}})
        >>> space.ranges["lr"].high
        0.001
    """
    label, text = _text_of(name_or_path)
    try:
        settings = _flat(parsed_toml(text))
    except ValueError as error:
        raise SpaceError([f"{label}: TOML: {error}"]) from None
    settings |= _flat(overrides or {})
    if losses and isinstance(bases := settings.get("bases"), list):
        settings["bases"] = list(join_bases(bases, losses))
    return read_space(settings, name=Path(label).stem, label=label, metrics=metrics)


def load_usual(task: TaskKind, of_inputs: str = "", *, losses: Sequence[str] = ()) -> Space:
    """Return the space of a search that nobody chose a space for.

    The kind of input decides the network and its settings, the kind of label the losses.

    Args:
        task: The kind of label.
        of_inputs: The space of the kind of input; empty for that of the kind of label.
        losses: Names of losses that join the bases.

    Examples:
        >>> load_usual("multilabel").name, load_usual("multilabel", "text").name
        ('multilabel', 'multilabel on text')
    """
    of_labels = usual_space(DEFAULT, task)
    if not of_inputs:
        return load_space(of_labels, losses=losses)
    found = load_space(of_inputs, losses=losses)
    if of_labels == DEFAULT:
        return found
    return found.with_losses_of(load_space(of_labels, losses=losses))


def read_space(
    settings: Mapping[str, Any], *, name: str, label: str, metrics: Sequence[str] = ()
) -> Space:
    """Return the space that dotted keys describe, as in `Space.to_dict`.

    Args:
        settings: The keys and values.
        name: The space's name.
        label: The start of each reported mistake, such as the name of the file.
        metrics: Names of the custom metrics, which may be objectives.

    Raises:
        SpaceError: If there are mistakes; it lists all of them.
    """
    reader = _Reader(_without_aliases(settings), metrics)
    space = reader.read(name)
    if reader.mistakes:
        raise SpaceError([f"{label}: {mistake}" for mistake in reader.mistakes])
    return space


class _Reader:
    """Reads key by key and notes each mistake as ``key: message``."""

    def __init__(self, settings: Mapping[str, Any], metrics: Sequence[str]) -> None:
        self.settings = settings
        self.metrics = metrics
        self.mistakes: list[str] = []

    def read(self, name: str) -> Space:
        """Return the space, and add each mistake to `mistakes`."""
        bases = self._names("bases", names(), ())
        priors = self._names("priors", ("none", *PRIORS), ("none",))
        targets = self._names("targets", ("none", *TARGETS), ("none",))
        penalties = self._names("penalties", ("none", *PENALTIES), ("none",))
        known = (REFINED_LOG_LOSS, METRIC, *ood_names(), *self.metrics)
        objectives = self._names("objectives", known, (REFINED_LOG_LOSS,))
        if "bases" not in self.settings:
            self.mistakes.append("bases: must list the losses to search, but is missing.")
        if REFINED_LOG_LOSS not in objectives:
            self.mistakes.append(
                f"objectives: must have {REFINED_LOG_LOSS!r}, but got {list(objectives)}."
            )
        self._check_doubles(bases)
        constants = {key: self.settings[key] for key in CONSTANTS if self._is_constant(key)}
        self._check_keys()
        searched: dict[str, Parameter] = dict(NUISANCE_PARAMETERS)
        if _TEMPERATURE in self.settings:
            searched[_TEMPERATURE] = TEMPERATURE
        for owner in (*bases, *priors, *targets, *penalties):
            searched |= parameters_of(owner)
        ranges, fixed = self._parameters(searched)
        return Space(
            name=name,
            bases=bases,
            ranges=ranges,
            fixed=fixed,
            priors=_none_first(priors),
            targets=_none_first(targets),
            penalties=_none_first(penalties),
            objectives=objectives,
            network=NetworkConfig(**_section(constants, "network")),
            augment=AugmentConfig(**_section(constants, "augment")),
            training=TrainingConfig(**_section(constants, "training")),
            protocol=ProtocolConfig(**_section(constants, "protocol")),
            **{key: value for key, value in constants.items() if "." not in key},
        )

    def _names(
        self, key: str, known: tuple[str, ...], otherwise: tuple[str, ...]
    ) -> tuple[str, ...]:
        """Return a list of known names."""
        if key not in self.settings:
            return otherwise
        value = self.settings[key]
        if not isinstance(value, list) or not value or not all(isinstance(n, str) for n in value):
            self.mistakes.append(f"{key}: must be a list of names, but got {value!r:.80}.")
            return otherwise
        for name in value:
            if name not in known:
                near = closest(name, known)
                if key == "bases":
                    near += " losses= or --losses FILE declares your own."
                self.mistakes.append(f"{key}: must be known names, but got {name!r:.80}{near}")
        for name in dict.fromkeys(name for name in value if value.count(name) > 1):
            self.mistakes.append(f"{key}: must name each once, but got {name!r:.80} twice.")
        return tuple(name for name in dict.fromkeys(value) if name in known)

    def _is_constant(self, key: str) -> bool:
        """Return whether a constant is given with an allowed value."""
        if key not in self.settings:
            return False
        if CONSTANTS[key].is_allowed(self.settings[key]):
            return True
        self.mistakes.append(
            f"{key}: must be {CONSTANTS[key].rule}, but got {self.settings[key]!r:.80}."
        )
        return False

    def _check_doubles(self, bases: tuple[str, ...]) -> None:
        """Note bases that equal another base of the list up to a factor."""
        for base in bases:
            other = get(base).same_as
            if other in bases:
                self.mistakes.append(
                    f"bases: must not name one loss twice, but {base!r} is {other!r} with other "
                    "parameters."
                )

    def _check_keys(self) -> None:
        """Note keys that nothing reads."""
        every = all_parameters()
        known = {*LISTS, *CONSTANTS, *NUISANCE_PARAMETERS, *every}
        chosen = {_TEMPERATURE, *NUISANCE_PARAMETERS}
        named = [self.settings.get(kind, []) for kind in LISTS if kind != "objectives"]
        chosen |= {str(name) for names in named if isinstance(names, list) for name in names}
        for key in self.settings:
            if key not in known:
                self.mistakes.append(f"{key:.80}: is not a known key{closest(key, known)}")
            elif key in every and (owner := key.partition(".")[0]) not in chosen:
                self.mistakes.append(
                    f"{key:.80}: must belong to a part of the space, but {owner!r:.80} is not in"
                    " it."
                )

    def _parameters(
        self, searched: Mapping[str, Parameter]
    ) -> tuple[dict[str, Parameter], dict[str, Number]]:
        """Return the searched and the fixed parameters."""
        ranges: dict[str, Parameter] = {}
        fixed: dict[str, Number] = {}
        for key, declared in searched.items():
            value = (
                read_range(key, self.settings[key], declared) if key in self.settings else declared
            )
            if not declared.searched and key not in self.settings:
                fixed[key] = declared.default
            elif isinstance(value, list):
                self.mistakes += [f"{key}: {message}" for message in value]
            elif isinstance(value, (int, float)):
                fixed[key] = value
            else:
                ranges[key] = value
        return ranges, fixed


def _text_of(name_or_path: str | Path) -> tuple[str, str]:
    """Return the name of a space's file and its text."""
    if not isinstance(name_or_path, str | Path):
        kind = type(name_or_path).__name__
        raise SpaceError(
            [f"space: must be the name of a space or the path of a .toml file, but got a {kind}."]
        )
    name = str(name_or_path)
    if name in space_names():
        return f"{name}.toml", (shipped_spaces() / f"{name}.toml").read_text(encoding="utf-8")
    path = Path(name_or_path)
    if path.suffix != ".toml" and not path.is_file():
        known = closest(name, space_names())
        raise SpaceError(
            [f"{name}: space: must be a known space or a .toml file, but got {name!r}{known}"]
        )
    try:
        return path.name, path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SpaceError([f"{name}: space: must be a readable file, but: {reason}."]) from None


def _flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested tables as dotted keys; a table of a range is a value."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping) and not set(value) & set(RANGE_KEYS):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _without_aliases(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings in which every base has its own name."""
    own = {alias: name for name in names() for alias in get(name).aliases}
    found = {}
    for key, value in settings.items():
        owner, dot, rest = key.partition(".")
        found[f"{own.get(owner, owner)}{dot}{rest}"] = value
    if isinstance(bases := found.get("bases"), list):
        found["bases"] = [own.get(str(base), base) for base in bases]
    return found


def _none_first(chosen: tuple[str, ...]) -> tuple[str, ...]:
    return ("none", *(name for name in chosen if name != "none"))


def _section(constants: Mapping[str, Any], section: str) -> dict[str, Any]:
    start = f"{section}."
    return {key.removeprefix(start): v for key, v in constants.items() if key.startswith(start)}
