"""Snapshots as pytest writes, compares and lists them."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import LENET, failures, torch_project

KERAS = """
import keras

def port(out=11):
    image = keras.Input((13, 17, 3))
    x = keras.layers.Conv2D(8, (5, 7), padding="same", name="conv")(image)
    x = keras.layers.BatchNormalization(epsilon=1e-5, momentum=0.9, name="norm")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(out, name="head")(x))
"""

pytestmark = pytest.mark.usefixtures("imported", "outside_ci")


SNAPSHOT = """# layers with weights, in the common convention, of a model of torch (live)
layer  kind        settings                                                     output        weights
conv   conv        3→8 k5×7 p2×3                                                N C8 H13 W17  bias o8, weight o8 i3 kh5 kw7
norm   batch_norm  eps=1e-05 momentum=0.1 track_running_stats=true              N C8 H13 W17  bias C8, mean C8, variance C8, weight C8
head   linear      8→11                                                         N C11         bias o11, weight o11 i8
# other layers
layer  kind    settings                                                         output
mean   reduce  axes=2×3 op=mean                                                 N C8
"""  # noqa: E501  # a table

#: The same as snapshots were before they held every setting.
OLD = """# layers with weights, in the common convention
layer  kind        settings   output         weights
conv   conv        3→8 k5×7   N C8 H13 W17   bias o8, weight o8 i3 kh5 kw7
norm   batch_norm             N C8 H13 W17   bias C8, mean C8, variance C8, weight C8
head   linear      8→11       N C11          bias o11, weight o11 i8
"""


def test_a_snapshot_is_written_once_and_then_compared(pytester: pytest.Pytester) -> None:
    torch_project(pytester)
    pytester.runpytest_inprocess("-q").assert_outcomes(passed=1)
    kept = pytester.path / "__shapes__" / "test_net" / "net.txt"
    assert [line.split() for line in kept.read_text().splitlines()] == [
        line.split() for line in SNAPSHOT.splitlines()
    ]
    pytester.runpytest_inprocess("-q").assert_outcomes(passed=1)


def test_a_snapshot_that_git_has_given_the_line_ends_of_windows_is_the_same(
    pytester: pytest.Pytester,
) -> None:
    torch_project(pytester)
    pytester.runpytest_inprocess("-q").assert_outcomes(passed=1)
    kept = pytester.path / "__shapes__" / "test_net" / "net.txt"
    there = kept.read_bytes()
    assert b"\r" not in there
    kept.write_bytes(there.replace(b"\n", b"\r\n"))
    pytester.runpytest_inprocess("-q").assert_outcomes(passed=1)
    kept.write_bytes(kept.read_bytes().replace(b"i3", b"i5"))
    pytester.runpytest_inprocess("-q").assert_outcomes(failed=1)


def test_a_difference_names_layer_and_axis_and_is_rewritten_on_request(pytester: pytest.Pytester) -> None:
    torch_project(pytester, out=12)
    kept = pytester.path / "__shapes__" / "test_net" / "net.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text(SNAPSHOT)
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(failed=1)
    assert failures(result) == [
        "AssertionError: net.txt differs from the model; --shapes-update rewrites it",
        "  …",
        "  norm  batch_norm  eps=1e-05 momentum=0.1 track_running_stats=true  N C8 H13 W17  "
        "bias C8, mean C8, variance C8, weight C8",
        "- head  linear  8→11  N C11  bias o11, weight o11 i8",
        "+ head  linear  8→12  N C12  bias o12, weight o12 i8",
        "      settings  8→11 changed to 8→12",
        "      output    C11 changed to C12",
        "      weights   bias o11 changed to o12",
        "      weights   weight o11 changed to o12",
    ]
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
    result.stdout.fnmatch_lines(["E*output    C11 changed to C12"])
    # The first test says what holds; the other does not overwrite it.
    pytester.runpytest_inprocess("-q", "--shapes-update").assert_outcomes(passed=1, failed=1)
    assert "8→11" in kept.read_text()


def test_in_ci_nothing_is_written(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    pytester.makepyfile(
        test_net=f"""
        def test_net(shapes):
            shapes.snapshot({LENET!r}, name="net")
        """
    )
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*net.txt is missing, and CI does not write snapshots*"])
    assert not (pytester.path / "__shapes__").exists()
    kept = pytester.path / "__shapes__" / "test_net" / "net.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text(SNAPSHOT.replace("k5", "k3"))
    result = pytester.runpytest_inprocess("-q", "--shapes-update")
    result.stdout.fnmatch_lines(["*net.txt differs from the model, and CI does not write snapshots*"])
    assert "k3" in kept.read_text()


def test_unused_snapshots_are_listed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_net=f"""
        def test_net(shapes):
            shapes.snapshot({LENET!r}, name="net")
        """
    )
    kept = pytester.path / "__shapes__" / "test_net"
    pytester.runpytest_inprocess("-q").assert_outcomes(passed=1)
    (kept / "gone.txt").write_text(SNAPSHOT)
    orphan = pytester.path / "__shapes__" / "test_none" / "net.txt"
    orphan.parent.mkdir()
    orphan.write_text(SNAPSHOT)
    head = "*unused shape snapshots*"
    result = pytester.runpytest_inprocess("-q")
    result.stdout.fnmatch_lines([head, "__shapes__/test_net/gone.txt", "__shapes__/test_none/net.txt"])
    assert "test_net/net.txt" not in result.stdout.str()
    for words in (
        ["-k", "nothing"],
        ["--collect-only"],
        ["test_net.py::test_net"],
        ["--deselect", "test_net.py"],
    ):
        assert "gone.txt" not in pytester.runpytest_inprocess("-q", *words).stdout.str(), words


def test_a_test_that_fails_early_leaves_its_snapshots_in_use(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_net="def test_net(shapes):\n    assert shapes is None\n    shapes.snapshot(1)\n")
    kept = pytester.path / "__shapes__" / "test_net" / "test_net.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text(SNAPSHOT)
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(failed=1)
    assert "unused shape snapshots" not in result.stdout.str()


def test_every_snapshot_has_a_name_of_its_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_net=f"""
        class TestA:
            def test_net(self, shapes):
                shapes.snapshot({LENET!r})
                shapes.snapshot(shapes({LENET!r}, "3,1,32,32"))

        class TestB:
            def test_net(self, shapes):
                shapes.snapshot({LENET!r}, name="../outside")
        """
    )
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(passed=1, failed=1)
    names = sorted(path.name for path in pytester.path.rglob("*.txt"))
    assert names == ["TestA.test_net-2.txt", "TestA.test_net.txt"]
    result.stdout.fnmatch_lines(["E*invalid snapshot name '../outside'"])


@pytest.mark.parametrize("name", ["a\0b", "a\x1b[31mb", "n" * 201, "", ".hidden"], ids=repr)
def test_a_name_that_no_file_should_have_is_refused_in_plain_words(
    pytester: pytest.Pytester, name: str
) -> None:
    pytester.makepyfile(test_net=f"def test_net(shapes):\n    shapes.snapshot({LENET!r}, name={name!r})\n")
    result = pytester.runpytest_inprocess("-q", "--tb=line")
    result.assert_outcomes(failed=1)
    assert "UsageError: invalid snapshot name" in result.stdout.str()
    assert "\x1b" not in result.stdout.str()
    assert not list(pytester.path.rglob("*.txt"))


def test_a_snapshot_that_is_no_text_or_cannot_be_written_is_told(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_net=f"""
        def test_bytes(shapes):
            shapes.snapshot({LENET!r}, name="bytes")

        def test_folder(shapes):
            shapes.snapshot({LENET!r}, name="folder")
        """
    )
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(passed=2)
    written = {path.name: path for path in pytester.path.rglob("*.txt")}
    written["bytes.txt"].write_bytes(b"plain \xff")
    written["folder.txt"].unlink()
    written["folder.txt"].mkdir()
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["E*the snapshot cannot be read", "E*it is not UTF-8*", "E*not a file:*folder.txt*"]
    )


def test_a_folder_that_takes_no_snapshot_is_told(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_words: object, **_settings: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "replace", refuse)
    pytester.makepyfile(test_net=f"def test_net(shapes):\n    shapes.snapshot({LENET!r})\n")
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*test_net.txt cannot be written: Read-only file system"])


def test_names_that_look_alike_in_a_file_system_are_kept_apart(pytester: pytest.Pytester) -> None:
    ids = ["a/b", "a_b", "a:b", "a b", "1-2", "1", "\u00fc", "x" * 300]
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.parametrize("number", range({len(ids)}), ids={ids!r})
        def test_it(shapes, number):
            shapes.snapshot({LENET!r})
            shapes.snapshot({LENET!r})

        def test_it_a_b(shapes):
            shapes.snapshot({LENET!r})
        """
    )
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(passed=len(ids) + 1)
    names = [path.name for path in pytester.path.glob("__shapes__/*/*")]
    assert len(names) == 2 * len(ids) + 1
    assert {"test_it[a_b].txt", "test_it[a b].txt", "test_it[1-2].txt", "test_it[1]-2.txt"} <= set(names)
    assert max(map(len, names)) < 140
    assert "unused shape snapshots" not in result.stdout.str()


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
    assert names == ["shared.txt", *(f"test_many[{number}].txt" for number in range(4))]


TWO = """
from torch import nn

def first():
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=2, dilation=2), nn.GroupNorm(2, 8), nn.LeakyReLU(0.1))

def second():
    conv = nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect")
    return nn.Sequential(conv, nn.GroupNorm(4, 8, eps=1e-2), nn.LeakyReLU(0.2))
"""


def test_a_setting_that_leaves_all_shapes_as_they_were_fails(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(two_nets=TWO)
    test = """
        import two_nets

        def test_net(shapes):
            shapes.snapshot(two_nets.{which}(), (2, 3, 16, 20))
        """
    pytester.makepyfile(test_net=test.format(which="first"))
    pytester.runpytest_inprocess("-q").assert_outcomes(passed=1)
    pytester.runpytest_inprocess("-q").assert_outcomes(passed=1)
    pytester.makepyfile(test_net=test.format(which="second"))
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(failed=1)
    changes = [line.strip() for line in failures(result) if " changed to " in line or " is new" in line]
    assert changes == [
        "settings  padding 2 changed to 1",
        "settings  dilation 2 changed to 1",
        "settings  padding_mode is new: reflect",
        "settings  eps 1e-05 changed to 0.01",
        "settings  num_groups 2 changed to 4",
        "settings  negative_slope 0.1 changed to 0.2",
    ]


def test_a_port_with_other_settings_fails(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(tiny_port=KERAS.replace("epsilon=1e-5, momentum=0.9, ", ""))
    pytester.makepyfile(
        test_net="""
        import tiny_port

        def test_port(shapes):
            shapes.snapshot(tiny_port.port(), name="net")
        """
    )
    kept = pytester.path / "__shapes__" / "test_net" / "net.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text(SNAPSHOT)
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(failed=1)
    changes = [line.strip() for line in failures(result) if " changed to " in line]
    # Keras's default of 0.99 is the weight of the old average: a hundredth is the new batch's.
    assert changes == ["settings  eps 1e-05 changed to 0.001", "settings  momentum 0.1 changed to 0.01"]


def test_a_snapshot_from_before_the_settings_is_still_compared(pytester: pytest.Pytester) -> None:
    torch_project(pytester)
    kept = pytester.path / "__shapes__" / "test_net" / "net.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text(OLD)
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*net.txt is from before snapshots held settings*"])
    assert kept.read_text() == OLD
    pytester.runpytest_inprocess("-q", "--shapes-update").assert_outcomes(passed=1)
    assert "eps=1e-05" in kept.read_text()
    kept.write_text(OLD.replace("k5×7", "k5×5"))
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*settings  kernel_size 5×5 changed to 5×7"])
