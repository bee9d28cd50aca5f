"""The page's search for shapes answers as the pytest plug-in's matcher does."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from shapeinspect.check.pattern import match, parse
from shapeinspect.dims import UNKNOWN, Shape, maximum, minimum, symbol
from shapeinspect.errors import UsageError
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Layer, Model, Value
from shapeinspect.page.document import page

if TYPE_CHECKING:
    from .conftest import Open

pytestmark = pytest.mark.browser

B, T, H = symbol("batch"), symbol("seq.1"), symbol("H")
SHAPES: tuple[Shape, ...] = (
    (1, 64, 56, 40), (2, 3, 224, 160), (2, 64, 28, 20), (17,), (), (5, 768), (5, 17, 768), (5, 12, 17, 64),
    (4, 8), (8, 4), (4, 5), (3, 6, 12), (49, 7, 343), (7, 1, 49), (1, 1000), (9, 0, 3), (1 << 61, 2),
    (B, T, 768), (B, T, 3 * T), (B, 12, T, T), (B, T + 1, 2 * T + 2), (B, H // 2, H), (B, H, H // 2),
    (B, (H - 3) // 2 + 1, H), (B * T, 768), (2 * B, B), (B, UNKNOWN, 5), (UNKNOWN, 7), (UNKNOWN, UNKNOWN),
    (B, minimum(T, 64), T), (B, maximum(H - 5, 0), H), (H % 4, H), (H % 4, H % 4, 6), (H * T, H, T),
)  # fmt: skip
#: What each part of the language means, and what is no pattern: none of them is in a name or in a label.
PATTERNS = (
    "n c h w", "n c h/4 w/4", "n c h w=40", "n c=64 _ _", "_ _ h h", "... 768", "*lead 768", "*lead d=768",
    "*_lead 17 64", "a ...", "... a a", "a a", "a 2*a", "a a*2", "2*a a", "a/2 a", "a a/2", "a a//2",
    "(a b) a b", "(a * b) c", "(a*b) a b", "() 1000", "1 ()", "(1+0) 1000", "b t 3*t", "b t t+t+t", "b x t t",
    "b t+1 2*(t+1)", "b h//2 h", "b h h//2", "b (h-1)//2 h", "a d=a*2", "d=a/2 a", "d=2*a d", "d=a/4 d d*4",
    "d=h d", "a b a*b", "a*b a b", "a b/a b", "a (b/a*a) b", "a a*a", "a-4 a", "a+4 a", "a 12-a", "a 12-2*a",
    "a b 6/(b-1)", "a b 12/a", "h/3 h/6*2 h", "a*a/7 a/7 _", "a a/a*4", "n 2*n-2", "n n*0", "n 0*n+2",
    "((a)) (2 (a))", "(2 a 1) a", "a (a)(a)", "x-1 y", "x - 1 y", "a b c d e", "... ...", "*x *y", "*x x",
    "x *x", "n, c", "#n c", "?n c", "{n} c", "n[0] c", "-1 c", "a -1", "n c->c n", "a b)", "(a b", "a 2b",
    "a b.c", "a 5%2", "a b**2", "a h/0", "a h//(0)", "a 4/(1-1)", "a=b=4 c", "_a=4 c", "=4 c", "a= c", "n *",
    "a *2", "min(a,2) b", "max(a b) b", "12345678901234567890 a", "1" + " 1" * 60, "é=8 é/2", "n_1 n_1*2",
    "h%4 h", "toString toString", "__proto__ x", "a __proto__", "(constructor) 2*constructor", "b (2*t) t",
    "0*n+4 8",
)  # fmt: skip


def drawn(count: int) -> Iterator[str]:
    """Yield patterns that are near to one of the shapes, put together by a draw that is always the same."""
    draw = random.Random(15)
    for _ in range(count):
        parts = []
        for name, length in zip("abcd", draw.choice(list(filter(None, SHAPES))), strict=False):
            other, times = draw.choice("abcd"), draw.randint(2, 4)
            forms = (name, str(length), "_", "...", f"*{name}", f"{other}/{times}", f"{other}*{times}",
                     f"{other}//{times}", f"{other}-{times}", f"{name}={other}", f"{name}={times}*{other}",
                     f"({other} {draw.choice('abcd')})", other)  # fmt: skip
            parts.append(draw.choice(forms))
        yield " ".join(parts)


def shapes() -> tuple[Model, dict[str, Shape]]:
    """A model of a layer for each shape, of no connection, and the shape of each of its boxes."""
    layers, calls, values = [], [], {}
    for place, shape in enumerate(SHAPES):
        path = f"§{place}"
        layers.append(Layer(path, "elementwise", "Add", (path,)))
        calls.append(Call(path, (), (f"§v{place}",)))
        values[f"§v{place}"] = Value(f"§v{place}", shape)
    return (
        Model("net", "f", "f", "a", tuple(layers), tuple(calls), Frozen(values), (), tuple(values)),
        {f"§{place}": shape for place, shape in enumerate(SHAPES)},
    )


def matched(pattern: str, boxes: dict[str, Shape]) -> list[str]:
    """Return what the matcher of the plug-in finds; nothing where it refuses the pattern."""
    try:
        parse(pattern)
    except UsageError:
        return []
    return [path for path, shape in boxes.items() if match(pattern, shape)]


#: What the page finds for each text of a list.
_FIND = """(texts) => texts.map((text) => {
  const field = document.getElementById("search");
  field.value = text;
  field.dispatchEvent(new Event("input"));
  return shapeinspect.state().hits;
})"""


def test_patterns_of_shapes_find_what_the_matcher_of_the_plugin_matches(opened: Open) -> None:
    model, boxes = shapes()
    patterns = [*PATTERNS, *drawn(400)]
    found: Any = opened(page(model)).page.evaluate(_FIND, patterns)
    wrong = {}
    for pattern, hits in zip(patterns, found, strict=True):
        wanted = matched(pattern, boxes)
        if hits != wanted:
            wrong[pattern] = (hits, wanted)
    assert not wrong
    assert sum(map(bool, found)) > 150, "many of them find something"
