"""Element types by their text, against numpy's own reading of it."""

from __future__ import annotations

import numpy as np
import pytest

from shapeinspect_numpy.dtypes import parse

PLAIN = [
    *(
        "|b1",
        "|i1",
        "<i2",
        ">i4",
        "<i8",
        "|u1",
        "<u2",
        "<u4",
        ">u8",
        "<f2",
        "<f4",
        ">f8",
        "<f16",
        "<c8",
        "<c16",
        "<c32",
    ),
    *("|S10", "<U5", ">U3", "|V2", "|V7", "<M8[ns]", "<M8[25s]", "<m8[us]", ">m8[D]", "<M8", "?"),
]
RECORDS: list[object] = [
    [("x", "<f4"), ("y", "|u1")],
    [("x", "<f4", (2, 3)), ("", "|V4"), ("y", [("a", "<i8"), ("b", "<U3")])],
    [(("title", "name"), "<f8", (5,))],
    [("x", ("<f4", (2, 3)))],
]


@pytest.mark.parametrize("descr", PLAIN)
def test_plain_types_have_numpys_name_and_size(descr: str) -> None:
    assert parse(descr) == (np.dtype(descr).name, np.dtype(descr).itemsize)


@pytest.mark.parametrize("descr", RECORDS)
def test_records_are_as_long_as_numpy_says(descr: object) -> None:
    assert parse(descr) == ("structured", np.dtype(descr).itemsize)


@pytest.mark.parametrize("descr", ["|O", "|O8", [("x", "<f4"), ("y", "|O")]])
def test_objects_have_no_bytes(descr: object) -> None:
    found = parse(descr)
    assert found is not None
    assert found[1] is None


@pytest.mark.parametrize(
    "descr",
    ["", "f4f4", "<f3", "<x4", "i4,f4", "|b2", "?4", 4, None, (), [], [4], ["<f4"], [("x",)], ("<f4", (-1,))],
)
def test_anything_else_is_not_known(descr: object) -> None:
    assert parse(descr) is None


def test_nesting_has_an_end() -> None:
    descr: object = "<f4"
    for _ in range(1000):
        descr = [("x", descr)]
    assert parse(descr) is None
