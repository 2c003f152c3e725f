"""Examples of a data set or a loader: reading them by number, under a seed, with their labels."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoloss.core.errors import InputError
from autoloss.data.messages import one_line
from autoloss.data.tensors.ahead import ReadAhead
from autoloss.data.tensors.groups import one_group_error, without_group
from autoloss.data.tensors.tree import Leaf, Tree, flat

LABEL_KEYS = ("labels", "label")
_MASK = "attention_mask"


class RawBatch(NamedTuple):
    """Some examples: the structure of the inputs, their tensors ``(B, ...)``, and B labels.

    The groups are B values; None where the examples name none.
    """

    tree: Tree
    tensors: dict[str, Tensor]
    labels: NDArray[Any]
    groups: NDArray[Any] | None = None


@dataclass(frozen=True, eq=False)
class ItemReader:
    """A data set whose examples are read by number.

    Args:
        dataset: It has a length and examples ``(inputs, label)``, or dicts with ``labels``.
        label: The name of the data in messages.
        collate: Joins examples to a batch, as ``DataLoader(collate_fn=...)`` does; None to stack
            their tensors.
        batch_size: The examples that are read at once.
        workers: Processes that read ahead.
        begin: Called in each of them with its number, as ``DataLoader(worker_init_fn=...)``.
        groups: The key of the group in the inputs' dict, which is not an input; empty for none.
        has_labels: Whether examples must have labels; if not, ``(inputs,)`` and dicts without
            ``labels`` will do.
    """

    dataset: Any
    label: str
    collate: Callable[[list[Any]], Any] | None = None
    batch_size: int = 256
    workers: int = 0
    has_labels: bool = True
    begin: Callable[[int], None] | None = None
    groups: str = ""

    def __len__(self) -> int:
        return len(self.dataset)

    def batch(self, numbers: Sequence[int]) -> RawBatch:
        """Return some examples by their numbers.

        Raises:
            InputError: An example cannot be read, or is not a pair of inputs and label.
        """
        items = self._items(numbers)
        if self.collate is None:
            return stacked(
                items,
                numbers,
                label=self.label,
                has_labels=self.has_labels,
                groups=self.groups,
            )
        try:
            together = self.collate(items)
        except Exception as error:
            raise InputError(
                f"{self.label} must have a collate_fn that joins its items, but it gave"
                f" {_told(error)}."
            ) from error
        found = collated(
            together, label=self.label, has_labels=self.has_labels, groups=self.groups
        )
        if len(found.labels) != len(numbers):
            raise InputError(
                f"{self.label} must have a collate_fn that keeps every item, but {len(numbers)}"
                f" items became {len(found.labels)}."
            )
        return found

    def batches(self) -> Iterator[RawBatch]:
        """Yield all examples in their order."""
        numbers = list(range(len(self)))
        parts = [
            numbers[at : at + self.batch_size] for at in range(0, len(numbers), self.batch_size)
        ]
        if not self.workers:
            yield from map(self.batch, parts)
            return
        from torch.utils.data import DataLoader

        dataset: Any = _Parts(self, parts)
        yield from DataLoader(
            dataset, batch_size=None, num_workers=self.workers, worker_init_fn=self.begin
        )

    def _items(self, numbers: Sequence[int]) -> list[Any]:
        at_once = getattr(self.dataset, "__getitems__", None)
        if at_once is not None and numbers:
            try:
                found = at_once(list(numbers))
                if isinstance(found, list) and len(found) == len(numbers):
                    return found
            except Exception:
                # Read one by one, an item that fails has a number.
                pass
        return [self._item(number) for number in numbers]

    def _item(self, number: int) -> Any:
        try:
            return self.dataset[number]
        except IndexError as error:
            raise InputError(
                f"{self.label} must have as many items as its length says, {len(self):,}, but"
                f" there is no item {number} (IndexError): correct __len__."
            ) from error
        except Exception as error:
            raise InputError(
                f"{self.label} must have items that can be read, but item {number} gave"
                f" {_told(error)}."
            ) from error


@dataclass(frozen=True, eq=False)
class _Parts:
    """A data set of whole batches, for the worker processes of a loader."""

    items: ItemReader
    parts: list[list[int]]

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, place: int) -> RawBatch:
        return self.items.batch(self.parts[place])


@dataclass(frozen=True, eq=False)
class ItemStore:
    """Examples that are read whenever they are taken; see `Store`.

    Random changes of a batch are drawn from a seed that its row numbers decide: they do not depend
    on other training, and another order of an epoch draws other changes.

    Args:
        items: The data set.
        leaves: The tensors of an example.
        is_random: Whether examples are changed at random.
        is_settled: Whether each example is changed by its own seed instead, always alike.
    """

    items: ItemReader
    leaves: tuple[Leaf, ...]
    is_random: bool = False
    is_settled: bool = False

    def __len__(self) -> int:
        return len(self.items)

    def read(self, rows: Tensor) -> Mapping[str, Tensor]:
        """Return rows by their numbers ``(n,)``."""
        return self._of(rows.tolist())

    def ahead(self, lines: Sequence[Sequence[int]]) -> ReadAhead | None:
        """Return worker processes that read some mini-batches ahead; None if there are none.

        They are the same as without.
        """
        if not self.items.workers or not lines:
            return None
        own = [tuple(line) for line in lines]
        return ReadAhead(self._of, own, workers=self.items.workers, begin=self.items.begin)

    def _of(self, numbers: Sequence[int]) -> Mapping[str, Tensor]:
        """Return rows by their numbers, read in this process."""
        if not numbers:
            return {
                leaf.name: torch.zeros(0, *leaf.shape, dtype=leaf.type) for leaf in self.leaves
            }
        if not self.is_settled:
            digest = hashlib.blake2b(np.array(numbers).tobytes(), digest_size=4).digest()
            return self._read(list(numbers), int.from_bytes(digest))
        each = [self._read([number], number) for number in numbers]
        return {leaf.name: torch.cat([one[leaf.name] for one in each]) for leaf in self.leaves}

    def _read(self, numbers: list[int], seed: int) -> dict[str, Tensor]:
        """Return examples that are changed from a seed."""
        with drawn_from(seed):
            found = self.items.batch(numbers)
        return {
            leaf.name: fitted(found.tensors, leaf, label=self.items.label) for leaf in self.leaves
        }

    @property
    def settled(self) -> ItemStore:
        """Return the examples as they are judged: changed alike whenever they are read."""
        return replace(self, is_settled=True) if self.is_random else self


def fitted(tensors: Mapping[str, Tensor], leaf: Leaf, *, label: str) -> Tensor:
    """Return a tensor of a batch in the shape of the study.

    A batch that its collate function padded to its own longest sequence gets zeros up to the
    longest of all, if an attention mask says which places count.

    Raises:
        InputError: It is absent, or has another shape.
    """
    found = tensors.get(leaf.name)
    if found is not None and found.shape[1:] == leaf.shape:
        return found.to(leaf.type)
    if found is not None and _MASK in tensors and found.ndim == 1 + len(leaf.shape) >= 2:
        short = leaf.shape[0] - found.shape[1]
        if short > 0 and found.shape[2:] == leaf.shape[1:]:
            pads = found.new_zeros(len(found), short, *leaf.shape[1:])
            return torch.cat([found, pads], 1).to(leaf.type)
    got = "nothing" if found is None else str(tuple(found.shape[1:]))
    raise InputError(
        f"{label} must have inputs of one shape, but {leaf.name!r} has {leaf.shape} in one batch"
        f" and {got} in another: pad them to one length, or add {_MASK!r} to their dict."
    )


def split(pair: Any, *, label: str, has_labels: bool = True) -> tuple[Any, Any]:
    """Return the inputs and the labels of an example or a batch.

    Args:
        pair: The example or batch.
        label: The name of the data in messages.
        has_labels: Whether it must have labels; if not, they are None where it has none.

    Raises:
        InputError: It is neither a pair nor a dict with labels.
    """
    if isinstance(pair, Mapping):
        key = next((key for key in LABEL_KEYS if key in pair), None)
        if key is not None:
            return {name: one for name, one in pair.items() if name not in LABEL_KEYS}, pair[key]
        if not has_labels:
            return pair, None
        found = f"a dict of {', '.join(map(repr, pair))}"
    elif isinstance(pair, tuple | list) and len(pair) >= 2:
        *inputs, labels = pair
        return (inputs[0] if len(inputs) == 1 else tuple(inputs)), labels
    elif not has_labels:
        return (pair[0] if isinstance(pair, tuple | list) and pair else pair), None
    else:
        found = type(pair).__name__
    raise InputError(
        f"{label} must have items (inputs, label), or dicts with a key 'labels', but got"
        f" {one_line(found)}."
    )


def is_single(pair: Any, *, label: str, has_labels: bool = True) -> bool:
    """Return whether a pair is an example rather than a batch: its label is a single value."""
    labels = split(pair, label=label, has_labels=has_labels)[1]
    return labels is not None and (isinstance(labels, str) or np.ndim(labels) == 0)


def collated(together: Any, *, label: str, has_labels: bool = True, groups: str = "") -> RawBatch:
    """Return a batch as a loader gives it; see `split` and `without_group`.

    Labels that it lacks are 0.

    Raises:
        InputError: It is not a pair, or its tensors have unlike numbers of examples.
    """
    inputs, labels = split(together, label=label, has_labels=has_labels)
    inputs, own = without_group(inputs, groups)
    tree, tensors = flat(inputs, label=label)
    if labels is None and not has_labels:
        one = next(iter(tensors.values()), torch.zeros(0))
        labels = torch.zeros(len(one) if one.ndim else 0, dtype=torch.int64)
    found = label_array(labels, label=label)
    for name, one in tensors.items():
        if not one.ndim or len(one) != len(found):
            size = f"{len(one)} examples" if one.ndim else "no axis of examples"
            raise InputError(
                f"{label} must have as many inputs as labels in a batch, but {name!r} has {size}"
                f" and there are {len(found)} labels."
            )
    named = None if own is None else label_array(own, label=label)
    if named is not None and named.shape != found.shape[:1]:
        raise one_group_error(groups, label)
    return RawBatch(tree, tensors, found, named)


def stacked(
    items: Sequence[Any],
    numbers: Sequence[int],
    *,
    label: str,
    has_labels: bool = True,
    groups: str = "",
) -> RawBatch:
    """Return single examples as a batch; see `split` and `without_group`.

    Labels that they lack are 0.

    Raises:
        InputError: Two examples have inputs of unlike structure or shape.
    """
    tree: Tree | None = None
    each: list[dict[str, Tensor]] = []
    labels, named = [], []
    for number, item in zip(numbers, items, strict=True):
        inputs, answer = split(item, label=label, has_labels=has_labels)
        inputs, group = without_group(inputs, groups)
        named.append(group)
        own, tensors = flat(inputs, label=label)
        labels.append(0 if answer is None and not has_labels else answer)
        each.append(tensors)
        tree = own if tree is None else tree
        shapes = {name: tuple(one.shape) for name, one in tensors.items()}
        first = {name: tuple(one.shape) for name, one in each[0].items()}
        if own != tree or shapes != first:
            raise InputError(
                f"{label} must have items of one structure and shape, but item {numbers[0]} has"
                f" {_shown(first)} and item {number} {_shown(shapes)}: make them alike, or give a"
                " DataLoader with a collate_fn that pads them."
            )
    assert tree is not None
    tensors = {name: torch.stack([one[name] for one in each]) for name in each[0]}
    is_named = any(group is not None for group in named)
    found = label_array(named, label=label) if is_named else None
    if found is not None and found.ndim != 1:
        raise one_group_error(groups, label)
    return RawBatch(tree, tensors, label_array(labels, label=label), found)


def label_array(labels: Any, *, label: str) -> NDArray[Any]:
    """Return the labels of a batch as an array: ``(B,)``, of several labels ``(B, L)``.

    Raises:
        InputError: They have unlike shapes.
    """
    if isinstance(labels, Tensor):
        array = labels.detach().cpu()
        return (array.float() if array.is_floating_point() else array).numpy()
    if isinstance(labels, tuple | list):
        values = [one.detach().cpu().numpy() if isinstance(one, Tensor) else one for one in labels]
        try:
            found = np.asarray(values)
        except ValueError as error:
            raise InputError(
                f"{label} must have labels of one shape, a class or a row of 0 and 1 for each"
                " example, but their shapes differ."
            ) from error
        return found.astype(object) if found.dtype.kind in "US" else found
    found = np.asarray(labels)
    if not found.ndim:
        raise InputError(
            f"{label} must have a label for each example, but got a single {type(labels).__name__}"
            " for a batch."
        )
    return found


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """Seed the random numbers of Python, numpy and torch, and restore their states afterwards."""
    plain, arrays = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % (1 << 32))
        try:
            yield
        finally:
            random.setstate(plain)
            np.random.set_state(arrays)


def _shown(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())


def _told(error: BaseException) -> str:
    text = one_line(error).rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
