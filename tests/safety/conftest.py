"""The samples of every format, and the process that reads damaged ones under a watchdog."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

#: Every format that the samples hold.
FORMATS = (
    "torch-zip", "torch-legacy", "torch-module", "torchscript", "torch-export", "torch-distributed",
    "torch-tar", "safetensors", "safetensors-index", "huggingface-config", "peft-adapter", "keras",
    "keras-h5", "keras-weights", "tf-checkpoint", "tf-saved-model", "tf-graph", "tflite", "onnx", "gguf",
    "flax-msgpack",    "orbax-zarr3", "orbax-ocdbt", "npz", "npy",
)  # fmt: skip

#: Seconds of processor time that one file may take, and of the clock before it counts as hanging.
CPU, CLOCK = 2.0, 30.0

_HERE = Path(__file__).parent


def _load(name: str) -> ModuleType:
    spec = spec_from_file_location(f"safety_{name}", _HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One small valid file of every format."""
    made: dict[str, Any] = _load("samples").write_all(tmp_path_factory.mktemp("samples"))
    assert tuple(sorted(made)) == tuple(sorted(FORMATS))
    return made


@pytest.fixture(scope="session")
def mutated() -> Callable[[bytes, int], bytes]:
    """The seeded damage."""
    found: Callable[[bytes, int], bytes] = _load("damage").mutated
    return found


@dataclass
class Outcome:
    """What came of many damaged files."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0
    slowest: float = 0.0


class Worker:
    """Feeds the worker process, and replaces it where a file kills it or makes it hang."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._come = b""

    def read(self, sample: Any, cases: range, *, cut: bool = False, cli: bool = False) -> Outcome:
        """Read a sample damaged in many ways: cut off at each length, or changed by each seed."""
        home = Path(shutil.copytree(sample.folder, self._folder / "one", dirs_exist_ok=False))
        try:
            return self._read(sample, home, cases, cut, cli)
        finally:
            shutil.rmtree(home)

    def _read(self, sample: Any, home: Path, cases: range, cut: bool, cli: bool) -> Outcome:
        outcome = Outcome()
        following = cases.start
        while following < cases.stop:
            order = {
                "show": str(home / sample.show),
                "damaged": str(home / sample.damaged),
                "content": str(sample.folder / sample.damaged),
                "cases": [following, cases.stop, cases.step],
                "cut": cut,
                "cli": cli,
            }
            reached = self._ask(order, outcome)
            if reached is None:
                break
            following = reached + cases.step
        return outcome

    def _ask(self, order: dict[str, Any], outcome: Outcome) -> int | None:
        """Return the case that the worker did not survive, or None if it went through all."""
        process = self._running()
        assert process.stdin is not None
        process.stdin.write(json.dumps(order).encode() + b"\n")
        current = int(order["cases"][0])
        while True:
            line = self._line(process)
            if line is None:
                how = "hangs" if process.poll() is None else f"ends the process ({process.returncode})"
                outcome.wrong.append(f"case {current}: {how}")
                self.close()
                return current
            answer = json.loads(line)
            if answer is None:
                return None
            case, found, seconds = answer
            current = case + order["cases"][2]
            outcome.counts[found if found in ("model", "refused") else "wrong"] += 1
            outcome.seconds += seconds
            outcome.slowest = max(outcome.slowest, seconds)
            if found not in ("model", "refused"):
                outcome.wrong.append(f"case {case}: {found}")
            if seconds > CPU:
                outcome.wrong.append(f"case {case}: {seconds:.1f} s")

    def _line(self, process: subprocess.Popen[bytes]) -> str | None:
        assert process.stdout is not None
        while b"\n" not in self._come:
            ready, _, _ = select.select([process.stdout], [], [], CLOCK)
            piece = os.read(process.stdout.fileno(), 1 << 16) if ready else b""
            if not piece:
                if ready:
                    process.wait(CLOCK)
                return None
            self._come += piece
        line, _, self._come = self._come.partition(b"\n")
        return line.decode()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            words = [sys.executable, str(_HERE / "worker.py")]
            self._come = b""
            self._process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=_environment()
            )
        return self._process

    def close(self) -> None:
        """End the process that is running."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._process = None


def _environment() -> dict[str, str]:
    # Threads of numerical libraries reserve address space, of which the worker has little.
    return {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


@pytest.fixture(scope="session")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """The process that reads damaged files."""
    running = Worker(tmp_path_factory.mktemp("damaged"))
    yield running
    running.close()
