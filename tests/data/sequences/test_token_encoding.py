"""The encoding of tokens is fitted on training sequences and kept as JSON values."""

from __future__ import annotations

import json

import numpy as np
import torch

from autoloss.data import SequenceEncoding, Windows
from autoloss.data.sequences.cells import SequenceColumns, Tokens
from autoloss.data.sequences.encode import BUCKETS


def tokens(*sequences: str, **features: list) -> Tokens:
    words = [word for one in sequences for word in one.split()]
    return Tokens(
        np.array(words, dtype=object),
        np.array([len(one.split()) for one in sequences]),
        {
            name: np.array(values, dtype=float if isinstance(values[0], float) else object)
            for name, values in features.items()
        },
    )


def fitted_to(given: Tokens) -> SequenceEncoding:
    return SequenceEncoding.fit(given, columns=SequenceColumns("words", tuple(given.features)))


def test_rare_and_unseen_forms_share_code_0_and_case_is_a_matter_of_shape() -> None:
    encoding = fitted_to(tokens("The the THE cat", "dog dog"))
    found = encoding.encode(tokens("the cat Zebra The"))
    assert found.codes.tolist() == [1, 0, 0, 1]
    shapes = found.of_kind[found.kinds][:, BUCKETS:]
    assert not torch.equal(shapes[0], shapes[3])
    assert torch.equal(*found.of_kind[found.kinds][[0, 3], :BUCKETS])


def test_words_that_share_endings_are_closer_than_others() -> None:
    encoding = fitted_to(tokens("running walking"))
    found = encoding.encode(tokens("jumping bumping xylophone"))
    one, like, unlike = found.of_kind[found.kinds][:, :BUCKETS]
    assert float(one @ like) > 0.4 > float((one @ unlike).abs())


def test_letters_have_a_code_alone() -> None:
    encoding = fitted_to(tokens("M M M K K K k k k"))
    assert encoding.schema.width == 0
    assert encoding.encode(tokens("K M k X")).codes.unique().numel() == 4


def test_numbers_are_standardised_by_training_tokens_and_words_are_levels() -> None:
    fitted = tokens("a b", n=[1.0, 3.0], pos=["N", "V"])
    encoding = fitted_to(fitted)
    found = encoding.encode(tokens("a b c", n=[1.0, float("nan"), 5.0], pos=["N", "X", None]))
    assert found.numbers.tolist() == [[-1, 0, 1, 0], [0, 1, 0, 0], [3, 0, 0, 0]]
    assert encoding.schema.width == 4


def test_the_state_is_json_and_gives_the_same_encoding() -> None:
    fitted = tokens("Some of of of of", "words 12 12 11", n=[float(i) for i in range(9)])
    encoding = fitted_to(fitted)
    again = SequenceEncoding.from_state(json.loads(json.dumps(encoding.to_state()[0])), {})
    one, other = encoding.encode(fitted), again.encode(fitted)
    for name in ("codes", "kinds", "of_kind", "numbers", "lengths"):
        assert torch.equal(getattr(one, name), getattr(other, name))


def test_taken_sequences_equal_their_own_encoding() -> None:
    encoding = fitted_to(tokens("a a a b", "b b"))
    whole = encoding.encode(tokens("a b", "c", "b a a"))
    some = whole.take(torch.tensor([2, 0]))
    alone = encoding.encode(tokens("b a a", "a b"))
    assert some.codes.tolist() == alone.codes.tolist()
    assert some.lengths.tolist() == [3, 2]
    assert torch.equal(some.of_kind[some.kinds], alone.of_kind[alone.kinds])


def test_windows_tile_the_tokens_and_see_their_neighbours() -> None:
    lengths = torch.tensor([3, 10, 1])
    windows = Windows.of(lengths, reach=2, longest=4)
    own = [t for a, b in zip(windows.own_start, windows.own_end, strict=True) for t in range(a, b)]
    assert own == list(range(14))
    assert int((windows.own_end - windows.own_start).max()) <= 4
    inner = windows.own_start.tolist().index(6)
    assert (int(windows.start[inner]), int(windows.end[inner])) == (4, 11)
    assert (int(windows.start[1]), int(windows.end[-2])) == (3, 13)
