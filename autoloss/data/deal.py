"""Folds and holdouts whose training rows keep every class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autoloss.core.errors import InputError
from autoloss.data.iterative import deal_labels
from autoloss.data.split import Codes, Rows, check_groups, cut

_ALWAYS_TRAINS = -1
_NOT_DEALT = -2


def deal(codes: Codes, *, n_folds: int, seed: int, groups: Codes | None = None) -> Rows:
    """Assign rows to folds for stratified cross-validation.

    Each class is spread evenly over the folds, to within a row without groups. Every training run
    part keeps a row of every class: the only row or group of a class always trains. The same
    holds for the yes and the no of each of several labels, which are spread as evenly as can be.

    Args:
        codes: Class of each row, or its answers for several labels.
        n_folds: Folds, 2 or more; fewer if there are fewer rows or groups.
        seed: Seed of the deal.
        groups: Group of each row; no fold cuts a group.

    Returns:
        Fold of each row from 0, or -1 for a row that always trains.

    Raises:
        InputError: There is only one group, or each row or group is the only source of a class.

    Shape:
        codes, groups, result (N,); answers (N, L).
    """
    random = np.random.default_rng([seed, n_folds])
    if groups is not None:
        names, groups = np.unique(groups, return_inverse=True)
        check_groups(len(names))
    if codes.ndim == 2:
        folds = deal_labels(codes, [1.0 / n_folds] * n_folds, random=random, groups=groups)
    elif groups is None:
        folds = _deal_rows(codes, n_folds, random)
    else:
        folds = _deal_groups(codes, groups, n_folds, random)[groups]
    used = np.unique(folds[folds >= 0])
    if len(used) == 0:
        raise _nothing_to_hold_out()
    return np.where(folds < 0, _ALWAYS_TRAINS, np.searchsorted(used, folds))


def _deal_rows(codes: Codes, n_folds: int, random: np.random.Generator) -> Rows:
    """Assign rows in turn, class by class; the only row of a class always trains."""
    _, codes, counts = np.unique(codes, return_inverse=True, return_counts=True)
    order = np.lexsort((random.random(len(codes)), codes))
    order = order[counts[codes[order]] > 1]
    folds = np.full(len(codes), _ALWAYS_TRAINS)
    folds[order] = np.arange(len(order)) % n_folds
    return folds


def _deal_groups(
    codes: Codes, groups: Codes, n_folds: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """Return the fold of each group: the fold with the fewest rows of the group's classes."""
    _, codes = np.unique(codes, return_inverse=True)
    table = np.zeros((groups.max() + 1, codes.max() + 2))
    np.add.at(table, (groups, codes), 1.0)
    sizes = table[:, -1] = table.sum(axis=1)
    is_there = table[:, :-1] > 0.0
    left = is_there.sum(axis=0)
    # The fold of all groups of a class so far, while they share a fold.
    home = np.full(len(left), _NOT_DEALT)
    table /= table.sum(axis=0)
    load = np.zeros((n_folds, table.shape[1]))
    folds = np.full(len(table), _ALWAYS_TRAINS)
    # Large groups come first, so that small groups even out the rest; the seed varies the order.
    for group in np.argsort(-sizes * random.uniform(0.5, 1.0, len(sizes))):
        own = np.flatnonzero(is_there[group])
        last = own[left[own] == 1]
        left[own] -= 1
        allowed = np.setdiff1d(np.arange(n_folds), home[last])
        if (home[last] == _NOT_DEALT).any() or len(allowed) == 0:
            home[own] = _ALWAYS_TRAINS
            continue
        # The least sum of squares of the shares of all classes and of all rows.
        fold = folds[group] = allowed[np.argmin(load[allowed] @ table[group])]
        load[fold] += table[group]
        home[own] = np.where(np.isin(home[own], (_NOT_DEALT, fold)), fold, _ALWAYS_TRAINS)
    return folds


def hold_out(
    rows: Rows,
    codes: Codes,
    *,
    size: int,
    seed: int,
    groups: Codes | None = None,
    largest_first: bool = True,
) -> Rows:
    """Choose rows to hold out, stratified or by groups; every class keeps a training row.

    Args:
        rows: Row numbers to choose among.
        codes: Class of every row of the table, or its answers for several labels.
        size: The approximate number of rows to hold out.
        seed: Seed of the draw.
        groups: Group of every row of the table.
        largest_first: As in `cut`.

    Returns:
        The rows held out, ascending.

    Raises:
        InputError: There is only one group, or each row or group is the only source of a class.

    Shape:
        rows (N,); codes, groups (rows of the table,); answers (rows of the table, L).
    """
    if groups is None or codes.ndim == 2:
        chosen = cut(rows, codes, size=size, seed=seed, spare=1, groups=groups)
        if len(chosen) == 0:
            raise _nothing_to_hold_out()
        return chosen
    check_groups(len(np.unique(groups[rows])))
    free = rows[~_alone_with_a_class(codes[rows], groups[rows])]
    names, sizes = np.unique(groups[free], return_counts=True)
    if len(names) == 0:
        raise _nothing_to_hold_out()
    chosen = free
    if len(names) > 1:
        chosen = cut(
            free,
            codes,
            size=size,
            seed=seed,
            spare=1,
            groups=groups,
            largest_first=largest_first,
        )
    kept = np.setdiff1d(rows, chosen, assume_unique=True)
    for code in np.setdiff1d(codes[rows], codes[kept]):
        chosen = _with_class_kept(rows, chosen, codes == code, groups)
    if len(chosen) == 0:
        chosen = free[groups[free] == names[np.argmin(sizes)]]
    return chosen


def _with_class_kept(rows: Rows, chosen: Rows, is_class: NDArray[np.bool_], groups: Codes) -> Rows:
    """Return the chosen rows without the smallest group of any class that they contain in full."""
    own = chosen[is_class[chosen]]
    if len(own) < int(is_class[rows].sum()):
        return chosen
    names, sizes = np.unique(groups[chosen], return_counts=True)
    has_class = np.isin(names, groups[own])
    smallest = names[has_class][np.argmin(sizes[has_class])]
    return np.asarray(chosen[groups[chosen] != smallest], dtype=np.int64)


def _alone_with_a_class(codes: Codes, groups: Codes) -> NDArray[np.bool_]:
    """Return the mask of the rows whose group is the only group of some class."""
    of_class, of_group = _pairs(codes, groups)
    is_only = np.bincount(of_class)[of_class] == 1
    _, groups = np.unique(groups, return_inverse=True)
    return np.asarray(np.isin(groups, of_group[is_only]), dtype=bool)


def _pairs(codes: Codes, groups: Codes | None) -> tuple[Codes, Codes]:
    """Return the distinct pairs of class and group; without groups each row is a group."""
    _, codes = np.unique(codes, return_inverse=True)
    if groups is None:
        return codes, np.arange(len(codes))
    _, groups = np.unique(groups, return_inverse=True)
    n_classes = int(codes.max()) + 1
    found = np.unique(groups * n_classes + codes)
    return found % n_classes, found // n_classes


def _nothing_to_hold_out() -> InputError:
    return InputError(
        "A class must have a second row, or group, so that one can be held out, but each class has"
        " only one; add rows, or divide the data in another way."
    )
