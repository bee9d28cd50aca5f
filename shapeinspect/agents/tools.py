"""The tools themselves: each answers with a page of text or JSON about models inside the root.

What a method says of itself and of its arguments is what a client is told of the tool.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from shapeinspect.agents.pages import Pages
from shapeinspect.agents.root import Root
from shapeinspect.errors import UsageError
from shapeinspect.sources.input_shapes import InputSpec

#: The columns of a terminal that texts are laid out for.
_WIDTH = 120

Form: TypeAlias = Literal["text", "json"]
Shapes: TypeAlias = "str | list[str] | None"


@dataclass
class Tools:
    """The tools of a server.

    Args:
        root: where models may be.
        pages: the answers so far.

    Example:
        >>> from pathlib import Path
        >>> tools = Tools(Root.of(Path("tests/data")))
        >>> tools.fit("lenet.onnx").splitlines()[0]
        'input     image (N, 1, H, W)'
    """

    root: Root
    pages: Pages = field(default_factory=Pages)

    def show(
        self,
        model: str,
        filter: str | None = None,  # noqa: A002  # the command's word for it
        input: Shapes = None,  # noqa: A002  # the field's word for it
        columns: str | None = None,
        sort: Literal["params", "bytes", "macs", "path"] | None = None,
        depth: int | None = None,
        format: Form = "text",  # noqa: A002  # the command's word for it
        cursor: str | None = None,
    ) -> str:
        """List the layers of a saved model: kind, output shape, settings, weights, sizes; totals and notes.

        Nothing in the file is run and no weights are loaded. Letters name the axes: N batch, C channels,
        D H W space, T time, E features; of weights o out, i in per group, kh kw kernel. "?" is unknown.

        Args:
            model: The path of a model inside the root.
            filter: Only layers of this name, or whose path matches this glob, such as encoder.*.
            input: The shape of the input, such as 1,3,224,224 or ids=2,17:int64; a list for several.
            columns: Which columns, separated by commas: layer, kind, type, input, output, settings, weights,
                common, params, bytes, macs, share, trainable, activations, kept, from.
            sort: A flat list sorted by this.
            depth: Summarize containers deeper than this.
            format: text is the table, json all that is known of each layer.
            cursor: The cursor of the page before, for the next page of the same answer.

        Raises:
            UsageError: if there is no such model, or no layer matches the filter.
        """
        from shapeinspect.layer_names import chosen
        from shapeinspect.render.grid import as_text
        from shapeinspect.render.table import View, table

        view = View(
            width=_WIDTH,
            filter=filter,
            columns=tuple(name.strip().lower() for name in columns.split(",")) if columns else (),
            sort=sort,
            depth=depth,
        )

        def read() -> Any:
            read = self._report(model, input).model
            if filter is not None:
                chosen(read, filter)
            return read

        if format == "json":
            from shapeinspect.render.data import to_dict

            return self.pages.data(lambda: to_dict(read(), filter), cursor)
        return self.pages.text(lambda: as_text(table(read(), view)), cursor)

    def explain(
        self,
        model: str,
        layer: str | None = None,
        input: Shapes = None,  # noqa: A002  # as above
        settings: dict[str, Any] | None = None,
        format: Form = "text",  # noqa: A002  # as above
        cursor: str | None = None,
    ) -> str:
        """Say where every number of a layer comes from: axes, weights, formula, work, what it sees.

        Args:
            model: The path of a model inside the root; or, for a layer without a model, a kind such as conv
                or what a framework calls one, such as Conv2d.
            layer: The name of a layer as show lists it; by default every layer that changes a shape.
            input: The shape of the input, such as 1,3,224,224; a list for several inputs.
            settings: For a kind, its attributes, such as {"kernel_size": 5, "out_channels": 6}.
            format: text or json.
            cursor: The cursor of the page before, for the next page of the same answer.

        Raises:
            UsageError: if there is no such model or kind, or no such layer; it lists close names.
        """
        from shapeinspect.api.answers import Explanation, explain, explain_kind

        def make() -> Explanation:
            given = _specs(input)
            if not self.root.has(model):
                values = {name: _frozen(value) for name, value in (settings or {}).items()}
                calculated = explain_kind(model, given, values) if layer is None else None
                if calculated is not None:
                    return calculated
            if settings:
                raise UsageError(
                    "settings apply to a kind of layer, not to a model", expected="a kind, such as conv"
                )
            return explain(self.root.locate(model), layer, given)

        return self._answer(make, lambda answer: answer.to_text(_WIDTH), format, cursor)

    def fit(
        self,
        model: str,
        input: Shapes = None,  # noqa: A002  # as above
        format: Form = "text",  # noqa: A002  # as above
        cursor: str | None = None,
    ) -> str:
        """Say which input sizes a network accepts, which layers refuse the others, and what comes out.

        Args:
            model: The path of a model inside the root; it needs a graph (ONNX, Keras, TFLite …).
            input: The shape of the input, where the file does not declare it.
            format: text or json.
            cursor: The cursor of the page before, for the next page of the same answer.

        Raises:
            UsageError: if there is no such model, or it has no graph.
        """
        from shapeinspect.api.fitting import fit

        def make() -> Any:
            return fit(self.root.locate(model), _specs(input))

        return self._answer(make, lambda answer: answer.to_text(_WIDTH), format, cursor)

    def check(
        self,
        model: str,
        input: Shapes = None,  # noqa: A002  # as above
        expect: list[str] | None = None,
        format: Form = "text",  # noqa: A002  # as above
        cursor: str | None = None,
    ) -> str:
        """Check whether the shapes of a model's calls fit, without running it; if not, say where and why.

        Args:
            model: The path of a model inside the root.
            input: The shape of the input to check with, such as 1,1,28,28.
            expect: Assertions on the model, such as "conv1: conv o=64 k=7 -> n 64 h/2 w/2", "params < 26M" or
                "no layer: *dropout*".
            format: text or json.
            cursor: The cursor of the page before, for the next page of the same answer.

        Raises:
            UsageError: if there is no such model, or it has no graph and nothing is expected.
        """
        from shapeinspect.api.checking import check_model
        from shapeinspect.check import Spec
        from shapeinspect.check.expect import written

        def make() -> Any:
            asked = Spec((), written(expect)) if expect else None
            return check_model(self.root.locate(model), _specs(input), asked)

        if format == "json":
            return self.pages.data(lambda: make().data, cursor)
        return self.pages.text(lambda: str(make().text), cursor)

    def diff(
        self,
        a: str,
        b: str,
        values: bool = False,
        input_a: Shapes = None,
        input_b: Shapes = None,
        everything: bool = False,
        format: Form = "text",  # noqa: A002  # as above
        cursor: str | None = None,
    ) -> str:
        """Compare two models of any frameworks, their weights in one layout: what differs, and why.

        Args:
            a: The path of the first model inside the root.
            b: The path of the second one.
            values: Compare the numbers of the weights as well; this reads all of them.
            input_a: The shape of an input of a.
            input_b: The shape of an input of b.
            everything: List what is the same as well.
            format: text or json.
            cursor: The cursor of the page before, for the next page of the same answer.

        Raises:
            UsageError: if there is no such model.
        """
        from shapeinspect.api.diff import diff

        def make() -> Any:
            first, second = self.root.locate(a), self.root.locate(b)
            return diff(first, second, values, input_a=_specs(input_a), input_b=_specs(input_b))

        def text(answer: Any) -> str:
            return str(answer.to_text(_WIDTH, everything=everything))

        return self._answer(make, text, format, cursor)

    def layouts(
        self,
        kind: str | None = None,
        format: Form = "text",  # noqa: A002  # as above
        cursor: str | None = None,
    ) -> str:
        """Show how each framework stores the weights of a kind of layer, and what moves them to another.

        Args:
            kind: A kind, such as conv or lstm, or what a framework calls one, such as Dense; all by default.
            format: text or json.
            cursor: The cursor of the page before, for the next page of the same answer.

        Raises:
            UsageError: if there is no such kind; it lists close names.
        """
        from shapeinspect.api.layout_rows import layouts_of
        from shapeinspect.render.grid import as_text
        from shapeinspect.render.results.reference import reference_table

        if format == "json":
            return self.pages.data(lambda: {"layouts": layouts_of(kind)}, cursor)
        return self.pages.text(lambda: as_text(reference_table(layouts_of(kind), _WIDTH)), cursor)

    def _report(self, model: str, input: Shapes) -> Any:  # noqa: A002  # as above
        from shapeinspect.api.report import inspect

        return inspect(self.root.locate(model), _specs(input))

    def _answer(
        self, make: Callable[[], Any], text: Callable[[Any], str], form: Form, cursor: str | None
    ) -> str:
        if form == "json":
            return self.pages.data(lambda: make().to_dict(), cursor)
        return self.pages.text(lambda: text(make()), cursor)


def _specs(shapes: Shapes) -> list[InputSpec] | None:
    if not shapes:
        return None
    return [InputSpec.parse(text) for text in ([shapes] if isinstance(shapes, str) else shapes)]


def _frozen(value: Any) -> Any:
    """Return a value of JSON as a setting has it: lists are tuples."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


#: The names of the methods that are tools.
NAMES = ("show", "explain", "fit", "check", "diff", "layouts")
