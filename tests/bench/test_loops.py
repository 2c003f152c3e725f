"""All loops train the same thing."""

from __future__ import annotations

import pytest
import torch

from autoloss.bench import loops
from autoloss.bench.problem import Setting, make_setting, plain_network
from autoloss.core.settings import NetworkConfig

SMALL = plain_network(8)
ENCODED = NetworkConfig(width=8, depth=2, bins=4, normalise=True)


def setting(network: NetworkConfig = SMALL) -> Setting:
    return make_setting(together=3, network=network, rows=512, epochs=2)


@pytest.mark.parametrize("network", [SMALL, ENCODED])
def test_the_net_of_torch_is_the_network(network: NetworkConfig) -> None:
    made = setting(network)
    net = loops.make_net(made)
    weights = torch.cat([one.detach().flatten() for one in net.parameters()])
    views = made.job.network.layout.views(weights[None])
    features = made.job.valid.features(torch.arange(len(made.job.valid))[None])
    net.eval()
    torch.testing.assert_close(
        net(loops.encoded(made.job.valid)), made.job.network.body(views, features)[0]
    )


def test_all_loops_take_as_many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    made = setting()
    steps: list[int] = []
    whole = torch.optim.AdamW.step

    def counted(self: torch.optim.AdamW, *rest: object) -> object:
        steps.append(1)
        return whole(self, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(torch.optim.AdamW, "step", counted)
    taken = {}
    for run in (loops.run_tight, loops.run_tutorial):
        steps.clear()
        assert run(made, 2) == 2
        taken[run.__name__] = len(steps)
    assert taken == {"run_tight": 2 * made.steps, "run_tutorial": 2 * made.steps}
    with loops.TogetherLoop(made) as together:
        assert together.run(made) == 3


def test_the_loop_of_the_tutorials_learns() -> None:
    seen: list[tuple[float, int]] = []
    torch.manual_seed(0)
    made = make_setting(together=1, network=SMALL, rows=2048, epochs=8)
    accuracy = loops.train_as_tutorials(made, 1e-2, after_epoch=lambda a, e: seen.append((a, e)))
    assert accuracy > 0.75
    assert [epoch for _, epoch in seen] == list(range(8))
    assert seen[-1][0] == accuracy


def test_threads_are_as_before_the_tight_loop() -> None:
    before = torch.get_num_threads()
    assert loops.tight_seconds_each(setting(), 1) > 0.0
    assert torch.get_num_threads() == before


def test_candidates_train_in_workers_as_in_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_setting(together=8, network=SMALL, rows=512, epochs=1)
    monkeypatch.setattr(loops, "train", lambda *rest: pytest.fail("trains in this process"))
    monkeypatch.setattr("autoloss.executors.staffing.free_cores", lambda: 2)
    before = torch.get_num_threads()
    with loops.TogetherLoop(made) as together:
        # The other loops keep their threads while the workers are idle.
        assert torch.get_num_threads() == before
        assert together.run(made) == 8
        assert torch.get_num_threads() == before
    assert torch.get_num_threads() == before
