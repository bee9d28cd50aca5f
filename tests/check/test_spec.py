"""``shapeinspect check --spec``: one read, one walk, and the assertions of a file, whatever the format."""

from __future__ import annotations

import json
import os
import pkgutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from safetensors.numpy import save_file

Run = Callable[..., tuple[int, str, str]]
LENET = Path(__file__).parents[1] / "data" / "lenet.onnx"


@pytest.fixture
def held(check: Run, tmp_path: Path) -> Run:
    """Check a model against a text."""

    def call(model: str, spec: str, *words: str) -> tuple[int, str, str]:
        path = tmp_path / "spec.toml"
        path.write_text(spec)
        return check(model, "--spec", str(path), *words)

    return call


PICTURE = """
input = "image=2,12,10,3"
expect = '''
# the first convolution: 3·3·3·5 + 5 parameters
conv: conv i=3 o=5 k=3 -> n h w 5

pool: max_pool k=2 s=2 -> n h/2 w/2 5
flat: -> n (h/2*w/2*5)
scores: linear i=100 o=7 -> n 7
params == 847
no layer: *drop*
'''
bind = { h = 10, w = 8 }
"""


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_keras_file(held: Run, files: Path, ending: str) -> None:
    code, out, err = held(str(files / f"picture.{ending}"), PICTURE)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "all 6 expectations hold"
    code, out, _ = held(str(files / f"picture.{ending}"), PICTURE.replace("w = 8", "w = 12"))
    assert code == 1
    assert out.splitlines()[-10:] == [
        "3 of 6 expectations do not hold",
        "conv: conv i=3 o=5 k=3 -> n h w 5",
        "  conv: axis 2 is 8, not w = 12",
        "    at conv (conv 3→5 k3): N2 H12 W10 C3 → N2 H10 W8 C5",
        "pool: max_pool k=2 s=2 -> n h/2 w/2 5",
        "  pool: axis 2 is 4, not w/2 = 6",
        "    at pool (max_pool k2 s2): N2 H10 W8 C5 → N2 H5 W4 C5",
        "flat: -> n (h/2*w/2*5)",
        "  flat: axis 1 is 100, not (h/2*w/2*5) = 150",
        "    at flat (flatten): N2 H5 W4 C5 → N2 (H W C)=100",
    ]


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_an_input_that_does_not_fit_and_what_holds(held: Run, files: Path, ending: str) -> None:
    code, out, _ = held(str(files / f"picture.{ending}"), "expect = 'params == 847'", "-i", "2,12,10,4")
    assert code == 1
    assert out.startswith('layer "conv" (conv)')
    assert out.splitlines()[-1] == "the expectation holds"


def test_weights_alone(held: Run, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_file({"fc.weight": np.zeros((7, 5), np.float32), "fc.bias": np.zeros(7, np.float32)}, path)
    code, out, _ = held(str(path), "expect = ['fc: linear i=5 o=8', 'fc: -> n 7', 'params == 42']")
    assert code == 1
    assert out.splitlines() == [
        "2 of 3 expectations do not hold",
        "fc: linear i=5 o=8",
        "  fc: o is 7, not 8",
        "fc: -> n 7",
        "  fc: its output shape is unknown: no input was given, or the file has only weights",
    ]


MODULE = """
from torch import nn



class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 5, 3), nn.Flatten(), nn.Linear(5 * 7 * 9, 11))
"""


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "check_live_net.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "check_live_net:Net"


def test_a_live_model(held: Run, live: str) -> None:
    code, out, _ = held(live, "input = '2,3,9,11'\nexpect = ['0: o=5 -> n 5 7 9', '2: -> n 11']")
    assert code == 0, out
    assert out.splitlines()[-1] == "all 2 expectations hold"
    code, out, _ = held(live, "expect = '2: -> n 12'", "-i", "2,3,9,11")
    assert (code, out.splitlines()[-3:]) == (
        1,
        ["2: -> n 12", "  2: axis 1 is 11, not 12", "    at 2 (linear 315→11): N2 (C H W)=315 → N2 C11"],
    )


def test_a_live_model_that_refuses_its_input(held: Run, live: str) -> None:
    spec = "input = '2,3,9,12'\nexpect = ['0: o=5 -> n 5 7 9', '2: -> n 11']"
    code, out, err = held(live, spec)
    assert (code, err) == (1, "")
    assert 'layer "2" (linear)' in out.splitlines()[0]
    assert "expected  i = 315" in out
    assert out.splitlines()[-1] == "the expectations were not checked: the model refuses its input"
    code, out, _ = held(live, spec, "--format", "json")
    told = json.loads(out)
    assert (code, told["fits"], told["failures"]) == (1, False, None)


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("lenet.onnx", "shapeinspect_onnx.graph.read.read"),
        ("picture.keras", "shapeinspect_keras.saved.reader.read"),
        ("picture.h5", "shapeinspect_keras.saved.reader.read"),
        ("m.safetensors", "shapeinspect_torch.adapters.safetensors.ADAPTER.read"),
    ],
)
def test_a_file_is_read_once(
    held: Run, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reader: str
) -> None:
    path = LENET if name == "lenet.onnx" else files / name if name.startswith("picture") else tmp_path / name
    if name == "m.safetensors":
        save_file({"fc.weight": np.zeros((7, 5), np.float32)}, path)
    owner_name, _, attribute = reader.rpartition(".")
    owner = pkgutil.resolve_name(owner_name)
    read = getattr(owner, attribute)
    times: list[object] = []

    def counted(source: object) -> object:
        times.append(source)
        return read(source)

    # An adapter is frozen; its class is not.
    target = owner if isinstance(owner, ModuleType) else type(owner)
    monkeypatch.setattr(
        target, attribute, counted if target is owner else lambda self, source: counted(source)
    )
    code, out, _ = held(str(path), "expect = 'params > 30'")
    assert (code, out.splitlines()[-1], len(times)) == (0, "the expectation holds", 1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"x = " + b"[" * 100_000, "recursion"),
        (b"x = " + b"{a = " * 100_000, "recursion"),
        (b".".join([b"a"] * 30_000) + b" = 1", "a key has more than 8 parts"),
        (b"[" + b" . ".join([b'"a"'] * 30_000) + b"]", "a key has more than 8 parts"),
        (b"# " + b"a" * (1 << 20), "longer than 1,048,576 bytes"),
        (b"input = '\xff'", "not UTF-8"),
    ],
    ids=["lists", "tables", "dots", "quoted dots", "long", "bytes"],
)
def test_a_hostile_specification_is_refused(check: Run, tmp_path: Path, text: bytes, says: str) -> None:
    path = tmp_path / "spec.toml"
    path.write_bytes(text)
    code, out, err = check(str(LENET), "--spec", str(path))
    assert (code, out) == (3, "")
    assert says in err
    assert len(err) < 1000


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "."])
def test_a_specification_is_a_file(check: Run, device: str) -> None:
    code, _, err = check(str(LENET), "--spec", device)
    assert code == 2
    assert f'not a file: "{device}"' in err


def test_a_specification_may_be_a_pipe_and_nobody_waits_for_its_writer(check: Run, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert check(str(LENET), "--spec", str(pipe))[0] == 0  # it expects nothing
    reads, writes = os.pipe()
    os.write(writes, b'expect = ["params > 3"]')
    os.close(writes)
    code, out, err = check(str(LENET), "--spec", f"/dev/fd/{reads}")
    assert (code, err) == (0, ""), out + err


def test_names_of_many_parts_stand_in_texts(held: Run) -> None:
    code, out, _ = held(str(LENET), '''expect = """\\na.b.c.d.e.f.g.h.i.j: linear\\n"""''')
    assert code == 1
    assert "no layer matches a.b.c.d.e.f.g.h.i.j" in out
