"""Teachers of every form: their logits by class and row, and the lines that refuse them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.testing import assert_close

from autoloss.core.errors import InputError
from autoloss.core.settings import ProtocolConfig
from autoloss.data import DataOptions, StudyData, prepare
from autoloss.experiment.boosting import gradient_boosting
from autoloss.experiment.teachers import boosted
from autoloss.experiment.teachers.opening import full_teacher, open_teacher
from autoloss.experiment.teachers.teacher import Teacher

PROTOCOL = ProtocolConfig(folds=1, outer_folds=0)
NAMES = ("rose", "iris", "lily")


def flowers(**columns: Any) -> pd.DataFrame:
    data = load_iris(as_frame=True)
    frame = data.data.set_axis(list("abcd"), axis=1)
    kinds = [NAMES[code] for code in data.target]
    return frame.assign(**columns, y=kinds).sample(frac=1.0, random_state=1, ignore_index=True)


def of(frame: pd.DataFrame, target: Any = "y", **options: Any) -> StudyData:
    return prepare(frame, DataOptions(target=target, **options), protocol=PROTOCOL)


def made(teacher: Any, data: StudyData, **options: Any) -> Teacher:
    source = open_teacher(teacher, **options)
    assert source is not None
    return source.of(data, 0)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return flowers(id=[f"n{number}" for number in range(150)])


@pytest.fixture(scope="module")
def data(frame: pd.DataFrame) -> StudyData:
    return of(frame, drop=("id",))


@pytest.fixture(scope="module")
def fitted(frame: pd.DataFrame) -> Any:
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return pipeline.fit(frame[list("abcd")], frame["y"])


@pytest.fixture(scope="module")
def expected(frame: pd.DataFrame, data: StudyData, fitted: Any) -> Tensor:
    """The log probabilities of all rows, in the order of the study's classes."""
    order = [list(fitted.classes_).index(name) for name in data.task.classes]
    return torch.from_numpy(fitted.predict_proba(frame[list("abcd")])[:, order]).log().float()


def check(teacher: Teacher, data: StudyData, expected: Tensor) -> None:
    fold = data.folds[0]
    found = teacher.logits(fold).softmax(-1)
    assert_close(found, expected[fold.train.rows].exp(), atol=2e-6, rtol=0)


@pytest.fixture
def table(frame: pd.DataFrame, data: StudyData, expected: Tensor) -> pd.DataFrame:
    """Probabilities as `autoloss predict --id` writes them, in another order of rows."""
    probs = expected.double().exp().numpy()
    columns = {f"probability_{name}": probs[:, c] for c, name in enumerate(data.task.classes)}
    found = pd.DataFrame({"id": frame["id"], "prediction": "rose", **columns})
    return found.sample(frac=1.0, random_state=2)


def test_a_fitted_pipeline_teaches(data: StudyData, fitted: Any, expected: Tensor) -> None:
    teacher = made(fitted, data)
    check(teacher, data, expected)
    assert "may have seen the rows" in teacher.note
    assert teacher.seconds(data.folds[0]) == 0.0


def test_a_file_of_joblib_teaches_if_it_is_trusted(
    data: StudyData, fitted: Any, expected: Tensor, tmp_path: Path
) -> None:
    file = tmp_path / "model.joblib"
    joblib.dump(fitted, file)
    with pytest.raises(InputError, match=r"must be trusted to be opened.*--trust-pickle"):
        open_teacher(file)
    check(made(file, data, trust_pickle=True), data, expected)
    source = open_teacher(file, trust_pickle=True)
    assert source is not None
    before = source.sha256
    file.write_bytes(pickle.dumps(fitted))
    with pytest.raises(InputError, match="must be as it was when the study began"):
        open_teacher(file, trust_pickle=True, sha256=before)
    file.write_text("no pickle")
    with pytest.raises(InputError, match=r"must be a file of joblib or pickle that opens here"):
        open_teacher(file, trust_pickle=True)


def test_code_is_a_teacher_or_makes_it(
    data: StudyData, fitted: Any, expected: Tensor, tmp_path: Path
) -> None:
    joblib.dump(fitted, tmp_path / "model.joblib")
    file = tmp_path / "teachers.py"
    text = f"import joblib\nTHIS = joblib.load({str(tmp_path / 'model.joblib')!r})\n"
    file.write_text(f"{text}def make():\n    return THIS\ndef fails():\n    return 1 / 0\n")
    for name in ("THIS", "make"):
        check(made(f"{file}:{name}", data), data, expected)
    with pytest.raises(InputError, match=r"teachers.py:fails, but it gave ZeroDivisionError"):
        open_teacher(f"{file}:fails")


class OfNumbers(nn.Module):
    """Logits of the columns as they are, with dropout that eval mode takes off."""

    def __init__(self, fitted: Any, order: list[int]) -> None:
        super().__init__()
        scaler, regression = fitted[0], fitted[1]
        self.mean, self.scale = torch.from_numpy(scaler.mean_), torch.from_numpy(scaler.scale_)
        self.weight = nn.Parameter(torch.from_numpy(regression.coef_[order]))
        self.bias = torch.from_numpy(regression.intercept_[order])
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout((x.double() - self.mean) / self.scale @ self.weight.T + self.bias)


def test_a_module_teaches_by_numbers(data: StudyData, fitted: Any, expected: Tensor) -> None:
    order = [list(fitted.classes_).index(name) for name in data.task.classes]
    module = OfNumbers(fitted, order)
    check(made(module, data), data, expected)
    assert module.training
    with pytest.raises(InputError, match=r"must return logits \(150, 3\).*but Linear returned"):
        made(nn.Linear(4, 2), data)
    with pytest.raises(InputError, match=r"must be able to read the rows, but Linear says: mat1"):
        made(nn.Linear(3, 3), data)


def test_a_module_cannot_read_words(frame: pd.DataFrame) -> None:
    words = of(frame.assign(word=["x", "y", "z"] * 50), drop=("id",))
    with pytest.raises(InputError, match=r"must read numbers, but the column 'word' of DATA has"):
        made(nn.Linear(5, 3), words)


def as_logits(table: pd.DataFrame) -> pd.DataFrame:
    probs = table.filter(like="probability_")
    moved = (np.log(probs) + 7.0).rename(columns=lambda name: name.replace("probability", "logit"))
    return pd.concat([table[["id"]], moved], axis=1)


FORMS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "id": lambda table: table,
    "row": lambda table: table.drop(columns="id").assign(row=table.index),
    "order": lambda table: table.sort_index().drop(columns="id"),
    "logits": as_logits,
    "names": lambda table: table.rename(columns=lambda name: name.replace("probability_", "")),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("ending", [".csv", ".parquet", "frame"])
def test_predictions_are_keyed_by_row_or_id(
    data: StudyData, table: pd.DataFrame, expected: Tensor, tmp_path: Path, form: str, ending: str
) -> None:
    given: Any = FORMS[form](table).reset_index(drop=True)
    if ending != "frame":
        file = tmp_path / f"t{ending}"
        given.to_csv(file, index=False) if ending == ".csv" else given.to_parquet(file)
        given = file
    teacher = made(given, data)
    check(teacher, data, expected)
    assert not teacher.note


@pytest.mark.parametrize("key", ["probs", "logits"])
def test_an_archive_teaches(data: StudyData, expected: Tensor, tmp_path: Path, key: str) -> None:
    file, order = tmp_path / "t.npz", [2, 0, 1]
    values = expected.exp() if key == "probs" else expected + 3.0
    classes = np.array(data.task.classes)[order]
    np.savez(file, **{key: values.numpy()[::-1, order]}, classes=classes, row=range(149, -1, -1))
    check(made(file, data), data, expected)
    np.savez(file, **{key: values.numpy()})
    check(made(file, data), data, expected)
    np.savez(file, **{key: values.numpy()[:, :2]})
    with pytest.raises(InputError, match="a column for each of 3 classes, but has 2"):
        made(file, data)
    file.write_bytes(b"PK no archive")
    with pytest.raises(InputError, match=r"must be an \.npz archive of plain arrays"):
        made(file, data)


def without(table: pd.DataFrame, name: str) -> pd.DataFrame:
    return table.drop(columns=f"probability_{name}")


def changed(table: pd.DataFrame, value: Any) -> pd.DataFrame:
    found = table.reset_index(drop=True).astype({"probability_rose": object})
    found.loc[3, "probability_rose"] = value
    return found


BAD: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "class": (lambda t: without(t, "lily"), "must have every class, but got none for lily"),
    "other": (
        lambda t: t.rename(columns={"probability_rose": "probability_rosa"}),
        "must be of known classes, but got 'rosa', did you mean 'rose'",
    ),
    "none": (lambda t: t[["id"]], r"a column probability_CLASS or logit_CLASS for each class"),
    "short": (
        lambda t: t.sort_index().drop(columns="id")[:149],
        r"has 149: row 149, counted from 0, has none\.",
    ),
    "long": (
        lambda t: pd.concat([t, t[:1]]).drop(columns="id"),
        "has 151: row 150, counted from 0, is not in the data",
    ),
    "twice": (lambda t: pd.concat([t, t[:1]]), "must have each 'id' once, but has 'n"),
    "missing": (lambda t: t.sort_index()[9:], r"none for \d of \d+: the first is row \d"),
    "unknown": (lambda t: t.assign(id="?" + t["id"]), "by 'id', but none of its values is there"),
    "row": (lambda t: t.assign(row=range(1, 151)), "from 0 in 'row', but has row 150"),
    "rows": (lambda t: t.assign(row=7), "each row once, but has row 7 more than once"),
    "cell": (lambda t: changed(t, "much"), "a finite number for each class, but row 3 of it"),
    "sum": (lambda t: changed(t, 2.5), r"of classes with the sum 1, but those of row 3 of it"),
    "logits": (
        lambda t: as_logits(t).rename(columns=lambda name: name.replace("logit", "probability")),
        "if they are logits",
    ),
}


@pytest.mark.parametrize("fault", BAD)
def test_other_predictions_are_refused_in_one_line(
    data: StudyData, table: pd.DataFrame, fault: str
) -> None:
    change, message = BAD[fault]
    with pytest.raises(InputError, match=message) as told:
        made(change(table), data)
    assert "\n" not in str(told.value)


def test_locked_rows_may_be_missing(frame: pd.DataFrame, table: pd.DataFrame) -> None:
    locked = of(frame, drop=("id",), lock=True)
    known = torch.from_numpy(locked.rows_in_use)
    teacher = made(table[table["id"].isin(frame["id"].iloc[locked.rows_in_use])], locked)
    assert teacher.logits(locked.folds[0]).isfinite().all()
    assert teacher.knows(known)
    assert not teacher.knows(torch.from_numpy(locked.whole_rows))


def test_a_teacher_of_other_classes_or_columns_is_refused(frame: pd.DataFrame) -> None:
    pets = of(frame.assign(y=frame["y"].replace("rose", "cat")), drop=("id",))
    teacher = LogisticRegression(max_iter=1000).fit(frame[list("abcd")], frame["y"])
    with pytest.raises(InputError, match="teacher must be of known classes, but got 'rose'"):
        made(teacher, pets)
    with pytest.raises(InputError, match="LogisticRegression says"):
        made(teacher, of(frame.rename(columns={"a": "e"}), drop=("id",)))


def test_no_teacher_is_refused_by_its_kind() -> None:
    with pytest.raises(InputError, match=r"teacher must be boosting, self, a model's folder"):
        open_teacher(np.zeros(3))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="must be fitted, but LogisticRegression has no classes"):
        open_teacher(LogisticRegression())
    with pytest.raises(InputError, match="no file or folder 'nowhere'"):
        open_teacher("nowhere")


def test_the_word_is_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for word in ("boosting", "self"):
        Path(word).mkdir()
    Path("net.py").touch()
    assert [full_teacher(word) for word in ("boosting", "self")] == ["boosting", "self"]
    assert full_teacher("./boosting") == str(tmp_path / "boosting")
    assert full_teacher("net.py:make") == f"{tmp_path / 'net.py'}:make"


def test_boosting_teaches_rows_that_it_has_not_seen(
    data: StudyData, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oracle: a model of the training rows of the other parts, for each part."""
    seen: list[tuple[set[int], set[int]]] = []
    original = boosted.boosted_parts

    def watched(data: StudyData, train: Any, test: Any, *, seed: int) -> Any:
        seen.append((set(train[0].rows.tolist()), set(test.rows.tolist())))
        return original(data, train, test, seed=seed)

    monkeypatch.setattr(boosted, "boosted_parts", watched)
    teacher, fold = made("boosting", data), data.folds[0]
    assert teacher.seconds(fold) > 0.0
    assert len(seen) == 1
    logits = teacher.logits(fold)
    rows, held_out = fold.train.rows, set(fold.valid.rows.tolist())
    assert len(seen) == 6
    taught = sorted(row for _, test in seen[1:] for row in test)
    assert taught == sorted(rows.tolist())
    for train, test in seen:
        assert not train & test
        assert train | test == set(rows.tolist())
        assert not (train | test) & held_out
    train, test = seen[1]
    places = {row: place for place, row in enumerate(rows.tolist())}
    ordered = [row for row in rows.tolist() if row in train], sorted(test)
    codes = [data.task.classes.index(name) for name in frame["y"]]
    alone = gradient_boosting(
        frame[list("abcd")].iloc[ordered[0]],
        np.array(codes)[ordered[0]],
        frame[list("abcd")].iloc[ordered[1]],
        n_classes=3,
    )
    found = logits[[places[row] for row in ordered[1]]]
    assert_close(found, torch.from_numpy(alone.log_probs).float(), atol=1e-5, rtol=0)
    assert teacher.logits(fold) is logits
    assert len(seen) == 6


def test_boosting_keeps_groups_together(frame: pd.DataFrame) -> None:
    grouped = of(frame.assign(g=[number // 10 for number in range(150)]), groups="g", drop=("id",))
    teacher, fold = made("boosting", grouped), grouped.folds[0]
    assert isinstance(teacher, boosted.BoostedTeacher)
    dealt, groups = teacher._dealt(fold), fold.train.rows // 10
    for group in groups.unique():
        assert len(dealt[groups == group].unique()) == 1


def test_several_labels_have_teachers(frame: pd.DataFrame) -> None:
    both = frame.drop(columns=["y", "id"]).assign(
        big=(frame["c"] > 4).astype(int), wide=(frame["b"] > 3).astype(int)
    )
    data, inputs = of(both, ["big", "wide"]), both[list("abcd")]
    rows = data.folds[0].train.rows
    model = MultiOutputClassifier(LogisticRegression(max_iter=1000)).fit(
        inputs, both[["big", "wide"]]
    )
    probs = np.stack([one[:, 1] for one in model.predict_proba(inputs)], 1)
    expected = torch.from_numpy(probs)[rows]
    found = made(model, data).logits(data.folds[0])
    assert_close(found.double().sigmoid(), expected, atol=1e-5, rtol=0)
    table = pd.DataFrame(probs[:, ::-1], columns=["probability_wide", "probability_big"])
    found = made(table, data).logits(data.folds[0])
    assert_close(found.double().sigmoid(), expected, atol=1e-5, rtol=0)
    boosting = made("boosting", data).logits(data.folds[0])
    answers = data.folds[0].train.targets.bool()
    assert ((boosting > 0) == answers).double().mean() > 0.9
    with pytest.raises(InputError, match=r"must have every label, but got none for 'big'"):
        made(table[["probability_wide"]], data)


def test_images_are_taught_by_files_and_modules() -> None:
    data = prepare("sklearn:digits", DataOptions(images="image"), protocol=PROTOCOL)

    class Corner(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            assert x.shape[1:] == (1, 8, 8)
            return x.flatten(1)[:, 10:20]

    fold = data.folds[0]
    found = made(Corner(), data).logits(fold)
    pixels = fold.train.inputs.pixels.flatten(1)[:, 10:20] / 255.0
    assert_close(found, pixels.float())
    with pytest.raises(InputError, match="boosting for these data: it learns from columns"):
        made("boosting", data)
