"""A model's folder from an untrusted source: none of its code runs, and a fault is one line."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from autoloss.core.errors import InputError
from autoloss.inference.loading import load
from tests.export.models import make_classifier, make_frame

CLASSIFIER = make_classifier(
    make_frame().assign(text=[f"w{k % 40} is here now {k % 7}" for k in range(240)])
)


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


@pytest.fixture
def folder(tmp_path) -> Path:
    return CLASSIFIER.save(tmp_path / "model")


def refused(folder: Path) -> str:
    with pytest.raises(InputError) as error:
        load(folder)
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 600
    return text


def test_a_pickle_named_as_weights_is_not_unpickled(folder, tmp_path) -> None:
    mark = tmp_path / "ran"
    for content in (pickle.dumps(Bomb(mark)),):
        (folder / "weights.safetensors").write_bytes(content)
        assert "must hold a model" in refused(folder)
    torch.save({"bomb": Bomb(mark)}, folder / "weights.safetensors")
    assert "must hold a model" in refused(folder)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Bomb(mark)))
    assert mark.exists()


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_truncated_weights_are_refused(folder, share) -> None:
    content = (folder / "weights.safetensors").read_bytes()
    (folder / "weights.safetensors").write_bytes(content[: int(share * len(content))])
    assert "must hold a model" in refused(folder)


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "3", "{", '{"format_version": 2}', "[" * 100_000, '"\\ud800"']
)
def test_json_that_is_no_model_is_refused(folder, text) -> None:
    (folder / "config.json").write_text(text, encoding="utf-8")
    refused(folder)


@pytest.mark.parametrize("version", [1, 5, "2", None, [2], "x" * 5000])
def test_another_format_says_which_version_to_take(folder, version) -> None:
    def change(config: dict[str, Any]) -> None:
        config["format_version"] = version

    changed(folder, change)
    assert "install the version of autoloss that wrote it" in refused(folder)


def changed(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    change(config)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def place(*keys: Any) -> tuple[tuple[Any, ...], Any]:
    return keys[:-1], keys[-1]


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        place("members", 0, "encoding", "../../../etc/passwd"),
        place("members", 0, "encoding", 7),
        place("members", 0, "readout", "spec", "base", "os.system"),
        place("members", 0, "readout", "spec", "base", ["focal"]),
        place("members", 0, "readout", "source", "pickle"),
        place("members", 0, "readout", {}),
        place("members", []),
        place("members", "x"),
        place("encodings", 0, "columns", 0, "type", "Path"),
        place("encodings", 0, "columns", 0, "type", "__class__"),
        place("encodings", 0, "columns", 0, "name", None),
        place("encodings", 0, "columns", []),
        place("encodings", 0, "columns", 2, "levels", [1, 2, 3]),
        place("encodings", 0, "version", 9),
        place("encodings", 0, "has_missing", []),
        place("encodings", []),
        place("network", "width", 10**12),
        place("network", "depth", -1),
        place("network", "depth", 10**9),
        place("network", "path", "../weights"),
        place("task", "classes", ["a"]),
        place("task", "classes", ["a", "b", "c"]),
        place("task", "classes", None),
        place("task", "kind", "sequence"),
        place("decision", "expected_cost"),
        place("decision", "eval"),
    ],
)
def test_values_that_cannot_be_are_refused(folder, keys, value) -> None:
    def change(config: Any) -> None:
        for key in keys[:-1]:
            config = config[key]
        config[keys[-1]] = value

    changed(folder, change)
    refused(folder)


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("member.0.weights", torch.zeros(3)),
        ("member.0.weights", torch.zeros(2, 2)),
        ("member.0.weights", None),
        ("member.0.class_counts", torch.zeros(5)),
        ("encoding.0.edges", torch.zeros(1, 5)),
        ("encoding.0.edges", torch.zeros(3)),
        ("encoding.0.text.6.idf", torch.zeros(3)),
        ("encoding.0.text.6.kept", torch.full((3,), 10**9)),
        ("cost_matrix", torch.zeros(3, 3)),
    ],
)
def test_tensors_of_wrong_shapes_are_refused(folder, name, tensor) -> None:
    tensors = load_file(folder / "weights.safetensors")
    if tensor is None:
        del tensors[name]
    else:
        assert name in tensors or name == "cost_matrix"
        tensors[name] = tensor
    save_file(tensors, folder / "weights.safetensors")
    assert "do not fit together" in refused(folder)


def test_the_folder_as_it_was_saved_is_read(folder) -> None:
    assert load(folder).classes.tolist() == ["no", "yes"]
