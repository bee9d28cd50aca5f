"""The language of shape patterns."""

from __future__ import annotations

import pytest

from shapeinspect.check import match
from shapeinspect.dims import UNKNOWN, symbol
from shapeinspect.errors import UsageError


@pytest.mark.parametrize(
    ("pattern", "shape", "bound"),
    [
        ("n 1000", (2, 1000), {"n": 2}),
        ("n c h/4 w/4", (2, 64, 56, 40), {"n": 2, "c": 64, "h": 224, "w": 160}),
        ("... 512 7 7", (2, 3, 512, 7, 7), {}),
        ("... 512 7 7", (512, 7, 7), {}),
        ("n ... c", (2, 5, 7, 11), {"n": 2, "c": 11}),
        ("*lead 7", (2, 512, 7), {"lead": (2, 512)}),
        ("b t=17 c", (3, 17, 5), {"b": 3, "t": 17, "c": 5}),
        ("_ 3 _", (1, 3, 9), {}),
        ("a (a b) b", (2, 6, 3), {"a": 2, "b": 3}),
        ("(a*b) b a", (6, 3, 2), {"a": 2, "b": 3}),
        ("h-1 h+2*3", (4, 11), {"h": 5}),
        ("n c", (symbol("N"), 5), {"n": symbol("N"), "c": 5}),
        ("_batch 3 ()", (2, 3, 1), {}),
        ("n n//2", (7, 3), {"n": 7}),
        ("h//2 (h+1)//2 h", (3, 4, 7), {"h": 7}),
        ("n ((n+1)*2)", (2, 6), {"n": 2}),
        ("*_ 8", (6, 8), {}),
        ("12/h h", (6, 2), {"h": 2}),
        ("", (), {}),
    ],
)
def test_what_fits_binds_its_names(pattern: str, shape: tuple[object, ...], bound: dict[str, object]) -> None:
    names: dict[str, object] = {}
    assert match(pattern, shape, names)  # type: ignore[arg-type]  # plain tuples are shapes
    assert names == bound


@pytest.mark.parametrize(
    ("pattern", "shape", "names", "problem"),
    [
        ("n 1000", (2, 10), {}, "axis 1 is 10, not 1000"),
        ("n c h w", (2, 3, 4), {}, "it has 3 axes, not 4"),
        ("... 512 7 7", (7, 7), {}, "it has 2 axes, not at least 3"),
        ("n c h/4 w/4", (2, 8, 55, 40), {"h": 224, "w": 160}, "axis 2 is 55, not h/4 = 56"),
        ("b t=17", (2, 18), {}, "axis 1 is 18, not t=17"),
        ("b (head*dim)", (2, 13), {"head": 3, "dim": 4}, "axis 1 is 13, not (head*dim) = 12"),
        ("b (head*dim)", (2, 12), {}, "axis 1 cannot be checked: in (head*dim), head, dim are not bound"),
        ("n n", (2, 3), {}, "axis 1 is 3, not n = 2"),
        ("2*h", (7,), {}, "no integer h gives 2*h = 7"),
        ("*a 3", (2, 3), {"a": (5,)}, "*a is (2,), not (5,)"),
        ("n c", None, {}, "its rank is not known"),
        ("n 5", (2, UNKNOWN), {}, "axis 1 is ?, not 5"),
        ("h/2 w", (7, 3), {"h": 15}, "axis 0 is 7"),
        ("h/2", (UNKNOWN,), {"h": UNKNOWN}, "axis 0 cannot be checked: in h/2, h is ?"),
        ("n ()", (2, 3), {}, "axis 1 is 3, not () = 1"),
        ("h/2", (7,), {"h": 15}, "axis 0 is 7, not h/2 = 15/2; h//2 rounds down to 7"),
        ("h/2", (8,), {"h": 15}, "axis 0 is 8, not h/2 = 15/2"),
        ("x=h/2", (8,), {"h": 15}, "x=h/2 gives 15/2, which is not a length"),
        ("h//2", (7,), {"h": 16}, "axis 0 is 7, not h//2 = 8"),
        ("h//2", (7,), {}, "axis 0 cannot be checked: in h//2, h is not bound"),
        # 0, 1 and 2 lie on a line, the rest does not
        ("h+h//5", (6,), {}, "axis 0 cannot be checked: in h+h//5, h is not bound"),
        ("h*(h-1)*(h-2)+h", (2,), {}, "axis 0 cannot be checked: in h*(h-1)*(h-2)+h, h is not bound"),
        ("12/h", (6,), {}, "axis 0 cannot be checked: in 12/h, h is not bound"),
        ("12/h", (6,), {"h": 0}, "axis 0 cannot be checked: in 12/h, h is 0"),
        ("n n", (UNKNOWN, UNKNOWN), {}, "axis 1 is ?, and so is n"),
        ("d=h/2 d", (4, 5), {}, "axis 1 is 5, not d = 4"),
        ("d=h d", (4, 5), {}, "axis 1 is 5, not d = 4"),
        ("d d=h/2", (5, 4), {}, "d is 5, but d=h/2 gives 4"),
        ("*a", (UNKNOWN, 3), {"a": (UNKNOWN, 3)}, "*a is (?, 3), not (?, 3)"),
        ("n c", (2,), {}, "it has 1 axis, not 2"),
    ],
)
def test_what_does_not_fit_says_where(
    pattern: str, shape: object, names: dict[str, object], problem: str
) -> None:
    before = dict(names)
    found = match(pattern, shape, names)  # type: ignore[arg-type]  # plain tuples are shapes
    assert not found
    assert problem in found.problem
    assert names == before


H = symbol("H")


@pytest.mark.parametrize(
    ("pattern", "length", "problem"),
    [
        ("h/2", H // 2, ""),
        ("h/2", (H + 1) // 2, ""),  # the pattern is about even heights alone
        ("h/4", ((H + 1) // 2 + 1) // 2, ""),
        ("2*h-1", 2 * H - 1, ""),
        ("h-4", H - 4, ""),
        # 4, 8, 12 … divide by 4; (4 - 1) // 4 is 0, and 4 / 4 is 1
        ("h/4", (H - 1) // 4, "axis 0 is (H + 3)//4 - 1, not h/4: for H = 4 it is 0, not 1"),
        ("h", 7, "axis 0 is 7, not h = H"),
        ("h//2", H // 2, ""),
        ("(h+1)//2", (H + 1) // 2, ""),
        # 3 // 2 is 1, (3 + 1) // 2 is 2
        ("h//2", (H + 1) // 2, "axis 0 is (H + 1)//2, not h//2: for H = 3 it is 2, not 1"),
        ("h/2", 7, "axis 0 is 7, not h/2: for H = 2 it is 7, not 1"),
    ],
)
def test_open_lengths_are_compared_where_the_pattern_is_whole(
    pattern: str, length: object, problem: str
) -> None:
    assert match(pattern, (length,), {"h": H}).problem == problem


def test_names_bind_from_match_to_match() -> None:
    names: dict[str, object] = {}
    assert match("n c h w", (2, 3, 224, 160), names)
    assert match("n 64 h/4 w/4", (2, 64, 56, 40), names)
    said = repr(match("n 64 h/4 w/4", (2, 64, 56, 41), names))
    assert said.startswith("<no match: (2, 64, 56, 41) against 'n 64 h/4 w/4': axis 3 is 41, not w/4 = 40;")
    assert said.endswith("; n=2, c=3, h=224, w=160>")


#: What is no pattern, and what its error says beside it.
REFUSED = {
    "a )": "got       ')'",
    "(a": "got       '(a': unclosed parenthesis at character 1",
    "a=": "got       'a=': incomplete expression at character 3",
    "=4": "got       '=4': the part before = is not a name",
    "1=2": "got       '1=2': the part before = is not a name",
    "_=3": "got       '_=3': _ matches any length, so it takes no =",
    "a b*": "got       'b*': incomplete expression at character 3",
    "a ^ b": "got       '^': unexpected '^' at character 1, not one of + - * / // ( )",
    "2**n": "got       '2**n': unexpected '**' at character 2",
    "n c/0": "got       'c/0': division by 0 at character 2",
    "a=(": "got       'a=(': incomplete expression at character 4",
    "3x3": "got       '3x3': no operator between '3' and 'x3' at character 2",
    "( )": "got       '( )': unexpected ')' at character 3",
    "*4 c": "got       '*4': * needs a name, as in *rest; without a name, write ...",
    "* c": "got       '*': * needs a name, as in *rest; without a name, write ...",
    "... ...": "expected  at most one ... or *name",
    "n, c": "try       separate the axes with spaces: n c h w",
    "(n, c)": "try       separate the axes with spaces: n c h w",
    "[n c]": "try       a pattern is a string of lengths and names, such as 'n c h w'",
    "#n c": "try       axes that broadcast (#) are not supported: name the length",
    "*#rest c": "try       axes that broadcast (#) are not supported: name the length",
    "?n": "try       _ stands for one axis of any length",
    "-1 c": "try       _ stands for one axis of any length",
    "h - 1": "try       write a length without spaces, as h-1, or in parentheses",
    "{n} c": "try       bind values by name: with shapes.block({'c': 3})",
    "n min(n,3)": "try       lengths may use + - * / // and parentheses, but no functions",
    "n c -> n": "try       a pattern describes one shape: write one pattern for each shape",
}


@pytest.mark.parametrize("pattern", REFUSED)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError) as caught:
        match(pattern, (1,))
    head, said = str(caught.value).splitlines()[0], str(caught.value).splitlines()[-1]
    assert repr(pattern) in head
    assert said.strip() == REFUSED[pattern]
    assert max(map(len, str(caught.value).splitlines())) <= 80 - len("E   ")
