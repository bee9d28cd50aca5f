"""Shapes in comments and docstrings, held against those that a run has made."""

from __future__ import annotations

import textwrap

import pytest

from shapeinspect.plugin_api.evidence.comments import contradicted
from shapeinspect.plugin_api.programs.copies import available

from .traced import traced

pytestmark = pytest.mark.skipif(
    not available(), reason="the system has no Landlock, so no script is run again"
)

_HEAD = """
import numpy as np

batch, steps, width = 6, 20, 9
x = np.zeros((batch, steps, width))
pictures = np.zeros((6, 64, 9, 8))

"""
#: A script behind the head, from line 8 on, and what is said of it; nothing where all agrees.
_SCRIPTS = {
    "a number": ("y = pictures + 1  # (B, 64, 8, 8)", "line 8 says (B, 64, 8, 8), and y was (6, 64, 9, 8)"),
    "a number, without the samples": (
        "y = pictures + 1  # 64 x 8 x 8",
        "line 8 says 64 x 8 x 8, and y was (6, 64, 9, 8)",
    ),
    "names of the program": (
        "y = x.transpose(1, 0, 2)  # (batch, steps, width)",
        "line 8 says (batch, steps, width), and y was (20, 6, 9)",
    ),
    "an expression": (
        "y = x.reshape(batch, -1)  # (batch, steps * 8)",
        "line 8 says (batch, steps * 8), and y was (6, 180)",
    ),
    "behind an arrow": (
        "y = x.mean(1)  # [B, T, C] -> [B, T]",
        None,
    ),
    "one letter twice": ("y = x @ x.transpose(0, 2, 1)  # (B, T, T)", None),
    "one letter twice, of two lengths": (
        "y = x[:, :7] + 0  # (B, C, C)",
        "line 8 says (B, C, C), and y was (6, 7, 9)",
    ),
    "another number of axes": ("y = x.sum(-1)  # (B, T, C)", "line 8 says (B, T, C), and y was (6, 20)"),
    "a line above": ("# y: (6, 64, 7)\ny = pictures.max(-1)", "line 8 says (6, 64, 7), and y was (6, 64, 9)"),
    "a docstring": (
        '''
        def net(images, scale=2):
            """Doubles pictures.

            Args:
                images: pictures of shape (N, 3, 9, 8).
            """
            return images * scale

        net(pictures)
        ''',
        "line 12 says (N, 3, 9, 8), and images was (6, 64, 9, 8)",
    ),
    "all agrees": ("y = pictures.sum(1)  # (B, 9, 8), see sum(a, b) and dict(a=1, b=2)", None),
    "sizes in passing": (
        "# pictures of 64x64, which (as in the paper) are scaled (3, 4) times\ny = x + 1",
        None,
    ),
    "a letter of another function": (
        """
        def of_time(x):
            return x * 2  # (B, T, C)

        def of_diffusion():
            T = 1000
            return T + 1

        of_diffusion(), of_time(x)
        """,
        None,
    ),
}


@pytest.mark.parametrize(("script", "said"), _SCRIPTS.values(), ids=_SCRIPTS)
def test_a_shape_that_is_written_and_was_another_is_told(script: str, said: str | None) -> None:
    found = contradicted(traced(_HEAD + textwrap.dedent(script).strip("\n") + "\n"))
    assert [one.sentence for one in found] == ([] if said is None else [said])
