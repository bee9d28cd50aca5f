"""Says where a number comes from: "80 is the default of n_mel_channels in STFT, line 16"."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from shapeinspect.plugin_api.origins.literals import Literal
from shapeinspect.plugin_api.origins.numbers import Origin

#: At most so many literals of one number are named.
_NAMED = 3
#: A longer piece of code is not repeated.
_LONGEST = 60
#: More steps than these are written in a row of numbers.
_STEPS = 2
#: At most so many layers are told of one row.
_LAYERS = 5


class Words:
    """Writes sentences about the numbers of one program.

    Args:
        literals: the program's literals.
        file: the file whose lines need no name.
    """

    def __init__(self, literals: Sequence[Literal], file: str) -> None:
        self._literals, self._file = literals, file
        self._said: list[int] = []

    def said(self) -> tuple[int, ...]:
        """Return the literals that were named since this was last asked, by their numbers."""
        named, self._said = tuple(dict.fromkeys(self._said)), []
        return named

    def told(self, origin: Origin) -> str:
        """Return where a number comes from as a sentence; empty where nothing is known.

        Args:
            origin: where it comes from.

        Example:
            >>> read = Origin(6, "data", symbol="load()", file="net.py", line=3)
            >>> kept = Origin(6, "axis", symbol="relu", parts=(read,))  # at a line that is not known
            >>> Words([], "net.py").told(kept)
            'relu keeps 6; 6 is made by load(), line 3'
        """
        chain, root = _chain(origin)
        steps = self._steps(chain, root) if chain else ""
        clauses = "; ".join(filter(None, (steps, self._root(root)))).split("; ")
        return "; ".join(dict.fromkeys(clauses))

    def shared(self, first: Origin, second: Origin) -> str:
        """Return where two numbers come from that have one source in common; empty where they have none.

        Args:
            first: where one comes from.
            second: where the other comes from.
        """
        chains = [_chain(one) for one in (first, second)]
        roots = [root for _, root in chains]
        if roots[0] != roots[1] or not any(chain for chain, _ in chains):
            return ""
        steps = [self._steps(chain, root) for chain, root in chains if chain]
        known = self._root(roots[0])
        return "; ".join((*steps, known)) if known else ""

    def named(self, site: int) -> str:
        """Return what a literal is in the program.

        Args:
            site: its number.
        """
        self._said.append(site)
        one = self._literals[site]
        code = one.code if len(one.code) <= _LONGEST else f"{one.code[: _LONGEST - 20].rstrip()}…"
        of = "" if one.alone else "one of "
        whose = f"{one.name} in {one.owner}"
        default = f"the default of {whose}" if one.alone else f"one of {whose} by default"
        text = {
            "default": default,
            "field": f"{of}{one.name} of {one.owner}",
            "fallback": f'the default of "{one.name}" in {one.owner}(…)',
            "option": f"the default of {one.name}",
            "keyword": f"{of}{one.name} in {one.owner}(…)",
            "item": f'{of}"{one.name}"' + (f" of {one.owner}" if one.owner else ""),
            "variable": one.name or (f"written in {code}" if code else "written there"),
            "argument": (
                f"{one.name} in {one.owner}(…)" if one.name else f"written in {code or one.owner + '(…)'}"
            ),
        }.get(one.role, f"written in {code}" if code and code != str(one.value) else "written there")
        return f"{text}, {self.line(one.file, one.line)}"

    def line(self, file: str, line: int) -> str:
        """Return a line in words, with its file where that is another one.

        Args:
            file: the file.
            line: the line.
        """
        return f"line {line}" if file in (self._file, "") else f"line {line} of {os.path.basename(file)}"

    def _at(self, one: Origin) -> str:
        """Return the line of an operation behind a comma; empty where none is known."""
        return f", {self.line(one.file, one.line)}" if one.line else ""

    def _steps(self, chain: list[Origin], root: Origin) -> str:
        """Write what became of a number, from step to step."""
        changed = [
            one for one, before in zip(chain, [root, *chain], strict=False) if one.value != before.value
        ]
        if not changed:
            last = chain[-1]
            return f"{_doing(last.symbol)} keeps {last.value}{self._at(last)}"
        if len(changed) <= _STEPS:
            parts, before = [], root.value
            for one in changed:
                layers = self._layers([one]) if one.line else ""
                parts.append(f"{_doing(one.symbol)} makes {one.value} of {before}{self._at(one)}{layers}")
                before = one.value
            return "; ".join(parts)
        row = " → ".join(str(one.value) for one in (root, *changed))
        lines = list(dict.fromkeys(one.line for one in changed if one.line))
        names = list(dict.fromkeys(_doing(one.symbol) for one in changed))
        by = f" by {', '.join(names[:3])}" if names else ""
        noun = "line" if len(lines) == 1 else "lines"
        at = f", {noun} {', '.join(map(str, lines[:5]))}" if lines else ""
        return f"{row}{by}{at}{self._layers(changed)}"

    def _layers(self, steps: Sequence[Origin]) -> str:
        """Say where the layers are made, with their settings, that the steps ran through."""
        places = list(dict.fromkeys(one.layer for one in steps if one.layer is not None))
        alone = [place for place in places if place[1] not in {one.line for one in steps}]
        if not alone:
            return ""
        file = alone[0][0]
        lines = [str(line) for home, line in alone if home == file][:_LAYERS]
        noun = "layer" if len(lines) == 1 else "layers"
        of_file = self.line(file, alone[0][1]).removeprefix(f"line {alone[0][1]}")
        return f" (the {noun} of line{'s' * (len(lines) > 1)} {', '.join(lines)}{of_file})"

    def _root(self, root: Origin) -> str:
        if root.kind == "literal":
            return f"{root.value} is {self.named(root.site)}"
        if root.kind in ("count", "entry"):
            return f"{root.value} is {root.symbol}{self._at(root)}"
        if root.kind == "operation":
            return self._computed(root)
        if root.kind == "rest" and root.line:
            total, full = root.parts
            told = f"{root.value} of {total.value} samples are left for the last batch"
            return f"{told}{self._at(root)}; {self.told(full)}"
        if root.kind == "short" and root.line:
            asked, there = root.parts
            told = f"{asked.value} are taken at {self.line(root.file, root.line)}, and {root.value} are there"
            return "; ".join((told, *filter(None, map(self.told, (asked, there)))))
        if root.kind == "added" and root.line:
            verb = "adds an axis of" if root.value == 1 else "makes a new axis of"
            return f"{root.symbol} {verb} {root.value}{self._at(root)}"
        if root.symbol and root.line:
            of = "" if root.kind == "data" else _of(root)
            text = f"{root.value} is made by {_doing(root.symbol)}{of}{self._at(root)}"
            parts = root.parts if root.kind == "axis" and len(root.parts) == 2 else ()
            return "; ".join((text, *filter(None, map(self.told, parts))))
        return ""

    def _computed(self, origin: Origin) -> str:
        """Write an operation with its numbers, and what the numbers are."""
        text = _infix(origin, 0)
        said: list[str] = []
        for leaf in _leaves(origin):
            plain = leaf.value in (0, 1) and leaf.kind != "count" and not _chain(leaf)[0]
            if plain or (leaf.value == 2 and self._is_part(leaf)):
                continue
            sentence = self.told(leaf) if leaf.kind != "operation" else ""
            if sentence and sentence not in said:
                said.append(sentence)
            if len(said) >= _NAMED:
                break
        head = f"{origin.value} = {text}{self._at(origin)}" if text != str(origin.value) else ""
        return "; ".join((*([head] if head else []), *said))

    def _is_part(self, origin: Origin) -> bool:
        return origin.kind == "literal" and self._literals[origin.site].role == "part"


def _chain(origin: Origin) -> tuple[list[Origin], Origin]:
    """Return the steps that led from one number to another, the first one first, and that number."""
    chain = []
    while origin.parts and origin.kind not in ("rest", "short"):
        same = _kept(origin)
        if same is not None:
            origin = same
        elif (origin.kind == "operation" and len(origin.parts) == 1 and origin.symbol != "-") or (
            origin.kind == "axis" and len({(part.value, part.symbol) for part in origin.parts}) == 1
        ):
            chain.append(origin)
            origin = origin.parts[0]
        else:
            break
    return chain[::-1], origin


def _kept(origin: Origin) -> Origin | None:
    """Return the part that an operation leaves as it is: of ``6 // 1`` the 6."""
    if origin.kind != "operation":
        return None
    if len(origin.parts) == 1:
        return origin.parts[0] if origin.value == origin.parts[0].value else None
    first, second = origin.parts[:2]
    neutral = 0 if origin.symbol in ("+", "-") else 1
    if len(origin.parts) > 2 or origin.symbol not in _SIGNS:
        return None
    if second.value == neutral and first.value == origin.value:
        return first
    return second if origin.symbol in ("+", "*") and first.value == neutral else None


def _doing(symbol: str) -> str:
    """Return what a function is called in a sentence."""
    return "slicing" if symbol == "__getitem__" else symbol.strip("_") if symbol.startswith("__") else symbol


def _of(origin: Origin) -> str:
    values = " and ".join(str(part.value) for part in origin.parts)
    return f" of {values}" if 0 < len(origin.parts) < 3 else ""


def _leaves(origin: Origin) -> Iterator[Origin]:
    """Yield what an operation is computed from, those far down included."""
    for part in origin.parts:
        if part.kind == "operation":
            yield from _leaves(part)
        else:
            yield part


_SIGNS = {"*": "·", "+": " + ", "-": " - ", "//": " // ", "/": " / ", "%": " % ", "**": "**"}


def _infix(origin: Origin, depth: int) -> str:
    """Write an operation in numbers."""
    sign = _SIGNS.get(origin.symbol)
    if origin.kind != "operation" or sign is None or depth > 4 or len(origin.parts) < 2:
        return str(origin.value)
    told = [one for one in origin.parts if origin.symbol != "*" or one.value != 1 or one.kind == "count"]
    parts = [_infix(part, depth + 1) for part in told]
    if origin.symbol in ("*", "//", "/", "%", "**"):
        parts = [f"({part})" if " " in part else part for part in parts]
    elif origin.symbol == "-":
        parts[1:] = [f"({part})" if " " in part else part for part in parts[1:]]
    return sign.join(parts) or str(origin.value)
