"""JSON that is bounded: the quick look at the brackets never lets through what the walk would refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shapeinspect.binary import json_text
from shapeinspect.errors import UnreadableFileError

LEAVES = st.one_of(st.integers(-5, 5), st.sampled_from(["", "[", "]", '"', "\\", "a[0]", '"]"', "é", "{}"]))
VALUES = st.recursive(
    LEAVES, lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text("[]{\\", max_size=2), below)
)


def depth(value: Any) -> int:
    """How many containers are in each other."""
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max((depth(item) for item in value), default=0) if isinstance(value, list) else 0


@given(VALUES, st.integers(0, 6))
def test_depth_is_that_of_the_value(value: Any, most: int) -> None:
    text = json.dumps(value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_text, "MAX_DEPTH", most)
        if depth(value) <= most:
            assert json_text.parse(text, "m", "it") == value
        else:
            assert "nested" in refused(text)


def refused(text: bytes | str, **how: bool) -> str:
    with pytest.raises(UnreadableFileError) as caught:
        json_text.parse(text, "m", "it", **how)
    return caught.value.reason


def test_integers_of_64_bits_are_the_longest() -> None:
    assert json_text.parse(b"[18446744073709551615, -9]", "m", "it") == [2**64 - 1, -9]
    assert json_text.parse(b'{"a23456789012345678901234": 1}', "m", "it") == {"a23456789012345678901234": 1}
    assert "65 bits" in refused(b"[18446744073709551616]")
    assert "133 bits" in refused(b'{"a": [[-1%s]]}' % (b"0" * 40))
    assert json_text.parse(b"[18446744073709551616]", "m", "it", long_integers=True) == [2**64]


def test_what_is_no_number_becomes_a_text_or_is_refused() -> None:
    assert json_text.parse(b"[NaN, -Infinity, 1e999, 1e3]", "m", "it") == ["NaN", "-Infinity", "1e999", 1000]
    assert "holds NaN" in refused(b"[NaN]", strict=True)


@pytest.mark.parametrize("text", [b'{"a": {"b": 1, "b": 1}}', b'[{"\\u0061": 1, "a": 2}]'])
def test_a_key_twice_is_refused_however_it_is_spelled(text: bytes) -> None:
    assert "twice" in refused(text)


def test_half_a_character_is_refused_where_a_format_refuses_it() -> None:
    assert json_text.parse(b'["\\ud83d\\ude00"]', "m", "it", strict=True) == ["\U0001f600"]
    assert json_text.parse(b'["\\ud800"]', "m", "it") == ["\ud800"]
    assert "not JSON" in refused(b'["\\ud800"]', strict=True)


@pytest.mark.parametrize("text", ['{"a": 1}'.encode("utf-16"), b"\xef\xbb\xbf{}", b'"\xff"'])
def test_another_encoding_is_refused(text: bytes) -> None:
    assert "not JSON" in refused(text)


def test_counts_are_bounded_before_anything_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_text.json, "loads", None)
    assert "too many entries" in refused(b"[" * 4_000_001)
    assert "too many entries" in refused(b"," * 12_000_001)
