"""Edits of sizes that something does not divide: of halved pictures, of batches, and of divisors."""

from __future__ import annotations

import ast
import itertools
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from shapeinspect.plugin_api.evidence.edit import number_of
from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_keras.debug.script.candidate import Candidate, Scene
from shapeinspect_keras.debug.script.program import Replacement
from shapeinspect_keras.debug.statements.site import argument, calls_in

#: Two lengths that differ by so many at most may come from one that was halved and doubled.
_GAP = 16
#: A layer that joins maps, and a loss that compares them, meet such lengths.
_SMALLEST = 12
#: What the length of a picture is called.
_NAMES = re.compile(r"size|height|width|img|image|side|length|dim", re.IGNORECASE)


def halved(scene: Scene) -> Iterator[Candidate]:
    """Yield edits that make a size a multiple of the strides behind it.

    A length that is halved several times and doubled as often comes back only if their product divides it.

    Args:
        scene: the failed run.
    """
    maps = [shape for shape in scene.clues.shapes if len(shape) > 2]
    inside = [_apart(one, other) for one, other in itertools.combinations(maps, 2)]
    told = [pair for pairs in inside for pair in pairs] if inside else scene.clues.pairs[:4]
    pairs = [pair for pair in told if 0 < abs(pair[0] - pair[1]) <= _GAP and min(pair) > 1]
    flat = bool(scene.clues.shapes) and not any(len(shape) > 2 for shape in scene.clues.shapes)
    if flat or not pairs or not _doubles(scene):
        return
    for node in ast.walk(scene.program.tree):
        sizes = _sizes(scene, node)
        if not sizes:
            continue
        yield from _come_back(scene, node, sizes, pairs)
        smallest = min(item.value for item in sizes)
        for high in dict.fromkeys(max(pair) for pair in pairs[:2]):
            least = 1 << max(0, round(math.log2(smallest / high)) if smallest > high else 0)
            for place, factor in enumerate((2 * least, 4 * least, 8 * least)):
                yield from _rounded(scene, node, sizes, factor, 0.9 + 0.15 * place)


def _come_back(
    scene: Scene, node: ast.AST, sizes: Sequence[Any], pairs: Sequence[tuple[int, int]]
) -> Iterator[Candidate]:
    """Yield multiples of the one factor with which written sizes come back as the other ones.

    A length is rounded up at each step that is padded, and down otherwise.
    """
    found = {frozenset(pair) for pair in pairs}
    for padded, power in itertools.product((False, True), range(1, 7)):
        factor = 1 << power
        back = [(-(-item.value // factor) if padded else item.value // factor) * factor for item in sizes]
        off = [(item, other) for item, other in zip(sizes, back, strict=True) if item.value != other]
        if not off or any({item.value, other} not in found for item, other in off):
            continue
        old, new = (
            [*dict.fromkeys(map(str, part))] for part in zip(*((i.value, o) for i, o in off), strict=True)
        )
        places = " and ".join(dict.fromkeys(scene.at(item) for item, _ in off))
        kinds = ("are no multiples", "they are") if len(old) > 1 else ("is no multiple", "it is")
        why = f"{' and '.join(old)} at {places} {kinds[0]} of {factor}: divided by it{', padded,' * padded} "
        why += f"and multiplied again {kinds[1]} {' and '.join(new)}"
        for place, up in enumerate((True, False)):
            edits = tuple(
                Replacement(item, str((-(-item.value // factor) if up else item.value // factor) * factor))
                for item, _ in off
            )
            yield Candidate(edits, 0.6 + 0.05 * place, "rounding", why, fact=True)
        yield from _cropped(scene, off, why) if padded else ()
        return


def _cropped(scene: Scene, off: Sequence[tuple[Any, int]], why: str) -> Iterator[Candidate]:
    """Cut from the outputs what the padding has added to them."""
    more = {other: other - item.value for item, other in off}
    for call in calls_in(scene.program.tree, "Model", "Functional"):
        made = argument(call, 1, "outputs")
        shape = None if made is None else scene.shape(made)
        if made is None or shape is None or len(shape) not in (3, 4):
            continue
        gaps = [more.get(length, 0) if length is not None else 0 for length in shape[1:-1]]
        if not any(gaps):
            continue
        layer, imported = scene.layer(f"Cropping{len(gaps)}D")
        ends = [f"({gap // 2}, {gap - gap // 2})" for gap in gaps]
        given = f"({', '.join(ends)})" if len(ends) > 1 else ends[0]
        new = f"{layer}({given})({scene.program.source(made)})"
        yield Candidate((Replacement(made, new), *imported), 0.5, "rounding", why, fact=True)


def _apart(one: Sequence[int | None], other: Sequence[int | None]) -> list[tuple[int, int]]:
    """Return the lengths in space in which two maps differ; none where their channels do, too."""
    if len(one) != len(other) or one[-1] != other[-1]:
        return []
    both = zip(one[1:-1], other[1:-1], strict=True)
    return [(a, b) for a, b in both if a is not None and b is not None and a != b]


def _doubles(scene: Scene) -> bool:
    """Tell whether the script doubles lengths, or joins or adds maps."""
    calls = {callee_of(node) for node in ast.walk(scene.program.tree) if isinstance(node, ast.Call)}
    up = ("UpSampling", "concatenate", "Concatenate", "add", "Add")
    return any(name.endswith(up) or name.startswith(up) or "Transpose" in name for name in calls)


def _sizes(scene: Scene, node: ast.AST) -> list[Any]:
    """Return the lengths of a picture or a volume that are written down as numbers."""
    if isinstance(node, ast.Tuple | ast.List) and 2 <= len(node.elts) <= 4:
        parts, least = node.elts, 2
    elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        parts, least = [node.value], 1
        if not _NAMES.search(node.targets[0].id):
            return []
    else:
        return []
    found: list[Any] = [part for part in parts if isinstance(part, ast.Constant) and type(part.value) is int]
    sizes = [part for part in found if part.value >= _SMALLEST]
    outer = scene.program.parents.get(node)
    axes = isinstance(outer, ast.keyword) and outer.arg in ("axes", "axis", "kernel_size")
    return sizes if len(sizes) >= least and not axes else []


def _rounded(
    scene: Scene, node: ast.AST, sizes: Sequence[Any], factor: int, prior: float
) -> Iterator[Candidate]:
    off = [item for item in sizes if item.value % factor]
    if not off or factor > 64 or any(item.value < factor for item in sizes):
        return
    ways = (
        [(item.value + factor // 2) // factor * factor for item in off],
        [item.value // factor * factor for item in off],
        [-(-item.value // factor) * factor for item in off],
    )
    for place, way in enumerate(dict.fromkeys(map(tuple, ways))):
        old = " and ".join(dict.fromkeys(str(item.value) for item in off))
        several = len({item.value for item in off}) > 1
        why = f"{old} at {scene.at(node)} {'are no multiples' if several else 'is no multiple'} of {factor}"
        edits = tuple(Replacement(item, str(new)) for item, new in zip(off, way, strict=True))
        yield Candidate(edits, prior + 0.05 * place, "space", why)


def batches(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of a run whose last batch, or that of its validation, is smaller than the network takes.

    Args:
        scene: the failed run.
    """
    fixed = any(word in scene.program.text for word in ("stateful", "batch_shape", "batch_input_shape"))
    for node in scene.near:
        if not isinstance(node, ast.Call) or callee_of(node) != "fit":
            continue
        x, y, batch = (argument(node, at, name) for at, name in enumerate(("x", "y", "batch_size")))
        size, total = _number(scene, batch), None if x is None else (scene.shape(x) or (None,))[0]
        if size is None or total is None or size < 2:
            continue
        split = argument(node, 6, "validation_split")
        if not fixed and not any({size, total % size} == set(pair) for pair in scene.clues.pairs):
            continue
        if split is None and total % size:
            yield from _divided(scene, batch, size, total)
        if isinstance(split, ast.Constant) and isinstance(split.value, float):
            kept = math.floor(total * (1 - split.value))
            if kept % size == 0 and (total - kept) % size == 0:
                continue
            why = f"the split at {scene.at(split)} leaves {kept} and {total - kept} of {total} samples"
            why += f", and a batch has {size}"
            for place, share in enumerate(_shares(total, size, split.value)):
                yield Candidate((Replacement(split, share),), 0.6 + 0.1 * place, "fixed-batch", why)
        elif total % size:
            rest = total // size * size
            texts = [(item, scene.program.line(item)) for item in (x, y) if item and scene.shape(item)]
            edits = tuple(Replacement(item, f"{text}[:{rest}]") for item, text in texts)
            why = f"{total} samples at {scene.at(node)} are no multiple of the batch of {size}"
            alters = f"how many samples are used: {rest} of {total}"
            yield Candidate(edits, 0.9, "fixed-batch", why, alters)


def _divided(scene: Scene, node: ast.expr | None, size: int, total: int) -> Iterator[Candidate]:
    """Make the batch a divisor of the number of samples, where it is written as one number."""
    written = [node]
    if isinstance(node, ast.Name):
        written = [
            item.value
            for item in ast.walk(scene.program.tree)
            if isinstance(item, ast.Assign) and getattr(item.targets[0], "id", "") == node.id
        ]
    even = [number for number in range(2, 2 * size) if total % number == 0]
    if len(written) != 1 or not isinstance(written[0], ast.Constant) or not even:
        return
    nearest = min(even, key=lambda number: abs(number - size))
    why = f"{total} samples = {total // size}·{size} + {total % size}: the last batch has {total % size}, "
    why += f"and {size} is asked for; {nearest} divides {total}"
    fixed = [
        item.value.elts[0]
        for item in ast.walk(scene.program.tree)
        if isinstance(item, ast.keyword) and item.arg in ("batch_shape", "batch_input_shape")
        if isinstance(item.value, ast.Tuple) and item.value.elts and number_of(item.value.elts[0]) == size
    ]
    declared = [item for item in fixed if isinstance(item, ast.Constant)]
    edits = tuple(Replacement(item, str(nearest)) for item in (written[0], *declared))
    yield Candidate(edits, 0.8, "fixed-batch", why)


def _number(scene: Scene, node: ast.AST | None) -> int | None:
    if isinstance(node, ast.Constant):
        return node.value if type(node.value) is int else None
    values = [] if node is None else [value for value in scene.values(node) if type(value) is int]
    return values[-1] if values else None


def _shares(total: int, size: int, share: float) -> list[str]:
    """Return the shares of a validation with which both parts are multiples of a batch, the nearest first.

    Example:
        >>> _shares(40, 5, 0.2)
        ['0.25', '0.125']
    """
    found = []
    for part in range(size, total, size):
        text = f"{part / total:.6g}"
        kept = math.floor(total * (1 - float(text)))
        if kept and kept % size == 0 and (total - kept) % size == 0:
            found.append((abs(float(text) - share), text))
    return [text for _, text in sorted(found)[:2]]


def divisors(scene: Scene) -> Iterator[Candidate]:
    """Yield edits of a divisor or factor of a length, where areas or volumes differ by a power of it.

    Args:
        scene: the failed run.
    """
    ratios = [
        (max(pair) // min(pair), pair)
        for pair in scene.clues.pairs[:4]
        if min(pair) > 0 and max(pair) % min(pair) == 0 and max(pair) // min(pair) > 1
    ]
    for node in scene.near:
        if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.FloorDiv | ast.Mult):
            continue
        number = node.right
        named = any(isinstance(part, ast.Name | ast.Attribute) for part in ast.walk(node))
        if not named or not isinstance(number, ast.Constant) or type(number.value) is not int:
            continue
        for (ratio, pair), power in itertools.product(ratios[:3], (2, 1, 3)):
            root = round(ratio ** (1 / power))
            if root < 2 or root**power != ratio:
                continue
            for new in (number.value * root, number.value // root if number.value % root == 0 else 0):
                if new > 0:
                    prior = 1.1 + 0.1 * (power == 3) + 0.3 * scene.far(node)
                    why = f"{pair[0]} and {pair[1]} differ by {ratio}"
                    why += f" = {root}^{power}" if power > 1 else ""
                    why += f", and `{scene.text(node)}` at {scene.at(node)} is off by {root}"
                    yield Candidate((Replacement(number, str(new)),), prior, "", why)


OPERATORS = (halved, batches, divisors)
