"""The work of a step that is counted is that which torch counts."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from autoloss.bench import machine
from autoloss.bench.loops import encoded, make_net
from autoloss.bench.problem import make_setting, plain_network
from autoloss.bench.work import moved, products

CPU = torch.device("cpu")


def test_products_are_those_that_torch_counts() -> None:
    setting = make_setting(together=5, network=plain_network(24), rows=512, epochs=1)
    net, rows = make_net(setting), encoded(setting.job.train)[:256]
    with FlopCounterMode(display=False) as counter:
        net(rows).sum().backward()
    assert products(setting) == 5 * counter.get_total_flops()


def test_bytes_grow_with_candidates_and_weights() -> None:
    def of(together: int, width: int) -> float:
        return moved(
            make_setting(together=together, network=plain_network(width), rows=512, epochs=1)
        )

    shared = 4 * 2 * 256 * 20
    assert of(6, 16) - shared == 2 * (of(3, 16) - shared)
    weights = 20 * 16 + 16 + 16 * 16 + 16 + 2 * 16 + 2
    assert of(1, 16) - shared == 4 * (10 * weights + 256 * (7 * 2 * 16 + 5 * 2))


def test_the_machine_has_a_peak_and_a_bandwidth() -> None:
    assert machine.matrix_peak(CPU, repeats=1, side=64) > 1e6
    assert machine.bandwidth(CPU, repeats=1, numbers=1 << 16) > 1e6
    described = machine.describe(CPU)
    assert described["device"] == "cpu"
    assert described["chip"]
