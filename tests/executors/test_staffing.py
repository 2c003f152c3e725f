"""The number of worker processes."""

from __future__ import annotations

from typing import Any

import joblib
import pytest
import torch

from autoloss.core.errors import InputError
from autoloss.executors import check_workers, staff, staffing

CPU = torch.device("cpu")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pretend to be a machine."""

    def set_to(*, cores: int, load: float = 0.0, gib: float = 64.0, threads: int = 64) -> None:
        monkeypatch.setattr(joblib, "cpu_count", lambda **more: cores)
        monkeypatch.setattr(staffing.os, "getloadavg", lambda: (load, 0.0, 0.0), raising=False)
        monkeypatch.setattr(staffing, "free_memory", lambda device: int(gib * (1 << 30)))
        monkeypatch.setattr(torch, "get_num_threads", lambda: threads)

    return set_to


@pytest.mark.parametrize(
    ("here", "count"),
    [
        ({"cores": 1}, 1),
        ({"cores": 2}, 2),
        ({"cores": 2, "load": 9.0}, 2),
        ({"cores": 8, "load": 3.2}, 5),
        ({"cores": 64}, 16),
        ({"cores": 8, "gib": 3.0}, 3),
        ({"cores": 8, "threads": 1}, 1),
    ],
)
def test_there_is_a_worker_on_each_free_core(
    machine: Any, here: dict[str, Any], count: int
) -> None:
    machine(**here)
    assert staff("auto", trials=1000, device=CPU).count == count


def test_few_trials_have_few_workers(machine: Any) -> None:
    machine(cores=8)
    assert [staff("auto", trials=n, device=CPU).count for n in (1, 7, 8, 16)] == [1, 1, 2, 4]


def test_a_number_that_is_asked_for_is_taken(machine: Any) -> None:
    machine(cores=2)
    assert staff(3, trials=1, device=CPU).count == 3
    assert staff(3, trials=1, device=CPU, alone="a race trains in one process").count == 1


def test_a_gpu_has_one_process() -> None:
    cuda = torch.device("cuda")
    assert staff("auto", trials=1000, device=cuda).count == 1
    assert staff(1, trials=1000, device=cuda).count == 1
    with pytest.raises(InputError, match=r"workers must be 1 on a GPU.*workers=2"):
        staff(2, trials=1000, device=cuda)


@pytest.mark.parametrize("asked", [0, -1, True, 1.5, "many"])
def test_other_numbers_are_refused(asked: Any) -> None:
    with pytest.raises(InputError, match="workers must be auto or at least 1"):
        check_workers(asked)
