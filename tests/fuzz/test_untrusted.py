"""Folders from untrusted sources: their links are not followed, and their code does not run."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import autoloss
from autoloss.core.errors import InputError
from autoloss.data import DataOptions, prepare
from autoloss.inference.loading import load
from autoloss.search.folders import read_finished
from autoloss.search.naming import study_names
from autoloss.serving import _load_pyfunc
from autoloss.tracking.identity import Identity, read_identity, write_identity
from tests.export.models import make_classifier
from tests.spaces import SMALL

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links need privileges on Windows")


def refusal(run: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        run()
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    return text


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of studies with a finished study."""
    place = tmp_path_factory.mktemp("made")
    (place / "small.toml").write_text(SMALL, encoding="utf-8")
    autoloss.search(
        "sklearn:iris", space=place / "small.toml", trials=4, out=place, name="iris", track="off"
    )
    return place


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    """A copy of that folder, as if it came from an untrusted source."""
    return Path(shutil.copytree(made, tmp_path / "out"))


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file of the user, outside of every folder that is read."""
    path = tmp_path / "secret"
    path.write_text("mine\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["config.json", "weights.safetensors", "more"])
def test_a_model_with_a_link_out_of_its_folder_is_refused(
    tmp_path: Path, secret: Path, name: str
) -> None:
    model = make_classifier().save(tmp_path / "model")
    inside = tmp_path / "model" / "inside.json"
    inside.symlink_to(model / "config.json")
    load(model)
    (model / name).unlink(missing_ok=True)
    (model / name).symlink_to(secret)
    for read in (load, _load_pyfunc):
        text = refusal(lambda read=read: read(str(model)))
        assert "link that leads out of it" in text
        assert "mine" not in text


def test_a_model_of_a_folder_that_is_a_link_is_loaded(tmp_path: Path) -> None:
    make_classifier().save(tmp_path / "model")
    (tmp_path / "latest").symlink_to(tmp_path / "model")
    assert load(tmp_path / "latest").classes.tolist() == ["no", "yes"]


def test_a_pipe_in_a_folder_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    model = make_classifier().save(tmp_path / "model")
    (model / "weights.safetensors").unlink()
    os.mkfifo(model / "weights.safetensors")
    assert "is neither" in refusal(lambda: load(model))


@pytest.mark.parametrize("name", ["study.journal", "summary.json", "examples"])
def test_a_study_with_a_link_out_of_its_folder_is_refused_and_writes_nothing(
    out: Path, secret: Path, name: str
) -> None:
    path = out / "iris" / name
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    path.symlink_to(secret)
    for read in (
        lambda: autoloss.Study.open("iris", out=out),
        lambda: autoloss.resume("iris", out=out),
        lambda: read_finished("iris", out=out),
    ):
        assert "link that leads out of it" in refusal(read)
    assert secret.read_text(encoding="utf-8") == "mine\n"


def rewritten(out: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = out / "iris" / "study.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    change(config)
    path.write_text(json.dumps(config), encoding="utf-8")
    (out / "iris" / "summary.json").unlink()


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/b", "", "..", None, 3])
def test_a_study_keeps_to_its_folder(out: Path, name: object) -> None:
    rewritten(out, lambda config: config.update(name=name))
    assert "name" in refusal(lambda: autoloss.resume("iris", out=out))


def code(folder: Path, mark: Path, text: str = "") -> Path:
    path = folder / "theirs.py"
    path.write_text(f"open({str(mark)!r}, 'w').close()\n{text}", encoding="utf-8")
    return path


def origin_of(path: Path) -> dict[str, str]:
    import hashlib

    return {"file": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


LOSS = '''
from autoloss.losses import declare

@declare(source="nobody", local=True)
def theirs(log_p):
    """Cross-entropy, in nats per example."""
    return -1.0 * log_p
'''


def texts(folder: Path) -> Path:
    path = folder / "texts.csv"
    rows = "".join(f"{'ab'[i % 2]} word {i},{'xyz'[i % 3]}\n" for i in range(60))
    path.write_text(f"note,target\n{rows}", encoding="utf-8")
    return path


def planted(kind: str, path: Path) -> Callable[[dict[str, Any]], object]:
    """Return a change of a study that names a file of code."""
    origin = origin_of(path)
    options = {
        "teacher": {"teacher": f"{path}:make"},
        "features": {
            "features": f"{path}:make",
            "source": str(texts(path.parent)),
            "column": ["note=text"],
            "target": "target",
        },
        "source": {"source": f"{path}:make"},
        "pickle": {"teacher": str(path), "trust_pickle": True},
    }

    def change(config: dict[str, Any]) -> None:
        if kind in ("losses", "metrics"):
            config[kind] = {"theirs": origin}
        elif kind == "model":
            config["origin"]["model"] = {"name": "make", **origin, "stacked": True, "draws": False}
        else:
            config["origin"]["options"].update(options[kind])

    return change


@pytest.mark.parametrize(
    "kind", ["losses", "metrics", "model", "teacher", "features", "source", "pickle"]
)
def test_code_that_only_a_study_names_does_not_run(out: Path, tmp_path: Path, kind: str) -> None:
    mark = tmp_path / "ran"
    if kind == "pickle":
        path = out / "iris" / "teacher.pkl"
        path.write_bytes(pickle.dumps(Bomb(mark)))
    else:
        path = code(out / "iris", mark)
    rewritten(out, planted(kind, path))
    text = refusal(lambda: autoloss.resume("iris", out=out))
    assert not mark.exists()
    assert "which you have not run on this machine" in text
    assert path.name in text


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


def test_code_that_the_user_named_runs_until_it_changes(out: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    path = code(out / "iris", mark, LOSS)
    rewritten(out, planted("losses", path))
    opened = autoloss.Study.open("iris", out=out, losses=path)
    opened.close()
    mark.unlink()
    autoloss.Study.open("iris", out=out).close()
    other = code(out, mark, LOSS.replace("nobody", "another"))
    rewritten_again = planted("losses", other)
    config = json.loads((out / "iris" / "study.json").read_text(encoding="utf-8"))
    rewritten_again(config)
    (out / "iris" / "study.json").write_text(json.dumps(config), encoding="utf-8")
    mark.unlink(missing_ok=True)
    assert "have not run" in refusal(lambda: autoloss.Study.open("iris", out=out))
    assert not mark.exists()


def test_a_database_that_only_a_study_names_is_not_opened(out: Path, tmp_path: Path) -> None:
    place = tmp_path / "elsewhere.db"
    url = f"sqlite:///{place}"
    rewritten(out, lambda config: config.update(storage=url))
    assert "--storage" in refusal(lambda: autoloss.resume("iris", out=out))
    assert not place.exists()


def test_an_address_that_only_a_study_names_gets_nothing(out: Path) -> None:
    path = out / "iris" / "tracking.json"
    known = {"study_id": "7", "uri": "http://stranger.example:5000", "experiment_id": "1"}
    path.write_text(json.dumps(known), encoding="utf-8")
    assert read_identity(out / "iris") == Identity("7")
    write_identity(out / "iris", Identity("7", "http://stranger.example:5000"))
    assert read_identity(out / "iris").uri == "http://stranger.example:5000"


def test_a_folder_of_images_with_a_link_out_of_it_is_refused(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 6, 6)).astype(np.uint8)
    for i, image in enumerate(images):
        folder = tmp_path / "pictures" / ("ant", "bee")[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{i}.png")
    Image.fromarray(images[0]).save(tmp_path / "private.png")
    prepare(tmp_path / "pictures", DataOptions())
    (tmp_path / "pictures" / "ant" / "x.png").symlink_to(tmp_path / "private.png")
    text = refusal(lambda: prepare(tmp_path / "pictures", DataOptions()))
    assert "'x.png' in it is a link that leads out of it" in text


@pytest.mark.parametrize("name", ["$(touch ran)", "`touch ran`", "a'b", "a;b", "-rf", "a\nb"])
def test_completion_names_no_folder_that_a_shell_would_run(tmp_path: Path, name: str) -> None:
    for one in (name, "sound"):
        (tmp_path / one).mkdir()
        (tmp_path / one / "study.json").write_text("{}", encoding="utf-8")
    assert study_names(tmp_path) == ["sound"]
