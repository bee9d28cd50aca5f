"""``diff``: reads two models and returns their Difference."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from shapeinspect.api.two_models import read_both
from shapeinspect.compare import Options, compare
from shapeinspect.compare.result import Comparison, LayerPair
from shapeinspect.plugin_api.loader import Refusal
from shapeinspect.registry import loader, name_table, native_table
from shapeinspect.render.grid import as_text
from shapeinspect.render.results import diff as render
from shapeinspect.render.screen import printed_width
from shapeinspect.text import one_line

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult


def diff(
    a: Any,
    b: Any,
    values: bool = False,
    *,
    rtol: float = 1e-5,
    atol: float = 1e-8,
    dtype: bool = False,
    input_a: Any = None,
    input_b: Any = None,
) -> Difference:
    """Compare two models, of any frameworks and formats.

    Layers are matched by names, shapes and the graph, never by position alone; weights are compared in
    the common convention.

    Args:
        a: the first model: whatever :func:`shapeinspect.inspect` takes, or a report.
        b: the second model.
        values: whether to compare the values of the weights, too; they are read a pair at a time.
        rtol: the tolerance relative to the larger of two values.
        atol: the absolute tolerance.
        dtype: whether different dtypes count as a difference.
        input_a: the shapes of the first model's inputs, as for :func:`shapeinspect.inspect`; a live
            PyTorch model has a graph only with them.
        input_b: the shapes of the second model's inputs.

    Raises:
        UsageError: if there is no such source, or an input does not fit it.
        UnreadableFileError: if a file is cut off, corrupt or of no known format.

    Example:
        >>> difference = diff("tests/data/lenet.onnx", "tests/data/lenet.onnx", values=True)
        >>> difference.verdict
        'all 7 layers are the same, and so are their values'
    """
    models = read_both(a, b, input_a, input_b)
    options = Options(values, rtol, atol, dtype)
    first, second = models.a.framework, models.b.framework
    tables = native_table(first), native_table(second)
    names = name_table(first), name_table(second)
    found = compare(models.a, models.b, options, tables, loader(first) if first == second else None, names)
    return Difference(replace(found, notes=(*models.notes, *found.notes)))


@dataclass(frozen=True)
class Difference:
    """Two models side by side.

    Args:
        comparison: the matched layers, weights and settings.

    Example:
        >>> difference = diff("tests/data/lenet.onnx", "tests/data/lenet.onnx")
        >>> difference.same, difference.verdict
        (True, 'all 7 layers are the same')
    """

    comparison: Comparison

    @property
    def same(self) -> bool:
        """Whether nothing differs, is missing or is undecided."""
        return self.comparison.same

    @property
    def verdict(self) -> str:
        """The result in one sentence."""
        return render.verdict(self.comparison)

    @property
    def layers(self) -> tuple[LayerPair, ...]:
        """Every pair of layers, and every layer without a counterpart."""
        return self.comparison.layers

    @property
    def refusal(self) -> Refusal | None:
        """What loading one into the other by key refuses; None where their framework does not load by key."""
        return self.comparison.refusal

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, as ``--format json`` prints it."""
        return render.to_dict(self.comparison)

    def to_text(self, width: int = 80, *, everything: bool = False) -> str:
        """Return the page as plain text.

        Args:
            width: the number of terminal cells.
            everything: whether to list matching layers, too.
        """
        lines = render.diff_table(self.comparison, width, everything=everything)
        return as_text(lines)

    def to_html(self) -> str:
        """Return both models side by side as one HTML page, which works from a file without any network."""
        from shapeinspect.page.comparing import diff_page

        return diff_page(self.comparison)

    def __str__(self) -> str:
        return self.to_text(printed_width(80))

    def __repr__(self) -> str:
        return one_line(f"<Difference: {self.verdict}>")

    def _repr_html_(self) -> str:
        from shapeinspect.render.forms.notebook import preformatted

        return preformatted(render.diff_table(self.comparison, 100))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from shapeinspect.render.styled import styled

        yield from styled(render.diff_table(self.comparison, options.max_width))
