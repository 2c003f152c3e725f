"""Frozen features of images in a search: verdict, model, predictions; no code in the model."""

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
from autoloss.data.frozen import extractor
from tests.data.frozen import functions
from tests.spaces import TWO_BASES
from tests.test_image_search import bars

SIDES = f"{functions.__file__}:sides"


def run(*arguments: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_a_search_of_frozen_features_ends_in_a_model_without_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, labels = bars(240, 0)
    np.savez(tmp_path / "bars.npz", images=images, labels=labels)
    (tmp_path / "space.toml").write_text(TWO_BASES.replace("max_epochs = 4", "max_epochs = 12"))
    result = autoloss.search(
        tmp_path / "bars.npz",
        features=SIDES,
        space=tmp_path / "space.toml",
        trials=6,
        workers=1,
        name="bars",
        out=tmp_path / "reports",
        track="off",
    )
    assert "holds for frozen features of functions.py:sides" in result.verdict.text
    new, truth = bars(100, 1)
    frame = pd.DataFrame({"image": list(new)})
    probs = result.model.predict_proba(frame)
    assert (result.model.predict(frame) == truth).mean() > 0.9
    assert np.array_equal(autoloss.load(tmp_path / "reports" / "bars").predict_proba(frame), probs)
    # Another program does not know the function until it is named.
    monkeypatch.setattr(extractor, "_GIVEN", {})
    np.savez(tmp_path / "new.npz", images=new)
    words = ["predict", tmp_path / "reports" / "bars", tmp_path / "new.npz", "-o"]
    refused = run(*words, tmp_path / "no.csv")
    assert refused.exit_code == 2
    assert "--features FILE.py:NAME" in refused.stderr
    written = run(*words, tmp_path / "yes.csv", "--features", SIDES)
    assert written.exit_code == 0, written.stderr
    table = pd.read_csv(tmp_path / "yes.csv")
    np.testing.assert_allclose(table.filter(like="probability").to_numpy(), probs, atol=1e-6)
    study = tmp_path / "reports" / "bars"
    for form, file in (("mlflow", "folder"), ("code", "model.py")):
        export = run("export", study, "--to", form, "-o", tmp_path / file)
        assert export.exit_code == 2, export.output
        assert "features" in export.stderr or "functions.py:sides" in export.stderr
    vectors = functions.sides([Image.fromarray(one).convert("RGB") for one in new]).detach()
    written = run("export", study, "--to", "torch", "-o", tmp_path / "model.pt2")
    assert written.exit_code == 0, written.stderr
    program = torch.export.load(tmp_path / "model.pt2").module()
    code, found = program(vectors)
    np.testing.assert_allclose(found.numpy(), probs, atol=1e-5)
    words = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    assert words["features"] == "functions.py:sides"
    assert words["classes"][int(code[0])] == result.model.predict(frame)[0]
    onnxruntime = pytest.importorskip("onnxruntime")
    written = run("export", study, "--to", "onnx", "-o", tmp_path / "model.onnx")
    assert written.exit_code == 0, written.stderr
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (found,) = session.run(["probabilities"], {"vectors": vectors.numpy()})
    np.testing.assert_allclose(found, probs, atol=1e-5)


@pytest.mark.parametrize("shown", [True, False])
def test_the_report_shows_images_on_which_finalists_disagree_unless_told_not_to(
    tmp_path: Path, space: Path, shown: bool
) -> None:
    images, _ = bars(200, 0)
    labels = np.random.default_rng(1).choice(["no", "yes"], len(images))
    np.savez(tmp_path / "noise.npz", images=images, labels=labels)
    result = autoloss.search(
        tmp_path / "noise.npz",
        features=SIDES,
        examples=shown,
        space=space,
        trials=4,
        workers=1,
        name="noise",
        out=tmp_path / "reports",
        track="off",
    )
    found = result.summary.disagreements
    assert found is not None
    assert found.examples
    page = (tmp_path / "reports" / "noise" / "report.html").read_text(encoding="utf-8")
    assert page.count('<img src="data:image/png') == (len(found.examples) if shown else 0)
    for one in found.examples:
        assert bool(one.picture) == shown
        if shown:
            raw = base64.b64decode(one.picture.partition(",")[2])
            seen = np.asarray(Image.open(io.BytesIO(raw)))[..., 0]
            assert np.array_equal(seen, images[one.row])


def test_a_model_of_own_features_is_not_registered(tmp_path: Path) -> None:
    images, labels = bars(40, 0)
    np.savez(tmp_path / "bars.npz", images=images, labels=labels)
    with pytest.raises(InputError, match="register must be left out"):
        autoloss.search(tmp_path / "bars.npz", features=SIDES, register="bars")
