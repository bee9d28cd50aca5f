"""``inspect``: reads a model from any source and returns a Report."""

from __future__ import annotations

import operator
import os
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar, overload

from shapeinspect import infer, layer_names, layout, registry
from shapeinspect.api.layer_settings import LayerSettings, Setting
from shapeinspect.dims import Dim, Shape
from shapeinspect.errors import LayerIndexError, UnknownLayerError, UsageError
from shapeinspect.ir import Axes, Call, Layer, Model, Note, Value, Weight, calls_by_layer
from shapeinspect.memory import uncollected
from shapeinspect.render import data
from shapeinspect.render.cells import channels
from shapeinspect.render.grid import as_text
from shapeinspect.render.screen import printed_width
from shapeinspect.render.table import View, table
from shapeinspect.render.totals import Totals, of_model, weigh
from shapeinspect.sources.imports import from_import_string
from shapeinspect.sources.remote import from_url, is_url
from shapeinspect.sources.source import Source, from_object, from_path, is_import_string, with_inputs
from shapeinspect.text import many, one_line

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from shapeinspect.page.cell import PageInCell

T = TypeVar("T")


def inspect(source: Any, input: Any = None, *, signature: str | None = None) -> Report:  # noqa: A002  # the field's word for it
    """Read a model and infer its layers, layouts and shapes.

    Args:
        source: a path, a URL, an import string ``package.module:attribute``, or a live object: an
            ``nn.Module``, a Keras model, an ``onnx.ModelProto``, or a state dict: a mapping of names to
            PyTorch tensors or NumPy arrays, also inside a checkpoint such as ``{"state_dict": ...}``.
        input: the shapes of the inputs, where the model does not fix them: a shape such as
            ``(1, 3, 224, 224)``, a text such as ``"ids=2,17:int64"``, a mapping of names to these,
            a sequence of them, or example tensors.
        signature: which signature of a model that has several; its default one where None.

    Raises:
        UsageError: if there is no such source or signature, or the input does not fit it.
        UnreadableFileError: if a file is cut off, corrupt or of no known format.
        ModelCodeError: if the user's own code raises.
        MissingDependencyError: if a live model's framework is missing.

    Example:
        >>> report = inspect("tests/data/lenet.onnx")
        >>> report["conv1"].kernel_size
        (5, 5)
    """
    request = with_inputs(locate(source), input)
    if signature:
        request = replace(request, signature=signature)
    adapter = registry.choose(request)
    if request.is_live:  # the user's own code runs: its garbage is not ours to keep
        return analyze(adapter.read(request), request)
    with uncollected():
        return analyze(adapter.read(request), request)


def locate(source: Any) -> Source:
    """Find the file, URL or object that a user named.

    Args:
        source: see :func:`inspect`.

    Raises:
        UsageError: if there is nothing of that name.
    """
    if isinstance(source, Source):
        return source
    if isinstance(source, str):
        if is_import_string(source) and not os.path.lexists(source):
            return from_import_string(source)
        if is_url(source):
            return from_url(source)
        return from_path(source)
    if isinstance(source, os.PathLike):
        return from_path(Path(source))
    if source is None:
        raise UsageError("the source is None, not a model")
    return from_object(source)


def analyze(model: Model, request: Source) -> Report:
    """Run every later stage on a model as an adapter read it.

    Args:
        model: the model.
        request: the source; its input shapes are applied unless the adapter has done so.
    """
    model = layout.normalize(model)
    if not model.asked:
        model = infer.with_input_shapes(model, request.asked)
    return Report(infer.infer(model))


@dataclass(frozen=True)
class Report:
    """A model with everything that is known about its shapes.

    It is a mapping from the path of a layer to the layer: ``report["layer1.0.conv1"]``, ``keys``,
    ``values``, ``items``, ``get``, ``in`` and ``len`` work as those of a dict, in the model's order. It
    differs from a dict in three ways: iterating over it gives the layers, not their paths
    (``for layer in report``; ``report.keys()`` gives the paths); an integer is an index into the
    layers: ``report[0]`` is the first one, ``report[-1]`` the last; and what the table shows for one
    layer, such as the end of its path, names it, too. It is therefore no
    ``collections.abc.Mapping``; ``dict(report)`` makes an ordinary dict of it.

    Args:
        model: the model after every stage.

    Example:
        >>> report = inspect("tests/data/lenet.onnx")
        >>> len(report), report["conv1"].out_channels, report.totals.params
        (12, 6, 61706)
        >>> report[0] is report["conv1"], "conv3" in report, report.get("conv3") is None
        (True, False, True)
        >>> [layer.path for layer in report][:3] == list(report.keys())[:3] == ["conv1", "relu1", "pool1"]
        True
    """

    model: Model

    @cached_property
    def _by_path(self) -> Mapping[str, LayerReport]:
        calls = calls_by_layer(self.model.calls)
        return {
            layer.path: LayerReport(layer, tuple(calls.get(layer.path, ())), self.model)
            for layer in self.model.layers
        }

    @cached_property
    def _in_order(self) -> tuple[LayerReport, ...]:
        return tuple(self._by_path.values())

    def __getitem__(self, layer: str | SupportsIndex) -> LayerReport:
        """Return the layer of a name, or at an index into the layers.

        A name is a path, or what the table shows for one layer: ``report["conv1"]`` is the layer
        ``/block/conv1/Conv`` where no other one is shown as ``conv1``.

        Raises:
            UnknownLayerError: if no layer or several have that name; it lists close ones. It is a KeyError.
            LayerIndexError: if the index is out of range. It is an UnknownLayerError and an IndexError.
            UsageError: if it is neither a path nor an integer.
        """
        if isinstance(layer, str):
            known = self._by_path.get(layer)
            return self._by_path[layer_names.resolve(self.model, layer).path] if known is None else known
        try:
            index = operator.index(layer)
        except TypeError:
            raise UsageError(
                "this is not a layer's path or index",
                expected='a text such as report["conv1"], or an integer such as report[0]',
                got=f"{layer!r}",
                where=self.model.source,
            ) from None
        count = len(self)
        if not -count <= index < count:
            expected = f"an index from {-count} to {count - 1}" if count else "a model with layers"
            raise LayerIndexError(
                f"no layer has the index {index}", expected=expected, where=self.model.source
            )
        return self._in_order[index]

    @overload
    def get(self, layer: str | SupportsIndex) -> LayerReport | None: ...
    @overload
    def get(self, layer: str | SupportsIndex, default: T) -> LayerReport | T: ...
    def get(self, layer: str | SupportsIndex, default: T | None = None) -> LayerReport | T | None:
        """Return the layer at a path or index, or the default where there is none.

        Args:
            layer: the path or index.
            default: what to return where there is no such layer.
        """
        try:
            return self[layer]
        except UnknownLayerError:
            return default

    def keys(self) -> KeysView[str]:
        """Return the paths of the layers, in the model's order."""
        return self._by_path.keys()

    def values(self) -> ValuesView[LayerReport]:
        """Return the layers, in the model's order."""
        return self._by_path.values()

    def items(self) -> ItemsView[str, LayerReport]:
        """Return the layers with their paths, in the model's order."""
        return self._by_path.items()

    def __contains__(self, layer: object) -> bool:
        if isinstance(layer, LayerReport):
            return self._by_path.get(layer.path) == layer
        if not isinstance(layer, str):
            return False
        return layer in self._by_path or len(layer_names.find(self.model, layer).layers) == 1

    def __iter__(self) -> Iterator[LayerReport]:
        return iter(self._in_order)

    def __reversed__(self) -> Iterator[LayerReport]:
        return reversed(self._in_order)

    def __len__(self) -> int:
        return len(self._by_path)

    @cached_property
    def totals(self) -> Totals:
        """Parameters (tied weights count once), bytes and work of the whole model."""
        return of_model(self.model)

    @property
    def inputs(self) -> tuple[Value, ...]:
        """The model's inputs."""
        return tuple(self.model.values.get(name, Value(name)) for name in self.model.inputs)

    @property
    def outputs(self) -> tuple[Value, ...]:
        """The model's outputs."""
        return tuple(self.model.values.get(name, Value(name)) for name in self.model.outputs)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What is not known, and why; and findings."""
        return self.model.notes

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data, as ``--format json`` prints it."""
        return data.to_dict(self.model)

    def to_text(self, view: View | None = None) -> str:
        """Return the table as plain text.

        Args:
            view: what to show, and how wide; by default everything, 200 cells wide.
        """
        lines = table(self.model, view or View())
        return as_text(lines)

    def to_markdown(self, view: View | None = None) -> str:
        """Return the table as Markdown, as ``--format markdown`` prints it.

        Args:
            view: what to show; its width is not used.
        """
        from shapeinspect.render.forms.markdown import markdown

        return "\n".join(markdown(self.model, view or View()))

    def to_csv(self) -> str:
        """Return a record a layer as CSV, as ``--format csv`` prints it."""
        from shapeinspect.render.forms.records import csv_lines

        return "\n".join((*csv_lines(self.model), ""))

    def to_svg(self, view: View | None = None) -> str:
        """Return the table as an SVG picture, as ``--format svg`` prints it.

        Args:
            view: what to show, and how wide; by default everything, 200 cells wide.
        """
        from shapeinspect.render.forms.svg import svg

        return "\n".join(svg(table(self.model, view or View()), self.model.source))

    def to_dataframe(self, library: str | None = None) -> Any:
        """Return a row a layer as a data frame; its columns are those of ``--format csv``.

        Args:
            library: ``pandas`` or ``polars``; the first of them that is installed where None.

        Raises:
            UsageError: if it is none of these.
            MissingDependencyError: if it, or either, is not installed.
        """
        from shapeinspect.api.data_frame import frame
        from shapeinspect.render.forms.fields import FIELDS
        from shapeinspect.render.forms.records import records

        return frame(records(self.model), FIELDS, library)

    def to_html(self, data: str | os.PathLike[str] | Mapping[str, float | str] | None = None) -> str:
        """Return the network as one HTML page, which works from a file without any network.

        Args:
            data: what to color the layers by: a number or a text for layers' names, or a JSON or CSV file
                of these; by default their kinds.

        Raises:
            UsageError: if ``data`` holds no numbers or texts for layers of the model.

        Example:
            >>> inspect("tests/data/lenet.onnx").to_html().startswith("<!doctype html>")
            True
        """
        from shapeinspect.page.column import given_column, read_column
        from shapeinspect.page.document import page

        if data is None or data == {}:
            return page(self.model)
        if isinstance(data, Mapping):
            column = given_column(data, self.model)
        else:
            column = read_column(Path(data), self.model)
        return page(column.noted(self.model), column.values, column.name)

    def view(
        self, data: str | os.PathLike[str] | Mapping[str, float | str] | None = None, *, height: int = 640
    ) -> PageInCell:
        """Show the page of :meth:`to_html` in the cell of a notebook.

        Args:
            data: what to color the layers by, as for :meth:`to_html`.
            height: how high the picture is, in pixels.

        Raises:
            UsageError: if ``data`` holds no numbers or texts for layers of the model.
        """
        from shapeinspect.page.cell import PageInCell

        return PageInCell(self.model.source, self.to_html(data), height)

    def __str__(self) -> str:
        return self.to_text(View(width=printed_width(200)))

    def __repr__(self) -> str:
        return one_line(f"<Report of {self.model.source}: {many(len(self.model.layers), 'layer')}>")

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.keys())

    def _repr_html_(self) -> str:
        from shapeinspect.render.forms.notebook import opening

        return opening(self.model)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from shapeinspect.render.styled import styled

        yield from styled(table(self.model, View(width=options.max_width)))


@dataclass(frozen=True)
class LayerReport(LayerSettings):
    """One layer of a report.

    Its settings in the field's standard terms (``kernel_size``, ``stride``, ``groups`` …) are attributes
    of this object too; ``dir(layer)`` lists those that it has. The common ones are declared with their
    types, see :class:`shapeinspect.api.layer_settings.LayerSettings`; those of a single kind are read by
    the same names from ``attributes``. A setting that the layer does not have raises an AttributeError
    that names the layer's kind and what it has.

    Args:
        layer: the layer itself.
        calls: its calls, in the order of execution.
        model: the model it belongs to.

    Example:
        >>> fc1 = inspect("tests/data/lenet.onnx")["fc1"]
        >>> fc1
        <fc1: linear 400→120, N (C H W)=400 → N C120>
        >>> fc1.in_features
        400
    """

    layer: Layer
    calls: tuple[Call, ...]
    model: Model

    @property
    def path(self) -> str:
        """The layer's unique name in the source's own spelling."""
        return self.layer.path

    @property
    def kind(self) -> str:
        """The canonical op; ``unknown`` where nothing proves a kind."""
        return self.layer.kind

    @property
    def type(self) -> str:
        """The native type, such as ``Conv2d``."""
        return self.layer.type

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The settings in the field's standard terms."""
        return self.layer.attributes

    @property
    def weights(self) -> tuple[Weight, ...]:
        """The layer's own weights, not those of layers inside it."""
        return self.layer.weights

    @property
    def in_channels(self) -> int | None:
        """The channels or features that go in; None if the layer has neither or they are not known."""
        count: int | None = channels(self.layer.attributes)[0]
        return count

    @property
    def out_channels(self) -> int | None:
        """The channels or features that come out; None if the layer has neither or they are not known."""
        count: int | None = channels(self.layer.attributes)[1]
        return count

    @property
    def params(self) -> int:
        """The number of its own parameters; buffers are not counted."""
        return weigh(self.layer.weights, ()).params

    @property
    def macs(self) -> Dim | None:
        """Multiply-accumulates of all its calls; None if those of one are unknown."""
        sums = weigh((), self.calls)
        return None if sums.macs_unknown else sums.macs

    @property
    def input(self) -> Value:
        """The first input of its first call."""
        return self._value(self.calls[0].inputs if self.calls else ())

    @property
    def output(self) -> Value:
        """The first output of its first call."""
        return self._value(self.calls[0].outputs if self.calls else ())

    def _value(self, names: tuple[str, ...]) -> Value:
        name = next((name for name in names if name), "")
        return self.model.values.get(name, Value(name))

    @property
    def input_shape(self) -> Shape | None:
        """The shape of the first input of its first call."""
        return self.input.shape

    @property
    def output_shape(self) -> Shape | None:
        """The shape of the first output of its first call."""
        return self.output.shape

    @property
    def output_axes(self) -> Axes | None:
        """The axis names of the first output of its first call."""
        return self.output.axes

    def __getattr__(self, name: str) -> Any:
        if name in self.__dataclass_fields__ or name.startswith("__"):  # not yet set, while it is copied
            raise AttributeError(name)
        if name in self.layer.attributes:
            return self.layer.attributes[name]
        have = ", ".join(self.layer.attributes) or "none"
        is_role = any(weight.role == name for weight in self.layer.weights)
        weights = "; its weights are in .weights" if is_role else ""
        what = f'layer "{self.layer.path}" ({self.layer.kind})'
        raise AttributeError(
            f"{what} has no attribute {name!r}; it has: {have}{weights}", name=name, obj=self
        )

    def __dir__(self) -> list[str]:
        lacking = {name for name, value in vars(LayerSettings).items() if isinstance(value, Setting)}
        settings = set(self.layer.attributes)
        return sorted((set(super().__dir__()) - lacking) | {name for name in settings if name.isidentifier()})

    def __repr__(self) -> str:
        from shapeinspect.render.cells import settings, shape

        text = f"<{self.layer.path}: {self.layer.kind} {settings(self.layer)}".rstrip()
        if self.calls:
            text += (
                f", {shape(self.input.shape, self.input.axes)} → {shape(self.output.shape, self.output.axes)}"
            )
        return one_line(text + ">")
