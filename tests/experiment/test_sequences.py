"""A search on sequences, from a file to the verdict, the model and its predictions."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import autoloss
from autoloss.core.errors import InputError
from autoloss.data import DataOptions, prepare
from autoloss.inference.pyfunc import ServedModel, input_example, input_types, output_types
from autoloss.inference.tagging import write_tags

SPACE = """
bases = ["cross_entropy", "brier", "focal"]
penalties = ["none", "jsd"]
[network]
width = 8
depth = 2
embedding = 4
[training]
batch_size = 64
max_epochs = 3
[protocol]
replicates = 2
outer_folds = 2
outer_repeats = 1
folds = 2
"""
FORMS = ["ant", "bee", "cat", "dog", "elk", "fox"]


def sequences(seed: int = 0, n: int = 60) -> pd.DataFrame:
    """Return sequences in which the tag of a token is that of its form, a tenth at random."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        codes = rng.integers(0, 6, rng.integers(2, 9))
        tags = np.where(rng.random(len(codes)) < 0.1, rng.integers(0, 3, len(codes)), codes % 3)
        words = [FORMS[code] for code in codes]
        rows.append({"id": number, "words": words, "tags": [["O", "B-x", "I-x"][t] for t in tags]})
    return pd.DataFrame(rows)


def written(frame: pd.DataFrame, file: Path) -> Path:
    """Write sequences as CoNLL."""
    lines = []
    for words, tags in zip(frame.words, frame.tags, strict=True):
        lines += [f"{word}\t{tag}" for word, tag in zip(words, tags, strict=True)] + [""]
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("space") / "small.toml"
    file.write_text(SPACE, encoding="utf-8")
    return file


def searched(data: Any, space: Path, out: Path, **options: Any) -> autoloss.SearchResult:
    given = {"target": "tags", "tokens": "words", "trials": 4, "track": "off", "workers": 1}
    # By default, the time decides whether the shipped model is trained again.
    given["refit"] = False
    return autoloss.search(data, space=space, out=out, name="s", **{**given, **options})


@pytest.fixture(scope="module")
def result(space: Path, tmp_path_factory: pytest.TempPathFactory) -> autoloss.SearchResult:
    return searched(sequences(), space, tmp_path_factory.mktemp("out"))


def test_a_search_judges_all_tokens_with_their_sequences(result: autoloss.SearchResult) -> None:
    n_tokens = int(sequences().words.map(len).sum())
    assert result.summary.data.task == "sequence"
    assert sum(result.summary.data.class_counts) == n_tokens
    assert f"{n_tokens} tokens of 60 sequences" in result.verdict.text
    assert result.verdict.n_test == 60
    assert result.trials.entity_f1.notna().all()
    assert result.trials.error.min() < 0.4


def test_a_model_tags_each_sequence_by_itself(
    result: autoloss.SearchResult, tmp_path: Path
) -> None:
    model = autoloss.load(result.model.save(tmp_path / "model"))
    new = sequences(1, 5)[["words"]]
    tags, probs = model.predict(new), model.predict_proba(new)
    for row, words in enumerate(new.words):
        assert tags[row].shape == (len(words),)
        np.testing.assert_allclose(probs[row].sum(1), 1.0, atol=1e-12)
        alone = model.predict_proba(new.iloc[[row]])[0]
        np.testing.assert_allclose(probs[row], alone, atol=1e-12)
    again = result.model.predict_proba(new)
    np.testing.assert_array_equal(np.concatenate(again), np.concatenate(probs))


def test_permuted_test_tags_change_no_trial(space: Path, tmp_path: Path) -> None:
    found = []
    test = sequences(2, 30)
    shuffled = np.random.default_rng(0).permutation(np.concatenate(test.tags.to_list()))
    cuts = np.cumsum(test.tags.map(len))[:-1]
    other = test.assign(tags=[list(one) for one in np.split(shuffled, cuts)])
    for name, given in (("a", test), ("b", other)):
        one = searched(sequences(n=40), space, tmp_path / name, test=given)
        found.append(one.trials.drop(columns="seconds"))
        assert one.verdict.n_test == 30
    pd.testing.assert_frame_equal(*found)


def test_a_conll_file_is_tagged_in_its_own_format(space: Path, tmp_path: Path) -> None:
    data, new = written(sequences(), tmp_path / "a.conll"), tmp_path / "b.conll"
    new.write_text("# one\nant\tO\nbee\tB-x\n\ncat\tO\n", encoding="utf-8")
    model = searched(str(data), space, tmp_path, tokens="0", target="-1").model
    tagged = tmp_path / "tagged.conll"
    assert write_tags(model, str(new), tagged) == 2
    lines = tagged.read_text(encoding="utf-8").splitlines()
    assert [lines[0], lines[3]] == ["# one", ""]
    for place in (1, 2, 4):
        word, tag, own, prob = lines[place].split("\t")
        assert [word, tag] == new.read_text().splitlines()[place].split("\t")
        assert own in ("O", "B-x", "I-x")
        assert 1 / 3 <= float(prob) <= 1
    with pytest.raises(InputError, match="FILE must have the ending of DATA"):
        write_tags(model, str(new), tmp_path / "tagged.csv")


class OwnNet(torch.nn.Module):
    """A custom network that reads each token alone."""

    def __init__(self, n_codes: int, n_features: int, n_outputs: int) -> None:
        super().__init__()
        self.codes = torch.nn.Embedding(n_codes, n_outputs, padding_idx=0)
        self.numbers = torch.nn.Linear(n_features, n_outputs)

    def forward(
        self, codes: torch.Tensor, numbers: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        return self.codes(codes) + self.numbers(numbers)


def test_a_network_of_the_users_own_is_searched_saved_and_loaded(
    space: Path, tmp_path: Path
) -> None:
    found = searched(sequences(), space, tmp_path, model=OwnNet, lock=True)
    assert any("The network is OwnNet" in note for note in found.summary.data.notes)
    assert found.trials.error.min() < 0.6
    new = sequences(1, 5)
    again = autoloss.load(tmp_path / "s", model=OwnNet)
    for one, other in zip(again.predict_proba(new), found.model.predict_proba(new), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(InputError, match="give it by model="):
        autoloss.load(tmp_path / "s")
    with pytest.raises(InputError, match="n_codes="):
        searched(sequences(), space, tmp_path / "b", model=lambda f, c: OwnNet(2, f, c))


def test_tags_are_written_as_lists_beside_the_tokens(
    result: autoloss.SearchResult, tmp_path: Path
) -> None:
    frame = sequences(3, 4)
    frame.to_parquet(tmp_path / "new.parquet")
    for ending in (".parquet", ".jsonl"):
        assert (
            write_tags(result.model, str(tmp_path / "new.parquet"), tmp_path / f"o{ending}") == 4
        )
    columnar = pd.read_parquet(tmp_path / "o.parquet")
    lines = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    tags = result.model.predict(frame)
    for row in range(4):
        assert columnar.prediction[row].tolist() == lines[row]["prediction"] == tags[row].tolist()
        assert lines[row]["words"] == frame.words[row]


def test_constrained_tags_never_continue_an_entity_that_did_not_begin(
    result: autoloss.SearchResult, tmp_path: Path
) -> None:
    free = result.model
    folder = replace(free, task=replace(free.task, constrained=True)).save(tmp_path / "model")
    model = autoloss.load(folder)
    assert model.task.constrained
    new = sequences(5, 80)

    def wrong(tags: list[Any]) -> int:
        before = [np.concatenate([["O"], one[:-1]]) for one in tags]
        return sum(
            int(((a == "O") & (b == "I-x")).sum()) for a, b in zip(before, tags, strict=True)
        )

    assert wrong(free.predict(new)) > 0
    assert wrong(model.predict(new)) == 0
    empty = pd.DataFrame({"words": [["ant"], []]})
    assert [len(one) for one in model.predict(empty)] == [1, 0]
    chains = new.assign(tags=[["H"] * (len(one) - 1) + ["C"] for one in new.words])
    with pytest.raises(InputError, match="constrained must be left out"):
        prepare(chains, DataOptions(target="tags", tokens="words", constrained=True))


def test_a_served_model_answers_its_example_with_lists(result: autoloss.SearchResult) -> None:
    served, example = ServedModel(result.model), input_example(result.model)
    answer = served.predict(example)
    assert [name for name, _ in output_types(result.model)] == answer.columns.tolist()
    assert [name for name, _ in input_types(result.model)] == example.columns.tolist()
    for words, tags, probs in zip(
        example.words, answer.prediction, answer.probability, strict=True
    ):
        assert len(words) == len(tags) == len(probs)


def test_a_tag_of_the_test_part_alone_is_named_and_masked() -> None:
    test = sequences(2, 30)
    test.tags[0][0] = "B-new"
    data = prepare(sequences(), DataOptions(target="tags", tokens="words", test=test))
    assert "B-new" not in data.task.classes
    assert any("'B-new'" in note for note in data.notes)
    assert data.locked is not None
    part = data.locked.open()
    assert int(part.targets.values[0]) == -100


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tags": [["O"]] * 60}, r"row 1 must have as many values in 'tags' as tokens in 'words'"),
        ({"tags": None}, r"target must name a column of DATA"),
        ({"words": list(range(60))}, r"tokens must name a column of lists or of text"),
    ],
)
def test_faults_are_one_line(change: dict[str, Any], message: str) -> None:
    frame = sequences()
    for name, cells in change.items():
        frame = frame.drop(columns=name) if cells is None else frame.assign(**{name: cells})
    with pytest.raises(InputError, match=message):
        prepare(frame, DataOptions(target="tags", tokens="words"))


def test_columns_with_a_value_a_sequence_are_no_features() -> None:
    frame = sequences().assign(size=[[len(word) for word in one] for one in sequences().words])
    options = DataOptions(target="tags", tokens="words", drop=("size",))
    data = prepare(frame, options)
    assert dict(data.summary.aside) == {"id": "no feature of a token", "size": "left out as asked"}
    words = prepare(frame, replace(options, drop=())).summary.columns
    assert [name for name, _ in words] == ["words", "size"]


def test_marks_of_missing_values_count_inside_lists_but_not_as_tokens() -> None:
    frame = sequences().assign(size=[[str(len(w)) for w in one] for one in sequences().words])
    frame.at[0, "words"] = ["-1", *frame.words[0][1:]]
    frame.at[0, "tags"] = ["-1", *frame.tags[0][1:]]
    frame.at[0, "size"] = ["-1.0", *frame["size"][0][1:]]
    options = DataOptions(target="tags", tokens="words", missing=("-1", "none"), lock=True)
    data = prepare(frame, options)
    assert set(data.task.classes) == {"O", "B-x", "I-x"}
    assert any("1 token without a tag" in note for note in data.notes)
    assert any("'none', which --missing names" in note for note in data.notes)
    assert dict(data.summary.columns)["size"] == "number"
    chains = frame.assign(words=["x" * len(one) for one in frame.words])
    chains["tags"] = [("-" + "HC" * 9)[: len(one)] for one in frame.words]
    found = prepare(chains, DataOptions(target="tags", tokens="words", missing="-"))
    assert set(found.task.classes) == {"H", "C"}


def test_long_sequences_are_said_to_be_cut() -> None:
    frame = sequences()
    frame.at[3, "words"], frame.at[3, "tags"] = ["ant"] * 600, ["O"] * 600
    notes = prepare(frame, DataOptions(target="tags", tokens="words")).notes
    assert "1 sequence of more than 512 tokens: cut into windows that overlap." in notes


def test_empty_sequences_are_left_out_with_a_note() -> None:
    frame = sequences()
    frame.at[3, "words"], frame.at[3, "tags"] = [], []
    data = prepare(frame, DataOptions(target="tags", tokens="words"))
    assert any("1 sequence without a token left out" in note for note in data.notes)
    assert data.summary.n_rows == 59


def test_the_report_says_that_boosting_has_no_form_for_sequences(
    result: autoloss.SearchResult,
) -> None:
    notes = [one for one in result.summary.data.notes if "boosting" in one]
    assert notes == ["Gradient boosting was left out: it learns from rows, not from sequences."]


def test_an_interrupted_search_of_sequences_goes_on_to_the_same_end(
    result: autoloss.SearchResult, space: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("autoloss.experiment.conclusion.judge_out_of_fold", stop)
        with pytest.raises(KeyboardInterrupt):
            searched(sequences(), space, tmp_path)
    assert not (tmp_path / "s" / "summary.json").exists()
    resumed = autoloss.resume("s", data=sequences(), out=tmp_path)
    assert resumed.verdict == result.verdict
    assert resumed.summary.recommended == result.summary.recommended
    again, first = (
        pd.DataFrame(one.model.predict_proba(sequences(1))[0]) for one in (resumed, result)
    )
    pd.testing.assert_frame_equal(again, first)


def test_lists_of_a_csv_file_of_predictions_are_text(
    result: autoloss.SearchResult, tmp_path: Path
) -> None:
    given, file = tmp_path / "new.parquet", tmp_path / "tagged.csv"
    new = sequences(1, 4)[["id", "words"]]
    new.assign(letters=[[word[0] for word in row] for row in new.words]).to_parquet(given)
    write_tags(result.model, str(given), file)
    found = pd.read_csv(file)
    assert found.words.tolist() == [" ".join(row) for row in new.words]
    assert found.letters.tolist() == ["".join(word[0] for word in row) for row in new.words]
    assert found.prediction.str.split().map(len).tolist() == new.words.map(len).tolist()
    new[["id"]].to_parquet(given)
    with pytest.raises(InputError, match=r"new\.parquet must have the columns .* lacks 'words'"):
        write_tags(result.model, str(given), file)
