"""What passes, and line by line what a failing assertion says, in pytest itself."""

from __future__ import annotations

import pytest

from shapeinspect.testing import Checked, CheckedCall, CheckedLayer, CheckedReport, Shapes

from .conftest import LENET, failures

pytestmark = pytest.mark.usefixtures("imported", "outside_ci")


def test_the_fixture_is_of_the_exported_type(shapes: Shapes) -> None:
    assert isinstance(shapes, Shapes)
    r = shapes(LENET)
    assert isinstance(r, CheckedReport)
    assert isinstance(r["conv1"], CheckedLayer)
    assert isinstance(r["conv1"].calls[0], CheckedCall)
    assert isinstance(r["conv1"].output, Checked)


def test_a_report_is_a_mapping_of_layers_that_can_be_asserted_on(shapes: Shapes) -> None:
    r = shapes(LENET)
    paths = [layer.path for layer in r]
    assert list(r.keys()) == paths == [layer.path for layer in r.values()] == [path for path, _ in r.items()]
    assert (r[0].path, r[-1].path) == ("conv1", "fc3")
    assert r[0].output.matches("n 6 28 28")
    found = r.get("conv2")
    assert found is not None
    assert found.output.matches("n 16 10 10")
    assert r.get("conv3") is None
    assert r["conv2"] in r
    assert "conv3" not in r
    assert all(isinstance(layer, CheckedLayer) for layer in (*r.values(), *dict(r.items()).values()))
    assert {"params", "expect", "keys", "output"} <= set(dir(r))
    assert {"kernel_size", "output", "in_channels"} <= set(dir(r["conv1"]))
    with pytest.raises(IndexError, match="no layer has the index 12"):
        r[12]


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


RESULT_OF_SHAPE = """\
AssertionError: output of conv2 is (N, 16, 10, 10), not 'n 16 h w'
  axis 2 is 10, not h = 14
  shape     N C16 H10 W10
  names     n=N, h=14, w=14, from input of conv2
  H         32 image, 28 conv1, 14 pool1, 10 conv2
  set by    conv2 (conv 6→16 k5)
            N C6 H14 W14 → N C16 H10 W10"""


def test_a_pattern_that_does_not_fit_says_where_the_two_part(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        def test_shape(shapes):
            r = shapes({LENET!r})
            assert r["conv2"].input.matches("n 6 h w")
            assert r["conv2"].output.matches("n 16 h w")
        """
    )
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(failed=1)
    assert failures(result) == RESULT_OF_SHAPE.splitlines()
    assert max(map(len, failures(result))) <= 72
    plain = pytester.runpytest_inprocess("-q", "--assert=plain")
    assert failures(plain) == RESULT_OF_SHAPE.splitlines()


#: An assertion about ``r``, the report of LeNet, and what a person reads when it fails.
SAID: list[tuple[str, list[str]]] = [
    (
        'r["conv2"].out_channels == 32',
        [
            "assert 16 == 32",
            " +  where 16 = <conv2: conv 6→16 k5, N C6 H14 W14 → N C16 H10 W10>.out_channels",
        ],
    ),
    (
        'r["conv2"].kernel_size == (5, 3)',
        [
            "assert (5, 5) == (5, 3)",
            "  kernel_size of <conv2: conv 6→16 k5, N C6 H14 W14 → N C16 H10 W10>",
            "  axis 1 is 5, not 3",
        ],
    ),
    (
        'r["pool2"].output == (1, 16, 5, 7)',
        [
            "assert (N, 16, 5, 5) == (1, 16, 5, 7)",
            "  output of pool2",
            "  axis 0 (N) is N, not 1",
            "  axis 3 (W) is 5, not 7",
        ],
    ),
    (
        'r["conv1"].output == r["pool1"].output',
        [
            "assert (N, 6, 28, 28) == (N, 6, 14, 14)",
            "  output of conv1",
            "  output of pool1",
            "  axis 2 (H) is 28, not 14",
            "  axis 3 (W) is 28, not 14",
            "  H         32 image, 28 conv1",
            "  set by    conv1 (conv 1→6 k5)",
            "            N C1 H32 W32 → N C6 H28 W28",
        ],
    ),
    (
        'r["conv1"].output.shape[1:] == (6, 28)',
        [
            "assert (6, 28, 28) == (6, 28)",
            "  shape[1:] of output of conv1",
            "  it has 3 lengths, not 2",
        ],
    ),
    (
        'r["conv1"].output.shape[-1] == 27',
        ["assert 28 == 27", "  shape[-1] of output of conv1"],
    ),
    (
        'r["conv2"].output.shape[1] > r["conv2"].kernel_size[0] + 20',
        ["assert 16 > 25", "  shape[1] of output of conv2"],
    ),
    (
        'r["conv2"].output.shape[1] < r["conv2"].kernel_size[0]',
        [
            "assert 16 < 5",
            "  shape[1] of output of conv2",
            "  kernel_size[0] of <conv2: conv 6→16 k5, N C6 H14 W14 → N C16 H10 W10>",
        ],
    ),
    (
        'r["fc3"].W == 3',
        [
            "AttributeError: layer \"fc3\" (linear) has no attribute 'W'; it has: in_features, out_features",
        ],
    ),
    (
        'r["fc3"].B.shape == (10, 84)',
        [
            "AttributeError: layer \"fc3\" (linear) has no attribute 'B'; "
            "it has: in_features, out_features; its weights are in .weights"
        ],
    ),
    (
        'r["conv1"].output.shape == [7]',
        ["assert (N, 6, 28, 28) == (7,)", "  shape of output of conv1", "  it has 4 lengths, not 1"],
    ),
    (
        "r.params < 61_000",
        ["assert 61706 < 61000", f" +  where 61706 = <Report of {LENET}: 12 layers>.params"],
    ),
    (
        'r["conv9"].out_channels == 3',
        [
            'shapeinspect.errors.UnknownLayerError: no layer is named "conv9"',
            f"  where     {LENET}",
            '  try       did you mean "conv2" or "conv1"?',
        ],
    ),
    (
        'r["fc1"].kernel_size == (5, 5)',
        [
            "AttributeError: layer \"fc1\" (linear) has no attribute 'kernel_size'; "
            "it has: in_features, out_features"
        ],
    ),
    (
        'r.output.matches("n (c")',
        [
            "shapeinspect.errors.UsageError: invalid shape pattern 'n (c'",
            "  got       '(c': unclosed parenthesis at character 1",
        ],
    ),
    (
        'r.output.matches("n 11"), "eleven classes"',
        [
            "AssertionError: eleven classes",
            f"output of {LENET} is (N, 10), not 'n 11'",
            "  axis 1 is 10, not 11",
            "  shape     N C10",
            "  names     n=N, from output of " + LENET,
            "  C         120 fc1, 84 fc2, 10 fc3",
            "  set by    fc3 (linear 84→10)",
            "            N C84 → N C10",
        ],
    ),
    (
        'r.output.matches("n 5 5")',
        [
            f"AssertionError: output of {LENET} is (N, 10), not 'n 5 5'",
            "  it has 2 axes, not 3",
            "  shape     N C10",
            "  at        fc3 (linear 84→10)",
            "            N C84 → N C10",
        ],
    ),
    (
        "r.width == 3",
        [
            "AttributeError: a report has no attribute 'width'; its totals are params, trainable, "
            "buffers, bytes, bytes_by_dtype, macs, unknown, bytes_unknown, macs_unknown, and its layers "
            "report['name']"
        ],
    ),
]


def test_each_kind_of_assertion_says_what_it_is_about(pytester: pytest.Pytester) -> None:
    tests = [
        f"def test_{at}(shapes):\n    r = shapes({LENET!r})\n    assert {assertion}\n"
        for at, (assertion, _) in enumerate(SAID)
    ]
    pytester.makepyfile("\n".join(tests))
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(failed=len(SAID))
    assert failures(result) == [line for _, said in SAID for line in said]
    # Only the tests' own file is shown, none of ours.
    assert [line for line in result.outlines if "pytest_support" in line or "report.py" in line] == []


def test_a_test_case_of_unittest_is_told_in_the_same_words(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        import unittest
        import pytest

        class TestNet(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def given(self, shapes):
                self.shapes = shapes

            def test_shape(self):
                r = self.shapes({LENET!r})
                assert r["conv2"].input.matches("n 6 h w")
                assert r["conv2"].output.matches("n 16 h w")

            def test_block(self):
                with self.shapes.block():
                    self.shapes({LENET!r}).expect("fc1: o=121")
                self.shapes.snapshot({LENET!r})
        """
    )
    result = pytester.runpytest_inprocess("-q", "-k", "shape or nothing")
    result.assert_outcomes(failed=1, deselected=1)
    assert failures(result) == RESULT_OF_SHAPE.splitlines()
    result = pytester.runpytest_inprocess("-q", "-k", "block")
    assert failures(result)[0] == "AssertionError: 1 assertion failed in this block"


def test_a_match_whose_answer_is_thrown_away_fails(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.fixture
        def r(shapes):
            return shapes({LENET!r})

        def test_lost(r):
            r.output.matches("n 10")
            r.output.matches(
                "n 11",
            )

        def test_kept(r):
            found = r.output.matches("n 11")
            told = [r.output.matches(pattern) for pattern in ("n 11", "n 12")]
            assert any([r.output.matches("n 11"), r.output.matches("n 10")])
            assert not found and not any(told) and not r.output.matches("n 13")
            assert (lambda: r.output.matches("n 11"))().problem == "axis 1 is 10, not 11"
        """
    )
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(failed=1, passed=1)
    assert failures(result)[:2] == [
        f"AssertionError: output of {LENET} is (N, 10), not 'n 11'",
        "  axis 1 is 10, not 11",
    ]


def test_a_block_tells_all_that_fails_at_once(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        def test_block(shapes):
            r = shapes({LENET!r})
            with shapes.block():
                assert r["conv1"].output.matches("n 7 h w")
                assert r["conv2"].output.matches("n 16 10 10")
                r.expect("fc1: o=121", "fc2: o=84")
                assert r["fc3"].output.matches("n 11")
        """
    )
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(failed=1)
    assert failures(result) == [
        "AssertionError: 3 assertions failed in this block",
        "line 4: output of conv1 is (N, 6, 28, 28), not 'n 7 h w'",
        "  axis 1 is 6, not 7",
        "  shape     N C6 H28 W28",
        "  names     n=N, from output of conv1",
        "  C         1 image, 6 conv1",
        "  set by    conv1 (conv 1→6 k5)",
        "            N C1 H32 W32 → N C6 H28 W28",
        f"line 6: 1 of 2 expectations of {LENET} does not hold",
        "fc1: o=121",
        "  fc1: o is 120, not 121",
        "line 7: output of fc3 is (N, 10), not 'n 11'",
        "  axis 1 is 10, not 11",
        "  shape     N C10",
        "  names     n=N, from output of conv2",
        "  C         120 fc1, 84 fc2, 10 fc3",
        "  set by    fc3 (linear 84→10)",
        "            N C84 → N C10",
    ]
    assert "contextlib" not in result.stdout.str()
    assert "pytest_support" not in result.stdout.str()


def test_what_ends_a_block_does_not_hide_what_failed_before(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        def test_assert(shapes):
            r = shapes({LENET!r})
            with shapes.block({{"n": 3}}):
                r.expect("fc1: o=121")
                assert r["fc2"].out_channels == 85
                r.expect("fc3: o=11")

        def test_raise(shapes):
            r = shapes({LENET!r})
            with shapes.block():
                r.expect("fc1: o=121")
                raise ValueError("something else")
        """
    )
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(failed=2)
    expectation = f"the expectation of {LENET} does not hold"
    assert [line.strip() for line in failures(result)] == [
        "AssertionError: 2 assertions failed in this block",
        f"line 4: {expectation}",
        "fc1: o=121",
        "fc1: o is 120, not 121",
        "line 5: assert 84 == 85",
        "+  where 84 = <fc2: linear 120→84, N C120 → N C84>.out_channels",
        "(the block ended here; later assertions were not evaluated)",
        "ValueError: something else",
    ]
    result.stdout.fnmatch_lines(["*- earlier failed assertions -*", f"line 11: {expectation}"])


def test_names_bind_in_their_block_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        def test_it(shapes):
            r = shapes({LENET!r})
            with shapes.block({{"c": 6}}):
                assert r["conv1"].output.matches("n c h w")
                with shapes.block():
                    assert r["conv2"].output.matches("n c h w")
                assert r["pool1"].output.matches("n c h/2 w/2")
            assert r["conv2"].output.matches("n c h w")
        """
    )
    pytester.runpytest_inprocess("-q").assert_outcomes(passed=1)


def test_expectations_are_told_together(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        def test_it(shapes):
            shapes({LENET!r}).expect("conv1: k=3 -> n 6 30 w", "params < 1k", "no layer: fc*", "fc4: o=3")
        """
    )
    result = pytester.runpytest_inprocess("-q")
    assert failures(result) == [
        f"AssertionError: 4 of 4 expectations of {LENET} do not hold",
        "conv1: k=3 -> n 6 30 w",
        "  conv1: k is 5, not 3",
        "  conv1: axis 2 is 28, not 30",
        "    at conv1 (conv 1→6 k5): N C1 H32 W32 → N C6 H28 W28",
        "params < 1k",
        "  params is 61,706",
        "no layer: fc*",
        "  the model has fc1, fc2, fc3",
        "fc4: o=3",
        "  no layer matches fc4; did you mean fc3, fc2, fc1?",
    ]
