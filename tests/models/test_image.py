"""The network of images: convolutions equal torch's; candidates do not see each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from autoloss.core.devices import threads
from autoloss.core.settings import AugmentConfig, NetworkConfig
from autoloss.data import ImageInputs, ImageSchema
from autoloss.models import Heads, ImageNetwork, StepInputs
from autoloss.models.augment import augmented
from autoloss.models.convolve import _pool, blocks, convolve, overlapping, share_products
from autoloss.models.layers import DropoutRates

CONFIG = NetworkConfig(width=8, depth=2)


def images(n: int, height: int, width: int, channels: int, seed: int = 0) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, height, width, channels), generator=draw, dtype=torch.uint8)


def schema(height: int, width: int, channels: int) -> ImageSchema:
    return ImageSchema(height, width, channels, (100.0,) * channels, (70.0,) * channels)


class Draws:
    """Draws that depend on the order alone."""

    def levels(self, depth: int, width: int, sizes: object = None) -> torch.Tensor:
        draw = torch.Generator().manual_seed(1)
        return torch.randint(0, 1 << 15, (depth, 1, 6, width), generator=draw).to(torch.int16)

    def seeds(self) -> list[int]:
        return [5]


def step(k: int, rates: list[float] | None = None) -> StepInputs:
    dropout = None if rates is None else DropoutRates(torch.tensor(rates).view(k, 1, 1))
    heads = Heads(("linear",) * k)
    return StepInputs([0] * k, None, Draws(), dropout, None, heads, torch.float32)


def test_a_convolution_of_candidates_is_that_of_each_with_its_gradients() -> None:
    draw = torch.Generator().manual_seed(0)
    sizes = {"x": (3, 2, 5, 4, 6), "weight": (3, 7, 54), "bias": (3, 7)}
    own = [
        torch.randn(size, generator=draw, dtype=torch.float64, requires_grad=True)
        for size in sizes.values()
    ]
    found = convolve(*own)
    upper = torch.randn(found.shape, generator=draw, dtype=torch.float64)
    gradients = torch.autograd.grad((found * upper).sum(), own)
    for k in range(3):
        x, weight, bias = (one[k].detach().requires_grad_() for one in own)
        kernel = weight.view(7, 3, 3, 6).permute(0, 3, 1, 2)
        expected = functional.conv2d(x.permute(0, 3, 1, 2), kernel, bias, padding=1)
        expected = expected.permute(0, 2, 3, 1)
        torch.testing.assert_close(found[k], expected)
        each = torch.autograd.grad((expected * upper[k]).sum(), (x, weight, bias))
        for one, whole in zip(each, gradients, strict=True):
            torch.testing.assert_close(one, whole[k])


@pytest.mark.parametrize(("side", "stride"), [(3, 1), (4, 2), (8, 4)])
def test_squares_are_a_convolution_with_a_stride(side: int, stride: int) -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(1, 2, 4 * stride, 3 * stride, 3, generator=draw)
    weight = torch.randn(5, 3, side, side, generator=draw)
    found = overlapping(x, side, stride) @ weight.permute(0, 2, 3, 1).flatten(1).T
    padded = functional.pad(x[0].permute(0, 3, 1, 2), [(side - stride) // 2] * 4)
    if side == 3:
        padded = functional.pad(x[0].permute(0, 3, 1, 2), [1] * 4)
    expected = functional.conv2d(padded, weight, stride=stride)
    torch.testing.assert_close(found[0], expected.permute(0, 2, 3, 1), rtol=1e-4, atol=1e-4)


def test_blocks_are_cut_side_by_side_and_end_in_zeros() -> None:
    x = torch.arange(1.0, 10.0).view(1, 1, 3, 3, 1)
    assert blocks(x, 2)[0, 0].tolist() == [
        [[1, 2, 4, 5], [3, 0, 6, 0]],
        [[7, 8, 0, 0], [9, 0, 0, 0]],
    ]


@pytest.mark.parametrize("size", [(8, 8, 1), (28, 28, 1), (5, 30, 3), (1, 1, 3), (64, 48, 3)])
def test_together_equals_alone(size: tuple[int, int, int]) -> None:
    network = ImageNetwork(schema(*size), 4, CONFIG, augment=AugmentConfig(0.1, True, 0.5))
    features = network.encode(ImageInputs.of(images(6, *size)).take(torch.arange(6)[None]))
    rows = [network.initial(torch.Generator().manual_seed(seed)) for seed in range(3)]
    rates = [0.0, 0.3, 0.6]
    whole = torch.stack(rows).requires_grad_()
    every = network.scores(network.layout.views(whole), features, step(3, rates)).logits
    (gradient,) = torch.autograd.grad(every.square().sum(), whole)
    assert torch.isfinite(gradient).all()
    for k, row in enumerate(rows):
        own = row[None].clone().requires_grad_()
        alone = network.scores(network.layout.views(own), features, step(1, rates[k : k + 1]))
        torch.testing.assert_close(alone.logits[0], every[k])
        (one,) = torch.autograd.grad(alone.logits.square().sum(), own)
        torch.testing.assert_close(one[0], gradient[k], rtol=1e-4, atol=1e-5)


def test_an_image_does_not_depend_on_others_of_its_batch() -> None:
    network = ImageNetwork(schema(12, 9, 3), 4, CONFIG)
    row = network.initial(torch.Generator().manual_seed(0))[None].double()
    inputs = ImageInputs.of(images(6, 12, 9, 3))
    views = network.layout.views(row)
    every = network.body(views, network.encode(inputs.take(torch.arange(6)[None])))
    one = network.body(views, network.encode(inputs.take(torch.tensor([[4]]))))
    torch.testing.assert_close(one[0, 0], every[0, 4])


def test_augmentation_shifts_mirrors_and_erases_within_bounds() -> None:
    pixels = images(200, 9, 9, 1)[None]
    fill = torch.tensor([7])
    assert augmented(pixels, [0], AugmentConfig(), fill) is pixels
    assert torch.equal(
        augmented(pixels, [3], AugmentConfig(0.2, True, 0.5), fill),
        augmented(pixels, [3], AugmentConfig(0.2, True, 0.5), fill),
    )
    shifted = augmented(pixels, [0], AugmentConfig(shift=0.2), fill)[0, ..., 0].numpy()
    padded = np.pad(pixels[0, ..., 0].numpy(), ((0, 0), (2, 2), (2, 2)), mode="edge")
    seen = set()
    for image, whole in zip(shifted, padded, strict=True):
        places = [
            (i, j)
            for i in range(5)
            for j in range(5)
            if np.array_equal(whole[i : i + 9, j : j + 9], image)
        ]
        assert len(places) == 1
        seen |= set(places)
    assert len(seen) == 25
    mirrored = augmented(pixels, [0], AugmentConfig(mirror=True), fill)
    same = (mirrored == pixels).flatten(2).all(-1)
    flipped = (mirrored == pixels.flip(3)).flatten(2).all(-1)
    assert bool((same | flipped).all())
    assert 0.3 < float(same.double().mean()) < 0.7
    erased = augmented(pixels, [0], AugmentConfig(erase=0.5), fill)
    changed = (erased != pixels).flatten(2).any(-1).double().mean()
    assert 0.35 < float(changed) < 0.65
    assert bool(((erased == pixels) | (erased == 7)).all())


def test_a_crop_enlarges_a_part_and_keeps_the_order_of_its_pixels() -> None:
    ramp = torch.arange(20, dtype=torch.uint8).expand(200, 20, 20)
    both = torch.stack([ramp, ramp.mT], -1)[None].contiguous()
    found = augmented(both, [5], AugmentConfig(crop=0.5), torch.tensor([0, 0]))[0].int()
    for channel, axis in ((0, 2), (1, 1)):
        own = found[..., channel]
        steps = own.diff(dim=axis)
        assert 0 <= int(steps.min()) <= int(steps.max()) <= 1
        width = own.amax((1, 2)) - own.amin((1, 2))
        assert 9 <= int(width.min()) < 12
        assert 17 < int(width.max()) <= 19
        assert int(own.min()) == 0
        assert int(own.max()) == 19


@pytest.mark.parametrize("orders", [None, [1, 0, 1]])
def test_rows_that_are_shared_are_multiplied_as_copies_of_them(orders: list[int] | None) -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(1 if orders is None else 2, 30, 5, generator=g, dtype=torch.float64)
    weight = torch.randn(3, 4, 5, generator=g, dtype=torch.float64).requires_grad_()
    of = None if orders is None else torch.tensor(orders)
    found = share_products(x, weight, of)
    own = torch.stack([x[k] for k in orders or [0, 0, 0]])
    torch.testing.assert_close(found, torch.einsum("knf,kof->kno", own, weight))
    (found**2).sum().backward()
    expected = torch.autograd.grad((torch.bmm(own, weight.mT) ** 2).sum(), weight)[0]
    torch.testing.assert_close(weight.grad, expected)
    with torch.no_grad():
        torch.testing.assert_close(share_products(x, weight, of), found)


@pytest.mark.parametrize("products", [torch.float32, torch.bfloat16])
def test_a_convolution_rounds_alike_in_any_number_of_threads(products: torch.dtype) -> None:
    g = torch.Generator().manual_seed(0)
    shapes = ((3, 64, 7, 7, 16), (3, 16, 144), (3, 16))
    given = [torch.randn(shape, generator=g) for shape in shapes]

    def found(count: int) -> list[torch.Tensor]:
        own = [one.clone().requires_grad_() for one in given]
        with threads(count):
            output = convolve(*own, products=products)
            output.float().square().sum().backward()
        return [output.detach(), *(one.grad for one in own)]

    one, several = found(1), found(3)
    assert all(torch.equal(a, b) for a, b in zip(one, several, strict=True))


def test_a_thread_that_had_no_work_yet_keeps_a_single_thread_of_torch() -> None:
    pool = _pool.__wrapped__(1)
    pool.submit(int).result()
    with threads(3):
        assert pool.submit(torch.get_num_threads).result() == 1
    pool.shutdown()
