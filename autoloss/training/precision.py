"""The precision of the matrix products in a training step."""

from __future__ import annotations

import torch

from autoloss.core.settings import Precision


def product_dtype(
    precision: Precision, device: torch.device, dtype: torch.dtype = torch.float32
) -> torch.dtype:
    """Return the type of the numbers that go into the products of the hidden layers.

    bfloat16 is chosen where it was seen to pay: on a CPU that has such products (AVX-512 BF16,
    AMX), twice as fast as in float32. Of a GPU nobody has measured it yet; there it must be asked
    for.

    Args:
        precision: What the space asks for.
        device: Where candidates train.
        dtype: Type of the weights; all but float32 is kept.
    """
    if dtype != torch.float32 or precision == "float32":
        return dtype
    is_asked = precision == "bfloat16"
    return torch.bfloat16 if is_asked or _is_fast(device) else torch.float32


def _is_fast(device: torch.device) -> bool:
    """Return whether the processor has products of bfloat16, and the library that uses them."""
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):
        return False
    found = torch.cpu.get_capabilities()
    has_products = bool(found.get("avx512_bf16") or found.get("amx_bf16"))
    return has_products and _library_has_them()


def _library_has_them() -> bool:
    """Return whether oneDNN takes products of bfloat16; `ONEDNN_MAX_CPU_ISA` may forbid it.

    Without it they are 50 times slower than those of float32.
    """
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
