"""The loss refuses the targets: which targets it takes, and the loss, layer or array that mends it."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shapeinspect.dims import UNKNOWN
from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.facts import Edit, Explained
from shapeinspect.rules.rule import show
from shapeinspect_keras.debug.datasets import given
from shapeinspect_keras.debug.statements.names import COMPARES, yielded
from shapeinspect_keras.debug.statements.site import Site, argument
from shapeinspect_keras.tracing import graph as graphs
from shapeinspect_keras.tracing.guard import restored, touchable, untouched

_SPARSE, _ONE_HOT, _BINARY = (
    "sparse_categorical_crossentropy",
    "categorical_crossentropy",
    "binary_crossentropy",
)
#: Losses of one score for each class: that of class indices and that of one-hot targets, each with the other.
OTHER_LOSS = {
    "SparseCategoricalCrossentropy": "CategoricalCrossentropy",
    "CategoricalCrossentropy": "SparseCategoricalCrossentropy",
}
_STEP = Claim(Level.PART, "a training step on a copy of the model", "the other batches")
_LOSS = Claim(Level.PART, "the loss", "the training step around it")
_SAMPLES = 2
_CONVOLUTIONS = re.compile(r"(?:Separable|Depthwise)?Conv[123]D(?:Transpose)?|(?:Max|Average)Pooling[123]D")


@dataclass(frozen=True, slots=True)
class Run:
    """A model that is run on data, and the targets that its loss refuses.

    Args:
        model: the model.
        x: its inputs.
        y: the targets, an array.
        out: the shape of its output, without the batch.
        name: what the user's statement calls the targets; empty where it has no name for them.
        validating: whether they are those of the validation data, and the training data fit.
        site: the user's statement.
        known: whether the numbers of the targets are known, and not only their shape.
        batch: the statement of a generator that gives a batch, and the expression of the targets in it.
    """

    model: Any
    x: Any
    y: Any
    out: tuple[Any, ...]
    name: str
    validating: bool
    site: Site
    known: bool = True
    batch: tuple[str, str] | None = None

    @property
    def loss(self) -> str:
        """The loss by its name in Keras."""
        return name_of(self.model.loss)

    @property
    def classes(self) -> Any:
        """How many scores there are for each sample."""
        return self.out[-1] if self.out else None


def name_of(loss: Any) -> str:
    """Return the name of a loss, as a text of Keras gives it.

    Args:
        loss: a text, a function or an object of Keras.

    Example:
        >>> name_of("mse")
        'mse'
    """
    text = loss if isinstance(loss, str) else getattr(loss, "name", None) or getattr(loss, "__name__", "")
    return str(text)


def of_run(
    owner: Any, args: Sequence[Any], kwargs: Mapping[str, Any], site: Site, message: str
) -> tuple[Run, Explained] | None:
    """Explain the targets of a run that the loss refuses.

    Args:
        owner: the model.
        args: the positional arguments of ``fit`` and the others.
        kwargs: the others.
        site: the user's statement.
        message: Keras's words.
    """
    stated = _stated(owner, args[0] if args else kwargs.get("x"), site, message)
    if stated is not None:
        result = next((found for explain in _KINDS if (found := explain(stated)) is not None), None)
        return None if result is None else (stated, result)
    for index, (x, y) in enumerate(given(args, kwargs)):
        if not hasattr(y, "shape") or not hasattr(y, "dtype") or not hasattr(y, "__getitem__"):
            continue
        out = _output(owner, x)
        if out is None or not isinstance(getattr(owner, "loss", None), str | Callable) or not y.shape:
            return None
        if _accepted(owner.loss, y, out):
            continue
        run = Run(owner, x, y, out, _name(site, index), index == 1, site)
        if x is not None and hasattr(x, "shape") and x.shape[0] != y.shape[0]:
            return None
        for explain in _KINDS:
            result = explain(run)
            if result is not None:
                return run, result
        return None
    return None


_STATED = re.compile(r"target\.shape=\(([\dNone, ]*)\),? (?:and )?output\.shape=\(([\dNone, ]*)\)")


def _stated(owner: Any, data: Any, site: Site, message: str) -> Run | None:
    """Return the run on a generator, whose batches only Keras's message gives the shapes of."""
    import numpy

    told = stated(message)
    given_shape = getattr(owner, "input_shape", None) if getattr(owner, "built", False) else None
    if told is None or hasattr(data, "shape") or hasattr(data, "element_spec"):
        return None
    target, output = told
    if len(target) < 1 or None in target[1:] or None in output[1:] or isinstance(data, list | tuple | dict):
        return None
    plain = isinstance(given_shape, tuple) and all(isinstance(n, int) for n in given_shape[1:])
    x = numpy.zeros((_SAMPLES, *given_shape[1:]), "float32") if plain and given_shape else None
    samples = target[0] or _SAMPLES
    y = numpy.zeros((samples, *target[1:]), "float32")
    batch = yielded(site, data, 1)
    return Run(owner, x, y, output[1:], "", False, site, known=False, batch=batch)


def stated(message: str) -> tuple[tuple[Any, ...], tuple[Any, ...]] | None:
    """Return the shapes of the targets and of the outputs that Keras says do not fit; None for none.

    Args:
        message: what it says.

    Example:
        >>> stated("received: target.shape=(None, 4), output.shape=(None, 7, 4)")
        ((None, 4), (None, 7, 4))
    """
    match = _STATED.search(message)
    return None if match is None else (_numbers(match[1]), _numbers(match[2]))


def _numbers(text: str) -> tuple[Any, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return tuple(None if part == "None" else int(part) for part in parts)


def _output(owner: Any, x: Any) -> tuple[Any, ...] | None:
    """Return the shape of the model's only output, without the batch."""
    import keras

    shape = getattr(owner, "output_shape", None) if getattr(owner, "built", False) else None
    if shape is None and hasattr(x, "shape"):
        try:
            with untouched(touchable(owner)):
                symbol = keras.KerasTensor(tuple(x.shape), dtype=keras.backend.standardize_dtype(x.dtype))
                shape = owner.compute_output_spec(symbol).shape
        except Exception:  # noqa: BLE001  # a user's model may raise anything
            return None
    if not isinstance(shape, tuple) or not shape or any(not isinstance(item, int | None) for item in shape):
        return None
    return shape[1:]


def _accepted(loss: Any, y: Any, out: tuple[Any, ...]) -> bool:
    """Tell whether a loss takes targets of this shape, with zeros for the outputs."""
    import keras
    import numpy

    lengths = [length if isinstance(length, int) else 3 for length in out]
    scores = numpy.full((min(_SAMPLES, y.shape[0] or 0), *lengths), 0.5, "float32")
    try:
        function = keras.losses.get(loss)
        function(
            keras.ops.zeros((scores.shape[0], *y.shape[1:]), _dtype(y)), keras.ops.convert_to_tensor(scores)
        )
    except Exception:  # noqa: BLE001  # whatever it raises, it does not take them
        return False
    return True


def _dtype(y: Any) -> str:
    import keras

    return str(keras.backend.standardize_dtype(y.dtype))


def _name(site: Site, index: int) -> str:
    """Return what the statement calls the targets."""
    for call in site.calls(*COMPARES):
        if index == 0:
            node = argument(call, 1, "y")
            return "" if node is None else site.text(node)
        pair = next((item.value for item in call.keywords if item.arg == "validation_data"), None)
        if isinstance(pair, ast.Tuple | ast.List) and len(pair.elts) > 1:
            return site.text(pair.elts[1])
    return ""


def _one_hot(run: Run) -> Explained | None:
    """The targets are one-hot, and the loss reads class indices."""
    if not run.known or run.loss != _SPARSE or tuple(run.y.shape[1:]) != run.out or not run.out:
        return None
    edits = []
    if not run.validating:
        edits += _other_loss(run, _ONE_HOT, run.y)
    edits += _passed(run, f"{_plain(run)}.argmax(-1)", run.y[:_SAMPLES].argmax(-1)) if _is_array(run) else []
    line = f"targets of {show((run.y.shape[0], *run.out[:-1]))}, a class index each"
    return Explained("targets", (line,), _given(run), tuple(edits))


def _indices(run: Run) -> Explained | None:
    """The targets are class indices, and the loss compares them with one score for each class."""
    y, classes = run.y, run.classes
    if run.loss not in (_ONE_HOT, _BINARY, "mse", "mean_squared_error") or len(run.out) != 1:
        return None
    if not isinstance(classes, int) or classes < 2 or tuple(y.shape[1:]) not in ((), (1,)) or not _whole(run):
        return None
    if not (y.min() >= 0 and y.max() < classes):
        return None
    import keras

    edits = [] if run.validating else _other_loss(run, _SPARSE, y)
    if run.loss != _BINARY or run.validating:
        rows = keras.utils.to_categorical(y[:_SAMPLES], classes)
        edits += _passed(run, f"keras.utils.to_categorical({run.name}, {classes})", rows)
    line = f"targets of {show((y.shape[0], classes))}, one for each score; class indices belong to {_SPARSE}"
    return Explained("labels-for-classes", (line,), _given(run), tuple(edits))


def _one_unit(run: Run) -> Explained | None:
    """The targets are one-hot, and the model has a single output."""
    y = run.y
    if run.loss != _BINARY or run.out != (1,) or len(y.shape) != 2 or y.shape[1] < 2 or not _is_array(run):
        return None
    if not _whole(run) or not (y.sum(-1) == 1).all():
        return None
    edits: list[Edit] = []
    if y.shape[1] == 2:
        edits += _passed(run, f"{_plain(run)}.argmax(-1)", y[:_SAMPLES].argmax(-1))
    last: Any = run.model.layers[-1] if getattr(run.model, "layers", None) else None
    if type(last).__name__ == "Dense":
        edits += _with(run, _units(run.model, last, y.shape[1]), f'units={y.shape[1]} in "{last.name}"')
    line = f"targets of {show((y.shape[0], 1))}: the model has one output for each sample"
    return Explained("targets", (line,), _given(run), tuple(edits))


def _spatial(run: Run) -> Explained | None:
    """The outputs still have the axes of an image, and there is one target for each sample."""
    if len(run.out) < 3 or tuple(run.y.shape[1:]) not in ((), (1,), run.out[-1:]):
        return None
    layers = list(getattr(run.model, "layers", ()))
    heads = [index for index, layer in enumerate(layers) if type(layer).__name__ == "Dense"]
    before = heads[0] - 1 if heads else -1
    lines = (f"outputs of {show((run.y.shape[0], *run.out[-1:]))}: one row for each sample",)
    got = (f"outputs of {show((run.y.shape[0], *run.out))} and targets of {show(tuple(run.y.shape))}",)
    if before < 0 or not _CONVOLUTIONS.fullmatch(type(layers[before]).__name__):
        return Explained("not-flattened", lines, got)
    place = _made(run, layers, before)
    edits = [] if place is None else _with(run, _flattened(run.model, before), place)
    return Explained("not-flattened", lines, got, tuple(edits))


def _width(run: Run) -> Explained | None:
    """The model gives another number of values than there are targets."""
    y, out = tuple(run.y.shape[1:]), run.out
    if len(y) != len(out) or not out or y[:-1] != out[:-1] or y == out or run.validating:
        return None
    if run.loss == _SPARSE or y[-1] < 2 or not isinstance(out[-1], int):
        return None
    edits = []
    for head in _heads(run.model):
        units = head.units + y[-1] - out[-1]
        if units > 0:
            text = run.site.resized("Dense", head.units, units) or f'units={units} in "{head.name}"'
            edits += _with(run, _units(run.model, head, units), text)
    line = "outputs and targets of one shape"
    samples = run.y.shape[0] if run.known else UNKNOWN
    got = f"outputs of {show((samples, *out))} and targets of {show((samples, *y))}"
    return Explained("targets", (line,), (got,), tuple(edits[:2]))


def _heads(model: Any) -> list[Any]:
    """List the layers that decide how many values a model gives: its last one, or those that it joins."""
    last: Any = model.layers[-1] if getattr(model, "layers", None) else None
    if type(last).__name__ == "Dense":
        return [last]
    if type(last).__name__ != "Concatenate":
        return []
    tensors = getattr(last._inbound_nodes[0], "input_tensors", ()) if last._inbound_nodes else ()
    makers = [tensor._keras_history.operation for tensor in tensors]
    return [layer for layer in reversed(makers) if type(layer).__name__ == "Dense"]


_ROW = re.compile(r"\[(?:None|np\.newaxis|numpy\.newaxis), :\]$|\.reshape\(\(?1, -1\)?\)$")


def _row(run: Run) -> Explained | None:
    """The targets are one row, and should be one column."""
    y, out = tuple(run.y.shape), run.out
    written = run.batch is not None and _ROW.search(run.batch[1]) is not None
    if run.known or out != (1,) or len(y) != 2 or y[1] < 2 or (y[0] != 1 and not written):
        return None
    edits = []
    if run.batch is not None:
        statement, inputs = run.batch
        code = f"{statement.replace(inputs, f'{inputs}.T', 1)} instead of {statement}"
        fits = Claim(
            Level.UNTRIED, rest="one target belongs to each sample with it; the generator is not run again"
        )
        edits.append(Edit("", code, fits))
    return Explained(
        "swapped-axes",
        (f"targets of ({y[1]}, 1), one for each sample",),
        (f"one row, (1, {y[1]})",),
        tuple(edits),
    )


def _of_other_rank(run: Run) -> Explained | None:
    """The validation targets have an axis fewer than those that the model is trained on."""
    y = tuple(run.y.shape)
    if not run.validating or run.out[-1:] != (1,) or y[1:] != run.out[:-1] or not _is_array(run):
        return None
    edits = _passed(run, f"{_plain(run)}[..., None]", run.y[:_SAMPLES, ..., None])
    line = f"validation targets of {show((y[0], *run.out))}, as the training targets and the outputs are"
    return Explained("targets", (line,), _given(run), tuple(edits))


_KINDS: tuple[Callable[[Run], Explained | None], ...] = (
    _of_other_rank, _one_hot, _indices, _one_unit, _row, _spatial, _width,
)  # fmt: skip


def _given(run: Run) -> tuple[str, ...]:
    who = f"{run.name} = " if run.name.isidentifier() else ""
    which = "the validation targets: " if run.validating else ""
    return (f"{which}{who}{show(tuple(run.y.shape))}",)


def _is_array(run: Run) -> bool:
    import numpy

    return isinstance(run.y, numpy.ndarray)


def _whole(run: Run) -> bool:
    """Tell whether all targets are whole numbers."""
    return run.known and _is_array(run) and bool((run.y == run.y.astype("int64")).all())


def _plain(run: Run) -> str:
    return run.name if re.fullmatch(r"[\w.\[\]:]+", run.name) else f"({run.name})"


def _passed(run: Run, text: str, y: Any) -> list[Edit]:
    """Pass other targets, if a training step on a copy takes them."""
    claim = _tried(run, run.model.loss, y, None)
    return [] if claim is None or not run.name else [Edit("", f"pass {text}", claim)]


def _other_loss(run: Run, loss: str, y: Any) -> list[Edit]:
    """Compile with another loss, if a training step on a copy takes it."""
    import keras

    given_loss = run.model.loss
    if isinstance(given_loss, str):
        claim = _tried(run, loss, y[:_SAMPLES], None)
        return [] if claim is None else [Edit("", _compiled(run.site, given_loss, loss), claim)]
    old = type(given_loss).__name__
    new = OTHER_LOSS.get(old)
    calls = run.site.everywhere(old)
    if new is None or len(calls) != 1:
        return []
    config = {"from_logits": bool(given_loss.get_config().get("from_logits", False))}
    claim = _tried(run, getattr(keras.losses, new)(**config), y[:_SAMPLES], None)
    text = run.site.text(calls[0])
    return [] if claim is None else [Edit("", f"{text.replace(old, new, 1)} instead of {text}", claim)]


def _compiled(site: Site, old: str, new: str) -> str:
    """Write another loss for ``compile``: by name, or in the place where the user passes it."""
    calls = [call for call in site.everywhere("compile") if len(call.args) > 1]
    for call in calls if len(calls) == 1 else ():
        given_loss = call.args[1]
        if isinstance(given_loss, ast.Constant) and given_loss.value == old:
            text, word = site.text(call), site.text(given_loss)
            return f"{text.replace(word, word.replace(old, new), 1)} instead of {text}"
    return f'loss="{new}"'


def _with(run: Run, model: Any, text: str) -> list[Edit]:
    """Change the model, if a training step of what is rebuilt takes the targets."""
    claim = None if model is None else _tried(run, run.model.loss, run.y[:_SAMPLES], model)
    return [] if claim is None else [Edit("", text, claim)]


def _tried(run: Run, loss: Any, y: Any, model: Any) -> Claim | None:
    """Train a copy of the model on two samples; return what ran, or None if that fails."""
    import keras

    if run.x is None:
        return _LOSS if model is None and _accepted(loss, y, run.out) else None
    x = keras.tree.map_structure(lambda item: item[:_SAMPLES], run.x)
    metrics = (run.model.get_compile_config() or {}).get("metrics")
    try:
        with restored(touchable(run.model)):
            copy = keras.models.clone_model(_uncompiled(run.model)) if model is None else model
    except Exception:  # noqa: BLE001  # a user's model may not be copied
        return _LOSS if model is None and _accepted(loss, y, run.out) else None
    try:
        with restored(()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Keras says of the copy is no news
            metrics = keras.saving.deserialize_keras_object(metrics) if metrics else None
            copy.compile("sgd", loss=loss, metrics=metrics, run_eagerly=True)
            copy.train_on_batch(x, y[:_SAMPLES])
    except Exception:  # noqa: BLE001  # whatever it raises, the change does not help
        return None
    return _STEP


def _uncompiled(model: Any) -> Any:
    """Return a model of the same layers that is not compiled: a loss of the user's own cannot be copied."""
    import keras

    if isinstance(model, keras.Sequential) or graphs.functional(model) is None:
        return model
    return keras.Model(model.inputs, model.outputs)


def _units(model: Any, last: Any, units: int) -> Any:
    """Rebuild a model with another number of units in its last layer."""
    import keras

    def clone(layer: Any) -> Any:
        more = {"units": units} if layer.name == last.name else {}
        return type(layer).from_config({**layer.get_config(), **more})

    try:
        with restored(touchable(model)):
            return keras.models.clone_model(_uncompiled(model), clone_function=clone)
    except Exception:  # noqa: BLE001  # a user's model may not be copied
        return None


def _flattened(model: Any, before: int) -> Any:
    """Rebuild a Sequential model with a Flatten behind one of its layers."""
    import keras

    if not isinstance(model, keras.Sequential):
        return None
    with restored(touchable(model)):
        layers = [type(layer).from_config(layer.get_config()) for layer in model.layers]
        layers.insert(before + 1, keras.layers.Flatten())
        return keras.Sequential([keras.Input(tuple(model.input_shape[1:])), *layers])


def _made(run: Run, layers: Sequence[Any], index: int) -> str | None:
    """Write a Flatten behind the layer, where the user's file makes it."""
    kind = type(layers[index]).__name__
    same = [layer for layer in layers if type(layer).__name__ == kind]
    calls = run.site.everywhere(kind)
    if len(calls) != len(same):
        return None
    call = calls[same.index(layers[index])]
    text, flatten = run.site.text(call), f"{run.site.layers()}.Flatten()"
    added = next((item for item in run.site.everywhere("add") if call in item.args), None)
    if added is not None and isinstance(added.func, ast.Attribute):
        text = run.site.text(added)
        return f"{text}; {run.site.text(added.func.value)}.add({flatten}) instead of {text}"
    return f"{text}, {flatten} instead of {text}" if _listed(run.site, call) else None


def _listed(site: Site, call: ast.Call) -> bool:
    """Tell whether a call stands in a list."""
    return any(isinstance(node, ast.List) and call in node.elts for node in ast.walk(site.tree))


def shapes_of(run: Run) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield the outputs and the targets, with their shapes.

    Args:
        run: the run.
    """
    yield "output", (run.y.shape[0], *run.out)
    yield run.name if run.name.isidentifier() else "target", tuple(run.y.shape)
