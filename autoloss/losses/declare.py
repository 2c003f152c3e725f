"""The declaration of a loss: function, parameters, read-out, source and special cases."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable

from torch import Tensor

from autoloss.core.task import ALL_TASKS, TaskKind
from autoloss.losses.context import CONTEXT_FIELDS
from autoloss.losses.loss import Family, Head, Loss, Special
from autoloss.losses.parameters import Parameter


def declare(
    *,
    source: str,
    family: Family = "own",
    use: str = "",
    tasks: tuple[TaskKind, ...] = ALL_TASKS,
    special: tuple[Special, ...] = (),
    proper: bool = False,
    link: Callable[..., Tensor] | None = None,
    local: bool = False,
    symmetric: bool = True,
    masked: bool | None = None,
    head: Head = "linear",
    view: Callable[..., Tensor] | None = None,
    needs: tuple[str, ...] = (),
    memory: Callable[..., Tensor] | None = None,
    aliases: tuple[str, ...] = (),
    same_as: str | None = None,
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
        family: What it is for, one word of the field.
        use: When to use it, one sentence.
        tasks: The kinds of label that it can train. Labels of several yes and no are read as the
            pair ``(0, z)`` each, with two classes.
        special: Settings at which it is another loss.
        proper: Whether ``softmax(logits)`` is the true posterior at the minimum of the expected
            loss.
        link: ``f(logits, *, ...)``, the log posterior at that minimum where it is another map; its
            parameters broadcast against the classes. `by_gradient` derives it from the loss.
        local: Whether the loss depends on the probability of the true class alone.
        symmetric: Whether it treats all classes alike, so that permuting them permutes its
            gradient.
        masked: Whether a class whose logit is minus infinity is as one that is not there, when it
            is not the label; where it is not, such logits are refused. By default that of `local`.
        head: The last layer that it is made for: ``"linear"``, ``"unbiased"`` (no bias) or
            ``"cosine"`` (no bias, features and weights of norm 1: logits are cosines).
        view: ``f(logits, *, context, ...)``, what the loss puts into its softmax, where that is
            not the logits: what a prior scales and shifts (`tilted`), and penalties and a teacher
            see. Function and link then take `context` too, and do the same with it.
        needs: Fields of `LossContext` that it cannot do without; function, link and view then take
            `context` too.
        memory: ``f(memory, logits, *, ...)``, what is remembered of an example after a step, in
            the shape of the logits; `memory` is what it was, 0 at first. The loss then finds the
            new one in ``context.memory``.
        aliases: Other names of it.
        same_as: A loss that is this one up to a factor, and is searched in its place.
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
        takes_context = bool(needs) or view is not None
        _check(
            function,
            local=local,
            needs=needs,
            takes_context=takes_context,
            parameters=tuple(parameters),
        )
        if proper and link is not None:
            raise TypeError(f"{function.__name__} must be proper or have a link, but got both.")
        loss = Loss(
            name=function.__name__,
            function=function,
            parameters=parameters,
            source=source,
            family=family,
            use=use,
            tasks=tasks,
            special=special,
            proper=proper,
            link=link,
            local=local,
            symmetric=symmetric,
            masked=local if masked is None else masked,
            head=head,
            view=view,
            needs=needs,
            memory=memory,
            aliases=aliases,
            same_as=same_as,
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
    takes_context: bool,
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
    declared = {*parameters, *(("context",) if takes_context else ())}
    if options != declared:
        raise TypeError(
            f"{name} must take the keywords it declares, {sorted(declared)}, "
            f"but got {sorted(options)}."
        )
    if set(needs) - set(CONTEXT_FIELDS):
        raise TypeError(f"{name} must need fields of LossContext, but got needs={needs}.")
    if local and takes_context:
        raise TypeError(f"{name} must be local or take a context, but got needs={needs}.")
    if not function.__doc__:
        raise TypeError(f"{name} must have a docstring, but got none.")
