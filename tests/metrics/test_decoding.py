"""Decoded tags are the best of all that are allowed, tried one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from autoloss.metrics.decoding import allowed_tags
from autoloss.metrics.entities import allowed_transitions
from tests.metrics.test_segments import NAMES


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
@pytest.mark.parametrize("seed", range(4))
def test_decoded_tags_are_the_best_of_all_allowed(scheme: str, seed: int) -> None:
    names = NAMES[scheme]
    starts, allowed = allowed_transitions(names)
    rng = np.random.default_rng(seed)
    lengths = [3, 1, 4, 2]
    log_probs = np.log(rng.dirichlet(np.full(len(names), 0.3), sum(lengths)))
    follows = np.concatenate([np.arange(n) > 0 for n in lengths])
    found = allowed_tags(log_probs, follows, names)
    first = 0
    for n in lengths:
        own = log_probs[first : first + n]

        def is_allowed(tags: tuple[int, ...]) -> bool:
            steps = all(allowed[a, b] for a, b in itertools.pairwise(tags))
            # An entity of BIOES that begins must end.
            is_whole = scheme == "BIO" or names[tags[-1]][0] in "OES"
            return bool(starts[tags[0]] and steps and is_whole)

        paths = filter(is_allowed, itertools.product(range(len(names)), repeat=n))
        best = max(paths, key=lambda tags: sum(own[i, tag] for i, tag in enumerate(tags)))
        assert found[first : first + n].tolist() == list(best)
        first += n


def test_tags_that_mark_no_entities_are_the_likeliest() -> None:
    log_probs = np.log(np.random.default_rng(0).dirichlet(np.ones(3), 20))
    follows = np.arange(20) % 7 > 0
    found = allowed_tags(log_probs, follows, ("C", "E", "H"))
    assert found.tolist() == log_probs.argmax(-1).tolist()
