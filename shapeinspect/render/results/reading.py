"""One row of a table in words: what every letter, setting and number of it says."""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from shapeinspect.render.grid import Line, width
from shapeinspect.render.legend import ACTIVATION_AXES, WEIGHT_AXES
from shapeinspect.render.notation import explained, notations
from shapeinspect.render.rows import ALL_COLUMNS
from shapeinspect.rules.registry import KINDS

#: A text of a cell, and what it means.
Words = tuple[str, str]

_LENGTH = re.compile(r"(?P<letter>[A-Z])(?P<length>\d+|\?)?|(?P<name>[A-Z])=(?P<expression>.+)")
_GROUP = re.compile(r"\((?P<letters>[A-Za-z]+(?: [A-Za-z]+)*)\)(?:=(?P<length>.+))?")
_WEIGHT_AXIS = re.compile(
    rf"(?P<letter>{'|'.join(sorted(WEIGHT_AXES, key=len, reverse=True))})"
    r"(?:(?P<length>\d+|\?)|=(?P<expression>.+))"
)
_BARE = re.compile(r"[\d?]+(?:×[\d?]+)*")
#: A kind that is not proven: ``linear or embedding?``.
_CANDIDATES = re.compile(r"[a-z_]+(?: or [a-z_]+)*\?")
_ROW_GAP = re.compile(r" {2,}")
_AMOUNT = r"(?:[≥≤] )?[\d.,]+"
#: What a cell without a heading may be, the narrower forms first.
_FORMS: tuple[tuple[str, str], ...] = (
    ("params", rf"{_AMOUNT.replace('.,', ',')}(?<=,\d\d\d)(?: \+ tied)?|tied"),
    ("macs", rf"{_AMOUNT} [kMGT]"),
    ("share", rf"{_AMOUNT} %"),
    ("trainable", r"yes|no|[\d,]+ of [\d,]+"),
)
_NO_FURTHER = "not explained here"
_LABEL, _TEXT = 10, 24


def line_in_words(line: str, heading: str = "") -> dict[str, list[str]]:
    """Tell which text of a row is in which column.

    Args:
        line: the row, as it is printed.
        heading: the line of the columns' names above it; without it, what a text is follows from its form.

    Returns:
        the texts by the names of columns; ``""`` for those that may be in several.

    Example:
        >>> line_in_words("conv1    conv        N C6 H28 W28   1→6 k5     156")
        {'layer': ['conv1'], 'kind': ['conv'], 'output': ['N C6 H28 W28'],
         'settings': ['1→6 k5'], '': ['156']}
    """
    if heading.strip():
        return _by_heading(line, heading)
    found: dict[str, list[str]] = {}
    texts = [text for text in _ROW_GAP.split(line.strip()) if text]
    if len(texts) == 1 and not _names_layer(texts[0]):
        column = _column(texts[0], "", found)
        return {column: texts}
    for number, text in enumerate(texts):
        column = "layer" if number == 0 else _column(text, " ".join(found.get("kind", [])), found)
        if column == "output" and column in found and "input" not in found:
            found["input"] = found.pop("output")
        found.setdefault(column, []).append(text)
    return found


def _names_layer(text: str) -> bool:
    return " " not in text and not _axes(text)


def _by_heading(line: str, heading: str) -> dict[str, list[str]]:
    named = {column.name: name for name, column in ALL_COLUMNS.items()}
    starts = [(found.start(), found.end(), found[0]) for found in re.finditer(r"\S+(?: \S+)*", heading)]
    found: dict[str, list[str]] = {}
    for part in re.finditer(r"\S+(?: \S+)*", line):
        # Numbers end below the end of their heading, all else begins below its beginning.
        near = min(starts, key=lambda each: min(abs(part.start() - each[0]), abs(part.end() - each[1])))
        column = "layer" if not found and part.start() < starts[0][1] + 1 else named.get(near[2], "")
        found.setdefault(column, []).append(part[0])
    return found


def _column(text: str, kind: str, found: Mapping[str, Sequence[str]]) -> str:
    """Return the column that a text of a row without a heading belongs to; an empty name where several do."""
    if not found.get("kind") and (text in KINDS or _CANDIDATES.fullmatch(text)):
        return "kind"
    tokens = _tokens(text)
    shaped = all(_axis(token.rstrip(",")) for token in tokens) and not _is_number(text)
    if shaped and "weights" not in found:
        return "output"
    meanings = [meaning for _, meaning in explained(text, kind)]
    name, axes = _weight(text)
    is_weight = name.isalpha() and any(map(_is_stored, axes))
    if all(meanings) and " or " not in meanings[0] and not is_weight and "weights" not in found:
        return "settings"
    if name and any(map(_is_stored, axes)):
        return "weights"
    if not _is_number(text) and len(axes) == len(tokens):
        return "common"
    for column, form in _FORMS:
        if re.fullmatch(form, text):
            return column
    return ""


def _is_stored(axis: str) -> bool:
    """Tell whether a token is an axis of a weight, and not a number that might be anything."""
    return bool(_weight_axis(axis)) and not axis.isdecimal()


def _is_number(text: str) -> bool:
    return text.replace(",", "").isdecimal()


def row_in_words(row: Mapping[str, Sequence[str]], limit: int) -> Iterator[Line]:
    """Yield the lines that explain a row.

    Args:
        row: its texts by the names of columns, the empty name for texts of which the column is not known.
        limit: how many columns a line may have.

    Example:
        >>> for line in row_in_words({"kind": ["conv"], "settings": ["1→6 k5"]}, 80):
        ...     print("".join(text for text, _ in line))
        kind      conv  filters that slide over space and see every channel of their group
        settings  1→6   in_channels 1, out_channels 6
                  k5    kernel_size: taps of the window
    """
    kind = " ".join(row.get("kind", ()))
    order = ["layer", *(name for name in ALL_COLUMNS if name != "layer"), ""]
    told = [
        (name, text, words)
        for name in order
        for cell in row.get(name, ())
        for text, words in _cell(name, cell, kind)
    ]
    room = min(max((width(text) for _, text, _ in told), default=0), _TEXT)
    before = ""
    for name, text, words in told:
        label = "" if name == before else ALL_COLUMNS[name].name if name else "text"
        before = name
        yield from _lines(label, text, words, room, limit)


def _lines(label: str, text: str, words: str, room: int, limit: int) -> Iterator[Line]:
    left = _LABEL + room + 2
    wrapped = textwrap.wrap(words, max(limit - left, 24)) or [""]
    if width(text) > room:  # what is long has a line of its own
        yield ((f"{label:<{_LABEL}}", "dim"), (text, "path"))
        label, text = "", ""
    for number, part in enumerate(wrapped):
        pad = " " * (room - width(text) + 2) if part else ""
        first = ((f"{label:<{_LABEL}}", "dim"), (text, "path"), (pad + part, ""))
        yield first if number == 0 else ((" " * left, ""), (part, ""))


def _cell(column: str, text: str, kind: str) -> Iterator[Words]:
    """Yield the parts of a cell, each with what it says."""
    if "…" in text:
        yield text, "cut for want of room: a wider terminal shows all of it"
    elif column == "kind":
        yield text, _kind(text)
    elif column in ("input", "output"):
        yield from _shape(text)
    elif column == "settings":
        for part, meaning in explained(text, kind):
            yield part, meaning or _NO_FURTHER
    elif column in ("weights", "common"):
        yield from _weights(text)
    elif column == "":
        yield text, _unplaced(text, kind)
    else:
        yield text, _SAYS[column] + next((more for sign, more in _MORE[column] if sign in text), "")


#: What the columns say whose texts have no parts.
_SAYS: Mapping[str, str] = {
    "layer": "the layer's name, which every command takes",
    "type": "what the source itself calls it",
    "params": "parameters",
    "bytes": "bytes of its weights as they are stored",
    "macs": "multiply-accumulates for one sample of the batch",
    "share": "its share of the model's parameters",
    "trainable": "whether an optimizer would change its parameters",
    "activations": "bytes of what it returns, for one sample",
    "kept": "bytes that training keeps of it for the backward pass",
    "from": "what it reads: layers, or inputs of the model",
}
_TIED = ("tied", "; what is tied is counted in the row of the other weight")
_LACKING = ("≥", "; some are not known")
#: What a sign in a text adds to that.
_MORE: Mapping[str, tuple[Words, ...]] = defaultdict(
    tuple,
    layer=(("×", "; several equal ones"), ("–", "; several equal ones")),
    params=(
        ("tied", "; what is tied is counted in the row of the other weight"),
        ("≥", "; some are not known"),
    ),
    bytes=(
        ("tied", "; what is tied is counted in the row of the other weight"),
        ("≥", "; some are not known"),
    ),
    macs=(_LACKING,),
    activations=(_LACKING,),
    kept=(_LACKING,),
)


def _kind(text: str) -> str:
    if text.endswith("?") and text != "?":
        return "not proven: the names and shapes of the weights allow each of these"
    return KINDS[text].summary if text in KINDS else "not known" if text == "?" else _NO_FURTHER


def _unplaced(text: str, kind: str) -> str:
    if _is_number(text):
        return "params, or MACs for one sample: the heading above the line would say which"
    if re.fullmatch(rf"{_AMOUNT} [kMGT]?B", text):
        return "bytes: of the weights, or of activations where that was asked for"
    [(_, meaning), *others] = explained(text, kind)
    if meaning and not others:
        return f"the setting {meaning}; or what the source itself calls the layer"
    if " " not in text:
        return "what the source itself calls the layer"
    return _NO_FURTHER


def _tokens(text: str) -> list[str]:
    """Split a text at the spaces that are in no parentheses."""
    tokens, depth = [""], 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        if sign == " " and depth == 0:
            tokens.append("")
        else:
            tokens[-1] += sign
    return [token for token in tokens if token]


def _shape(text: str) -> Iterator[Words]:
    calls = re.fullmatch(r"(.*?)  (\d+) calls", text)
    for token in _tokens(calls[1] if calls else text):
        yield token.rstrip(","), _axis(token.rstrip(",")) or _NO_FURTHER
    if calls:
        yield f"{calls[2]} calls", "how often the layer is called"


def _axis(token: str) -> str:
    """Return what one token of a shape says; an empty text where it is none."""
    found = _LENGTH.fullmatch(token)
    if found:
        letter = found["letter"] or found["name"]
        if letter not in ACTIVATION_AXES:
            return ""
        length = found["length"] or found["expression"]
        if length is None:
            return f"{ACTIVATION_AXES[letter]}: not fixed, called {letter}"
        return f"{ACTIVATION_AXES[letter]}: {'not known' if length == '?' else length}"
    group = _GROUP.fullmatch(token)
    if group and all(letter in ACTIVATION_AXES for letter in group["letters"].split()):
        axes = ", ".join(ACTIVATION_AXES[letter] for letter in group["letters"].split())
        length = group["length"]
        return f"{axes} in this order, flattened into one axis" + (f" of {length}" if length else "")
    if token == "scalar":
        return "a single number, without axes"
    if token == "?":
        return "not even the number of axes is known"
    if re.fullmatch(r"×\d+", token):
        return "several of this shape"
    if re.fullmatch(r"\+\d+", token):
        return "so many more"
    if _BARE.fullmatch(token):
        return "lengths of axes that nothing gives a letter" if "×" in token else "an axis without a letter"
    return ""


def _axes(text: str) -> bool:
    return all(_axis(token) or _weight_axis(token) for token in _tokens(text))


def _weight(text: str) -> tuple[str, list[str]]:
    """Return a weight's name, and what stands behind it up to how it is stored."""
    tokens = _tokens(text)
    start = next((n for n, token in enumerate(tokens) if _weight_axis(token)), len(tokens))
    rest = tokens[start:]
    end = next((n for n, token in enumerate(rest) if not _weight_axis(token)), len(rest))
    return " ".join(tokens[:start]), rest[:end]


def _weights(text: str) -> Iterator[Words]:
    name, axes = _weight(text)
    rest = text.removeprefix(name).strip()
    for axis in axes:
        rest = rest.removeprefix(axis).strip()
    if name:
        word = re.fullmatch(r"(\S+) \((\S+)\)", name)
        yield name, f"a weight; the source calls it {word[2]}" if word else "a weight"
    for axis in axes:
        yield axis, _weight_axis(axis)
    several = re.match(r"×(\d+)\b", rest)
    if several:
        yield several[0], f"{several[1]} weights of this shape in one row"
        rest = rest.removeprefix(several[0]).strip()
    stored, _, tied = rest.partition("= ") if rest.startswith("= ") else rest.partition(" = ")
    if stored:
        yield stored, "how it is quantized"
    if tied:
        yield f"= {tied}", "the same tensor as that weight, counted once"


def _weight_axis(token: str) -> str:
    found = _WEIGHT_AXIS.fullmatch(token)
    if found:
        length = found["length"] or found["expression"]
        return f"{WEIGHT_AXES[found['letter']]}: {'not known' if length == '?' else length}"
    group = _GROUP.fullmatch(token)
    if group and group["length"] and all(letter in WEIGHT_AXES for letter in group["letters"].split()):
        axes = ", ".join(WEIGHT_AXES[letter] for letter in group["letters"].split())
        return f"{axes} in this order, in one axis of {group['length']}"
    if _BARE.fullmatch(token):
        return "lengths of axes that nothing gives a letter" if "×" in token else "an axis without a letter"
    return ""


def whole_legend(limit: int) -> Iterator[Line]:
    """Yield every letter of activations and weights, and every setting.

    Args:
        limit: how many columns a line may have.
    """
    tables: tuple[tuple[str, Iterable[Words]], ...] = (
        ("activations", ACTIVATION_AXES.items()),
        ("weights", WEIGHT_AXES.items()),
        ("settings", ((each.example, f"{each.attribute}: {each.meaning}") for each in notations())),
    )
    for number, (title, rows) in enumerate(tables):
        if number:
            yield ()
        yield ((title, "heading"),)
        listed = list(rows)
        room = max(width(text) for text, _ in listed)
        for text, words in listed:
            wrapped = textwrap.wrap(words, max(limit - room - 4, 24))
            for index, part in enumerate(wrapped):
                shown = text if index == 0 else ""
                yield (("  ", ""), (shown + " " * (room - width(shown)), "path"), (f"  {part}", ""))
