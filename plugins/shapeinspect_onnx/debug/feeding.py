"""What onnxruntime refuses before any layer sees it: a shape, a dtype, or the name of an input."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from shapeinspect.ir import Layer, Model
from shapeinspect.plugin_api.arrays.edits import fits
from shapeinspect.plugin_api.arrays.feeds import FeedSource, Input, exchanged, values_of, ways
from shapeinspect.plugin_api.claims import Claim
from shapeinspect.plugin_api.facts import Edit, Explained, IndexOutside
from shapeinspect.plugin_api.programs.failed import Program
from shapeinspect.plugin_api.programs.sizes import alters_colors, resized, suggestion
from shapeinspect.plugin_api.rerun import Rerun
from shapeinspect.plugin_api.rewriting import Rewriting, outside
from shapeinspect.plugin_api.suggestions import Suggestion
from shapeinspect.rules.rule import show
from shapeinspect_onnx.debug.exports import reexported
from shapeinspect_onnx.debug.quiet import runs

#: What onnxruntime calls the types of numbers, and NumPy.
_TYPES = {
    "tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16",
    "tensor(int8)": "int8", "tensor(int16)": "int16", "tensor(int32)": "int32", "tensor(int64)": "int64",
    "tensor(uint8)": "uint8", "tensor(uint16)": "uint16", "tensor(uint32)": "uint32",
    "tensor(uint64)": "uint64", "tensor(bool)": "bool",
}  # fmt: skip
_INDEX = re.compile(r"Name:'(?P<node>[^']*)'.*idx=(?P<index>-?\d+) must be within .*\[-(?P<size>\d+),", re.S)
#: What onnxruntime says of a feed, and not of a layer.
_OF_FEEDS = re.compile(
    r"Unexpected input data type|are missing from input feed|Got invalid dimensions for input"
    r"|Invalid rank for input|Invalid input name|Missing Input"
)
#: Inputs of more numbers than this are not fed on trial.
NUMBERS = 4_000_000

#: At most so many feeds of one edit are run; of more of them, the first and the last.
_FEEDS = 4
_AS = ", as the model declares it"

#: Lengths up to this one are those of batches and channels.
_SMALL = 4

#: An edit, and what the session is run on with it: a feed, or several one after the other.
_Way: TypeAlias = "tuple[Edit, list[dict[str, Any]]]"


def is_of_feed(message: str) -> bool:
    """Tell whether onnxruntime refuses a feed, before any layer sees it.

    Args:
        message: its words.
    """
    return _OF_FEEDS.search(message) is not None


def inputs_of(session: Any) -> tuple[Input, ...]:
    """Return what a session declares of its inputs.

    Args:
        session: the session.
    """
    return tuple(
        Input(one.name, tuple(one.shape), _TYPES.get(one.type)) if one.type.startswith("tensor") else
        Input(one.name, None, None)
        for one in session.get_inputs()
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fed:
    """A session, what it was fed, and where.

    Args:
        session: the session.
        feed: what it was fed, by name.
        source: the user's call; None where its source is not there.
        message: onnxruntime's words.
        where: the user's source line.
        what: what is run again.
    """

    session: Any
    feed: dict[str, Any]
    source: FeedSource | None
    message: str
    where: str | None
    what: str = "session.run"

    def refused(self) -> Rerun | None:
        """Find the input that does not fit what is declared, and edits of what is fed; None for none."""
        inputs = inputs_of(self.session)
        absent = [one for one in inputs if one.name not in self.feed]
        foreign = [name for name in self.feed if name not in {one.name for one in inputs}]
        if absent or foreign:
            return self._unnamed(inputs, absent, foreign)
        wrong = [one for one in inputs if hasattr(self.feed[one.name], "shape")]
        wrong = [one for one in wrong if not one.takes(self.feed[one.name])]
        if not wrong:
            return None
        first = next((one for one in wrong if f"input: {one.name} " in self.message), wrong[0])
        pair = exchanged(inputs, self.feed)
        found = [*self._exchanged(pair)] if pair else [*self._fitting(inputs), *self._parts(wrong)]
        found = (
            found if any(not edit.alters for edit, _ in found) else [*self._through_another(wrong), *found]
        )
        found = found or self._resized(wrong)
        cause = "exchanged" if pair else self._cause(wrong)
        expected = " and ".join(map(_declared, wrong)) + _AS
        got = [f"{self._name(one.name)} of {_given(self.feed[one.name])}" for one in wrong]
        return self._rewriting(first.name, inputs, cause, expected, got, found)

    def _through_another(self, wrong: Sequence[Input]) -> Iterator[_Way]:
        """Feed what another session of the program makes of the array."""
        one, source = wrong[0], self.source
        if len(wrong) > 1 or source is None or not source.expression(one.name):
            return
        for name, session in source.sessions():
            takes = inputs_of(session)
            shapes = [tuple(output.shape) for output in session.get_outputs()[:1]]
            if session is self.session or len(takes) != 1 or not takes[0].takes(self.feed[one.name]):
                continue
            if not shapes or not _may_follow(shapes[0], one.shape or ()):
                continue
            text = f'{name}.run(None, {{"{takes[0].name}": {source.expression(one.name)}}})[0]'
            written = source.replaced({one.name: text})
            try:
                made = session.run(None, {takes[0].name: self.feed[one.name]})[0]
            except Exception:  # noqa: BLE001, S112  # onnxruntime has many exceptions, each its own
                continue
            yield Edit("other-model", written or f"feed {text}"), [self.feed | {one.name: made}]

    def suggestions(self, program: Program) -> Iterator[Suggestion]:
        """Suggest edits of the numbers that make what is fed, and of the export.

        Args:
            program: the user's program.
        """
        inputs = inputs_of(self.session)
        wrong = [one for one in inputs if hasattr(self.feed.get(one.name), "shape")]
        wrong = [one for one in wrong if not one.takes(self.feed[one.name])]
        axes: dict[str, list[int]] = {}
        sizes: list[tuple[int, int]] = []
        for one in wrong:
            has, wants = tuple(self.feed[one.name].shape), one.shape or ()
            if len(has) == len(wants):
                pairs = [*enumerate(zip(has, wants, strict=True))]
                axes[one.name] = [axis for axis, (old, new) in pairs if type(new) is int and old != new]
                sizes += [(old, new) for _, (old, new) in pairs if type(new) is int and old != new]
        if not sizes:
            yield from self._arranged(program, wrong)
            return
        turned = [*self._turned(program, inputs)]
        if turned:  # all lengths are there, in another order: none of them is wrong
            yield from turned
            return
        of_batch = all(found == [0] for found in axes.values())
        ranks = {one.name: len(one.shape or ()) for one in inputs}
        for place, new in enumerate(resized(program, sizes)):
            found = suggestion(program, new, (0.7 if of_batch else 0.1) + 0.02 * place, self._cause(wrong))
            yield replace(found, alters=alters_colors(sizes))
        alike = {
            (name, axis): beside
            for name, positions in axes.items()
            for axis in positions
            if (beside := self._open_beside(inputs, name, axis)) is not None
        }
        yield from reexported(program, axes, ranks, (), 0.2 if of_batch else 0.9, alike)

    def _open_beside(self, inputs: Sequence[Input], name: str, axis: int) -> tuple[str, str] | None:
        """Return another input whose axis at a place is open and was fed the same length, and its name."""
        length = self.feed[name].shape[axis]
        for one in inputs:
            declared, has = one.shape or (), tuple(getattr(self.feed.get(one.name), "shape", ()))
            there = one.name != name and axis < min(len(declared), len(has)) and has[axis] == length
            if there and isinstance(declared[axis], str):
                return one.name, declared[axis]
        return None

    def _turned(self, program: Program, inputs: Sequence[Input]) -> Iterator[Suggestion]:
        """Suggest another order of the axes, where all arrays fit with it."""
        for place, edits in enumerate(ways(inputs, self.feed)):
            causes = [edit.cause for edit in edits.values() if edit.cause != "dtype"]
            if not causes or any(edit.alters for edit in edits.values()) or self.source is None:
                continue
            text = self.source.call(
                {name: edit.text(self._name(name)) for name, edit in edits.items()}, edits
            )
            if text:
                yield suggestion(program, {self.source.node: text}, 0.05 + 0.02 * place, causes[0])

    def _arranged(self, program: Program, wrong: Sequence[Input]) -> Iterator[Suggestion]:
        """Suggest other axes and other sizes together, for one array that has neither."""
        source = self.source
        if len(wrong) != 1 or source is None or wrong[0].shape is None:
            return
        one, array = wrong[0], self.feed[wrong[0].name]
        free = tuple(None if type(n) is int and n > _SMALL else n for n in one.shape or ())
        for edit in replace(one, shape=free).edits(array):
            text = "" if edit is None else source.call({one.name: edit.text(self._name(one.name))})
            if edit is None or edit.alters or not text:
                continue
            pairs = zip(edit.of(array).shape, one.shape or (), strict=True)
            sizes = [(old, new) for old, new in pairs if type(new) is int and old != new]
            for place, new in enumerate(resized(program, sizes)):
                yield suggestion(program, {**new, source.node: text}, 0.15 + 0.02 * place, edit.cause)

    def _rewriting(
        self,
        name: str,
        inputs: Sequence[Input],
        cause: str,
        expected: str,
        got: Sequence[str],
        found: Sequence[_Way],
    ) -> Rerun:
        edits = tuple(edit for edit, _ in found)
        edits = edits if self.source is None else self.source.worded(edits)
        fact = Explained(cause, (expected,), tuple(got), edits)
        values = values_of(inputs, self.feed)
        layer = Layer(name, "input", "input")
        failure = outside(layer, values, "onnx", self.message, self.where, fact, fed=True)

        def trial(edit: int) -> Claim | None:
            feeds = found[edit][1]
            ends = feeds if len(feeds) <= _FEEDS else [feeds[0], feeds[-1]]
            if not all(runs(self.session, feed) for feed in ends):
                return None
            if len(ends) == len(feeds):
                return Claim(what=self.what)
            what = f"{self.what} on the first and the last part"
            return Claim(what=what, rest="the parts between them were not run")

        return Rewriting(failure, trial)

    def _name(self, name: str) -> str:
        return (self.source.expression(name) if self.source else "") or name

    def _fitting(self, inputs: Sequence[Input]) -> Iterator[_Way]:
        for edits in ways(inputs, self.feed):
            text = self.source.edited(edits) if self.source else ""
            text = text or ", ".join(f"feed {edit.text(name)}" for name, edit in edits.items())
            alters = " and ".join(dict.fromkeys(edit.alters for edit in edits.values() if edit.alters))
            causes = [edit.cause for edit in edits.values()]
            cause = next((cause for cause in causes if cause != "dtype"), "dtype")
            new = {name: edit.of(self.feed[name]) for name, edit in edits.items()}
            yield Edit("" if alters else cause, text, alters=alters), [self.feed | new]

    def _parts(self, wrong: Sequence[Input]) -> Iterator[_Way]:
        """Feed a batch in parts of the size for which the model was exported."""
        one = wrong[0]
        array, size = self.feed[one.name], (one.shape or (None,))[0]
        if len(wrong) > 1 or len(self.feed) > 1 or self.source is None or type(size) is not int or size < 1:
            return
        if not fits(array.shape[1:], (one.shape or ())[1:]) or str(array.dtype) != one.dtype:
            return
        text = self.source.in_parts(one.name, size, len(array))
        if text:
            import numpy as np

            filled = array if len(array) >= size else np.resize(array, (size, *array.shape[1:]))
            yield (
                Edit("baked", text),
                [{one.name: filled[n : n + size]} for n in range(0, len(filled), size)],
            )

    def _resized(self, wrong: Sequence[Input]) -> list[_Way]:
        """Feed another size, where the number of axes is right."""
        import numpy as np

        shapes = {one.name: _wanted(self.feed[one.name].shape, one.shape) for one in wrong}
        kept = {name: shape for name, shape in shapes.items() if shape is not None}
        if len(kept) < len(wrong) or sum(int(np.prod(shape)) for shape in kept.values()) > NUMBERS:
            return []
        types = {one.name: one.dtype or "float32" for one in wrong}
        zeros = {name: np.zeros(shape, types[name]) for name, shape in kept.items()}
        changed = {name: shape for name, shape in kept.items() if shape != tuple(self.feed[name].shape)}
        if not changed:
            return []
        text = " and ".join(f"{name} of shape {shape}" for name, shape in changed.items())
        return [(Edit(self._cause(wrong), f"feed {text}"), [self.feed | zeros])]

    def _cause(self, wrong: Sequence[Input]) -> str:
        shaped = [one for one in wrong if not fits(self.feed[one.name].shape, one.shape or ())]
        if not shaped:
            return "dtype"
        ranks = all(len(self.feed[one.name].shape) == len(one.shape or ()) for one in shaped)
        if not ranks:
            return "rank"
        batch = all(
            type((one.shape or ("",))[0]) is int
            and fits(self.feed[one.name].shape[1:], (one.shape or ())[1:])
            for one in shaped
        )
        sequence = all(len(one.shape or ()) == 3 for one in shaped)
        return "baked" if batch or sequence else "feed"

    def _exchanged(self, pair: tuple[str, str]) -> Iterator[_Way]:
        a, b = pair
        new = self.feed | {a: self.feed[b], b: self.feed[a]}
        text = self.source.replaced({a: self._name(b), b: self._name(a)}) if self.source else ""
        yield Edit("exchanged", text or f'feed "{a}" and "{b}" in the other order'), [new]

    def _unnamed(self, inputs: Sequence[Input], absent: list[Input], foreign: list[str]) -> Rerun | None:
        """Find the input that is not fed, or the array that is fed under the name of none."""
        found: list[_Way] = []
        pair = _misnamed(absent, foreign, self.feed)
        known = {name: value for name, value in self.feed.items() if name not in foreign}
        if pair is not None:
            name, old = pair
            text = self.source.renamed(old, name) if self.source else ""
            text = text or f'feed "{old}" under the name "{name}"'
            found.append((Edit("misnamed", text), [known | {name: self.feed[old]}]))
        elif absent:
            found += self._zeros(inputs, absent, known)
        elif foreign:
            found.append((Edit("unnamed", f'leave out "{foreign[0]}"'), [known]))
        expected = " and ".join(map(_declared, absent)) + _AS
        expected = expected if absent else "only " + ", ".join(one.name for one in inputs)
        got = [", ".join(f'"{name}"' for name in self.feed) or "nothing"]
        cause = "misnamed" if pair else "not-fed" if absent else "unnamed"
        name = absent[0].name if absent else foreign[0]
        return self._rewriting(name, inputs, cause, expected, got, found)

    def _zeros(self, inputs: Sequence[Input], absent: list[Input], known: dict[str, Any]) -> Iterator[_Way]:
        """Feed zeros, such as a first state."""
        import numpy as np

        sizes = {
            length: found
            for one in inputs
            if one.name in known and one.shape is not None and hasattr(known[one.name], "shape")
            for length, found in zip(one.shape, known[one.name].shape, strict=False)
            if isinstance(length, str)
        }
        shapes: dict[str, tuple[int, ...]] = {}
        for one in absent:
            shape = tuple(sizes.get(length, length) for length in one.shape or (None,))
            if one.dtype is None or not all(type(length) is int for length in shape):
                return
            shapes[one.name] = shape
        types = {one.name: one.dtype for one in absent}
        texts = {name: f"np.zeros({shape}, np.{types[name]})" for name, shape in shapes.items()}
        text = self.source.replaced(texts) if self.source else ""
        said = " and ".join(f"{name} of shape {show(shape)}, {types[name]}" for name, shape in shapes.items())
        state = all(len(shape) == 3 for shape in shapes.values())
        alters = "" if state else f"what is fed: zeros for {' and '.join(shapes)}"
        zeros = {name: np.zeros(shape, types[name]) for name, shape in shapes.items()}
        yield (
            Edit(
                "not-fed", text if text and state else f"feed {said}", alters=alters if text and state else ""
            ),
            [known | zeros],
        )


def _declared(one: Input) -> str:
    shape = "any shape" if one.shape is None else f"shape {show(one.declared)}"
    return f'"{one.name}" of {shape}, {one.dtype or "another type"}'


def _may_follow(shape: Sequence[Any], declared: Sequence[Any]) -> bool:
    lengths = zip(shape, declared, strict=False)
    return len(shape) == len(declared) and all(
        type(has) is not int or type(wants) is not int or has == wants for has, wants in lengths
    )


def _given(value: Any) -> str:
    return f"{show(value.shape)}, {value.dtype}"


def _wanted(shape: Sequence[int], declared: Sequence[Any] | None) -> tuple[int, ...] | None:
    if declared is None or len(shape) != len(declared):
        return None
    return tuple(new if type(new) is int else old for old, new in zip(shape, declared, strict=True))


def _misnamed(
    absent: Sequence[Input], foreign: Sequence[str], feed: Mapping[str, Any]
) -> tuple[str, str] | None:
    """Return the input that is not fed and the name that its array probably has, if there is one each."""
    if len(absent) == len(foreign) == 1:
        return absent[0].name, foreign[0]
    pairs = [
        (one.name, name)
        for one in absent
        for name in foreign
        if hasattr(feed[name], "shape") and one.takes(feed[name])
    ]
    return pairs[0] if len(pairs) == 1 and len(absent) == 1 else None


def looked_up(message: str, feed: Mapping[str, Any], model: Model) -> IndexOutside | None:
    """Read which index is outside of which table; None where the message is about something else.

    Args:
        message: onnxruntime's words.
        feed: what the session was fed.
        model: the session's graph.
    """
    match = _INDEX.search(message)
    if match is None:
        return None
    index, size = int(match["index"]), int(match["size"])
    tables = [layer.path for layer in model.layers if layer.attributes.get("num_embeddings") == size]
    path = match["node"] if match["node"] in tables else next(iter(tables), None)
    if path is None:
        return None
    read = {name for call in model.calls if call.layer == path for name in call.inputs}
    numbers = [feed[name] for name in read if name in feed]
    largest = max((int(indices.max()) for indices in numbers if indices.size), default=index)
    smallest = min((int(indices.min()) for indices in numbers if indices.size), default=index)
    return IndexOutside(largest, smallest, size, path)
