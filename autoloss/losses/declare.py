"""The decorators that declare a loss and a penalty: parameters, read-out, source and words."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TypeVar

from torch import Tensor

from autoloss.core.task import ALL_TASKS, TaskKind
from autoloss.losses.component import Penalty, Readable
from autoloss.losses.context import CONTEXT_FIELDS
from autoloss.losses.loss import Family, Head, Loss, Special
from autoloss.losses.parameters import Parameter

_Declared = TypeVar("_Declared", Loss, Penalty)


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
    """Return a decorator that makes a loss of a function, with the function's name.

    The function is ``f(logits, targets, *, ...)`` and reads its label by `labels.pick` alone, so
    that the same lines serve one label an example and every label at once. With ``local=True`` it
    is ``f(log_p, *, ...)`` of the log-probability of the true class. It returns a value per
    example. Its parameters are tensors that broadcast against these values; against the classes
    they need another axis, ``beta[..., None]``.

    Args:
        source: Authors, year, title, place, equation.
        family: The purpose of the loss, one word of the field.
        use: When to use it, one sentence.
        tasks: The kinds of label that it can train. Each of several yes-or-no labels is read as
            two classes with the logits ``(0, z)``.
        special: Settings at which it equals another loss.
        proper: Whether ``softmax(logits)`` is the true posterior at the minimum of the expected
            loss.
        link: ``f(logits, *, ...)``, which returns the log posterior at that minimum if it is not
            the log-softmax; its parameters broadcast against the classes. `by_gradient` derives it
            from the loss.
        local: Whether the loss depends on the probability of the true class alone.
        symmetric: Whether it treats all classes alike: permuting them permutes its gradient.
        masked: Whether a logit of minus infinity removes its class, if that is not the label;
            otherwise such logits are refused. The default is the value of `local`.
        head: The last layer that the loss is made for: ``"linear"``, ``"unbiased"`` (no bias) or
            ``"cosine"`` (no bias, features and weights of norm 1: logits are cosines).
        view: ``f(logits, *, context, ...)``, which returns the inputs of the softmax if they are
            not the logits. A prior scales and shifts them (`tilted`); penalties and a teacher see
            them. Function and link then take `context` too, and use the view.
        needs: Fields of `LossContext` that the loss requires; function, link and view then take
            `context` too.
        memory: ``f(memory, logits, *, ...)``, which updates the memory of an example after a step;
            memory and result have the shape of the logits, and the first memory is 0. The loss
            finds the new memory in ``context.memory``.
        aliases: Other names of the loss.
        same_as: A loss that equals this loss up to a factor, and is searched in its place.
        **parameters: Its parameters: `FloatParam`, `IntParam` or `ChoiceParam`.

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
        _check(loss)
        return _documented(loss)

    return decorate


def _check(loss: Loss) -> None:
    """Check that the function has the arguments and the description that are declared."""
    name, needs = loss.name, loss.needs
    kinds = {key: one.kind for key, one in inspect.signature(loss.function).parameters.items()}
    tensors = [key for key, kind in kinds.items() if kind is not inspect.Parameter.KEYWORD_ONLY]
    options = {key for key, kind in kinds.items() if kind is inspect.Parameter.KEYWORD_ONLY}
    takes_context = bool(needs) or loss.view is not None
    wanted = ["log_p"] if loss.local else ["logits", "targets"]
    if tensors != wanted:
        raise TypeError(f"{name} must take {wanted} (local={loss.local}), but got {tensors}.")
    declared = {*loss.parameters, *(("context",) if takes_context else ())}
    if options != declared:
        raise TypeError(
            f"{name} must take the keywords it declares, {sorted(declared)}, "
            f"but got {sorted(options)}."
        )
    if set(needs) - set(CONTEXT_FIELDS):
        raise TypeError(f"{name} must need fields of LossContext, but got needs={needs}.")
    if loss.local and takes_context:
        raise TypeError(f"{name} must be local or take a context, but got needs={needs}.")
    if not loss.doc:
        raise TypeError(f"{name} must have a docstring, but got none.")
    if loss.proper and loss.link is not None:
        raise TypeError(f"{name} must be proper or have a link, but got both.")


def _documented(declared: _Declared) -> _Declared:
    """Return a loss or penalty that help(), inspect and doctest read like its function."""
    for name in functools.WRAPPER_ASSIGNMENTS:
        object.__setattr__(declared, name, getattr(declared.function, name, None))
    object.__setattr__(declared, "__wrapped__", declared.function)
    return declared


def declare_penalty(
    *,
    source: str,
    use: str,
    tasks: tuple[TaskKind, ...] = ALL_TASKS,
    readable: Readable = "lost",
    masked: bool = True,
    **parameters: Parameter,
) -> Callable[[Callable[..., Tensor]], Penalty]:
    """Return a decorator that makes a penalty of a function, with the function's name.

    The function is ``f(scored, *, ...)`` of a `Scored` batch. It returns a value per item, ``(k,
    *items)``. A statistic of the batch is a value per candidate, with item axes of length 1; of
    several yes-or-no labels, a value per label, ``(k, 1, L)``. Items without a label do not count.
    The function does not take the parameter `weight`, which multiplies its value.

    Args:
        source: Authors, year, title, place.
        use: When to use it, one sentence.
        tasks: The kinds of label that it has a form for.
        readable: ``"kept"`` if the minimum of the expected loss stays that of the base, because
            the penalty is least at the posterior itself; ``"slope"`` if the posterior can be read
            with the penalty's slope, which must not depend on the label; ``"lost"`` otherwise.
        masked: Whether a logit of minus infinity removes its class from the penalty; otherwise
            such logits are refused.
        **parameters: Its parameters, with axes for the items: ``(k, 1)`` or ``(k, 1, 1)``.
    """

    def decorate(function: Callable[..., Tensor]) -> Penalty:
        options = set(inspect.signature(function).parameters) - {"scored"}
        if "weight" not in parameters or options != set(parameters) - {"weight"}:
            raise TypeError(
                f"{function.__name__} must take the keywords it declares except weight, "
                f"{sorted(set(parameters) - {'weight'})}, but got {sorted(options)}."
            )
        penalty = Penalty(
            name=function.__name__,
            summary=(function.__doc__ or "").partition("\n")[0],
            source=source,
            parameters=parameters,
            use=use,
            tasks=tasks,
            function=function,
            readable=readable,
            masked=masked,
        )
        return _documented(penalty)

    return decorate
