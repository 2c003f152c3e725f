"""The contract: the laws that every loss must meet, built in or custom."""

from __future__ import annotations

from autoloss.core.errors import InputError
from autoloss.losses.contract import meaning, numbers, values
from autoloss.losses.contract.law import Law
from autoloss.losses.loss import Loss

__all__ = ["Law", "check_contract", "laws"]

# In the order of the checks, from basic laws to subtle laws; an error names the first broken law.
_LAWS = (
    values.parameters_are_allowed,
    values.one_value_per_example,
    meaning.probabilities_are_expectations,
    meaning.one_hot_targets_are_classes,
    values.stacked_equals_plain,
    values.candidates_are_apart,
    values.positions_are_examples,
    numbers.narrow_logits_are_widened,
    numbers.numbers_are_finite,
    numbers.slopes_are_those_of_the_values,
    numbers.true_logits_are_rewarded,
    meaning.classes_are_alike,
    meaning.special_cases_hold,
    meaning.readout_is_the_null_vector,
    meaning.views_are_logits,
    values.sizes_are_served,
    numbers.masked_classes_are_out,
)


def laws() -> tuple[tuple[str, Law], ...]:
    """Return the laws by name; ``law(loss)`` returns the breach of a loss in one line, or None.

    Examples:
        >>> from autoloss.losses import get
        >>> [name for name, law in laws() if law(get("brier")) is not None]
        []
    """
    return tuple((law.name, law) for law in _LAWS)


def check_contract(loss: Loss) -> None:
    """Check that a loss meets every law, so that it can be searched.

    Raises:
        InputError: If it breaks a law; one line has the loss, the rule and the breach.

    Examples:
        >>> from autoloss.losses import declare
        >>> @declare(source="this page")
        ... def total(logits, targets):
        ...     '''The sum over the batch.'''
        ...     return logits.logsumexp(-1).sum()
        >>> check_contract(total)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        autoloss.core.errors.InputError: total must give one value per example, ...
    """
    for law in _LAWS:
        line = law(loss)
        if line is not None:
            raise InputError(line)
