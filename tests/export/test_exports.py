from __future__ import annotations

import hashlib
import importlib
import json
import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from autoloss.core.errors import InputError
from autoloss.export import export
from autoloss.export.graph_inputs import GraphInputs
from autoloss.inference.loading import load
from autoloss.models import OwnModel
from tests.export.models import SMALL, make_classifier, make_frame

# Some rows have levels that training did not have.
pytestmark = pytest.mark.filterwarnings("ignore::autoloss.errors.UnusableCellsWarning")
HAS_ONNX = all(
    importlib.util.find_spec(name) is not None for name in ("onnx", "onnxscript", "onnxruntime")
)
needs_onnx = pytest.mark.skipif(not HAS_ONNX, reason="needs autoloss[onnx] and onnxruntime")
COSTS = [[0, 1, 5], [2, 0, 1], [1, 9, 0]]
MIXED = {
    "losses": (
        {"base": "cross_entropy"},
        {"base": "focal"},
        {"base": "focal", "prior": "logit_adjust"},
    ),
    "sources": ("softmax", "link", "prior"),
}
MODELS = {
    "binary, all kinds of column": MIXED,
    "numbers as labels, cosines, balanced error": {
        "classes": (1, 2, 3),
        "losses": ({"base": "arcface"}, {"base": "squared_emd"}),
        "sources": ("softmax", "link"),
        "decision": "balanced_error",
    },
    "categories alone, costs": {
        "frame": make_frame()[["colour", "town"]],
        "classes": ("a", "b", "c"),
        "decision": "expected_cost",
        "cost_matrix": COSTS,
    },
    "a blend, calibrated as a whole": {
        **MIXED,
        "frame": make_frame()[["size", "colour"]],
        "weights": (0.5, 3.0, 0.1),
        "temperature": 0.7,
    },
    "one model of several labels": {
        "frame": make_frame()[["size", "colour"]],
        "labels": ("calm", "sad", "loud", "never"),
        "losses": ({"base": "asymmetric", "prior": "class_weight"}, *MIXED["losses"]),
        "sources": ("link", *MIXED["sources"]),
        "temperature": 0.8,
        "of_labels": (0.6, 1.0, 1.7, 2.4),
        "thresholds": (0.3, 0.6, 0.45, 0.5),
    },
    "several labels, two of each row": {
        "labels": ("calm", "sad", "loud", "never"),
        "labels_each": 2,
        **MIXED,
    },
    "several labels, balanced error, a blend": {
        "labels": ("calm", "sad", "never"),
        "decision": "balanced_error",
        **MIXED,
        "weights": (0.5, 3.0, 0.1),
    },
    "one number": {"frame": make_frame()[["size"]]},
    "one model with learnt frequencies": {
        **MIXED,
        "frame": make_frame()[["size", "count", "town"]],
        "config": replace(SMALL, numbers="waves"),
    },
}
# Tracing takes seconds per model.
SOME = [
    name if name.startswith(("one", "a blend")) else pytest.param(name, marks=pytest.mark.slow)
    for name in MODELS
]


def rows(kind: dict[str, object], n: int = 300) -> pd.DataFrame:
    """Return rows with levels, years and sizes outside the training data."""
    frame = make_frame(n, seed=7)
    frame.loc[3, "colour"], frame.loc[4, "size"], frame.loc[5, "size"] = "mauve", 1e12, np.inf
    frame.loc[6, "since"], frame.loc[7, "since"] = "1931-12-31 23:59:59", "2096-02-29 00:00:00"
    return frame[kind.get("frame", frame).columns]


def moments(cells: pd.Series) -> np.ndarray:
    when = pd.to_datetime(cells).to_numpy().astype("datetime64[s]")
    seconds = when.astype(np.int64).astype(np.float64)
    seconds[np.isnat(when)] = np.nan
    return seconds


def words(cells: pd.Series) -> list[str]:
    return ["" if pd.isna(cell) else str(cell) for cell in cells]


@needs_onnx
@pytest.mark.parametrize("name", SOME)
def test_onnxruntime_gives_the_probabilities_of_the_model(tmp_path, name) -> None:
    import onnxruntime

    classifier, frame = make_classifier(**MODELS[name]), rows(MODELS[name])
    (file,) = export(classifier, "onnx", tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(file)
    inputs = GraphInputs.of(classifier, "onnx")
    fed = {}
    for column in inputs.names:
        if column in inputs.numbers:
            fed[column] = frame[column].to_numpy(dtype="float64", na_value=np.nan)[:, None]
        elif column in inputs.dates:
            fed[column] = moments(frame[column])[:, None]
        else:
            fed[column] = np.array(words(frame[column]), dtype=object)[:, None]
    assert [one.name for one in session.get_inputs()] == list(frame.columns)
    assert [one.name for one in session.get_outputs()] == ["label", "probabilities"]
    labels, probs = session.run(None, fed)
    np.testing.assert_allclose(probs, classifier.predict_proba(frame), rtol=0, atol=1e-5)
    assert labels.tolist() == classifier.predict(frame).tolist()
    _, alone = session.run(None, {key: cells[:1] for key, cells in fed.items()})
    np.testing.assert_allclose(alone, probs[:1], rtol=0, atol=1e-6)
    described = json.loads(session.get_modelmeta().custom_metadata_map["autoloss"])
    assert described["decision"] == classifier.decision
    assert described["classes"] == list(classifier.task.classes)


@needs_onnx
def test_a_column_may_have_the_name_of_an_output(tmp_path) -> None:
    import onnxruntime

    frame = make_frame()[["colour"]].rename(columns={"colour": "label"})
    (file,) = export(make_classifier(frame), "onnx", tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(file)
    assert [one.name for one in session.get_outputs()] == ["label_", "probabilities"]


@needs_onnx
def test_writing_a_graph_prints_nothing(tmp_path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from autoloss.export import export\n"
        "from tests.export.models import make_classifier\n"
        "export(make_classifier(), 'onnx', Path(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model.onnx")],
        capture_output=True,
        encoding="utf-8",
        cwd=Path(__file__).parents[2],
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_missing_onnx_packages_are_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    monkeypatch.setitem(sys.modules, "onnx", SimpleNamespace())
    with pytest.raises(InputError, match=r"pip install 'autoloss\[onnx\]'"):
        export(make_classifier(), "onnx", tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", SOME)
def test_the_torch_program_gives_the_probabilities_of_the_model(tmp_path, name) -> None:
    classifier, frame = make_classifier(**MODELS[name]), rows(MODELS[name])
    file, tables = export(classifier, "torch", tmp_path / "model.pt2")
    # With the JSON file alone, like a user.
    known = json.loads(tables.read_text(encoding="utf-8"))
    codes = [
        [
            one["missing"] if word == "" else one["levels"].get(word, one["unknown"])
            for word in words(frame[column])
        ]
        for column, one in known["categories"].items()
    ]
    numbers = frame[known["numbers"]].to_numpy(dtype="float64", na_value=np.nan)
    seconds = np.array([moments(frame[column]) for column in known["dates"]])
    program = torch.export.load(file).module()
    code, probs = program(
        torch.tensor(numbers, dtype=torch.float64).reshape(len(frame), -1),
        torch.tensor(codes, dtype=torch.int64).reshape(-1, len(frame)).T,
        torch.tensor(seconds, dtype=torch.float64).reshape(-1, len(frame)).T,
    )
    np.testing.assert_allclose(probs, classifier.predict_proba(frame), rtol=0, atol=1e-5)
    wanted = classifier.predict(frame).tolist()
    if classifier.task.names:
        assert known["labels"] == list(classifier.task.names)
        assert code.tolist() == wanted
    else:
        assert [known["classes"][place] for place in code.tolist()] == wanted


def is_torch_pair(file: Path) -> bool:
    known = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    return known["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


def is_code_pair(file: Path) -> bool:
    names = {"__file__": str(file), "__name__": "__main__"}
    try:
        exec(compile(file.read_text("utf-8"), str(file), "exec"), names)
    except ImportError as error:
        return "export the model again" not in str(error)
    return True


@pytest.mark.parametrize(
    ("form", "ending", "is_pair"), [("torch", "pt2", is_torch_pair), ("code", "py", is_code_pair)]
)
def test_files_of_two_exports_are_recognised(tmp_path, monkeypatch, form, ending, is_pair) -> None:
    file = tmp_path / f"model.{ending}"
    old, new = (make_classifier(make_frame(seed=seed)) for seed in (0, 1))
    export(old, form, file)
    assert is_pair(file)
    move, moved = Path.replace, []

    def killed_between(part: Path, target: Path) -> Path:
        if moved:
            raise KeyboardInterrupt
        moved.append(target)
        return move(part, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed_between)
        with pytest.raises(KeyboardInterrupt):
            export(new, form, file)
    assert len(moved) == 1
    assert not is_pair(file)
    export(new, form, file)
    assert is_pair(file)
    assert len(list(tmp_path.iterdir())) == 2


RUN = """
import sys
sys.modules["autoloss"] = None
import numpy as np, pandas as pd
from churn_model import predict, predict_proba
frame = pd.read_parquet("rows.parquet")
np.savez("out.npz", probs=predict_proba(frame), labels=predict(frame).astype(str))
np.savez("one.npz", probs=predict_proba(frame.head(1)))
"""


def with_text(frame: pd.DataFrame) -> pd.DataFrame:
    count = range(len(frame))
    texts = [f"w{k % 40} is here now {k % 7} and {k % 3}" for k in count]
    return frame.assign(text=texts, price=[f"{1000 + k:,}.5" for k in count])


@pytest.mark.slow
def test_the_code_gives_the_probabilities_without_autoloss(tmp_path) -> None:
    classifier = make_classifier(with_text(make_frame()), **MIXED)
    frame = with_text(rows({}))
    files = export(classifier, "code", tmp_path / "churn_model.py")
    assert [file.name for file in files] == ["churn_model.py", "churn_model.safetensors"]
    frame.to_parquet(tmp_path / "rows.parquet")
    environment = {key: one for key, one in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", RUN], cwd=tmp_path, check=True, env=environment)
    found = np.load(tmp_path / "out.npz")
    wanted = classifier.predict_proba(frame)
    np.testing.assert_allclose(found["probs"], wanted, rtol=0, atol=1e-6)
    assert found["labels"].tolist() == classifier.predict(frame).tolist()
    one = np.load(tmp_path / "one.npz")["probs"]
    np.testing.assert_allclose(one, wanted[:1], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_the_code_of_every_model_gives_its_probabilities(tmp_path, name) -> None:
    classifier, frame = make_classifier(**MODELS[name]), rows(MODELS[name])
    file, _ = export(classifier, "code", tmp_path / "model.py")
    # In this process, which is faster; the text shows that autoloss is not imported.
    source = file.read_text(encoding="utf-8")
    assert "import autoloss" not in source
    assert "from autoloss" not in source
    names: dict[str, object] = {"__file__": str(file), "__name__": "model"}
    module = SimpleNamespace(__dict__=names)
    sys.modules["model"] = module  # type: ignore[assignment]
    try:
        exec(compile(source, str(file), "exec"), names)
    finally:
        del sys.modules["model"]
    probs = names["predict_proba"](frame)  # type: ignore[operator]
    np.testing.assert_allclose(probs, classifier.predict_proba(frame), rtol=0, atol=1e-5)
    assert names["predict"](frame).tolist() == classifier.predict(frame).tolist()  # type: ignore


def test_names_of_the_data_cannot_become_code(tmp_path) -> None:
    evil = '"""\nraise SystemExit(1)\n"""\\'
    frame = make_frame()[["size", "colour"]].rename(columns={"size": evil})
    frame["colour"] = frame["colour"].str.replace("red", evil)
    classifier = make_classifier(frame, classes=("no", evil))
    object.__setattr__(classifier.task, "target", evil)
    file, _ = export(classifier, "code", tmp_path / "model.py")
    names: dict[str, object] = {"__file__": str(file), "__name__": "__main__"}
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), names)
    probs = names["predict_proba"](frame)  # type: ignore[operator]
    np.testing.assert_allclose(probs, classifier.predict_proba(frame), rtol=0, atol=1e-6)


@pytest.mark.parametrize("form", ["onnx", "torch"])
def test_free_text_is_refused_where_a_graph_cannot_read_it(tmp_path, form, monkeypatch) -> None:
    for name in ("onnx", "onnxscript"):
        monkeypatch.setitem(sys.modules, name, SimpleNamespace())
    file = tmp_path / f"model.{ {'onnx': 'onnx', 'torch': 'pt2'}[form] }"
    with pytest.raises(InputError, match=r"reads 'text'; use --to code or --to mlflow"):
        export(make_classifier(with_text(make_frame())), form, file)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["torch", "code"])
def test_a_network_of_the_users_own_is_refused(tmp_path, form) -> None:
    classifier = make_classifier(make_frame()[["size"]])
    object.__setattr__(classifier, "model", OwnModel(torch.nn.Linear, "Linear"))
    ending = {"torch": "pt2", "code": "py"}[form]
    with pytest.raises(InputError, match="has a custom network"):
        export(classifier, form, tmp_path / f"model.{ending}")


@pytest.mark.parametrize(
    ("form", "path", "rule"),
    [
        ("pickle", "model.pkl", "--to must be one of mlflow, onnx, torch, code"),
        ("onnx", "model.pb", "must end in .onnx"),
        ("torch", "nowhere/model.pt2", "folder that exists"),
        ("mlflow", ".", "must not be there yet"),
        ("code", "there.py", "must not be a folder"),
    ],
)
def test_form_and_path_are_checked_first(tmp_path, monkeypatch, form, path, rule) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.py").mkdir()
    with pytest.raises(InputError, match=rule):
        export(make_classifier(), form, path)


def test_a_reloaded_model_has_the_same_export(tmp_path) -> None:
    classifier = make_classifier(**MODELS["one number"])
    again = load(classifier.save(tmp_path / "model"))
    for number, one in enumerate((classifier, again)):
        (tmp_path / str(number)).mkdir()
        export(one, "code", tmp_path / str(number) / "model.py")
    texts = [(tmp_path / str(n) / "model.py").read_text(encoding="utf-8") for n in (0, 1)]
    assert texts[0] == texts[1]


def test_the_command_writes_the_requested_form(tmp_path, monkeypatch) -> None:
    from typer.testing import CliRunner

    from autoloss.cli import app

    monkeypatch.chdir(tmp_path)
    make_classifier(make_frame()[["size"]]).save("reports/mine/model")
    words = ["export", "mine", "--to", "code", "-o", "mine.py"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.stderr
    assert result.stderr == "autoloss: wrote mine.py and mine.safetensors.\n"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = CliRunner().invoke(app, ["export", "mine", "--to", "mlflow", "-o", "served"])
    assert result.exit_code == 0, result.stderr
    assert Path("served/MLmodel").is_file()
    result = CliRunner().invoke(app, ["export", "mine", "--to", "onnx", "-o", "mine.txt"])
    assert result.exit_code == 2
    assert "must end in .onnx" in result.stderr
