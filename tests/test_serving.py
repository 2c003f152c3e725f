from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import autoloss
from autoloss.core.errors import InputError
from autoloss.data.signature import input_columns
from autoloss.inference import pyfunc as serving
from autoloss.tracking.pyfunc import save_pyfunc
from tests.export.models import make_classifier, make_frame

TWO = {"losses": ({"base": "cross_entropy"}, {"base": "focal"}), "sources": ("softmax", "link")}


@pytest.fixture(scope="module")
def classifier():
    return make_classifier(**TWO)


@pytest.fixture(scope="module")
def pyfunc(classifier, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pyfunc")
    model = classifier.save(folder / "model")
    return save_pyfunc(model, folder / "served")


def loaded(folder: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow.pyfunc

        return mlflow.pyfunc.load_model(str(folder))


def probabilities(table: pd.DataFrame) -> np.ndarray:
    return table.iloc[:, 1:].to_numpy()


def test_the_pyfunc_has_the_predictions_of_the_model(classifier, pyfunc) -> None:
    frame = make_frame(50, seed=1).astype({"member": object})
    table = loaded(pyfunc).predict(frame)
    assert list(table.columns) == ["prediction", "probability_no", "probability_yes"]
    assert table["prediction"].tolist() == classifier.predict(frame).tolist()
    np.testing.assert_array_equal(probabilities(table), classifier.predict_proba(frame))


def test_rows_as_the_server_reads_them_give_the_same(classifier, pyfunc) -> None:
    frame = make_frame(50, seed=1)
    body = {"dataframe_split": json.loads(frame.to_json(orient="split"))}
    model = loaded(pyfunc)
    from mlflow.pyfunc.scoring_server import infer_and_parse_data

    rows = infer_and_parse_data(body, model.metadata.get_input_schema())
    table = model.predict(rows)
    np.testing.assert_allclose(
        probabilities(table), classifier.predict_proba(frame), rtol=0, atol=1e-9
    )


def test_the_signature_names_every_column_that_is_read(classifier, pyfunc) -> None:
    signature = loaded(pyfunc).metadata.signature
    assert signature.inputs.input_names() == list(make_frame(2).columns)
    types = ["double", "double", "string", "string", "any", "string"]
    assert [one["type"] for one in signature.inputs.to_dict()] == types
    assert signature.outputs.input_names() == ["prediction", "probability_no", "probability_yes"]


def test_the_requirements_are_pinned_to_versions_that_an_index_has(pyfunc) -> None:
    lines = (pyfunc / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert all("==" in line and "+" not in line for line in lines)
    assert {"autoloss", "torch", "safetensors"} <= {line.partition("==")[0] for line in lines}


def test_nothing_in_the_pyfunc_is_pickled(pyfunc) -> None:
    files = [path for path in pyfunc.rglob("*") if path.is_file()]
    endings = {path.suffix for path in files if path.name != "MLmodel"}
    assert endings <= {".json", ".safetensors", ".txt", ".yaml"}


def test_the_example_is_no_row_of_the_data_and_can_be_read(classifier, tmp_path) -> None:
    folder = classifier.save(tmp_path / "model")
    body = json.loads((folder / "input_example.json").read_text(encoding="utf-8"))
    rows = pd.DataFrame(**body["dataframe_split"])
    assert np.isfinite(classifier.predict_proba(rows)).all()
    frame = make_frame()
    assert rows.merge(frame.astype({"member": object}), on=list(frame.columns)).empty
    assert rows["colour"][0] == frame["colour"].mode()[0]
    assert abs(rows["size"][0] - frame["size"].median()) < 2.0


def test_the_example_can_be_read_for_every_kind_of_column(tmp_path) -> None:
    chance = np.random.default_rng(0)
    words = [f"w{number} is here now {number % 7}" for number in range(200)]
    days = pd.Timestamp("1988-03-04") + pd.to_timedelta(chance.integers(0, 9000, 200), unit="D")
    prices = [f"{1000 + number:,}.5" for number in range(200)]
    frame = pd.DataFrame(
        {
            "price": chance.permutation(prices),
            "text": words,
            "day": days.strftime("%d.%m.%Y"),
            "only": np.where(chance.random(200) < 0.5, "x", None),
        }
    )
    classifier = make_classifier(frame)
    types = {column.name: column.type for column in input_columns(classifier.encodings)}
    assert types == {"price": "number", "text": "text", "day": "date", "only": "category"}
    example = serving.input_example(classifier)
    assert example["price"].map(type).eq(str).all()
    served = serving.ServedModel(classifier).predict(example)
    np.testing.assert_array_equal(probabilities(served), classifier.predict_proba(example))


@pytest.mark.parametrize("given", [[1.0, 0.0, np.nan], ["true", "False", None], [1, 0, 1]])
def test_flags_may_come_as_numbers_and_words(classifier, given) -> None:
    frame = make_frame(3, seed=2)
    truth = [None if pd.isna(value) else str(value) in ("1.0", "1", "true") for value in given]
    wanted = classifier.predict_proba(frame.assign(member=pd.array(truth, dtype="boolean")))
    table = serving.ServedModel(classifier).predict(frame.assign(member=given))
    np.testing.assert_array_equal(probabilities(table), wanted)


def test_labels_that_are_numbers_stay_numbers() -> None:
    classifier = make_classifier(classes=(1, 2, 3))
    assert serving.output_types(classifier)[0] == ("prediction", "long")
    table = serving.ServedModel(classifier).predict(make_frame(4))
    assert table["prediction"].dtype == np.int64


def test_unsuitable_inputs_and_parameters_are_refused_in_one_line(classifier, tmp_path) -> None:
    model = serving.ServedModel(classifier)
    with pytest.raises(InputError, match="params must be empty, but got 'top'"):
        model.predict(make_frame(3), {"top": 2})
    with pytest.raises(InputError, match="lacks 'colour'"):
        model.predict(make_frame(3).drop(columns="colour"))
    with pytest.raises(InputError, match="names of their columns"):
        model.predict(np.zeros((2, 6)))
    with pytest.raises(InputError, match="model_config must be empty"):
        serving._load_pyfunc(str(tmp_path), {"device": "cuda"})
    with pytest.raises(InputError, match="must not be there yet"):
        save_pyfunc(classifier.save(tmp_path / "model"), tmp_path)


@pytest.mark.slow
def test_the_server_scores_rows_over_http(classifier, pyfunc) -> None:
    frame = make_frame(40, seed=4)
    with served(pyfunc) as port:
        answer = ask(port, {"dataframe_split": json.loads(frame.to_json(orient="split"))})
        lacking = frame.drop(columns="town").to_json(orient="split")
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(port, {"dataframe_split": json.loads(lacking)})
    table = pd.DataFrame(answer["predictions"])
    wanted = classifier.predict_proba(frame)
    np.testing.assert_allclose(probabilities(table), wanted, rtol=0, atol=1e-9)
    assert table["prediction"].tolist() == classifier.predict(frame).tolist()
    assert refused.value.code == 400


@contextmanager
def served(folder: Path) -> Iterator[int]:
    """Serve a model by a real MLflow server; yield its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = os.fspath(Path(autoloss.__file__).parents[1])
    words = ["models", "serve", "-m", str(folder), "--env-manager", "local", "-p", str(port)]
    environment = os.environ | {"PYTHONPATH": place, "MLFLOW_DISABLE_TELEMETRY": "true"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    with subprocess.Popen([sys.executable, "-m", "mlflow", *words], env=environment) as server:
        try:
            yield port
        finally:
            server.terminate()


def ask(port: int, body: dict[str, object], *, patience: float = 120.0) -> dict[str, list]:
    """Ask a server that may still be starting."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    ends = time.monotonic() + patience
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError:
            raise
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > ends:
                raise
            time.sleep(0.5)
