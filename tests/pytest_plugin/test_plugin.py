"""The plug-in as pytest runs it: what passes, and line by line what a failing test says."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import shapeinspect

LENET = str(Path(__file__).parents[1] / "data" / "lenet.onnx")

NETS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, out=11):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, (5, 7), padding=(2, 3))
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, out)
    def forward(self, x):
        return self.head(self.norm(self.conv(x)).mean((2, 3)))
"""

KERAS = """
import keras

def port(out=11):
    image = keras.Input((13, 17, 3))
    x = keras.layers.Conv2D(8, (5, 7), padding="same", name="conv")(image)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(out, name="head")(x))
"""


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """Import once what the tests inside the tests need: pytester forgets what is imported in between."""
    import keras
    from torch import nn

    image = keras.Input((13, 17, 3))
    shapeinspect.inspect(keras.Model(image, keras.layers.Flatten()(image)))
    shapeinspect.inspect(nn.Linear(3, 5), (2, 3)).to_text()
    shapeinspect.inspect(LENET)
    importlib.import_module("shapeinspect.asserting")


@pytest.fixture(autouse=True)
def _not_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)


def test_what_fits_passes(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        def test_it(shapes):
            r = shapes({LENET!r})
            assert r["conv2"].out_channels == 16
            assert r.output.matches("n 10")
            assert r["conv1"].output.matches("n 6 h w")
            assert r["pool1"].output.matches("n 6 h/2 w/2")
            assert r["conv1"].output.shape[1:] == (6, 28, 28)
            r.expect("conv1: conv i=1 o=6 k=5 -> n 6 h w", "params < 62k")
            assert "fc4" not in r and len(r) == 12
        """
    )
    pytester.runpytest_inprocess("-q").assert_outcomes(passed=1)


def test_what_does_not_fit_is_told_in_one_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        def test_shape(shapes):
            r = shapes({LENET!r})
            assert r["conv2"].input.matches("n 6 h w")
            assert r["conv2"].output.matches("n 16 h w")

        def test_setting(shapes):
            assert shapes({LENET!r})["conv2"].out_channels == 32
        """
    )
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "E*assert <no match: output of conv2 (conv, N C6 H14 W14 → N C16 H10 W10): "
            "(N, 16, 10, 10) against 'n 16 h w': axis 2 is 10, not h = 14; n=N, h=14, w=14>",
            "E       assert 16 == 32",
            "E        +  where 16 = <conv2: conv 6→16 k5, N C6 H14 W14 → N C16 H10 W10>.out_channels",
        ]
    )


def test_a_block_tells_all_that_fails_at_once(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        def test_block(shapes):
            r = shapes({LENET!r})
            with shapes.block():
                assert r["conv1"].output.matches("n 7 h w")
                assert r["conv2"].output.matches("n 16 10 10")
                r.expect("fc1: o=121", "fc2: o=84")
                assert r.output.matches("n 11")
        """
    )
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*AssertionError: 3 of this block's shapes do not fit",
            "E*<no match: output of conv1 (*axis 1 is 6, not 7*",
            "E*1 expectation of *lenet.onnx not met",
            "E*fc1: o=121",
            "E*fc1: o is 120, not 121",
            "E*<no match: output of *lenet.onnx: (N, 10) against 'n 11': axis 1 is 10, not 11; n=N>",
        ]
    )


def test_expectations_are_told_together(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        def test_it(shapes):
            shapes({LENET!r}).expect("conv1: k=3", "params < 1k", "no layer: fc3")
        """
    )
    result = pytester.runpytest_inprocess("-q")
    result.stdout.fnmatch_lines(
        [
            "E*AssertionError: 3 expectations of *lenet.onnx not met",
            "E*conv1: k=3",
            "E*conv1: k is 5, not 3",
            "E*params < 1k",
            "E*params is 61,706",
            "E*no layer: fc3",
            "E*fc3: there is such a layer",
        ]
    )


SNAPSHOT = """# layers with weights, in the common convention
layer  kind        settings   output         weights
conv   conv        3→8 k5×7   N C8 H13 W17   bias o8, weight o8 i3 kh5 kw7
norm   batch_norm             N C8 H13 W17   bias C8, mean C8, variance C8, weight C8
head   linear      8→11       N C11          bias o11, weight o11 i8
"""


def _torch(pytester: pytest.Pytester, out: int = 11) -> None:
    pytester.makepyfile(tiny_nets=NETS)
    pytester.makepyfile(
        test_net=f"""
        import tiny_nets

        def test_net(shapes):
            shapes.snapshot(tiny_nets.Net({out}), (2, 3, 13, 17), name="net")
        """
    )


def test_a_snapshot_is_written_once_and_then_compared(pytester: pytest.Pytester) -> None:
    _torch(pytester)
    pytester.runpytest_inprocess("-q").assert_outcomes(passed=1)
    kept = pytester.path / "__shapes__" / "test_net" / "net.txt"
    assert [line.split() for line in kept.read_text().splitlines()] == [
        line.split() for line in SNAPSHOT.splitlines()
    ]
    pytester.runpytest_inprocess("-q").assert_outcomes(passed=1)


def test_a_difference_names_layer_and_axis_and_is_rewritten_on_request(pytester: pytest.Pytester) -> None:
    _torch(pytester, out=12)
    kept = pytester.path / "__shapes__" / "test_net" / "net.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text(SNAPSHOT)
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*the snapshot net.txt differs (--shapes-update rewrites it)",
            "E*- head  linear  8→11  N C11  bias o11, weight o11 i8",
            "E*+ head  linear  8→12  N C12  bias o12, weight o12 i8",
            "E*8→11 became 8→12",
            "E*C11 became C12",
            "E*o11 became o12",
        ]
    )
    pytester.runpytest_inprocess("-q", "--shapes-update").assert_outcomes(passed=1)
    assert "8→12" in kept.read_text()


def test_a_port_is_held_against_the_originals_snapshot(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(tiny_port=KERAS)
    pytester.makepyfile(
        test_net="""
        import tiny_port

        def test_port(shapes):
            shapes.snapshot(tiny_port.port(), name="net")

        def test_other(shapes):
            shapes.snapshot(tiny_port.port(12), name="net")
        """
    )
    kept = pytester.path / "__shapes__" / "test_net" / "net.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text(SNAPSHOT)
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["E*C11 became C12"])


def test_in_ci_nothing_is_written(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    _torch(pytester)
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*there is no snapshot net.txt, and none is written in CI*"])
    assert not (pytester.path / "__shapes__").exists()


def test_unused_snapshots_are_listed(pytester: pytest.Pytester) -> None:
    _torch(pytester)
    kept = pytester.path / "__shapes__" / "test_net"
    kept.mkdir(parents=True)
    (kept / "net.txt").write_text(SNAPSHOT)
    (kept / "gone.txt").write_text(SNAPSHOT)
    result = pytester.runpytest_inprocess("-q")
    result.stdout.fnmatch_lines(["*unused snapshots of shapes*", "*gone.txt"])
    assert "net.txt" not in result.stdout.str()
    partly = pytester.runpytest_inprocess("-q", "-k", "nothing")
    assert "unused" not in partly.stdout.str()


def test_workers_of_xdist_share_their_snapshots(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.parametrize("number", range(4))
        def test_many(shapes, number):
            shapes.snapshot({LENET!r})
            shapes.snapshot({LENET!r}, name="shared")
        """
    )
    for _ in range(2):
        result = pytester.runpytest_subprocess("-q", "-n", "2")
        result.assert_outcomes(passed=4)
        assert "unused" not in result.stdout.str()
    names = sorted(path.name for path in pytester.path.glob("__shapes__/*/*"))
    assert names == ["shared.txt", *(f"test_many_{number}.txt" for number in range(4))]


def test_a_models_shape_error_is_explained(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import torch
        from torch import nn

        def test_net():
            net = nn.Sequential(nn.Conv2d(3, 8, 5), nn.Flatten(), nn.Linear(8 * 6 * 4, 11))
            net(torch.zeros(2, 3, 10, 9))

        def test_other():
            assert torch.zeros(2) is None

        def test_debugged():
            import shapeinspect

            with shapeinspect.debug():
                nn.Linear(3, 5)(torch.zeros(2, 7))
        """
    )
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(failed=3)
    # 10 - 5 + 1 = 6, 9 - 5 + 1 = 5, and 8 · 6 · 5 = 240, not 192.
    result.stdout.fnmatch_lines(
        [
            "E*RuntimeError: mat1 and mat2 shapes cannot be multiplied (2x240 and 192x11)",
            "*shape diagnosis*",
            'layer "2" (linear)*',
            "*expected  i = 192*",
            "*got       240*",
            "*fix*",
        ]
    )
    assert result.stdout.str().count("- shape diagnosis -") == 1
    silent = pytester.runpytest_inprocess("-q", "--no-shape-diagnosis")
    assert "shape diagnosis" not in silent.stdout.str()


def test_collecting_imports_nothing_of_weight(pytester: pytest.Pytester) -> None:
    code = (
        "import sys, pytest; before = set(sys.modules); import shapeinspect.pytest_plugin; "
        "print(sorted(n for n in set(sys.modules) - before if n.startswith('shapeinspect') or "
        "n in ('torch', 'keras', 'tensorflow', 'numpy', 'onnx', 'rich', 'typer', 'h5py')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['shapeinspect', 'shapeinspect.pytest_plugin']"
