"""Fuzzing of every reader, led by the code that its inputs reach.

``pytest -m slow tests/safety/test_coverage.py``: SHAPEINSPECT_FUZZ_SECONDS says how long each one is, in
seconds of processor time (600). In pieces: SHAPEINSPECT_FUZZ_CLOCK says after how many seconds of the clock
one ends in any case, SHAPEINSPECT_FUZZ_CORPUS is a folder for the inputs that reached something new, from
which the next goes on.

What has been run of each reader, without a finding:

=================================================================================  ==================
readers                                                                            seconds
=================================================================================  ==================
numpy-header, tf-table, tf-snappy                                                  300 of processor
                                                                                   time each
pickle, protobuf, flatbuffer, zip, json                                            200 of processor
                                                                                   time each
window, cursor, long-json                                                          120 of processor
                                                                                   time each
torch-tar, torchscript-code, torchscript-pickle, torch-export-graph,               75 of the clock
torch-distributed, safetensors-index, huggingface-config, peft-adapter,            each
keras-config, keras-npz, tf-checkpoint, tf-saved-model
tf-graph, tflite, orbax-zarr3, flax-msgpack, npz, npz-deflated, npy,               60 of the clock
torch-legacy, torch-module-pickle, torch-zip, torch-zip-pickle, onnx, gguf,        each
safetensors
=================================================================================  ==================

None has had its ten minutes yet; keras-h5 and keras-weights, which list HDF5 in the same process, have had no
run to its end.

What may come of an input: a model, or one of two errors, within two seconds of processor time and 512 MiB.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from shapeinspect.errors import UnreadableFileError, UsageError

from .conftest import load

SECONDS = int(os.environ.get("SHAPEINSPECT_FUZZ_SECONDS", "600"))
CLOCK = int(os.environ.get("SHAPEINSPECT_FUZZ_CLOCK", "86400"))
#: Seconds of processor time that no small input may take.
SLOW = 2.0
FUZZER = Path(__file__).with_name("fuzzer.py")
READERS = load("readers")
#: A key of one letter and a value of two bytes, and where the keys begin.
BLOCK = b"\0\1\2a\1\2" + bytes(4) + b"\1\0\0\0"


def _seeds(samples: Mapping[str, Any], name: str) -> list[bytes]:
    """What the reader of a part begins with."""

    def whole(form: str) -> bytes:
        content: bytes = (samples[form].folder / samples[form].damaged).read_bytes()
        return content

    def pickled() -> bytes:
        with zipfile.ZipFile(samples["torch-zip"].folder / samples["torch-zip"].damaged) as archive:
            return archive.read(next(name for name in archive.namelist() if name.endswith("/data.pkl")))

    made: dict[str, Callable[[], list[bytes]]] = {
        "window": lambda: [struct.pack("<qq", 0, 4) + b"abcdefgh"],
        "cursor": lambda: [bytes(range(64))],
        "json": lambda: [whole("safetensors-index")],
        "long-json": lambda: [whole("huggingface-config")],
        "pickle": lambda: [pickled()],
        "protobuf": lambda: [whole("onnx"), whole("tf-graph")],
        "flatbuffer": lambda: [whole("tflite")],
        "zip": lambda: [whole("npz-deflated"), whole("torch-zip")],
        "numpy-header": lambda: [whole("npy")],
        "tf-snappy": lambda: [b"\x09\x08abc\x09\x03"],
        "tf-table": lambda: [b"\0" + BLOCK, b"\1\x0e\x34" + BLOCK],
        "planted": lambda: [b"0123"],
    }
    return made[name]()


def _fuzz(samples: Mapping[str, Any], name: str, home: Path, seconds: int) -> tuple[dict[str, str], str]:
    """Fuzz one reader; what was found, and libFuzzer's last words."""
    corpus = Path(os.environ.get("SHAPEINSPECT_FUZZ_CORPUS", home)) / f"corpus-{name}"
    asked: dict[str, Any] = {
        "name": name, "packages": READERS.packages(name), "seconds": seconds,
        "clock": CLOCK, "corpus": str(corpus), "found": str(home / "found"),
        "slow": 60 if name in READERS.CRASHING else SLOW,  # a user's child ends by its own limit
    }  # fmt: skip
    corpus.mkdir(parents=True, exist_ok=True)
    if name in READERS.MODELS:
        place = READERS.MODELS[name]
        sample = samples[place.sample]
        shutil.copytree(sample.folder, home / "model")
        asked |= {"home": str(home / "model"), "show": sample.show, "damaged": sample.damaged}
        asked["member"] = place.member
    else:
        asked["seeds"] = [seed.hex() for seed in _seeds(samples, name)]
    found, said, crashes = home / "found", "", 0
    kinds: dict[str, str] = {}
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    while True:
        words = [sys.executable, str(FUZZER), json.dumps(asked)]
        begin = _children()
        done = subprocess.run(words, capture_output=True, check=False, env=environment)
        said += done.stderr.decode(errors="replace")
        kinds |= json.loads(found.read_text()) if found.exists() else {}
        asked["seconds"] -= _children() - begin
        if not done.returncode or name not in READERS.CRASHING or asked["seconds"] < 5:
            break
        crashes += 1
        assert "deadly signal" in said or "timeout" in said, said[-2000:]
    if done.returncode and name not in READERS.CRASHING:
        kinds["the process"] = said[-2000:]
    return kinds, said + f"\n{crashes} crashes of its library"


def _children() -> float:
    """The processor time of the processes that have been started and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture
def models(samples: Mapping[str, Any], tmp_path: Path) -> Iterator[Callable[[str], Any]]:
    """A sample of its own with the place of the bytes in it."""

    def make(name: str) -> Any:
        place = READERS.MODELS[name]
        sample = samples[place.sample]
        shutil.copytree(sample.folder, tmp_path / "model")
        return READERS.Model(tmp_path / "model", sample.show, sample.damaged, place.member)

    worker = pytest.importorskip("shapeinspect_onnx.graph.isolated").Worker
    hdf5 = pytest.importorskip("shapeinspect_keras.containers.hdf5")
    before = worker.__enter__, hdf5.ask
    yield make
    worker.__enter__, hdf5.ask = before


@pytest.mark.parametrize("name", READERS.ALL)
def test_what_a_reader_begins_with_is_read(samples: Mapping[str, Any], models: Any, name: str) -> None:
    """And something that is nothing is refused, so that both are reached from there."""
    if name in READERS.PARTS:
        for seed in _seeds(samples, name):
            try:
                READERS.PARTS[name](seed)
            except UnreadableFileError:
                assert name in ("window", "cursor"), "these end where the bytes end"
        return
    model = models(name)
    model.read(model.seed())
    if name == "torchscript-code":  # without code there is no graph, and a note says so
        model.read(b"\x00\x01\x02")
        return
    with pytest.raises((UnreadableFileError, UsageError)):
        model.read(b"\x00\x01\x02")


@pytest.mark.slow
def test_a_fault_is_found(samples: Mapping[str, Any], tmp_path: Path) -> None:
    found, said = _fuzz(samples, "planted", tmp_path, 20)
    assert list(found) == [f"ZeroDivisionError in readers.py:{_line_of_the_fault()}"], said[-2000:]


def _line_of_the_fault() -> int:
    lines = Path(READERS.__file__).read_text().splitlines()
    return 1 + next(at for at, line in enumerate(lines) if line.strip() == "raise ZeroDivisionError")


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS.ALL)
def test_no_input_is_more_than_refused(
    samples: Mapping[str, Any], tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found, said = _fuzz(samples, name, tmp_path, SECONDS)
    done = re.search(r"Done (\d+) runs in (\d+) s", said)
    reached = re.findall(r"cov: (\d+) ft: (\d+)", said)
    with capsys.disabled():
        print(f"\n{name}: {done and done[0]}, {reached[-1:]} edges and features")
    assert found == {}
    assert done
    assert int(done[1]) > 100
