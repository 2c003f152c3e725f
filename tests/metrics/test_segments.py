"""Entities equal seqeval's in strict mode, and the segment overlap its definition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from autoloss.core.errors import InputError
from autoloss.losses import ClassFacts
from autoloss.metrics import Judged, resolve_metric
from autoloss.metrics.entities import allowed_transitions, entity_ends, entity_tags
from autoloss.metrics.token_places import TokenPlaces
from autoloss.readout import Items
from autoloss.verdict.comparisons import compare_metric
from autoloss.verdict.metric_rows import MetricOnRows, metric_on_rows

NAMES = {
    "BIO": ("B-a", "B-b", "I-a", "I-b", "O"),
    "BIOES": ("B-a", "B-b", "E-a", "E-b", "I-a", "I-b", "O", "S-a", "S-b"),
    "IO": ("I-a", "I-b", "O"),
}


def entities_by_hand(tags: list[str], scheme: str) -> set[tuple[str, int, int]]:
    """Return the entities (type, first, last) of one sequence, token by token."""
    found: set[tuple[str, int, int]] = set()
    place = 0
    while place < len(tags):
        prefix, _, kind = tags[place].partition("-")
        last = place
        if scheme == "IO" and prefix == "I":
            while last + 1 < len(tags) and tags[last + 1] == tags[place]:
                last += 1
            found.add((kind, place, last))
        elif prefix == "S":
            found.add((kind, place, place))
        elif prefix == "B":
            while last + 1 < len(tags) and tags[last + 1] in (f"I-{kind}", f"E-{kind}"):
                last += 1
                if tags[last].startswith("E"):
                    break
            if scheme == "BIO" or tags[last].startswith("E"):
                found.add((kind, place, last))
        place = last + 1
    return found


def drawn(names: tuple[str, ...], seed: int, n: int = 30) -> list[list[str]]:
    """Return tags of sequences of unequal length, half of the tags repeated or O."""
    rng = np.random.default_rng(seed)
    return [list(rng.choice(names, size=int(rng.integers(1, 12)))) for _ in range(n)]


def judged(true: list[list[str]], decided: list[list[str]], names: tuple[str, ...]) -> Judged:
    """Return predictions that are the decided tags."""
    facts = ClassFacts(torch.ones(len(names)), task="sequence", names=names)
    items = Items.of_sequences([torch.tensor([names.index(t) for t in tags]) for tags in true])
    flat = [names.index(tag) for tags in decided for tag in tags]
    return Judged.of_probs(
        np.eye(len(names))[flat],
        items.labels.numpy(),
        facts=facts,
        tokens=TokenPlaces.of(items, facts),
    )


def value(name: str, *args) -> float:
    return float(resolve_metric(name).of_rows(judged(*args))[0])


@pytest.mark.parametrize("scheme", NAMES)
@pytest.mark.parametrize("seed", range(8))
def test_entities_are_those_found_token_by_token(scheme: str, seed: int) -> None:
    names = NAMES[scheme]
    known = entity_tags(names)
    assert known is not None
    assert known.scheme == scheme
    for tags in drawn(names, seed):
        codes = np.array([names.index(tag) for tag in tags])
        follows = np.arange(len(tags)) > 0
        ends = entity_ends(codes, follows, known)
        found = {
            (known.names[known.types[codes[at]]], int(at), int(ends[at]))
            for at in np.flatnonzero(ends >= 0)
        }
        assert found == entities_by_hand(tags, scheme)


@pytest.mark.parametrize("scheme", ["BIO", "BIOES"])
@pytest.mark.parametrize("seed", range(8))
def test_entity_f1_is_that_of_seqeval_in_strict_mode(scheme: str, seed: int) -> None:
    seqeval = pytest.importorskip("seqeval.metrics")
    schemes = pytest.importorskip("seqeval.scheme")
    names = NAMES[scheme]
    true = drawn(names, seed)
    rng = np.random.default_rng(seed + 100)
    decided = [
        [tag if rng.random() < 0.7 else str(rng.choice(names)) for tag in tags] for tags in true
    ]
    strict = {"BIO": schemes.IOB2, "BIOES": schemes.IOBES}[scheme]
    expected = seqeval.f1_score(true, decided, mode="strict", scheme=strict, zero_division=0)
    assert value("entity_f1", true, decided, names) == pytest.approx(expected, abs=1e-12)


def test_no_entity_is_an_f1_of_0() -> None:
    assert value("entity_f1", [["O", "O"]], [["O", "O"]], NAMES["BIO"]) == 0.0


def overlap_by_hand(true: list[list[str]], decided: list[list[str]]) -> float:
    """Return the segment overlap from all pairs of segments, over all sequences."""
    above = below = 0.0

    def segments(tags: list[str]) -> list[tuple[str, int, int]]:
        cuts = [i for i in range(len(tags)) if i == 0 or tags[i] != tags[i - 1]]
        return [(tags[a], a, b) for a, b in zip(cuts, [*cuts[1:], len(tags)], strict=True)]

    for one, other in zip(true, decided, strict=True):
        for tag, start, end in segments(one):
            pairs = [
                (a, b)
                for its, a, b in segments(other)
                if its == tag and max(a, start) < min(b, end)
            ]
            for a, b in pairs:
                low, high = min(b, end) - max(a, start), max(b, end) - min(a, start)
                delta = min(high - low, low, (end - start) // 2, (b - a) // 2)
                above += (low + delta) / high * (end - start)
                below += end - start
            below += 0 if pairs else end - start
    return above / below


@pytest.mark.parametrize("seed", range(5))
def test_segment_overlap_is_its_definition(seed: int) -> None:
    names = ("C", "E", "H")
    rng = np.random.default_rng(seed)

    def smooth() -> list[str]:
        return [tag for tag in rng.choice(names, size=8) for _ in range(int(rng.integers(1, 6)))]

    true = [smooth() for _ in range(6)]
    decided = [
        [tag if rng.random() < 0.7 else str(rng.choice(names)) for tag in tags] for tags in true
    ]
    expected = overlap_by_hand(true, decided)
    assert value("segment_overlap", true, decided, names) == pytest.approx(expected, abs=1e-12)
    assert value("segment_overlap", true, true, names) == 1.0


@pytest.mark.parametrize("name", ["entity_f1", "segment_overlap"])
def test_a_resample_of_sequences_is_the_metric_of_these_sequences(name: str) -> None:
    names = NAMES["BIO"]
    true, decided = drawn(names, 1), drawn(names, 1)
    decided = [list(reversed(tags)) for tags in decided]
    whole = judged(true, decided, names)
    items = Items.of_sequences([torch.tensor([names.index(t) for t in tags]) for tags in true])
    metric = metric_on_rows(resolve_metric(name), whole.facts, items)
    chosen = np.random.default_rng(0).integers(0, len(true), len(true))
    # Each token as often as its sequence is drawn, as the bootstrap lays them out.
    times = np.bincount(chosen, minlength=len(true))[items.rows.numpy()]
    rows = np.repeat(np.arange(len(items)), times)
    found = metric.among(rows).fn(whole.scores[0].numpy()[rows], items.labels.numpy()[rows])
    some = [true[i] for i in chosen], [decided[i] for i in chosen]
    assert found == pytest.approx(value(name, *some, names), abs=1e-12)


def test_a_gap_ends_an_entity() -> None:
    names = NAMES["BIO"]
    facts = ClassFacts(torch.ones(len(names)), task="sequence", names=names)
    items = Items.of_sequences([torch.tensor([0, -1, 2])])
    one = Judged.of_probs(
        np.eye(5)[[0, 4]], items.labels.numpy(), facts=facts, tokens=TokenPlaces.of(items, facts)
    )
    assert one.entities[0].sum() == 1


@pytest.mark.parametrize("scheme", NAMES)
def test_allowed_transitions_are_those_of_strict_tags(scheme: str) -> None:
    names = NAMES[scheme]
    starts, allowed = allowed_transitions(names)
    for code, tag in enumerate(names):
        assert starts[code] == (scheme == "IO" or tag[0] in "BSO")
        for after, other in enumerate(names):
            same = tag[1:] == other[1:] and tag[0] in "BI"
            expected = True
            if scheme != "IO":
                expected = same if other[0] in "IE" else True
                if scheme == "BIOES" and tag[0] in "BI":
                    expected = same and other[0] in "IE"
            assert allowed[code, after] == expected


def test_metrics_of_tags_refuse_other_labels() -> None:
    rows = ClassFacts(torch.ones(3))
    with pytest.raises(InputError, match="must have the tags of sequences"):
        resolve_metric("segment_overlap", facts=rows)
    words = ClassFacts(torch.ones(2), task="sequence", names=("DET", "NOUN"))
    with pytest.raises(InputError, match="segment_overlap is for any tags"):
        resolve_metric("entity_f1", facts=words)
    assert resolve_metric("sov", facts=words).name == "segment_overlap"


@pytest.mark.parametrize("name", ["entity_f1", "segment_overlap"])
@pytest.mark.parametrize("constrained", [False, True])
def test_sums_over_tokens_give_the_interval_of_whole_resamples(
    name: str, constrained: bool
) -> None:
    names = NAMES["BIO"]
    true = drawn(names, 1)
    facts = ClassFacts(
        torch.ones(len(names)), task="sequence", names=names, constrained=constrained
    )
    items = Items.of_sequences([torch.tensor([names.index(t) for t in tags]) for tags in true])
    rng = np.random.default_rng(0)
    truth = 0.2 * np.eye(len(names))[items.labels.numpy()]
    both = [np.log(truth + 0.8 * rng.dirichlet(np.ones(5), len(items))) for _ in range(2)]
    metric = metric_on_rows(resolve_metric(name), facts, items)

    @dataclass(frozen=True)
    class Slow:
        """The same metric without its sums."""

        own: MetricOnRows
        name: str = metric.name
        lower_is_better: bool = metric.lower_is_better
        is_of_trainings: bool = False
        paired: None = None

        @property
        def fn(self):
            return self.own.fn

        def among(self, rows):
            return Slow(self.own.among(rows))

        def quotient(self, probs, targets):
            return None

    given = {"clusters": items.cluster_numbers, "resamples": 200, "seed": 3}
    fast, slow = (
        compare_metric(one, *both, items.labels.numpy(), **given).comparison
        for one in (metric, Slow(metric))
    )
    assert fast.low < fast.high
    for end in ("challenger", "baseline", "low", "high"):
        assert getattr(fast, end) == pytest.approx(getattr(slow, end), abs=1e-9)
