"""The diagnosis of a model's shape error in the report of a failing test."""

from __future__ import annotations

import re

import pytest

from .conftest import failures, torch_project

pytestmark = pytest.mark.usefixtures("imported", "outside_ci")


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


def test_an_error_behind_the_one_that_fails_a_test_is_explained(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import unittest
        from torch import nn, zeros

        def fail():
            nn.Linear(3, 5)(zeros(2, 7))

        def test_cause():
            try:
                fail()
            except RuntimeError as error:
                raise ValueError("the training has failed") from error

        def test_context():
            try:
                fail()
            except RuntimeError:
                raise ValueError("the training has failed")

        def test_hidden():
            try:
                fail()
            except RuntimeError:
                raise ValueError("the training has failed") from None

        class TestCase(unittest.TestCase):
            def test_unittest(self):
                fail()

        class TestSetup:
            def setup_method(self):
                fail()

            def test_setup(self):
                pass
        """
    )
    result = pytester.runpytest_inprocess("-q", "--tb=short")
    result.assert_outcomes(failed=4, errors=1)
    _, *parts = re.split(r"^_{3,} (.+) _{3,}$", result.stdout.str(), flags=re.MULTILINE)
    told = zip(parts[::2], parts[1::2], strict=True)
    explained = [title for title, text in told if "expected  i = 3 " in text]
    named = ["ERROR at setup of TestSetup.test_setup", "test_cause", "test_context", "TestCase.test_unittest"]
    assert sorted(explained) == sorted(named)


def test_without_an_input_it_says_what_is_missing(pytester: pytest.Pytester) -> None:
    torch_project(pytester)
    pytester.makepyfile(
        test_net="""
        import tiny_nets

        def test_net(shapes):
            assert shapes(tiny_nets.Net())["conv"].output.matches("n 8 h w")
        """
    )
    result = pytester.runpytest_inprocess("-q")
    assert failures(result) == [
        "AssertionError: output of conv, which is not called, is a tensor of unknown rank, not 'n 8 h w'",
        "  its rank is not known",
        "  at        no call is known, pass the shape of the model's input",
    ]


def test_an_input_that_a_model_refuses_is_diagnosed(pytester: pytest.Pytester) -> None:
    torch_project(pytester)
    pytester.makepyfile(
        test_net="""
        import tiny_nets

        def test_net(shapes):
            shapes(tiny_nets.Net(), (2, 4, 13, 17))
        """
    )
    result = pytester.runpytest_inprocess("-q")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">*self.head(self.norm(self.conv(x))*",  # the user's own line
            "E*RuntimeError*",
            ">*shapes(tiny_nets.Net(), (2, 4, 13, 17))",
            'E*layer "conv" (Conv2d) refuses its input*',
            "*- shape diagnosis -*",
            'layer "conv" (conv): *',
            "*expected  C = 3*",
        ]
    )
    assert "site-packages" not in result.stdout.str().split("warnings summary")[0]
