"""Images go in as a folder or arrays; verdict, report, model and predictions come out."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner, Result

import autoloss
from autoloss.cli import app
from autoloss.core.errors import InputError
from autoloss.data import DataOptions, prepare
from autoloss.diagnosis.model import diagnose_model
from autoloss.inference.pyfunc import ServedModel, input_example
from autoloss.search import SearchResult
from tests.spaces import PROTOCOL

SPACE = f"""
bases = ["cross_entropy", "brier"]
lr = {{ low = 1e-2, high = 3e-2, log = true, default = 2e-2 }}
together = 4
[network]
width = 8
depth = 1
[augment]
shift = 0.1
[training]
batch_size = 32
max_epochs = 12
patience = 12
{PROTOCOL}
"""


def bars(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return images of a bright bar that lies or stands somewhere."""
    draw = np.random.default_rng(seed)
    images = draw.integers(0, 90, (n, 9, 9)).astype(np.uint8)
    labels = np.array(["lies", "stands"])[draw.integers(0, 2, n)]
    for image, label in zip(images, labels, strict=True):
        at = draw.integers(1, 8)
        image[(at, slice(None)) if label == "lies" else (slice(None), at)] += 120
    return images, labels


def run(*arguments: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bars")


@pytest.fixture(scope="module")
def result(folder: Path) -> SearchResult:
    images, labels = bars(300, 0)
    np.savez(folder / "bars.npz", images=images, labels=labels)
    (folder / "space.toml").write_text(SPACE)
    return autoloss.search(
        folder / "bars.npz",
        space=folder / "space.toml",
        trials=6,
        name="bars",
        out=folder / "reports",
        track="off",
    )


def test_the_search_learns_the_images(result: SearchResult, folder: Path) -> None:
    images, labels = bars(200, 1)
    frame = pd.DataFrame({"image": list(images)})
    assert (result.model.predict(frame) == labels).mean() > 0.95
    summary = result.summary
    assert summary.data.columns == (("image", "image"),)
    assert any("learns from columns, not from images" in note for note in summary.data.notes)
    assert summary.settings["shift"] == 0.1
    assert (folder / "reports" / "bars" / "report.html").exists()


def test_a_glimpse_of_a_row_has_its_pixels(result: SearchResult, folder: Path) -> None:
    images, _ = bars(300, 0)
    data = prepare(folder / "bars.npz", DataOptions())
    for row, one in zip((7, 2), data.glimpses("data", [7, 2]), strict=True):
        code = one.picture.removeprefix("data:image/png;base64,")
        shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(code))))
        assert np.array_equal(shown, images[row])


def test_a_saved_model_predicts_folders_arrays_and_base64_alike(
    result: SearchResult, folder: Path
) -> None:
    model = autoloss.load(folder / "reports" / "bars")
    images, _ = bars(30, 2)
    probs = model.predict_proba(pd.DataFrame({"image": list(images)}))
    np.savez(folder / "new.npz", images=images)
    (folder / "new").mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / "new" / f"{i:02}.png")
    assert np.array_equal(model.predict_proba(folder / "new"), probs)
    assert np.array_equal(model.predict_proba(folder / "new.npz"), probs)
    assert np.array_equal(model.predict_proba(list(images)), probs)
    paths = [folder / "new" / f"{i:02}.png" for i in (4, 2)]
    assert np.array_equal(model.predict_proba(paths), probs[[4, 2]])
    assert np.array_equal(model.predict_proba(paths[0]), probs[[4]])
    raw = [(folder / "new" / f"{i:02}.png").read_bytes() for i in range(30)]
    served = ServedModel(model)
    texts = [base64.b64encode(one).decode() for one in raw]
    texts = [f"data:image/png;base64,{one}" for one in texts]
    table = served.predict(pd.DataFrame({"image": texts}))
    assert np.array_equal(table.filter(like="probability").to_numpy(), probs)
    assert len(served.predict(input_example(model))) == 1


def test_a_folder_of_classes_is_diagnosed_as_an_archive(
    result: SearchResult, folder: Path
) -> None:
    images, labels = bars(60, 5)
    np.savez(folder / "later.npz", images=images, labels=labels)
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        (folder / "later" / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / "later" / label / f"{i:02}.png")
    lines = [f"later/{label}/{i:02}.png,{label}" for i, label in enumerate(labels)]
    (folder / "later.csv").write_text("\n".join(["image,label", *lines]))
    archive, table, classes = (
        diagnose_model(result.model, folder / name) for name in ("later.npz", "later.csv", "later")
    )
    assert archive.rows == table.rows == classes.rows == 60
    assert archive.log_loss == pytest.approx(table.log_loss)
    assert archive.log_loss == pytest.approx(classes.log_loss)
    assert archive.error == table.error == classes.error < 0.2
    assert archive.surface is not None


def test_predict_writes_the_names_of_the_files(result: SearchResult, folder: Path) -> None:
    study, source = folder / "reports" / "bars", folder / "named"
    (source / "deep").mkdir(parents=True)
    images, _ = bars(3, 3)
    for name, image in zip(("b.png", "a.png", "deep/c.png"), images, strict=True):
        Image.fromarray(image).save(source / name)
    out = folder / "predictions.csv"
    written = run("predict", study, source, "-o", out)
    assert written.exit_code == 0, written.stderr
    table = pd.read_csv(out)
    assert table["image"].tolist() == ["a.png", "b.png", "deep/c.png"]
    probs = result.model.predict_proba(pd.DataFrame({"image": [images[i] for i in (1, 0, 2)]}))
    assert np.allclose(table.filter(like="probability").to_numpy(), probs)
    (source / "deep" / "c.png").write_bytes(b"broken")
    refused = run("predict", study, source, "-o", folder / "no.csv")
    assert refused.exit_code == 2
    assert "c.png" in refused.stderr
    assert not (folder / "no.csv").exists()


def test_code_is_refused_in_a_line(result: SearchResult, folder: Path) -> None:
    study, file = folder / "reports" / "bars", folder / "model.py"
    refused = run("export", study, "--to", "code", "-o", file)
    assert refused.exit_code == 2
    assert "images" in refused.stderr
    assert not file.exists()


def test_torch_and_onnx_predict_the_pixels_alike(result: SearchResult, folder: Path) -> None:
    study, images = folder / "reports" / "bars", bars(40, 4)[0]
    probs = result.model.predict_proba(pd.DataFrame({"image": list(images)}))
    labels = result.model.predict(pd.DataFrame({"image": list(images)}))
    written = run("export", study, "--to", "torch", "-o", folder / "model.pt2")
    assert written.exit_code == 0, written.stderr
    program = torch.export.load(folder / "model.pt2").module()
    code, found = program(torch.from_numpy(images[..., None]))
    np.testing.assert_allclose(found.numpy(), probs, atol=1e-5)
    words = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    assert (words["height"], words["width"], words["channels"]) == (9, 9, 1)
    assert [words["classes"][one] for one in code] == labels.tolist()

    onnxruntime = pytest.importorskip("onnxruntime")
    written = run("export", study, "--to", "onnx", "-o", folder / "model.onnx")
    assert written.exit_code == 0, written.stderr
    session = onnxruntime.InferenceSession(folder / "model.onnx")
    code, found = session.run(["code", "probabilities"], {"pixels": images[..., None]})
    assert [words["classes"][one] for one in code] == labels.tolist()
    np.testing.assert_allclose(found, probs, atol=1e-5)


NETWORK = """
from torch import nn

def make(n_channels, n_outputs):
    return nn.Sequential(
        nn.Conv2d(n_channels, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(3),
        nn.Flatten(),
        nn.Linear(54, n_outputs),
    )
"""


def test_a_network_of_ones_own_reads_images_by_channel(result: SearchResult, folder: Path) -> None:
    (folder / "net.py").write_text(NETWORK)
    own = autoloss.search(
        folder / "bars.npz",
        space=folder / "space.toml",
        model=f"{folder / 'net.py'}:make",
        trials=4,
        name="own",
        out=folder / "reports",
        track="off",
    )
    images, labels = bars(100, 1)
    frame = pd.DataFrame({"image": list(images)})
    assert (own.model.predict(frame) == labels).mean() > 0.9
    loaded = autoloss.load(folder / "reports" / "own", model=f"{folder / 'net.py'}:make")
    assert np.array_equal(loaded.predict_proba(frame), own.model.predict_proba(frame))


def test_an_output_of_the_wrong_shape_is_said_in_a_line(
    result: SearchResult, folder: Path
) -> None:
    (folder / "flat.py").write_text(NETWORK.replace("54, n_outputs", "54, 7"))
    with pytest.raises(InputError, match=r"model must map images .*9, 9\) to logits"):
        autoloss.plan(
            folder / "bars.npz", space=folder / "space.toml", model=f"{folder / 'flat.py'}:make"
        )
