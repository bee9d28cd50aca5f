"""A model that is called on one sample, or on its inputs in another order."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from shapeinspect.plugin_api.claims import Claim
from shapeinspect.plugin_api.facts import Edit, Explained
from shapeinspect.rules.rule import show
from shapeinspect_keras.debug.statements.names import RUNS
from shapeinspect_keras.debug.statements.site import Site, argument
from shapeinspect_keras.tracing.graph import functional
from shapeinspect_keras.tracing.guard import touchable, untouched

_SYMBOLS = Claim()


def explained(
    name: str, owner: Any, args: Sequence[Any], kwargs: Mapping[str, Any], site: Site
) -> tuple[Explained, dict[str, Any]] | None:
    """Explain one row that is called without its batch, or inputs that are exchanged.

    Args:
        name: the method that is called.
        owner: the model.
        args: the positional arguments.
        kwargs: the others.
        site: the user's statement.
    """
    model = functional(owner)
    if model is None or (name not in RUNS and name != "__call__"):
        return None
    wanted = [tuple(item.shape) for item in model._inputs]
    given = args[0] if args else kwargs.get("x")
    if len(wanted) == 1 and _is_ragged(given):
        return _ragged(owner, model, wanted[0], given, name, site)
    if isinstance(given, list | tuple) and len(wanted) == 1 and len(given) > 1:
        return _joined(owner, model, wanted[0], given, name, site)
    if hasattr(given, "shape") and len(wanted) > 1:
        return _packed(owner, model, wanted, given, name, site)
    if name == "__call__" and hasattr(given, "shape") and len(wanted) == 1:
        return _one(owner, wanted[0], given, args, site)
    if isinstance(given, list | tuple) and len(given) == len(wanted) > 1:
        return _order(owner, model, wanted, given, name, site)
    return None


def unequal(
    name: str, args: Sequence[Any], kwargs: Mapping[str, Any], site: Site
) -> tuple[Explained, dict[str, Any]] | None:
    """Explain several inputs that have different numbers of samples.

    Args:
        name: the method that is called.
        args: the positional arguments.
        kwargs: the others.
        site: the user's statement.
    """
    given = args[0] if args else kwargs.get("x")
    if not isinstance(given, list | tuple) or not all(getattr(item, "shape", ()) for item in given):
        return None
    shapes = [tuple(item.shape) for item in given]
    if len({shape[0] for shape in shapes}) < 2:
        return None
    listed = [call.args[0] for call in site.calls(name) if call.args]
    node = next((item for item in listed if isinstance(item, ast.List | ast.Tuple)), None)
    texts = [site.text(item) for item in node.elts] if node is not None else []
    if len(texts) != len(shapes) or len(set(texts)) < len(texts):
        texts = [f"x[{place}]" for place in range(len(shapes))]
    got = [f"{text} of {show(shape)}" for text, shape in zip(texts, shapes, strict=True)]
    fact = Explained("unequal-samples", ("as many samples, on the first axis, of each input",), tuple(got))
    return fact, dict(zip(texts, shapes, strict=True))


def _one(
    owner: Any, wanted: tuple[Any, ...], given: Any, args: Sequence[Any], site: Site
) -> tuple[Explained, dict[str, Any]] | None:
    shape = tuple(given.shape)
    if len(shape) != 1 or not _fits(shape, wanted[1:]):
        return None
    node = next((call.args[0] for call in site.calls() if call.args and site.value(call.func) is owner), None)
    node = node or next(
        (item for call in site.calls() for item in call.args if site.value(item) is args[0]), None
    )
    name = str(_model(owner)._inputs[0]._keras_history.operation.name)
    edits = []
    if node is not None and not _refuses(owner, [(1, *shape)], [given]):
        edits.append(Edit("", f"feed {site.text(node)}[None]", _SYMBOLS))
    line = f"a batch: (N, {', '.join(map(str, shape))})"
    return Explained("no-batch", (line,), (f"one sample, {show(shape)}",), tuple(edits)), {name: shape}


def _is_ragged(given: Any) -> bool:
    return (
        bool(getattr(getattr(given, "dtype", None), "hasobject", False))
        and len(getattr(given, "shape", ())) == 1
    )


def _first(site: Site, owner: Any, name: str) -> ast.expr | None:
    """Return the expression of what the model is run on."""
    calls = [call for call in site.calls(name) if name in RUNS] or [
        call for call in site.calls() if site.value(call.func) is owner
    ]
    return argument(calls[0], 0, "x") if calls else None


def _name(model: Any) -> str:
    return str(model._inputs[0]._keras_history.operation.name)


def _ragged(
    owner: Any, model: Any, wanted: tuple[Any, ...], given: Any, name: str, site: Site
) -> tuple[Explained, dict[str, Any]] | None:
    """Explain an array of lists of unequal lengths."""
    lengths = sorted({len(item) for item in given if hasattr(item, "__len__")})
    if len(lengths) < 2 or len(wanted) != 2:
        return None
    steps = wanted[1] if isinstance(wanted[1], int) else lengths[-1]
    node, whole = _first(site, owner, name), {"maxlen": wanted[1]} if isinstance(wanted[1], int) else {}
    edits = []
    if node is not None and not _refuses_shapes(owner, [(len(given), steps)], "int32"):
        more = "".join(f", {key}={value}" for key, value in whole.items())
        edits.append(Edit("", f"feed keras.utils.pad_sequences({site.text(node)}{more})", _SYMBOLS))
    line = f"samples of one length: {_declared(wanted)}"
    got = f"{len(given)} lists of {lengths[0]} to {lengths[-1]} elements"
    return Explained("ragged", (line,), (got,), tuple(edits)), {_name(model): (len(given),)}


def _joined(
    owner: Any, model: Any, wanted: tuple[Any, ...], given: Sequence[Any], name: str, site: Site
) -> tuple[Explained, dict[str, Any]] | None:
    """Explain several arrays for a model of one input that reads them side by side."""
    if not all(hasattr(item, "shape") and len(item.shape) == len(wanted) for item in given):
        return None
    shapes = [tuple(item.shape) for item in given]
    whole = (*shapes[0][:-1], sum(shape[-1] for shape in shapes))
    if len({shape[:-1] for shape in shapes}) != 1 or not _fits(whole, wanted):
        return None
    node, edits = _first(site, owner, name), []
    if isinstance(node, ast.List | ast.Tuple) and not _refuses(owner, [whole], given):
        text = site.text(node)
        edits.append(Edit("", f"np.concatenate({text}, axis=-1) instead of {text}", _SYMBOLS))
    lines = (f"one array of {_declared(wanted)}",)
    got = (f"{len(given)} arrays: {' and '.join(show(shape) for shape in shapes)}",)
    return Explained("one-input", lines, got, tuple(edits)), {_name(model): shapes[0]}


def _packed(
    owner: Any, model: Any, wanted: Sequence[tuple[Any, ...]], given: Any, name: str, site: Site
) -> tuple[Explained, dict[str, Any]] | None:
    """Explain the inputs that the user's own statement packs into one array."""
    node = _first(site, owner, name)
    if not isinstance(node, ast.Call) or not node.args:
        return None
    inner: ast.expr = node.args[0]
    while isinstance(inner, ast.List | ast.Tuple) and len(inner.elts) == 1:
        inner = inner.elts[0]
    if not isinstance(inner, ast.List | ast.Tuple) or len(inner.elts) != len(wanted):
        return None
    values = [site.value(item) for item in inner.elts]
    shapes = [tuple(getattr(value, "shape", ())) for value in values]
    fits = all(_fits(shape, want) for shape, want in zip(shapes, wanted, strict=True))
    if not fits or _refuses(owner, shapes, values):
        return None
    names = tuple(str(item._keras_history.operation.name) for item in model._inputs)
    edit = Edit("", f"{site.text(inner)} instead of {site.text(node)}", _SYMBOLS)
    lines = (f"{len(names)} arrays, one for each input: {', '.join(names)}",)
    got = (f"one array of {show(tuple(given.shape))}",)
    return Explained("several-inputs", lines, got, (edit,)), {names[0]: tuple(given.shape)}


def _model(owner: Any) -> Any:
    return functional(owner)


def _order(
    owner: Any, model: Any, wanted: Sequence[tuple[Any, ...]], given: Sequence[Any], name: str, site: Site
) -> tuple[Explained, dict[str, Any]] | None:
    if not all(hasattr(item, "shape") for item in given) or len(given) > 5:
        return None
    shapes = [tuple(item.shape) for item in given]
    if all(_fits(shape, want) for shape, want in zip(shapes, wanted, strict=True)):
        return None
    orders = [
        order
        for order in itertools.permutations(range(len(given)))
        if all(_fits(shapes[place], want) for place, want in zip(order, wanted, strict=True))
    ]
    if len(orders) != 1 or _refuses(owner, [shapes[place] for place in orders[0]], given):
        return None
    calls = [call for call in site.calls(name) if name in RUNS] or [
        call for call in site.calls() if site.value(call.func) is owner
    ]
    node = argument(calls[0], 0, "x") if calls else None
    edits = []
    if isinstance(node, ast.List | ast.Tuple) and len(node.elts) == len(given):
        parts = [site.text(node.elts[place]) for place in orders[0]]
        ends = "[]" if isinstance(node, ast.List) else "()"
        text = f"{ends[0]}{', '.join(parts)}{ends[1]}"
        edits.append(Edit("", f"{text} instead of {site.text(node)}", _SYMBOLS))
    names = [str(item._keras_history.operation.name) for item in model._inputs]
    lines = tuple(f'"{one}" of {_declared(want)}' for one, want in zip(names, wanted, strict=True))
    return (
        Explained("exchanged", lines, tuple(show(shape) for shape in shapes), tuple(edits)),
        dict(zip(names, shapes, strict=True)),
    )


def _declared(wanted: tuple[Any, ...]) -> str:
    return f"({', '.join('?' if length is None else str(length) for length in wanted)})"


def _fits(shape: tuple[Any, ...], wanted: tuple[Any, ...]) -> bool:
    return len(shape) == len(wanted) and all(b is None or a == b for a, b in zip(shape, wanted, strict=True))


def _refuses(owner: Any, shapes: Sequence[tuple[Any, ...]], given: Sequence[Any]) -> bool:
    """Tell whether the model refuses tensors of these shapes, without numbers."""
    import keras

    return _refuses_shapes(owner, shapes, keras.backend.standardize_dtype(given[0].dtype))


def _refuses_shapes(owner: Any, shapes: Sequence[tuple[Any, ...]], dtype: str) -> bool:
    import keras

    with untouched(touchable(owner)):
        symbols = [keras.KerasTensor(shape, dtype=dtype) for shape in shapes]
        try:
            owner(symbols[0] if len(symbols) == 1 else symbols)
        except Exception:  # noqa: BLE001  # whatever it raises, it does not take them
            return True
    return False
