"""Free text as the weights of its terms, compared with scikit-learn's TF-IDF."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from autoloss.data import text as module
from autoloss.data.encode import TableEncoding
from autoloss.data.text import TextColumn

TEXT = "the cat saw a small dog and then its bank raised every interest rate of two loans"
WORDS = TEXT.split()


def documents(n: int, seed: int, *, most: int = 9) -> pd.Series:
    rng = np.random.default_rng(seed)
    texts = [" ".join(rng.choice(WORDS, rng.integers(1, most))) for _ in range(n)]
    return pd.Series(texts, dtype="string")


def fitted(text: pd.Series, terms: int = 8192, reach: int = 1) -> TextColumn:
    column = TextColumn.fit("x", text, terms=terms, reach=reach)
    assert column is not None
    return column


def weights(column: TextColumn, text: Any) -> np.ndarray[Any, Any]:
    """Return the weights of all terms, ``(N, V)``."""
    block = column.encode(pd.Series(text, dtype="string"))
    assert block.terms is not None
    assert block.shares is not None
    dense = np.zeros((len(block.terms), column.n_terms))
    for row, (terms, shares) in enumerate(zip(block.terms, block.shares, strict=True)):
        np.add.at(dense[row], terms, shares)
    return dense


def test_weights_are_those_of_scikit_learn() -> None:
    train, new = documents(120, 0), documents(50, 1)
    found = weights(fitted(train), new)
    shared = {"min_df": 2, "sublinear_tf": True}
    marked = CountVectorizer(
        ngram_range=(1, 2), token_pattern=r"(?u)\b\w+\b|[<>]"
    ).build_analyzer()
    words = TfidfVectorizer(
        analyzer=lambda text: [term for term in marked(f"< {text} >") if term not in "<>"],
        **shared,
    )
    parts = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), **shared)
    expected = np.concatenate(
        [one.fit(train).transform(new).toarray() for one in (words, parts)], axis=1
    )
    # A term has another place, so the documents are compared by their inner products.
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-5)
    np.testing.assert_allclose(
        np.sort(found, 1)[:, -100:], np.sort(expected, 1)[:, -100:], atol=1e-5
    )


def test_half_of_few_terms_are_words_and_the_most_frequent_stay() -> None:
    text = documents(200, 2)
    column = fitted(text, terms=20)
    assert column.n_terms == 20
    assert int((column.kept < (1 << 20)).sum()) == 10
    counts = text.str.split().map(set).explode().value_counts()
    found = weights(column, list(counts.index))
    has_word = (found[:, :10] > 0).any(1)
    assert has_word[:5].all()
    assert not has_word[-3:].any()


def test_a_long_text_keeps_the_terms_of_the_largest_weights() -> None:
    column = fitted(documents(150, 3))
    text = " ".join(WORDS)
    whole = weights(column, [text])[0]
    short = TextColumn(**{**vars(column), "places": 12})
    kept = weights(short, [text])[0]
    assert (kept > 0).sum() == 12
    np.testing.assert_array_equal(kept[kept > 0], whole[kept > 0])
    assert whole[kept > 0].min() >= np.sort(whole)[-12]


@pytest.mark.parametrize("empty", [None, "", " .,- "])
def test_a_text_without_terms_has_no_weight(empty: str | None) -> None:
    column = fitted(documents(60, 4))
    assert not weights(column, [empty, "the cat"])[0].any()


def test_no_rows_are_no_rows() -> None:
    column = fitted(documents(60, 4))
    assert weights(column, []).shape == (0, column.n_terms)


def test_words_that_are_in_one_document_alone_are_no_terms() -> None:
    assert TextColumn.fit("x", pd.Series(["abc def", "ghi jkl"], dtype="string"), terms=9) is None
    assert TextColumn.fit("x", pd.Series([None, None], dtype="string"), terms=9) is None


def test_the_same_text_gives_the_same_state_and_a_state_the_same_weights() -> None:
    text = documents(80, 5)
    one, other = fitted(text), fitted(text)
    assert one.to_dict() == other.to_dict()
    assert all(torch.equal(one.tensors()[key], other.tensors()[key]) for key in one.tensors())
    read = TextColumn.from_dict(one.to_dict(), one.tensors())
    new = documents(20, 6)
    np.testing.assert_array_equal(weights(read, new), weights(one, new))


@pytest.mark.parametrize(
    ("rows", "is_alone", "most"),
    [(300, False, 1_000), (700, False, 1_400), (100, True, 1_000), (300, True, 2_400)],
)
def test_few_rows_have_few_terms_of_all_columns_together(
    rows: int, is_alone: bool, most: int
) -> None:
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefgh"), 7)) for _ in range(500)]
    frame = pd.DataFrame(
        {name: [" ".join(rng.choice(words, 12)) for _ in range(rows)] for name in ("one", "other")}
    )
    if not is_alone:
        frame["number"] = rng.normal(size=rows)
    columns = [one for one in TableEncoding.fit(frame).columns if isinstance(one, TextColumn)]
    assert len(columns) == 2
    assert sum(one.n_terms for one in columns) == most
    assert fitted(frame["one"]).n_terms > most


def test_the_first_and_the_last_word_are_terms_but_not_in_earlier_models() -> None:
    column = fitted(pd.Series(["cat saw dog", "cat saw bank", "dog saw cat", "bank saw dog"] * 9))
    of_ends, without = (
        TextColumn.from_dict(state, column.tensors())
        for state in (column.to_dict(), {**column.to_dict(), "ends": False})
    )
    texts = ["cat dog", "dog cat"]
    first, second = weights(of_ends, texts)
    assert not np.allclose(first, second)
    first, second = weights(without, texts)
    np.testing.assert_array_equal(first, second)
    old = {key: value for key, value in column.to_dict().items() if key != "ends"}
    assert not TextColumn.from_dict(old, column.tensors()).ends


def test_pairs_reach_as_far_as_asked_and_their_distance_counts() -> None:
    text = pd.Series(["cat old dog", "dog old cat", "cat dog old", "dog cat old"] * 9)
    for reach in (1, 2):
        column = TextColumn(**{**vars(fitted(text, reach=reach)), "ends": False})
        # Neither text has a pair of neighbours that the training rows have.
        first, second = weights(column, ["cat very dog", "dog very cat"])
        assert np.allclose(first, second) == (reach == 1)
    near, far = weights(column, ["cat dog", "cat very dog"])
    assert not np.allclose(near, far)


def test_the_numbers_of_a_column_are_those_of_its_encoding() -> None:
    texts = pd.Series(["a dog", None, "", "the cat saw"], dtype="string")
    column = fitted(documents(60, 8))
    np.testing.assert_array_equal(column.numbers(texts), column.encode(texts).numeric)


def test_remembered_documents_have_the_weights_of_new_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train, new = documents(120, 9), documents(90, 10)
    column = fitted(train, reach=2)
    expected = weights(column, pd.concat([new, train, new]))
    for most in (0, 2_000, 1 << 22):
        monkeypatch.setattr(module, "_REMEMBERED", most)
        monkeypatch.setattr(module, "_MOST_OF_A_CHARACTER", min(most, 1))
        monkeypatch.setattr(module, "_MEMORY", module._Memory())
        assert fitted(train, reach=2).to_dict() == column.to_dict()
        np.testing.assert_array_equal(weights(column, train), expected[90:210])
        np.testing.assert_array_equal(weights(column, pd.concat([new, train, new])), expected)


def test_documents_are_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    counts = module._counts

    def counted(texts: list[str], reach: int, ends: bool) -> Any:
        hashed.extend(texts)
        return counts(texts, reach, ends)

    monkeypatch.setattr(module, "_counts", counted)
    monkeypatch.setattr(module, "_MEMORY", module._Memory())
    text = documents(80, 11)
    for part in (text[:60], text[20:], text):
        weights(fitted(part), part)
    assert sorted(hashed) == sorted(set(text))
    # Another reach has other terms.
    weights(fitted(text, reach=2), text)
    assert len(hashed) == 2 * len(set(text))
