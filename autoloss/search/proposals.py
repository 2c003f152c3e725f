"""The proposal for a slot: the literature's setting, a family's quota, or the sampler's choice.

A quota is drawn at random. The sampler would pull a family's settings toward the settings of other
families, and a setting that depends on no result can be judged on rows of any part. All families
share the draws of learning rate, weight decay and dropout: the luck of these is not a family's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution

from autoloss.losses import LossSpec
from autoloss.losses.parameters import ChoiceParam, Parameter
from autoloss.search.probes import Probe
from autoloss.search.quota import BASELINE_SMOOTHING, PLAIN, Arm, FamilyPlan, must_be_cross_entropy
from autoloss.search.sampler import Draw, Suggester
from autoloss.search.space import NUISANCE, TEMPERATURE, Space


@dataclass(frozen=True)
class Proposal:
    """A setting to try.

    Args:
        spec: The loss.
        nuisance: Settings besides it.
        origin: ``"default"``, ``"quota"`` or ``"sampler"``.
        params: The parameters for the sampler; empty for a baseline outside the space.
        distributions: Their distributions.
    """

    spec: LossSpec
    nuisance: dict[str, float]
    origin: str
    params: dict[str, Any]
    distributions: dict[str, BaseDistribution]


def propose(
    slot: int,
    *,
    space: Space,
    plan: FamilyPlan,
    suggester: Suggester,
    counts: Mapping[str, int],
    probe: Probe | None = None,
) -> Proposal:
    """Return the proposal for a slot.

    Args:
        slot: The place in the study.
        space: The space, for the task at hand.
        plan: The shares of the families in the budget.
        suggester: Draws the free settings; it knows the trials so far.
        counts: The result of `quota.counted` for the trials so far.
        probe: A probe of a grown range, which replaces the sampler's proposal.
    """
    arm = plan.arm(slot)
    if arm is not None:
        is_default = plan.is_first(slot)
        origin = "default" if is_default else "quota"
        forced = _forced(arm, space, is_default=is_default)
        if not is_default:
            forced |= suggester.shared_nuisance(plan.turn(slot))
        found = _of_forced(slot, forced, space, plan, suggester, origin=origin)
        if plan.is_early(slot) and found.params.get("target") in plan.late:
            suggester.turn_down()
            forced["target"] = "none"
            found = _of_forced(slot, forced, space, plan, suggester, origin=origin)
        return found
    if probe is not None and not must_be_cross_entropy(counts, probe.family):
        return _of_forced(slot, _probed(probe, space), space, plan, suggester, origin="sampler")
    drawn = suggester.draw(slot, {})
    if must_be_cross_entropy(counts, str(drawn.params["base"])):
        suggester.turn_down()
        forced = _forced(PLAIN, space, is_default=False)
        return _of_forced(slot, forced, space, plan, suggester, origin="sampler")
    return _proposal(drawn, space, origin="sampler")


def _of_forced(
    slot: int,
    forced: dict[str, Any],
    space: Space,
    plan: FamilyPlan,
    suggester: Suggester,
    *,
    origin: str,
) -> Proposal:
    """Return a setting with its fixed values; the sampler does not see settings off the space."""
    is_second = origin == "sampler"
    ranges = {**space.ranges, **(suggester.widened.get(forced["base"], {}) if is_second else {})}
    families = plan.families
    within = {k: v for k, v in forced.items() if _is_within(k, v, space, families, ranges)}
    drawn = suggester.draw(slot, within, attempt=int(is_second), learns=is_second)
    if len(within) == len(forced):
        return _proposal(drawn, space, origin=origin)
    suggester.turn_down()
    loss = {key: value for key, value in forced.items() if key not in NUISANCE}
    return Proposal(LossSpec.from_dict(loss), _nuisance(drawn, space), origin, {}, {})


def _forced(arm: Arm, space: Space, *, is_default: bool) -> dict[str, Any]:
    """Return the fixed values of a trial: its base, or all values of a baseline or default."""
    forced: dict[str, Any] = {"base": arm.family}
    if is_default or arm.role != "free":
        forced |= {**dict.fromkeys(space.choices, "none"), TEMPERATURE: 1.0}
    if is_default:
        keys = [*space.keys_of(arm.family), *NUISANCE]
        forced |= {key: space.default(key) for key in keys}
    if arm.role == "smoothed":
        forced |= {"target": "smoothing", "smoothing.epsilon": BASELINE_SMOOTHING}
    if arm.role == "target":
        forced["target"] = arm.target
        if is_default:
            forced |= {key: space.default(key) for key in space.keys_of(arm.target)}
    return forced


def _probed(probe: Probe, space: Space) -> dict[str, Any]:
    """Return the values that a probe fixes."""
    return {**dict.fromkeys(space.choices, "none"), TEMPERATURE: 1.0, **probe.values}


def _is_within(
    key: str,
    value: Any,
    space: Space,
    families: Sequence[str],
    ranges: Mapping[str, Parameter],
) -> bool:
    choices = {"base": families, **space.choices}
    if key in choices:
        return value in choices[key]
    if key in ranges:
        own = ranges[key]
        if isinstance(own, ChoiceParam):
            return value in own.choices
        return bool(own.low <= value <= own.high)
    return bool(value == space.fixed.get(key, 1.0 if key == TEMPERATURE else None))


def _proposal(drawn: Draw, space: Space, *, origin: str) -> Proposal:
    """Return the proposal from drawn values and the fixed values of the space."""
    parts = {kind: str(drawn.params.get(kind, "none")) for kind in ("base", *space.choices)}
    keys = [TEMPERATURE, *(key for part in parts.values() for key in space.keys_of(part))]
    known = {**space.fixed, **drawn.params}
    loss = parts | {key: known[key] for key in keys if key in known}
    return Proposal(
        LossSpec.from_dict(loss),
        _nuisance(drawn, space),
        origin,
        drawn.params,
        drawn.distributions,
    )


def _nuisance(drawn: Draw, space: Space) -> dict[str, float]:
    known = {**space.fixed, **drawn.params}
    return {key: float(known[key]) for key in NUISANCE}
