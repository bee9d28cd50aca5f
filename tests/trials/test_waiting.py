"""What waits for what never comes is ended, and what waits for its turn on a busy machine is not."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from shapeinspect.plugin_api import clock
from shapeinspect.plugin_api.isolation import turns
from shapeinspect.plugin_api.programs import copies

pytestmark = pytest.mark.skipif(not copies.available(), reason="this system cannot confine a copy")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "_IDLE", 0.6)
    monkeypatch.setattr(turns, "_LOOK", 0.1)


def test_a_copy_that_waits_for_a_thread_that_it_does_not_have_is_ended() -> None:
    begin = time.monotonic()
    held = threading.Lock()
    held.acquire()
    assert copies.in_copy(lambda send: (send(b"3"), held.acquire(), send(b"4")), 60.0, 600.0) == (b"3", True)
    assert time.monotonic() - begin < 60


def test_a_copy_that_works_longer_than_that_is_not_ended() -> None:
    def works(send: copies.Send) -> None:
        end = time.process_time() + 1.0
        while time.process_time() < end:
            pass
        send(b"3")

    assert copies.in_copy(works, 60.0, 600.0) == (b"3", False)


def test_a_process_that_waits_for_its_child_is_as_busy_as_that(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        child = os.fork()
        while child == 0 and not (tmp_path / "end").exists():
            pass
        os.waitpid(child, 0) if child else None
        os._exit(0)
    try:
        watch = turns.Watch(pid)
        begin = time.monotonic()
        while time.monotonic() - begin < 1.5:
            assert not watch.is_idle()
            time.sleep(0.05)
    finally:
        (tmp_path / "end").touch()
        os.waitpid(pid, 0)


#: Two threads, one of which does not count, in a process that has neither others nor children.
TWO = """
import os, threading, time
from shapeinspect.plugin_api.isolation import turns

begun, ended = threading.Event(), threading.Event()

def run():
    begun.set()
    while not ended.wait(0.01):
        pass

busy = threading.Thread(target=run)
busy.start()
begun.wait(60)
every = {threading.get_native_id(), busy.native_id}
print(turns.of_process(os.getpid(), every))
seen = turns.of_process(os.getpid(), every - {busy.native_id})
time.sleep(0.2)
print(seen != turns.of_process(os.getpid(), every - {busy.native_id}))
ended.set()
"""


def test_a_thread_that_does_not_count_keeps_nothing_busy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TWO], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout.split() == ["None", "True"], done.stderr


def test_time_in_which_others_have_the_processor_is_no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock.time, "monotonic", lambda: 100.0)
    monkeypatch.setattr(turns, "of_thread", lambda: 30.0)
    assert clock.alone() == 70.0
    monkeypatch.setattr(turns, "of_thread", lambda: None)
    assert clock.alone() == 100.0


def test_each_copy_is_prepared_for_the_frameworks() -> None:
    told: list[bytes] = []
    copies.prepare_with(lambda: told.append(b"ready"))
    try:
        assert copies.in_copy(lambda send: send(b"".join(told)), 60.0, 600.0) == (b"ready", False)
    finally:
        copies.prepare_with(lambda: None)
    assert told == []
