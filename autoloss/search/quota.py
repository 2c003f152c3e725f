"""Shares the budget: the families to search, and the quota of each.

A family's quota counts joint settings of its own parameters, learning rate, weight decay and
dropout. Epochs need no quota: every candidate stops by the same patience on its refined log loss,
never on its own loss, and keeps its best weights.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from autoloss.core.errors import InputError
from autoloss.verdict.baseline import is_plain_cross_entropy

CROSS_ENTROPY = "cross_entropy"
BRIER = "brier"
SMALLEST_QUOTA = 4
LARGEST_QUOTA = 15
BASELINE_SMOOTHING = 0.1
# Below this, Brier with a full quota and cross-entropy would take more than half of the budget.
_SMALLEST_FOR_BRIER = 2 * (2 * SMALLEST_QUOTA + 1)

Role = Literal["plain", "smoothed", "target", "free"]
_OF_BASELINES = ("none", "smoothing")
"""The targets of the cross-entropy that every search has."""


@dataclass(frozen=True)
class Arm:
    """The fixed part of a trial; the sampler draws the rest.

    Args:
        family: The base loss.
        role: ``"plain"`` (no prior, hard targets: the tuned baseline), ``"smoothed"`` (smoothing
            0.1, no prior), ``"target"`` (another target, no prior) or ``"free"``.
        target: The target of the role ``"target"``.
    """

    family: str
    role: Role = "free"
    target: str = ""


PLAIN = Arm(CROSS_ENTROPY, "plain")
SMOOTHED = Arm(CROSS_ENTROPY, "smoothed")


@dataclass(frozen=True)
class FamilyPlan:
    """The shares of the families in a budget.

    Args:
        families: Families that are searched, in the order in which a smaller budget would drop
            them from the end.
        dropped: Families that the budget is too small for.
        quota: Trials of each family before the sampler may neglect it.
        first: Arms of the first trials: the literature's setting of every family.
        then: Arms of the next trials, until every family has its quota.
        late: Targets that no trial has before the trials of all other arms have ended.
    """

    families: tuple[str, ...]
    dropped: tuple[str, ...]
    quota: int
    first: tuple[Arm, ...]
    then: tuple[Arm, ...]
    late: tuple[str, ...] = ()

    @property
    def early(self) -> int:
        """Return the number of trials before the first that may have a late target."""
        return len(self.first) + sum(arm.target not in self.late for arm in self.then)

    def arm(self, slot: int) -> Arm | None:
        """Return the arm of a slot; None if the sampler chooses."""
        arms = self.first + self.then
        return arms[slot] if slot < len(arms) else None

    def turn(self, slot: int) -> int:
        """Return the number of trials of the slot's arm before it, without the first."""
        before, arm = self.then[: slot - len(self.first)], self.then[slot - len(self.first)]
        # The first trial of a late arm, with the literature's setting, stands among these.
        return before.count(arm) - (arm.target in self.late)

    def may_probe(self, slot: int) -> bool:
        """Return whether the trial of this slot may be a probe of a grown range.

        After the quotas every other trial may, so that the sampler gets its turn too.
        """
        return self.arm(slot) is None and (slot - len(self.first + self.then)) % 2 == 0

    def is_first(self, slot: int) -> bool:
        """Return whether the trial of this slot has the literature's setting."""
        if slot < len(self.first):
            return True
        arm = self.arm(slot)
        return arm is not None and arm.target in self.late and self.turn(slot) < 0

    def is_early(self, slot: int) -> bool:
        """Return whether the trial of this slot must not have a late target."""
        return slot < self.early


def plan_families(
    bases: Sequence[str],
    trials: int,
    targets: Sequence[str] = (),
    *,
    late: Sequence[str] = (),
) -> FamilyPlan:
    """Share a budget among families.

    Cross-entropy with each further target of the space, such as distillation or mixup, has the
    trials of a family: the target is tried for itself, and not only with another loss.

    The quota is ``trials // (2 * families)``, kept within 4 and 15. A budget too small for that
    drops families from the end, never the quota. Plain cross-entropy, smoothed cross-entropy and
    Brier always run and come first. Smoothed cross-entropy has as many trials as a family. From 12
    trials on these baselines take at most half of the budget if the space has other families:
    below 24 trials smoothed cross-entropy has fewer trials, and below 18 trials Brier runs once.

    Args:
        bases: Families of the space, the most important first; cross-entropy and Brier are always
            searched.
        trials: The budget.
        targets: Targets of the space.
        late: Targets whose trials come last, because something is made of all trials before: a
            study that teaches itself makes its teacher.

    Returns:
        The plan; its arms are at most `trials`.

    Raises:
        InputError: If the budget is not positive.

    Examples:
        >>> plan = plan_families(["focal", "poly1", "power"], 16)
        >>> plan.families, plan.dropped, plan.quota
        (('cross_entropy', 'focal', 'poly1'), ('power',), 4)
        >>> plan_families(["focal", "poly1", "power"], 16, ["none", "mixup"]).families
        ('cross_entropy', 'focal')
    """
    if trials < 1:
        raise InputError(f"trials must be at least 1, but got trials={trials}.")
    others = [base for base in dict.fromkeys(bases) if base not in (CROSS_ENTROPY, BRIER)]
    has_brier = trials >= _SMALLEST_FOR_BRIER or not others
    order = [CROSS_ENTROPY, *([BRIER] if has_brier else []), *others]
    # Smoothed cross-entropy has one trial at least, and so has Brier.
    extra = 1 if has_brier else 2
    # In the order in which a smaller budget would drop them from the end.
    further = [Arm(CROSS_ENTROPY, "target", one) for one in targets if one not in _OF_BASELINES]
    base = [Arm(family) if family != CROSS_ENTROPY else PLAIN for family in order]
    sharing = [*base[: 1 + has_brier], *further, *base[1 + has_brier :]]
    count = next(
        (n for n in range(len(sharing), 1, -1) if n * _quota(n, trials) + extra <= trials), 1
    )
    arms, quota = sharing[:count], _quota(count, trials)
    families = tuple(arm.family for arm in arms if arm.role != "target")
    smoothed = min(quota, _most_smoothed(families, len(arms), quota, trials))
    last = [arm for arm in arms if arm.target in late]
    arms = [arm for arm in arms if arm not in last]
    first = tuple(dict.fromkeys([PLAIN, SMOOTHED, Arm(BRIER), *arms]))[:trials]
    # Smoothed cross-entropy takes its turn after the others, while it has trials.
    turns = [[*arms, SMOOTHED] if turn < smoothed else arms for turn in range(1, quota)]
    then = (*itertools.chain.from_iterable(turns), *(quota * last))
    return FamilyPlan(
        families=families,
        dropped=tuple(one for one in order if one not in families),
        quota=quota,
        first=first,
        then=then[: trials - len(first)],
        late=tuple(late),
    )


def counted(losses: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """Return how often each family was asked; of cross-entropy only the plain form counts.

    Args:
        losses: The losses that were asked, as dotted keys.
    """
    families = (str(loss["base"]) for loss in losses if _counts(loss))
    return Counter(families)


def must_be_cross_entropy(counts: Mapping[str, int], family: str) -> bool:
    """Return whether a trial must be plain cross-entropy, so that no family gets more trials.

    Args:
        counts: The result of `counted` for the trials so far.
        family: The family that the sampler proposes.
    """
    if family == CROSS_ENTROPY:
        return False
    return counts.get(family, 0) >= counts.get(CROSS_ENTROPY, 0)


def _counts(loss: Mapping[str, Any]) -> bool:
    return loss["base"] != CROSS_ENTROPY or is_plain_cross_entropy(loss)


def _most_smoothed(families: Sequence[str], arms: int, quota: int, trials: int) -> int:
    """Return the number of trials of smoothed cross-entropy that fit."""
    of_brier = quota if BRIER in families else 1
    are_others = any(family not in (CROSS_ENTROPY, BRIER) for family in families)
    half = trials // 2 - quota - of_brier if are_others else trials
    left = trials - quota * arms - (BRIER not in families)
    return max(1, min(half, left))


def _quota(arms: int, trials: int) -> int:
    return min(max(trials // (2 * arms), SMALLEST_QUOTA), LARGEST_QUOTA)
