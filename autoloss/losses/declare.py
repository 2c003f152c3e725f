"""The declaration of a loss: function, parameters, read-out, source and special cases."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable

from torch import Tensor

from autoloss.losses.context import CONTEXT_FIELDS
from autoloss.losses.loss import Loss, Special
from autoloss.losses.parameters import Parameter
from autoloss.task import TaskKind


def declare(
    *,
    source: str,
    tasks: tuple[TaskKind, ...] = ("binary", "multiclass"),
    special: tuple[Special, ...] = (),
    proper: bool = False,
    link: Callable[..., Tensor] | None = None,
    local: bool = False,
    needs: tuple[str, ...] = (),
    **parameters: Parameter,
) -> Callable[[Callable[..., Tensor]], Loss]:
    """Make a loss of a function; the loss has the function's name.

    The function is ``f(logits, targets, *, ...)`` and reads its label by `labels.pick` alone, so
    that the same lines serve one label an example and every label at once; with ``local=True`` it
    is ``f(log_p, *, ...)`` of the log-probability of the true class. It returns one value per
    example. Its parameters are tensors that broadcast against these values; against the classes
    they take one more axis, ``beta[..., None]``.

    Args:
        source: Authors, year, title, where, equation.
        tasks: The kinds of label that it can train.
        special: Settings at which it is another loss.
        proper: Whether ``softmax(logits)`` is the true posterior at the minimum of the expected
            loss.
        link: ``f(logits, *, ...)``, the log posterior at that minimum where it is another map; its
            parameters broadcast against the classes.
        local: Whether the loss depends on the probability of the true class alone.
        needs: Fields of `LossContext` that it cannot do without; the function then takes `context`
            too.
        **parameters: Its parameters, `FloatParam`, `IntParam` or `ChoiceParam`.

    Raises:
        TypeError: If the declaration does not fit the function.

    Examples:
        >>> from autoloss.losses import FloatParam
        >>> @declare(source="this page", local=True, power=FloatParam(1.0, 3.0, default=2.0))
        ... def steep(log_p, *, power):
        ...     '''Cross-entropy to a power.'''
        ...     return (-log_p) ** power
        >>> steep.summary
        'Cross-entropy to a power.'
    """

    def decorate(function: Callable[..., Tensor]) -> Loss:
        _check(function, local=local, needs=needs, parameters=tuple(parameters))
        if proper and link is not None:
            raise TypeError(f"{function.__name__} must be proper or have a link, but got both.")
        loss = Loss(
            name=function.__name__,
            function=function,
            parameters=parameters,
            source=source,
            tasks=tasks,
            special=special,
            proper=proper,
            link=link,
            local=local,
            needs=needs,
        )
        # help(), inspect and doctest find the description of the function through these.
        for name in (*functools.WRAPPER_ASSIGNMENTS, "__wrapped__"):
            value = function if name == "__wrapped__" else getattr(function, name, None)
            object.__setattr__(loss, name, value)
        return loss

    return decorate


def _check(
    function: Callable[..., Tensor],
    *,
    local: bool,
    needs: tuple[str, ...],
    parameters: tuple[str, ...],
) -> None:
    """Check that a function has the arguments and the description that are declared."""
    name = function.__name__
    kinds = {key: value.kind for key, value in inspect.signature(function).parameters.items()}
    tensors = [key for key, kind in kinds.items() if kind is not inspect.Parameter.KEYWORD_ONLY]
    options = {key for key, kind in kinds.items() if kind is inspect.Parameter.KEYWORD_ONLY}
    wanted = ["log_p"] if local else ["logits", "targets"]
    if tensors != wanted:
        raise TypeError(f"{name} must take {wanted} (local={local}), but got {tensors}.")
    declared = {*parameters, *(("context",) if needs else ())}
    if options != declared:
        raise TypeError(
            f"{name} must take the keywords it declares, {sorted(declared)}, "
            f"but got {sorted(options)}."
        )
    if set(needs) - set(CONTEXT_FIELDS):
        raise TypeError(f"{name} must need fields of LossContext, but got needs={needs}.")
    if local and needs:
        raise TypeError(f"{name} must be local or need a context, but got needs={needs}.")
    if not function.__doc__:
        raise TypeError(f"{name} must have a docstring, but got none.")
