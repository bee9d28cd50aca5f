"""What ``set_tensor`` refuses: an array of another shape or dtype, or one of another input."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from shapeinspect.ir import Layer
from shapeinspect.plugin_api.arrays.edits import ArrayEdit, fits
from shapeinspect.plugin_api.arrays.feeds import Input, values_of
from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.facts import Edit, Explained
from shapeinspect.plugin_api.programs.added_axes import added_axis
from shapeinspect.plugin_api.programs.failed import Program
from shapeinspect.plugin_api.programs.sizes import alters_colors, resized, suggestion
from shapeinspect.plugin_api.rerun import Rerun
from shapeinspect.plugin_api.rewriting import Rewriting, outside
from shapeinspect.plugin_api.suggestions import Suggestion
from shapeinspect.plugin_api.user_code.source import UserSource, calls_of
from shapeinspect.rules.rule import show
from shapeinspect_tensorflow.debug.interpreters import another, declared


@dataclass(frozen=True, slots=True)
class _Way:
    """An edit and what is set with it: the index, the array, and whether the input is resized first."""

    edit: Edit
    index: int
    array: Any
    resized: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """A refused ``set_tensor``.

    Args:
        interpreter: the user's interpreter.
        index: the tensor.
        value: what it was to be set to.
        site: the user's line; None where its source is not there.
        message: TFLite's words.
        where: the user's source line.
        program: the user's program; None where its source is not there.
    """

    interpreter: Any
    index: int
    value: Any
    site: UserSource | None
    message: str
    where: str | None
    program: Program | None = None

    def refused(self) -> Rerun | None:
        """Say what does not fit, and find edits; None where the tensor is no input."""
        import numpy as np

        array = np.asarray(self.value)
        details = self.interpreter.get_input_details()
        own = next((one for one in details if one["index"] == self.index), None)
        if own is None or array.dtype == object:
            return None
        wanted = declared(own)
        if wanted.takes(array):
            return None
        ways = [*self._of_another(array, details), *self._fitting(array, wanted)]
        ways = [*self._resized(array, wanted, own), *ways]
        ways += [] if ways else self._of_size(array, wanted)
        shaped = fits(array.shape, wanted.shape or ())
        cause = "dtype" if shaped else "feed" if array.ndim == len(wanted.shape or ()) else "rank"
        quantized = "" if wanted.quantized is None else ", quantized by scale {:.6g} and zero point {}"
        scales = quantized.format(*(wanted.quantized or ()))
        expected = f'"{wanted.name}" of shape {show(wanted.declared)}, {wanted.dtype}{scales}'
        got = f"{self._expression() or 'an array'} of {show(array.shape)}, {array.dtype}"
        because = self._added(array, wanted)
        fact = Explained(cause, (expected,), (got,), tuple(way.edit for way in ways), because)
        layer = Layer(wanted.name, "input", "input")
        values = values_of([wanted], {wanted.name: array})
        failure = outside(layer, values, "tflite", self.message, self.where, fact, fed=True)
        return Rewriting(failure, lambda edit: self._trial(ways[edit]))

    def suggestions(self) -> Iterator[Suggestion]:
        """Suggest other numbers where the program makes an array of another size."""
        import numpy as np

        array = np.asarray(self.value)
        details = self.interpreter.get_input_details()
        own = next((one for one in details if one["index"] == self.index), None)
        shape = () if own is None else declared(own).shape or ()
        if self.program is None or own is None or array.ndim != len(shape):
            return
        edits = [edit for edit in declared(own).edits(array) if edit is not None]
        if any(edit.cause != "dtype" and not edit.alters for edit in edits):
            return  # all lengths are there, in another order: none of them is wrong
        pairs = zip(array.shape, shape, strict=True)
        sizes = [(old, new) for old, new in pairs if type(new) is int and old != new]
        for place, new in enumerate(resized(self.program, sizes)):
            one = suggestion(self.program, new, 0.1 + 0.02 * place, "feed")
            yield replace(one, alters=alters_colors(sizes))

    def _added(self, array: Any, wanted: Input) -> tuple[str, ...]:
        """Name the expression that adds an axis, where there is one too many."""
        name = self._expression()
        if self.program is None or array.ndim <= len(wanted.shape or ()) or not name.isidentifier():
            return ()
        place = added_axis(self.program, name)
        return (place,) if place else ()

    def _call(self) -> ast.Call | None:
        calls = [] if self.site is None else calls_of(self.site, ("set_tensor",))
        return calls[0] if len(calls) == 1 and len(calls[0].args) == 2 else None

    def _expression(self) -> str:
        call = self._call()
        return "" if call is None or self.site is None else self.site.source(call.args[1])

    def _array(self) -> str:
        """Return the user's expression for the array, as an array of NumPy."""
        import numpy as np

        text = self._expression() or "value"
        return text if isinstance(self.value, np.ndarray) else f"np.asarray({text})"

    def _fitting(self, array: Any, wanted: Input) -> Iterator[_Way]:
        for edit in wanted.edits(array):
            if edit is not None:
                cause = "" if edit.alters else edit.cause
                yield _Way(
                    Edit(cause, f"feed {edit.text(self._array())}", alters=edit.alters),
                    self.index,
                    edit.of(array),
                )

    def _of_another(self, array: Any, details: list[Any]) -> Iterator[_Way]:
        """Set the array for the input that takes it."""
        takers = [one for one in details if one["index"] != self.index and declared(one).takes(array)]
        call, site = self._call(), self.site
        if len(takers) != 1 or call is None or site is None:
            return
        index = _index(takers[0]["index"], site)
        new = site.edited(call, [(call.args[0], index)])
        yield _Way(Edit("exchanged", f"{new} instead of {site.source(call)}"), takers[0]["index"], array)

    def _resized(self, array: Any, wanted: Input, own: Any) -> list[_Way]:
        """Resize an input whose open lengths are to be others."""
        call, site = self._call(), self.site
        shape = declared(own, free=True).shape or ()
        if call is None or site is None or wanted.dtype != str(array.dtype):
            return []
        text = self._expression()
        if array.ndim == len(shape) + 1 and fits(array.shape[1:], ("N", *shape[1:])):
            text = f"{text}.reshape({', '.join(('-1', *map(str, array.shape[2:])))})"
            array = array.reshape(-1, *array.shape[2:])
        if not fits(array.shape, ("N", *(wanted.shape or ())[1:])) and not fits(array.shape, shape):
            return []
        owner = site.source(call.func).rpartition(".")[0]
        index, old = site.source(call.args[0]), site.source(call)
        steps = f"{owner}.resize_tensor_input({index}, {text}.shape), {owner}.allocate_tensors()"
        new = site.edited(call, [(call.args[1], text)])
        edit = Edit("allocated", f"({steps}, {new}) instead of {old}")
        return [_Way(edit, self.index, array, resized=True)]

    def _of_size(self, array: Any, wanted: Input) -> list[_Way]:
        """Resize pictures of another height and width."""
        shape = wanted.shape or ()
        if array.ndim != 4 or len(shape) != 4 or (array.shape[0], array.shape[3]) != (shape[0], shape[3]):
            return []
        import numpy as np

        names = {} if self.site is None else self.site.names
        module = next((name for name, held in names.items() if _is_tensorflow(held)), None)
        zeros = np.zeros(shape, wanted.dtype)
        if module is None or wanted.quantized is not None:
            return [_Way(Edit("feed", f"feed {wanted.name} of shape {shape}"), self.index, zeros)]
        size = f"{shape[1]}, {shape[2]}"
        edit = ArrayEdit(f"{module}.image.resize({{x}}, ({size})).numpy()", "feed")
        small = names[module].image.resize(array, shape[1:3]).numpy()
        return [_Way(Edit("feed", f"feed {edit.text(self._expression())}"), self.index, small)]

    def _trial(self, way: _Way) -> Claim | None:
        copy = another(self.interpreter)
        if copy is None and way.resized:
            return Claim(Level.UNTRIED, rest="the interpreter was made from a file, and is not changed here")
        try:
            if copy is None:
                return self._on_the_own(way)
            for one in self.interpreter.get_input_details():
                copy.resize_tensor_input(one["index"], one["shape"])
            if way.resized:
                copy.resize_tensor_input(way.index, way.array.shape)
            copy.allocate_tensors()
            copy.set_tensor(way.index, way.array)
            copy.invoke()
        except (ValueError, RuntimeError):
            return None
        return Claim(what="set_tensor", rest="so does invoke, on a copy of the interpreter")

    def _on_the_own(self, way: _Way) -> Claim:
        """Set the tensor and put back what it held."""
        held = self.interpreter.get_tensor(way.index)
        self.interpreter.set_tensor(way.index, way.array)
        self.interpreter.set_tensor(way.index, held)
        return Claim(what="set_tensor", rest="invoke was not run")


def _is_tensorflow(held: Any) -> bool:
    return isinstance(held, ModuleType) and held.__name__ == "tensorflow"


def _index(index: int, site: UserSource) -> str:
    """Return the user's own expression for the index of another input."""
    for name, held in site.names.items():
        if isinstance(held, dict) and held.get("index") == index and "shape_signature" in held:
            return f'{name}["index"]'
    for name, held in site.names.items():
        if isinstance(held, list) and held and isinstance(held[0], dict) and "shape_signature" in held[0]:
            for place, one in enumerate(held):
                if one.get("index") == index and "output" not in name:
                    return f'{name}[{place}]["index"]'
    return str(index)
