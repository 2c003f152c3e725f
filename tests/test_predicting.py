from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from pyarrow import feather, parquet
from torch.distributions import Categorical

from autoloss.core.errors import InputError
from autoloss.data.numbers import NumericColumn, Scale
from autoloss.data.stream import open_rows
from autoloss.inference.loading import load
from autoloss.inference.ood import OodScore, StrangerRule
from autoloss.inference.predicting import Predicting
from tests.export.models import make_classifier, make_frame


def predicted(classifier, source, *, rows: int, id_column: str | None = None) -> pd.DataFrame:
    pieces = Predicting(classifier, open_rows(source), id_column).pieces(rows=rows)
    return pa.concat_tables(list(pieces)).to_pandas()


def messy(n: int = 300) -> pd.DataFrame:
    """Columns whose kind differs between a piece and the whole."""
    chance = np.random.default_rng(0)
    day = pd.Timestamp("2021-03-01") + pd.to_timedelta(chance.integers(0, 500, n), unit="D")
    place = np.arange(n)
    return pd.DataFrame(
        {
            "price": [f"{1 + k % 9}.{k % 10}00,5" if k > 40 else f"{k % 7}.125" for k in range(n)],
            "level": [str(k % 3) if k > 60 else ["a", "b"][k % 2] for k in range(n)],
            "late": np.where(place < 90, None, chance.normal(size=n)),
            "flag": [["true", "false"][k % 2] for k in range(n)],
            "day": day.strftime("%d.%m.%Y"),
            "text": [f"word{k % 11} stands here with word{k % 5} and others" for k in range(n)],
        }
    )


@pytest.fixture(scope="module")
def trained():
    return make_classifier(messy())


FORMS = ("csv", "tsv", "parquet", "feather")


def written(frame: pd.DataFrame, folder: Path, ending: str) -> Path:
    file = folder / f"rows.{ending}"
    if ending == "parquet":
        parquet.write_table(pa.Table.from_pandas(frame), file, row_group_size=50)
    elif ending == "feather":
        feather.write_feather(frame, file, chunksize=50)
    else:
        frame.to_csv(file, index=False, sep="\t" if ending == "tsv" else ",")
    return file


@pytest.mark.parametrize("ending", FORMS)
@pytest.mark.parametrize("rows", [5, 64])
def test_pieces_of_any_size_give_the_same(trained, tmp_path, ending, rows) -> None:
    file = written(messy().head(100), tmp_path, ending)
    whole = predicted(trained, file, rows=10_000)
    pieces = predicted(trained, file, rows=rows)
    assert pieces["prediction"].tolist() == whole["prediction"].tolist()
    np.testing.assert_allclose(pieces.iloc[:, 1:], whole.iloc[:, 1:], rtol=0, atol=2e-7)


@pytest.mark.parametrize("ending", FORMS)
def test_a_file_gives_what_its_frame_gives(trained, tmp_path, ending) -> None:
    frame = messy()
    table = predicted(trained, written(frame, tmp_path, ending), rows=64)
    wanted = trained.predict_proba(frame)
    np.testing.assert_allclose(table.iloc[:, 1:], wanted, rtol=0, atol=2e-7)


def test_rows_do_not_depend_on_those_beside_them(trained, tmp_path) -> None:
    frame = messy()
    whole = predicted(trained, written(frame, tmp_path, "csv"), rows=64)
    # Alone, 1.125 is a number with a point; among the others it is written with a comma.
    alone = predicted(trained, written(frame.iloc[:30], tmp_path, "csv"), rows=64)
    np.testing.assert_allclose(alone.iloc[:, 1:], whole.iloc[:30, 1:], rtol=0, atol=2e-7)


def test_pieces_of_the_usual_size_equal_the_whole_to_the_last_bit(tmp_path) -> None:
    classifier = make_classifier()
    file = written(make_frame(40_000, seed=5), tmp_path, "csv")
    whole = predicted(classifier, file, rows=1 << 20)
    pd.testing.assert_frame_equal(predicted(classifier, file, rows=1 << 14), whole)


def test_unseen_levels_and_stray_words_are_no_matter_of_the_piece(tmp_path) -> None:
    classifier = make_classifier()
    frame = make_frame(32, seed=2).astype({"size": object})
    frame.loc[10, "size"], frame.loc[20, "colour"] = "unknown", "mauve"
    frame.loc[30, "since"] = "some day"
    file = written(frame, tmp_path, "csv")
    whole = predicted(classifier, file, rows=1000)
    np.testing.assert_allclose(
        predicted(classifier, file, rows=1).iloc[:, 1:], whole.iloc[:, 1:], rtol=0, atol=2e-7
    )
    with pytest.raises(InputError, match="'size' must hold numbers"):
        predicted(classifier, written(frame.assign(size="n"), tmp_path, "csv"), rows=7)
    with pytest.raises(InputError, match="'since' must hold dates"):
        predicted(classifier, written(frame.assign(since="n"), tmp_path, "csv"), rows=7)


def test_the_id_keeps_order_and_type(tmp_path) -> None:
    classifier = make_classifier()
    ids = pd.array([None, *range(149, 0, -1)], dtype="Int64")
    file = written(make_frame(150).assign(key=ids), tmp_path, "parquet")
    table = predicted(classifier, file, rows=7, id_column="key")
    assert table["key"].astype("Int64").tolist() == ids.tolist()


def test_a_column_of_the_model_can_be_the_id(tmp_path) -> None:
    file = written(make_frame(20), tmp_path, "csv")
    table = predicted(make_classifier(), file, rows=7, id_column="town")
    assert table["town"].isna().tolist() == make_frame(20)["town"].isna().tolist()


def test_a_header_alone_is_refused(tmp_path) -> None:
    for ending in FORMS:
        file = written(make_frame(9).head(0), tmp_path, ending)
        with pytest.raises(InputError, match="header only"):
            predicted(make_classifier(), file, rows=7)


@pytest.mark.parametrize("ending", ["parquet", "feather"])
def test_a_file_without_a_table_is_refused_in_one_line(tmp_path, ending) -> None:
    file = tmp_path / f"rows.{ending}"
    file.write_bytes(b"no such thing")
    with pytest.raises(InputError, match="cannot be read as one"):
        open_rows(file)


def test_names_that_stand_twice_are_numbered_as_in_reading_a_whole(tmp_path) -> None:
    for source in ("a, b ,a\n1,2,3\n", "a\tb\ta\n1\t2\t3\n"):
        file = tmp_path / "twice.csv"
        file.write_text(source, encoding="utf-8")
        assert open_rows(file).names == ("a", "b", "a (2)")
    table = pa.table([[1], [2], [3]], names=["a", "b", "a"])
    parquet.write_table(table, tmp_path / "twice.parquet")
    stream = open_rows(tmp_path / "twice.parquet")
    assert stream.names == ("a", "b", "a (2)")
    (piece,) = stream.pieces(["a (2)", "b"])
    assert piece.to_pydict() == {"a (2)": [3], "b": [2]}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_older_encodings_and_line_ends_are_read(tmp_path, encoding) -> None:
    file = tmp_path / "old.csv"
    file.write_bytes("größe;b\r\n1;ä\r\n2;\r\n".encode(encoding))
    stream = open_rows(file)
    (piece,) = stream.pieces(stream.names)
    assert piece.to_pydict() == {"größe": ["1", "2"], "b": ["ä", None]}


def test_a_number_is_the_same_beside_any_words() -> None:
    chance = np.random.default_rng(0)
    numbers = chance.normal(size=2000) * 10.0 ** chance.integers(-20, 20, 2000)
    cells = [repr(float(number)) for number in numbers]
    column = NumericColumn("x", "plain", Scale(0.0, 1.0))
    fast, _ = column.read(pd.Series(cells))
    slow, unusable = column.read(pd.Series([*cells, "a word"]))
    np.testing.assert_array_equal(fast, numbers)
    np.testing.assert_array_equal(slow[:-1], numbers)
    assert np.flatnonzero(unusable).tolist() == [len(cells)]


def told_apart(trained, frame: pd.DataFrame):
    """Return a model with weights and with the scores of familiar rows."""
    members = [replace(one, weight=k + 1.0) for k, one in enumerate(trained.members)]
    model = replace(trained, members=tuple(members))
    scores = {
        one: model.ood_scores(frame, score=str(one))
        for one in map(OodScore.of, ("max_probability", "entropy", "energy@10", "max_logit"))
    }
    rule = StrangerRule.fit(scores, OodScore("energy", 10.0), is_chosen=True)
    return replace(model, strangers=rule)


@pytest.mark.parametrize("score", ["max_probability", "entropy", "model", "max_logit", "energy"])
def test_a_score_of_strangeness_is_a_column_and_equals_that_of_all_rows(trained, score) -> None:
    frame = messy()
    model, notes = told_apart(trained, frame), []
    predicting = Predicting(model, open_rows(frame), ood_score=score, tell=notes.append)
    found = pa.concat_tables(list(predicting.pieces(rows=64))).to_pandas()
    logits = model.logits(frame).double()
    shares = torch.tensor([one.weight for one in model.members], dtype=torch.float64)
    shares /= shares.sum()
    probs = torch.einsum("rnc,r->nc", logits.softmax(-1), shares)
    by_hand = {
        "max_probability": 1 - probs.amax(-1),
        "entropy": Categorical(probs).entropy(),
        "model": shares @ (-10 * (logits / 10).logsumexp(-1)),
        "energy": shares @ -logits.logsumexp(-1),
        "max_logit": shares @ -logits.amax(-1),
    }[score].numpy()
    np.testing.assert_allclose(found["ood_score"], by_hand, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(model.ood_scores(frame, score=score), by_hand, rtol=1e-5)
    plain = predicted(model, frame, rows=64)
    if score == "energy":
        # Its values for familiar rows are not known, only those at another temperature.
        assert list(found.columns) == [*plain.columns, "ood_score"]
        assert "no row is flagged as out of distribution" in notes[-1]
        with pytest.raises(InputError, match=r"energy@10.*take such a score"):
            model.are_strangers(frame, score=score)
        with pytest.raises(InputError, match="take such a score"):
            Predicting(model, open_rows(frame), ood_score=score, ood_recall=0.9)
        return
    pd.testing.assert_frame_equal(found.drop(columns=["ood_score", "stranger"]), plain)
    # 286 of 300 familiar rows accept a new one with the probability 286 / 301, at least 95 %.
    np.testing.assert_array_equal(found["stranger"], by_hand > np.sort(by_hand)[285] + 1e-7)
    assert f"{found['stranger'].sum()} of 300 rows are out of distribution" in notes[-1]
    np.testing.assert_array_equal(model.are_strangers(frame, score=score), found["stranger"])


def test_a_chosen_recall_moves_the_threshold_and_the_files_of_a_model_keep_it(
    trained, tmp_path
) -> None:
    frame = messy()
    model = told_apart(trained, frame)
    again = load(model.save(tmp_path / "model"))
    for recall in (0.5, 0.9, 0.999):
        flags = again.are_strangers(frame, recall=recall)
        np.testing.assert_array_equal(flags, model.are_strangers(frame, recall=recall))
        # Of 300 rows none can show that a thousandth of new rows is above it.
        assert flags.sum() == (0 if recall == 0.999 else 300 - math.ceil(301 * recall))
    with pytest.raises(InputError, match="--ood-recall must be between 0 and 1, but got 1"):
        Predicting(model, open_rows(frame), ood_score="model", ood_recall=1.0)
    with pytest.raises(InputError, match="--ood-recall must go with --ood-score"):
        Predicting(model, open_rows(frame), ood_recall=0.9)
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    config["strangers"]["score"] = "entropy@2"
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="strangers cannot be"):
        load(tmp_path / "model")


def test_many_familiar_rows_are_kept_as_quantiles() -> None:
    values = np.random.default_rng(0).normal(size=50_000)
    rule = StrangerRule.fit({OodScore(): values}, OodScore(), is_chosen=False)
    assert len(rule.familiar["energy"]) == 2000
    for recall in (0.5, 0.95, 0.99):
        accepted = (values <= rule.threshold(recall=recall)).mean()
        assert recall <= accepted < recall + 0.001


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("energie", "did you mean 'energy'"),
        ("energy@0", "a temperature above 0"),
        ("energy@warm", "a temperature above 0"),
        ("max_logit@2", "no temperature for max_logit"),
    ],
)
def test_a_score_that_does_not_exist_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        OodScore.of(text)


def test_an_unknown_score_of_strangeness_is_refused_before_any_row(trained) -> None:
    with pytest.raises(
        InputError, match=r"--ood-score must be a known OOD score.*did you mean 'energy'"
    ):
        Predicting(trained, open_rows(messy()), ood_score="energie")
    frame = messy().assign(ood_score=1)
    with pytest.raises(InputError, match="--id must not have the name"):
        Predicting(trained, open_rows(frame), "ood_score", ood_score="energy")
