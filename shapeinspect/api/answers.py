"""``explain``: why each number of a layer is what it is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from shapeinspect import layer_names, registry
from shapeinspect.api.report import Report, inspect, locate
from shapeinspect.errors import UsageError
from shapeinspect.explanation import LayerExplanation, explain_model
from shapeinspect.explanation.calculator import is_kind, single_layer
from shapeinspect.explanation.input_reading import LayerName
from shapeinspect.render.grid import Line, as_text
from shapeinspect.render.pictures import sheet
from shapeinspect.render.results.explain import explanation_lines, noted, summary_lines, to_data
from shapeinspect.render.screen import printed_width
from shapeinspect.sources.input_shapes import InputSpec
from shapeinspect.text import many, one_line

SCHEMA = 1


@dataclass(frozen=True)
class Explanation:
    """Why the shapes, weights and work of layers are what they are.

    Args:
        source: the model, as the user named it.
        layers: the explained layers: one, or every layer that changes a shape.
        single: whether a single layer was requested.
        notes: where something else was read than was named, such as what a wrapper holds: a sentence each.

    Example:
        >>> explanation = explain("tests/data/lenet.onnx", "fc1")
        >>> explanation.single, explanation.findings
        (True, ())
        >>> explanation.to_text().splitlines()[1]
        'every output is a sum over all 400 inputs: a matrix product'
    """

    source: str
    layers: tuple[LayerExplanation, ...]
    single: bool
    notes: tuple[str, ...] = ()

    @property
    def findings(self) -> tuple[str, ...]:
        """The probable mistakes in all of the layers."""
        return tuple(text for layer in self.layers for text in layer.findings)

    def __iter__(self) -> Iterator[LayerExplanation]:
        return iter(self.layers)

    def __getitem__(self, index: int) -> LayerExplanation:
        return self.layers[index]

    def __len__(self) -> int:
        return len(self.layers)

    def to_text(self, width: int = 80) -> str:
        """Return the explanation as text.

        Args:
            width: the maximum number of columns.
        """
        return as_text(self.lines(width))

    def lines(self, width: int = 80) -> list[tuple[tuple[str, str], ...]]:
        """Return the explanation as styled lines.

        Args:
            width: the maximum number of columns.
        """
        notes: list[Line] = [((line, ""),) for text in self.notes for line in noted(text, width)]
        if not self.single:
            lines = summary_lines(self.layers, width)
        else:
            lines = [line for layer in self.layers for line in explanation_lines(layer, width)]
        return [*lines, *([()] if notes else []), *notes]

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as plain data, as ``--format json`` prints it."""
        notes = {"notes": list(self.notes)} if self.notes else {}
        return {"schema": SCHEMA, "source": self.source, "layers": to_data(self.layers), **notes}

    def to_svg(self) -> str:
        """Return pictures of the explained layer: its windows, its weights, what it sees of the input.

        Raises:
            UsageError: if no single layer was requested, or nothing of it can be drawn.
        """
        drawn = sheet(self.layers[0]) if self.single else ""
        if not drawn:
            raise UsageError(
                "nothing to draw",
                expected="one layer whose lengths are known",
                got=f"{self.layers[0].kind} without known axes"
                if self.single
                else many(len(self.layers), "layer"),
            )
        return drawn

    def __str__(self) -> str:
        return self.to_text(min(printed_width(80), 100))

    def _repr_html_(self) -> str:
        from shapeinspect.render.forms.notebook import preformatted

        return preformatted(self.lines(100)) + (sheet(self.layers[0]) if self.single else "")

    def __repr__(self) -> str:
        return one_line(f"<Explanation of {self.source}: {many(len(self.layers), 'layer')}>")


def explain(source: Any, /, layer: str | None = None, input: Any = None, **settings: Any) -> Explanation:  # noqa: A002  # the field's word for it
    """Explain where every number of a layer comes from.

    Args:
        source: what ``inspect`` takes, a ``Report``, or the name of a kind (``"conv"``) or what a framework
            calls one (``"Conv2d"``) for a layer without a model.
        layer: the name of a layer or of a container, as a table shows it, or a path; by default, every
            layer that changes a shape.
        input: the shapes of the inputs, as for ``inspect``; for a kind, its input: ``300``, ``(28, 28)``
            or ``(1, 3, 28, 28)``, or a list of shapes.
        **settings: for a kind, its attributes in the field's standard terms: ``kernel_size=5``.

    Raises:
        UnknownLayerError: if the model has no such layer.
        UsageError: if the request cannot be met.

    Example:
        >>> explanation = explain("conv", input=300, kernel_size=5)
        >>> explanation[0].calls[0].outputs[0].axes[1].formula.substituted
        '300 − 5 + 1'
    """
    if layer is None and isinstance(source, str) and not os.path.lexists(source):
        calculated = explain_kind(source, input, settings)
        if calculated is not None:
            return calculated
    if settings:
        raise UsageError(
            f"settings apply to a kind of layer, not to a model: {', '.join(settings)}",
            expected='such as explain("conv", input=300, kernel_size=5)',
        )
    report = source if isinstance(source, Report) else inspect(replace(locate(source), findings=True), input)
    model = report.model
    notes = tuple(note.text for note in model.notes if note.instead)
    if layer is None:
        return Explanation(model.source, explain_model(model), single=False, notes=notes)
    found = layer_names.find(model, layer)
    if found.together and len(found.layers) > 1:  # a container, or rows that are folded into one
        inside = {each.path for each in found.layers}
        return Explanation(model.source, explain_model(model, among=inside), single=False, notes=notes)
    return Explanation(model.source, explain_model(model, report[layer].path), single=True, notes=notes)


def explain_kind(
    name: str,
    input: Any = None,  # noqa: A002  # the field's word for it
    settings: Mapping[str, Any] | None = None,
) -> Explanation | None:
    """Explain a layer without a model; None where a name is that of no kind of layer.

    Args:
        name: a kind, such as ``conv``, or what a framework calls one: ``Conv2d``.
        input: its input, as for :func:`explain`.
        settings: its attributes in the field's standard terms.

    Raises:
        UsageError: if the kind has no such attribute, or the input does not fit it.

    Example:
        >>> explain_kind("Dense", (17, 5), {"out_features": 3})[0].kind
        'linear'
    """
    kind = _kind(name)
    if kind is None:
        return None
    spelled = None if kind == name else LayerName.of(name, registry.channels_last_named(name))
    model = single_layer(kind, _shapes(input), dict(settings or {}), spelled)
    return Explanation(name, explain_model(model, kind), single=True)


def _kind(name: str) -> str | None:
    """Return the kind that a text names, by its own name or by a framework's; None for anything else."""
    if is_kind(name):
        return name
    if not name.replace(".", "").isidentifier():
        return None
    return next((kind for kind in registry.kinds_named(name) if is_kind(kind)), None)


def _shapes(given: Any) -> list[tuple[Any, ...]]:
    if given is None:
        return []
    if isinstance(given, int):
        return [(given,)]
    if isinstance(given, str):
        return [InputSpec.parse(given).shape]
    if isinstance(given, Mapping):
        given = list(given.values())
    if all(isinstance(item, int) or hasattr(item, "terms") for item in given):
        return [tuple(given)]
    return [shape for item in given for shape in _shapes(item.shape if isinstance(item, InputSpec) else item)]
