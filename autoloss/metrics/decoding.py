"""The likeliest tags of sequences with allowed transitions."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from autoloss.metrics.entities import allowed_transitions
from autoloss.metrics.token_places import IntArray


@cache
def _transitions(names: tuple[str, ...]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    return allowed_transitions(names)


def allowed_tags(
    log_probs: NDArray[np.floating], follows: NDArray[np.bool_], names: tuple[str, ...]
) -> IntArray:
    """Return the tags with the largest sum of log probabilities whose transitions are allowed.

    Sequences whose likeliest tags are allowed keep them, as they are the best; others are decoded
    by Viterbi's algorithm. In BIOES an entity must also end within its sequence.

    Args:
        log_probs: Log probabilities of the tags of each token.
        follows: Whether a token stands right after the token before it, in the same sequence.
        names: The tags; see `allowed_transitions`.

    Shape:
        log_probs (U, C), follows and result (U,).

    Examples:
        >>> log_probs = np.log([[0.5, 0.0001, 0.4999], [0.1, 0.6, 0.3]])
        >>> allowed_tags(log_probs, np.array([False, True]), ("O", "I-x", "B-x")).tolist()
        [2, 1]
    """
    starts, allowed = _transitions(names)
    ends: NDArray[np.bool_] = np.asarray(allowed[:, starts].any(1))
    decided: IntArray = np.asarray(log_probs.argmax(-1), dtype=np.int64)
    if not len(decided):
        return decided
    first = np.flatnonzero(~follows)
    last = np.append(first[1:], len(decided)) - 1
    wrong = np.zeros(len(decided), dtype=bool)
    wrong[1:] = follows[1:] & ~allowed[decided[:-1], decided[1:]]
    wrong[first] = ~starts[decided[first]]
    wrong[last] |= ~ends[decided[last]]
    run = np.cumsum(~follows) - 1
    for number in np.unique(run[wrong]).tolist():
        own = slice(first[number], last[number] + 1)
        decided[own] = _viterbi(log_probs[own], starts, allowed, ends)
    return decided


def _viterbi(
    log_probs: NDArray[np.floating],
    starts: NDArray[np.bool_],
    allowed: NDArray[np.bool_],
    ends: NDArray[np.bool_],
) -> IntArray:
    """Return the best allowed tags of one sequence, (T, C) -> (T,)."""
    step = np.where(allowed, 0.0, -np.inf)
    # A probability of 0 is worse than any other, but not as bad as a transition that is forbidden.
    scores = np.maximum(log_probs.astype(np.float64), -1e6)
    best = scores[0] + np.where(starts, 0.0, -np.inf)
    back = np.zeros(log_probs.shape, dtype=np.int64)
    for place in range(1, len(scores)):
        through = best[:, None] + step
        back[place] = through.argmax(0)
        best = through.max(0) + scores[place]
    tags = np.empty(len(scores), dtype=np.int64)
    tags[-1] = int((best + np.where(ends, 0.0, -np.inf)).argmax())
    for place in range(len(scores) - 1, 0, -1):
        tags[place - 1] = back[place, tags[place]]
    return tags
