"""Data that a program holds: data sets, loaders, batches and pairs of tensors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.core.own_code import imported, module_of, named_in
from autoloss.data.messages import one_line
from autoloss.data.tensors.items import ItemReader, RawBatch, collated, is_single

Given = Any
"""A `torch.utils.data.Dataset`, a `DataLoader`, a sized iterable of batches ``(inputs, labels)``,
or a tuple ``(inputs, labels)`` of tensors or arrays."""
_PLACE = re.compile(r"(?P<module>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*|.*\.py):(?P<name>[A-Za-z_]\w*)")


def is_given(source: object) -> TypeGuard[Given]:
    """Return whether data are held by a program, and are neither a table nor a path."""
    if isinstance(source, str | bytes | Path | Mapping | np.ndarray | Tensor):
        return False
    # Series and frames of any library have a name for their types; a lazy frame would compute it,
    # so the class is asked.
    if any(hasattr(type(source), name) for name in ("dtypes", "dtype", "__dataframe__")):
        return False
    return hasattr(source, "__len__") and (
        hasattr(source, "__getitem__") or hasattr(source, "__iter__")
    )


def is_place(source: object) -> TypeGuard[str | Path]:
    """Return whether data are named as ``MODULE:NAME`` or ``FILE.py:NAME``."""
    if not isinstance(source, str | Path) or str(source).startswith("sklearn:"):
        return False
    # C:data is a path on Windows.
    place = str(source)
    module = place.rpartition(":")[0]
    return len(module) > 1 and _PLACE.fullmatch(place) is not None and not Path(place).exists()


def opened(source: Given | str | Path, *, name: str = "DATA") -> tuple[Given, str]:
    """Return data that a program holds, and their name in messages.

    Args:
        source: The data, or the place of a function that returns them, or of the data themselves.
        name: Name of the argument.

    Raises:
        InputError: The place cannot be imported, or holds something else.
    """
    if not is_place(source):
        return source, name
    place = str(source)
    path, _, attribute = place.rpartition(":")
    if path.endswith(".py"):
        module, _ = module_of(path, argument=name)
    else:
        module = imported(path, argument=name)
    found = named_in(module, attribute, place=path, argument=name)
    if callable(found) and not is_given(found):
        try:
            found = found()
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                f"{name} must name a function that returns the data, but {attribute} of {path}"
                f" gave {type(error).__name__}: {one_line(error)}."
            ) from error
    if not is_given(found):
        raise InputError(
            f"{name} must name a Dataset, a DataLoader, batches with a length or (inputs, labels),"
            f" or a function that returns one, but {place!r} gave {type(found).__name__}."
        )
    return found, place


def as_items(
    given: Given, *, label: str, has_labels: bool = True, groups: str = ""
) -> tuple[ItemReader | None, list[float] | list[int] | None]:
    """Return data as numbered examples, with the information of their sampler.

    Args:
        given: The data.
        label: Their name in messages.
        has_labels: Whether examples must have labels.
        groups: The key of the group of an example; empty for none.

    Returns:
        The examples, None for data that come as batches only; and the weight of each example
        (floats), or the numbers of the examples that a sampler draws (integers), or None.

    Raises:
        InputError: Batches of a loader cannot be made again.
    """
    from torch.utils.data import DataLoader, IterableDataset
    from torch.utils.data import default_collate as default

    if isinstance(given, tuple | IterableDataset):
        return None, None
    if not isinstance(given, DataLoader):
        # An iterable without items holds batches, and a list holds either.
        is_set = hasattr(given, "__getitem__")
        if isinstance(given, list):
            is_set = bool(given) and is_single(given[0], label=label, has_labels=has_labels)
        items = ItemReader(given, label, has_labels=has_labels, groups=groups)
        return (items if is_set else None), None
    if isinstance(given.dataset, IterableDataset) or given.batch_sampler is None:
        return None, None
    if not isinstance(given.dataset, Sized):
        raise InputError(
            f"{label} must have a dataset with a length, but {type(given.dataset).__name__} has"
            " none: define __len__."
        )
    collate: Callable[[list[Any]], Any] | None = given.collate_fn
    items = ItemReader(
        given.dataset,
        label,
        None if collate is default else collate,
        given.batch_size or 256,
        given.num_workers,
        has_labels,
        given.worker_init_fn,
        groups,
    )
    return items, _sampled(given, label)


def _sampled(loader: Any, label: str) -> list[float] | list[int] | None:
    """Return the weights or the numbers of the examples that a loader draws; None for all."""
    from torch.utils.data import (
        BatchSampler,
        RandomSampler,
        SequentialSampler,
        WeightedRandomSampler,
    )

    if type(loader.batch_sampler) is not BatchSampler:
        raise InputError(
            f"{label} must make its batches by shuffling or a sampler, but has the batch sampler"
            f" {type(loader.batch_sampler).__name__}: give its dataset, or an iterable of batches."
        )
    sampler = loader.sampler
    if isinstance(sampler, WeightedRandomSampler):
        weights: list[float] = [float(one) for one in sampler.weights]
        mean = sum(weights) / len(weights)
        return [one / mean for one in weights]
    if type(sampler) in (RandomSampler, SequentialSampler):
        return None
    numbers: list[int] = sorted(int(one) for one in sampler)
    if len(set(numbers)) < len(numbers):
        raise InputError(
            f"{label} must have a sampler that draws every example once, or a"
            f" WeightedRandomSampler, but {type(sampler).__name__} repeats some: give its dataset."
        )
    return None if numbers == list(range(len(loader.dataset))) else numbers


def read_batches(
    given: Given, *, label: str, has_labels: bool = True, groups: str = ""
) -> Iterator[RawBatch]:
    """Yield the batches of data that have no examples with numbers, in one pass.

    Args:
        given: The data.
        label: Their name in messages.
        has_labels: Whether batches must have labels; if not, ``(inputs,)`` will do.
        groups: The key of the groups of a batch; empty for none.

    Raises:
        InputError: They have no length, or not the stated length.
    """
    if isinstance(given, tuple):
        if len(given) != 2 and (has_labels or len(given) != 1):
            raise InputError(
                f"{label} must be a pair (inputs, labels), but got {len(given)} values: put the"
                " inputs in a tuple or a dict."
            )
        yield collated(given, label=label, has_labels=has_labels, groups=groups)
        return
    batches: Iterable[Any] = given
    try:
        said = len(given)
    except TypeError as error:
        raise InputError(
            f"{label} must have a length, but {type(given).__name__} has none: define __len__, the"
            " number of its batches."
        ) from error
    count = 0
    for batch in batches:
        count += 1
        if count > said:
            break
        yield collated(batch, label=label, has_labels=has_labels, groups=groups)
    if count != said:
        more = "more" if count > said else f"{count:,}"
        raise InputError(
            f"{label} must have as many batches as its length says, {said:,}, but has {more}:"
            " correct __len__."
        )
