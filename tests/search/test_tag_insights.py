"""The figures of tags are those of a count token by token."""

from __future__ import annotations

import numpy as np
import torch

from autoloss.losses import ClassFacts
from autoloss.metrics.token_places import TokenPlaces
from autoloss.readout import Items
from autoloss.search.tag_insights import LONGEST, MOST_TOKENS, tag_insights

NAMES = ("B-x", "I-x", "O")


def made(names: tuple[str, ...], lengths: list[int], seed: int = 0):
    """Return the tags of sequences, two models, and the items; the second token has no tag."""
    rng = np.random.default_rng(seed)
    true = [rng.integers(0, len(names), n) for n in lengths]
    true[0][1] = -100
    facts = ClassFacts(torch.ones(len(names)), task="sequence", names=names)
    items = Items.of_sequences([torch.tensor(one) for one in true])
    places = TokenPlaces.of(items, facts)
    assert places is not None
    both = tuple(torch.tensor(rng.random((len(items), len(names)))).log() for _ in range(2))
    return true, both, items, places


def test_each_tag_has_its_tokens_and_the_share_that_is_missed() -> None:
    _, both, items, places = made(NAMES, [4, 9, 2, 6])
    found = tag_insights(both, items.labels, places)
    decided = [one.argmax(-1) for one in both]
    for code, one in enumerate(found.tags):
        own = items.labels == code
        assert (one.name, one.tokens) == (NAMES[code], int(own.sum()))
        assert one.decided == int((decided[0] == code).sum())
        assert one.error == float((decided[0][own] != code).double().mean())
        assert one.baseline_error == float((decided[1][own] != code).double().mean())


def test_segments_are_entities_or_runs_and_their_lengths_are_counted() -> None:
    true, both, items, places = made(NAMES, [4, 9, 40])
    found = tag_insights(both, items.labels, places)
    assert found.are_entities
    lengths = []
    for tags in true:
        place = 0
        while place < len(tags):
            end = place + 1
            if tags[place] == 0:
                while end < len(tags) and tags[end] == 1:
                    end += 1
                lengths.append(end - place)
            place = end
    truth = found.lengths[0]
    assert (truth.name, truth.segments) == ("truth", len(lengths))
    assert truth.mean == np.mean(lengths)
    assert sum(truth.counts) == len(lengths)
    assert [truth.counts[n - 1] for n in (1, 2, 3)] == [lengths.count(n) for n in (1, 2, 3)]
    one_run = made(("C", "H"), [60, 3])
    labels = torch.zeros_like(one_run[2].labels)
    runs = tag_insights(one_run[1], labels, one_run[3])
    assert not runs.are_entities
    # The token without a tag ends a run: 1, 58 and 3 tokens.
    assert runs.lengths[0].segments == 3
    assert runs.lengths[0].counts[LONGEST - 1] == 1


def test_sequences_that_differ_most_are_shown_with_gaps_where_tags_are_missing() -> None:
    true, both, items, places = made(NAMES, [5, 300, 8, 6, 7, 9, 4])
    found = tag_insights(both, items.labels, places)
    assert len(found.sequences) == 5
    for one in found.sequences:
        tags = true[one.number][:MOST_TOKENS]
        assert list(one.truth) == [-1 if tag < 0 else tag for tag in tags]
        assert len(one.challenger) == len(one.baseline) == len(tags)
    assert all(one.number != 1 for one in found.sequences)
