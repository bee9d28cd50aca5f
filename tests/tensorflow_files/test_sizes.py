"""Networks of many kinds at three sizes: the shapes of a real call, and what TensorFlow and TFLite refuse.

The long run holds every network of ``networks.py``, ``more_networks.py``, ``unseen_networks.py`` and
``fresh_networks.py``; the fast cut those marked there.

When ``unseen_networks.py`` was written, 11 of its 19 TFLite files counted as Keras does: of 3 we counted
zeros that the converter adds as a bias, and 5 hold other numbers than the network (a norm folded in, a state
dropped). When ``fresh_networks.py`` was, no shape of its 15 SavedModels and 8 TFLite files was wrong; the
work of 3 loops was unknown, that of two directions and of scores that are sums was wrong in ``.keras``, and
a transposed convolution was said to fit a size that TFLite refuses.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from shapeinspect import inspect
from shapeinspect.api.debugging import fits

from . import fresh_networks, more_networks, networks, unseen_networks

Shape = tuple[int, ...]

EVERY = {**more_networks.NETWORKS, **unseen_networks.NETWORKS, **fresh_networks.NETWORKS}
ONLY_TENSORFLOW = networks.ONLY_TENSORFLOW | unseen_networks.ONLY_TENSORFLOW | fresh_networks.ONLY_TENSORFLOW
FAST = [name for name, one in EVERY.items() if one.fast]
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in EVERY if name not in FAST]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sizes")


def saved(folder: Path, name: str) -> Path:
    """Save a network once."""
    import tensorflow as tf

    path = folder / name
    if not path.exists():
        made, one = networks.NETWORKS[name].make(), networks.NETWORKS[name]
        if one.keras:
            made.export(str(path), verbose=False)
        else:
            tf.saved_model.save(made, str(path))
    return path


def _verdict(ours: Any, real: Shape) -> str:
    if ours is None:
        return "unknown"
    if len(ours) != len(real):
        return "wrong"
    if any(isinstance(a, int) and a != b for a, b in zip(ours, real, strict=True)):
        return "wrong"
    return "exact" if all(isinstance(dim, int) for dim in ours) else "unknown"


def _matched(sizes: Sequence[Shape], declared: Sequence[Sequence[int]]) -> list[Shape]:
    """Give each input the size that fits it; files order inputs as they like."""
    left, order = list(sizes), []
    for shape in declared:
        fitting = (
            size
            for size in left
            if len(size) == len(shape) and all(b < 0 or a == b for a, b in zip(size, shape, strict=True))
        )
        found = next(fitting, None) or next(size for size in left if len(size) == len(shape))
        left.remove(found)
        order.append(found)
    return order


def _remarks(report: Any) -> list[str]:
    words = ("does not fit", "the source records", "in doubt")
    return [note.text for note in report.model.notes if any(word in note.text for word in words)]


def _call_shapes(frozen: Any, model: Any, feed: dict[str, Any]) -> Iterator[tuple[str, Shape]]:
    """Run a graph in which functions are inlined; give the shapes of the values with a unique name."""
    import tensorflow as tf

    named = defaultdict(list)
    for node in frozen.get_operations():
        parts = node.name.split("/")
        for place in range(len(parts)):
            named["/".join(parts[place:])].append(node)
    wanted = []
    for call in model.calls:
        found = named.get(call.layer, [])
        if len(found) != 1:
            continue
        for name, tensor in zip(call.outputs, found[0].outputs, strict=False):
            if name and tensor.dtype not in (tf.variant, tf.resource):
                wanted.append((name, tensor))
    with frozen.as_default():
        shapes = [tf.shape(tensor) for _, tensor in wanted]
    with tf.compat.v1.Session(graph=frozen) as session:
        numbers = session.run(shapes, {f"{key}:0": value for key, value in feed.items()})
    for (name, _), shape in zip(wanted, numbers, strict=True):
        yield name, tuple(int(length) for length in shape)


@pytest.mark.parametrize("name", [*FAST, *SLOW])
def test_every_value_of_a_saved_model_has_the_shape_of_a_real_call(folder: Path, name: str) -> None:
    import numpy as np
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    path = saved(folder, name)
    loaded = tf.saved_model.load(str(path))
    function = loaded.signatures["serving_default"]
    specs = function.structured_input_signature[1]
    frozen = convert_variables_to_constants_v2(function, lower_control_flow=False).graph
    declared = [[-1 if dim is None else dim for dim in spec.shape.as_list()] for spec in specs.values()]
    report = inspect(str(path))
    inputs = report.model.inputs  # "x (input)" where another value has the name
    named = [key if key in inputs else next(one for one in inputs if one.startswith(key)) for key in specs]
    trained = {id(one): int(np.prod(one.shape)) for one in getattr(loaded, "trainable_variables", ())}
    weights = {one.storage: one for layer in report.model.layers for one in layer.weights if one.trainable}
    if trained:
        assert sum(one.size or 0 for one in weights.values()) == sum(trained.values())
    found: Counter[str] = Counter()
    for sizes in networks.NETWORKS[name].sizes:
        order = _matched(sizes, declared)
        feed = {
            key: np.zeros(size, spec.dtype.as_numpy_dtype)
            for (key, spec), size in zip(specs.items(), order, strict=True)
        }
        asked = dict(zip(named, order, strict=True))
        try:
            function(**{key: tf.constant(value) for key, value in feed.items()})
        except (tf.errors.InvalidArgumentError, ValueError, TypeError):
            assert fits(str(path), asked).diagnosis is not None, sizes
            continue
        assert fits(str(path), asked).diagnosis is None, sizes
        at_size = inspect(str(path), asked)
        assert _remarks(at_size) == []
        for value, real in _call_shapes(frozen, at_size.model, feed):
            verdict = _verdict(at_size.model.values[value].shape, real)
            assert verdict != "wrong", (value, at_size.model.values[value].shape, real)
            found[verdict] += 1
    assert found["exact"] > found["unknown"]


def _interpreter(path: Path) -> Any:
    import tensorflow as tf

    kinds = tf.lite.experimental.OpResolverType
    return tf.lite.Interpreter(
        str(path),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )


def _invoked(path: Path, sizes: Sequence[Shape]) -> Any:
    """Resize the inputs and run the network; None where TFLite refuses it."""
    import numpy as np

    runner = _interpreter(path)
    try:
        for row, size in zip(runner.get_input_details(), sizes, strict=True):
            runner.resize_tensor_input(row["index"], size)
        runner.allocate_tensors()
        for row, size in zip(runner.get_input_details(), sizes, strict=True):
            runner.set_tensor(row["index"], np.zeros(size, row["dtype"]))
        runner.invoke()
    except (RuntimeError, ValueError):
        return None
    return runner


@pytest.mark.filterwarnings("ignore:.*Interpreter is deprecated")
@pytest.mark.parametrize("name", [*FAST, *SLOW])
def test_every_tensor_has_the_interpreters_shape_after_resizing(folder: Path, name: str) -> None:
    import tensorflow as tf

    network = networks.NETWORKS[name]
    path = folder / f"{name}.tflite"
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved(folder, name)))
    if name in ONLY_TENSORFLOW:
        with pytest.raises(Exception, match=r"flex|tensor list|Flex"):
            converter.convert()
        return
    path.write_bytes(converter.convert())
    declared = [row["shape_signature"].tolist() for row in _interpreter(path).get_input_details()]
    grown = [(1, *(dim + 7 for dim in size[1:-1]), size[-1]) for size in network.sizes[0]]
    found: Counter[str] = Counter()
    for sizes in (*network.sizes, grown):
        order = _matched(sizes, declared)
        runner = _invoked(path, order)
        diagnosis = fits(str(path), order).diagnosis
        if runner is None:
            found["refused" if diagnosis is not None else "not seen"] += 1
            continue
        assert diagnosis is None, sizes
        report = inspect(str(path), order)
        assert _remarks(report) == []
        real: dict[str, set[Shape]] = defaultdict(set)
        for row in runner.get_tensor_details():
            real[row["name"]].add(tuple(int(dim) for dim in row["shape"]))
        for value in {one for call in report.model.calls for one in call.outputs}:
            if len(real.get(value, ())) == 1:
                verdict = _verdict(report.model.values[value].shape, *real[value])
                assert verdict != "wrong", (value, report.model.values[value].shape, real[value])
                found[verdict] += 1
    assert found["exact"] > found["unknown"]
    assert not found["not seen"] or name in networks.REFUSED_BY_NUMBERS
