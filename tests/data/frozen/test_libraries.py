"""Networks of libraries, from folders and without a network; skipped where one is missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from autoloss.core.errors import InputError
from autoloss.data.frozen.extractor import open_extractor

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c"]
TEXTS = ["a b c", "c", "b b a c a"]


def pictures(n: int) -> list[Any]:
    draw = np.random.default_rng(0)
    return [Image.fromarray(draw.integers(0, 256, (20, 30, 3)).astype(np.uint8)) for _ in range(n)]


def check(function: Any, inputs: Sequence[Any], width: int) -> None:
    """Check that a vector does not depend on the other inputs of its call."""
    whole = function.vectors(inputs)
    assert whole.shape == (len(inputs), width)
    for place, one in enumerate(inputs):
        np.testing.assert_allclose(function.vectors([one])[0], whole[place], atol=1e-5)
    assert np.abs(whole[0] - whole[1]).max() > 1e-4


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny network of texts with random weights."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("bert")
    (folder / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    transformers.BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
    )
    transformers.BertModel(config).save_pretrained(folder)
    return folder


def test_transformers_means_the_tokens_of_a_text(bert: Path) -> None:
    check(open_extractor(f"hf:{bert}", "texts"), TEXTS, 16)


def test_sentence_transformers_reads_the_same_folder(bert: Path) -> None:
    pytest.importorskip("sentence_transformers")
    function = open_extractor(f"st:{bert}", "texts")
    check(function, TEXTS, 16)
    other = open_extractor(f"hf:{bert}", "texts")
    np.testing.assert_allclose(function.vectors(TEXTS), other.vectors(TEXTS), atol=1e-5)
    assert function.sha256 != other.sha256


def test_transformers_pools_an_image(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=16,
        patch_size=8,
    )
    transformers.ViTModel(config).save_pretrained(tmp_path)
    size = {"height": 16, "width": 16}
    transformers.ViTImageProcessor(size=size).save_pretrained(tmp_path)
    check(open_extractor(f"hf:{tmp_path}", "pictures"), pictures(3), 16)


def test_timm_and_torchvision_give_the_numbers_before_their_last_layer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timm = pytest.importorskip("timm", exc_type=(ImportError, RuntimeError))
    models = pytest.importorskip("torchvision.models", exc_type=(ImportError, RuntimeError))
    make, get = timm.create_model, models.get_model
    # Their weights come from the network alone.
    monkeypatch.setattr(
        timm, "create_model", lambda name, pretrained, **more: make(name, pretrained=False, **more)
    )
    monkeypatch.setattr(models, "get_model", lambda name, weights: get(name, weights=None))
    check(open_extractor("timm:resnet10t", "pictures"), pictures(2), 512)
    check(open_extractor("torchvision:mobilenet_v3_small", "pictures"), pictures(2), 576)


def test_a_folder_of_texts_cannot_name_code_outside_the_library(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    (tmp_path / "modules.json").write_text('[{"idx": 0, "type": "evil.Module"}]', encoding="utf-8")
    with pytest.raises(InputError, match=r"no code of a model is run, but has 'evil.Module'"):
        open_extractor(f"st:{tmp_path}", "texts")
