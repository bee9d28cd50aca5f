"""Settings: which other key holds the size that is wanted."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping
from textwrap import dedent
from types import FrameType, SimpleNamespace
from typing import Any

import pytest

from shapeinspect.api.script_frames import settings_of
from shapeinspect.trials.keys import other_keys
from shapeinspect.trials.source_file import File, applied

SETTINGS: Mapping[str, Mapping[str, int]] = {
    "cfg": {"dim": 48, "heads": 6, "head_dim": 16, "depth": 3},
    "args": {"width": 24, "embed_width": 40, "other": 40},
    "encoder": {"d_model": 24, "d_ff": 96},
}
FOUND = {
    "a product of settings": ('f(cfg["dim"] // cfg["heads"], 5)', (8, 16), 'f(cfg["head_dim"], 5)'),
    "one setting of several": ("f(3 * self.cfg.dim)", (48, 16), "f(3 * self.cfg.head_dim)"),
    "one setting twice": ("f(cfg.dim, g(cfg.dim))", (48, 16), "f(cfg.head_dim, g(cfg.head_dim))"),
    "settings inside others": ('f(all["encoder"]["d_model"])', (24, 96), 'f(all["encoder"]["d_ff"])'),
    "a setting that may be missing": ("f(encoder.get('d_model', 7))", (24, 96), "f(encoder['d_ff'])"),
}
OTHERS = {
    "two settings of the size": ("f(args.width)", (24, 40)),
    "a small size": ("f(cfg.heads)", (6, 3)),
    "none of the size": ("f(cfg.dim)", (48, 99)),
    "another object of settings": ("f(net.dim)", (48, 16)),
    "what is written to": ("cfg.dim = 5", (48, 16)),
}


@pytest.mark.parametrize(("source", "pair", "expected"), FOUND.values(), ids=list(FOUND))
def test_the_only_key_of_the_wanted_size_is_read(source: str, pair: tuple[int, int], expected: str) -> None:
    found = [*other_keys([File.parsed("a.py", source)], SETTINGS, [pair])]
    assert [applied(source, one.edits) for one in found][:1] == [expected]
    assert str(pair[0]) in found[0].why
    assert found[0].why.endswith(f" is {pair[1]}")


@pytest.mark.parametrize(("source", "pair"), OTHERS.values(), ids=list(OTHERS))
def test_no_other_key_is_named(source: str, pair: tuple[int, int]) -> None:
    assert not [*other_keys([File.parsed("a.py", source)], SETTINGS, [pair])]


@dataclasses.dataclass
class Sizes:
    """Settings of a class for data."""

    rows: int = 9
    name: str = "net"


def frame_of(source: str, given: dict[str, Any]) -> FrameType:
    """Run a program whose function returns its own frame."""
    held = {**given, "sys": sys}
    exec(compile(dedent(source), "a.py", "exec"), held)
    frame: FrameType = held["at"]
    return frame


def test_settings_in_sight_are_found_with_those_inside_them() -> None:
    class Net:
        def __init__(self) -> None:
            self.sizes = Sizes()

    frame = frame_of(
        """
        cfg = {"dim": 48, "name": "net", "encoder": {"depth": 3, "on": True}}
        def run(self, args):
            space = space_of(width=11)
            return sys._getframe()
        at = run(net, args)
        """,
        {"net": Net(), "args": argparse.Namespace(lr=0.1, batch=7), "space_of": SimpleNamespace},
    )
    assert settings_of([(frame, 4)]) == {
        "cfg": {"dim": 48},
        "encoder": {"depth": 3},
        "args": {"batch": 7},
        "space": {"width": 11},
        "sizes": {"rows": 9},
    }


def test_of_two_settings_of_one_name_that_differ_neither_counts() -> None:
    frame = frame_of("cfg = dict(a=8, cfg=dict(a=9))\ndef run(): return sys._getframe()\nat = run()\n", {})
    assert settings_of([(frame, 2)]) == {}
