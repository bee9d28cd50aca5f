"""The user's own line in a traceback and on the running stack."""

import functools
import os
from types import TracebackType

from shapeinspect.plugin_api.user_code import frames


def _raised() -> tuple[TracebackType | None, int]:
    def middle(first: int) -> None:
        raise ValueError(first)

    try:
        functools.reduce(lambda _, item: middle(item), [1, 2])
    except ValueError as error:
        return error.__traceback__, middle.__code__.co_firstlineno + 1
    raise AssertionError


def test_the_users_line_is_spelled_with_its_source() -> None:
    traceback, line = _raised()
    found = frames.traceback_frames(traceback)
    assert [frame.f_code.co_name for frame, _ in found] == ["_raised", "<lambda>", "middle"]
    assert frames.user_line(found, ()) == f"test_frames.py:{line}  raise ValueError(first)"


def test_a_library_s_lines_are_passed_over() -> None:
    try:
        os.fspath(os.fsencode(3))  # type: ignore[arg-type]  # it is to be refused
    except TypeError as error:
        found = frames.traceback_frames(error.__traceback__)
    assert len(found) > 1
    assert frames.user_line(found, ()) == (
        f"test_frames.py:{found[0][1]}  os.fspath(os.fsencode(3))  "
        "# type: ignore[arg-type]  # it is to be refused"
    )


def test_files_of_python_of_shapeinspect_and_of_packages_are_no_user_s() -> None:
    assert frames.is_library("<frozen runpy>", ())
    assert frames.is_library(functools.__file__, ())
    assert frames.is_library(frames.__file__, ())
    assert not frames.is_library(__file__, ())
    import pytest

    assert not frames.is_library(pytest.__file__, ())
    assert frames.is_library(pytest.__file__, ("pytest",))
    # A folder of the user's that is called like a package is the user's.
    assert not frames.is_library("/home/me/pytest/train.py", ("pytest",))


def test_the_running_line() -> None:
    place = frames.running_place(())
    line = test_the_running_line.__code__.co_firstlineno + 1
    assert place == f"test_frames.py:{line}"


def test_arguments_of_a_call_and_of_a_constructor() -> None:
    class Layer:
        def __init__(self, units: int, *, bias: bool = True, **kwargs: str) -> None:
            place = next(frames.running_frames())
            self.given = frames.constructor_arguments(place[0])

    def call(*args: int, **kwargs: int) -> object:
        return frames.passed_arguments(next(frames.running_frames())[0])

    assert Layer(3, name="top").given == {"units": 3, "bias": True, "name": "top"}
    assert call(1, 2, scale=5) == ((1, 2), {"scale": 5})
