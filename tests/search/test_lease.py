from __future__ import annotations

import gc
import os
import platform
import subprocess
import sys
import threading
import time

from autoloss.search.lease import Heartbeat, Lease, is_running


def ended_pid() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def test_this_process_runs_and_an_ended_process_does_not():
    assert is_running(os.getpid())
    assert not is_running(ended_pid())
    assert not is_running(0)


def test_a_process_that_nobody_waited_for_does_not_run():
    child = subprocess.Popen([sys.executable, "-c", ""])
    deadline = time.monotonic() + 20
    while is_running(child.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_running(child.pid)
    child.wait()


def test_a_lease_is_held_until_it_expires_or_is_given_up():
    lease = Lease.new(seconds=60)
    assert lease.is_held()
    assert not lease.is_held(now=time.time() + 61)
    assert lease.renewed(seconds=120).is_held(now=time.time() + 61)
    lease.give_up()
    assert not lease.is_held()


def test_a_lease_of_a_dead_process_is_not_held_but_a_lease_of_another_machine_is():
    until = time.time() + 60
    assert not Lease("w", platform.node(), ended_pid(), until).is_held()
    assert Lease("w", "elsewhere", 1, until).is_held()


def test_an_earlier_process_of_the_same_number_is_not_this_one():
    assert not Lease("earlier", platform.node(), os.getpid(), time.time() + 60).is_held()


def test_a_lease_survives_being_written():
    lease = Lease.new()
    assert Lease.from_dict(lease.to_dict()) == lease


class Owner:
    def __init__(self) -> None:
        self.beats = 0
        self.twice = threading.Event()

    def renew(self) -> None:
        self.beats += 1
        if self.beats >= 2:
            self.twice.set()
        raise OSError("the storage is away")


def test_a_heartbeat_goes_on_after_a_failure_and_ends_with_its_owner():
    owner = Owner()
    heart = Heartbeat(owner, Owner.renew, seconds=0.01)
    assert owner.twice.wait(20)
    thread = heart._thread
    del owner
    gc.collect()
    thread.join(20)
    assert not thread.is_alive()
