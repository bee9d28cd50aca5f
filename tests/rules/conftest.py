"""Compares the arithmetic with a framework: the same shapes, or both refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shapeinspect.errors import ShapeMismatchError
from shapeinspect.rules import output_shapes

REFUSED = "refused"
Check = Callable[..., None]


def _ours(kind: str, attributes: dict[str, Any], inputs: tuple[Any, ...]) -> Any:
    try:
        return output_shapes(kind, attributes, inputs)
    except ShapeMismatchError:
        return REFUSED


@pytest.fixture(scope="session")
def same_as_torch() -> Check:
    """Check a kind against a torch callable on meta tensors of the given shapes."""
    import torch

    def flat(value: Any) -> list[tuple[int, ...]]:
        if isinstance(value, torch.Tensor):
            return [tuple(value.shape)]
        return [shape for entry in value for shape in flat(entry)] if isinstance(value, tuple | list) else []

    def check(
        kind: str,
        attributes: dict[str, Any],
        shapes: tuple[Any, ...],
        function: Callable[..., Any],
        device: str = "meta",
    ) -> None:
        with torch.device(device), torch.no_grad():
            try:
                theirs: Any = tuple(flat(function(*(torch.empty(shape) for shape in shapes))))
            except (RuntimeError, ValueError, IndexError):
                theirs = REFUSED
        assert _ours(kind, attributes, shapes) == theirs

    return check


@pytest.fixture(scope="session")
def same_as_keras() -> Check:
    """Check a kind against ``compute_output_shape`` of a Keras layer."""

    def check(kind: str, attributes: dict[str, Any], shape: tuple[int, ...], make: Callable[[], Any]) -> None:
        try:
            found = make().compute_output_shape(shape)
            theirs: Any = tuple(found) if isinstance(found[0], int) else tuple(tuple(one) for one in found)
        except (ValueError, TypeError):
            theirs = REFUSED
        ours = _ours(kind, attributes, (shape,))
        if REFUSED not in (ours, theirs) and isinstance(theirs[0], int):
            ours = ours[0]
        assert ours == theirs

    return check


@pytest.fixture(scope="session")
def same_as_onnx() -> Check:
    """Check a kind against onnx.shape_inference of one node."""
    import onnx
    from onnx import helper

    def check(
        kind: str,
        attributes: dict[str, Any],
        shapes: tuple[Any, ...],
        node: tuple[str, dict[str, Any]],
        *,
        weights: tuple[Any, ...] = (),
        outputs: int = 1,
        constants: dict[str, list[int]] | None = None,
    ) -> None:
        op, settings = node
        names = [f"x{i}" for i in range(len(shapes) + len(weights))]
        every = [
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
            for name, shape in zip(names, (*shapes, *weights), strict=True)
        ]
        held = [
            helper.make_tensor(name, onnx.TensorProto.INT64, [len(values)], values)
            for name, values in (constants or {}).items()
        ]
        made = [f"y{i}" for i in range(outputs)]
        graph = helper.make_graph(
            [helper.make_node(op, [*names, *(constants or {})], made, **settings)],
            "g",
            every,
            [helper.make_empty_tensor_value_info(name) for name in made],
            held,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
        try:
            found = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph.output
            theirs: Any = tuple(
                tuple(dim.dim_value for dim in one.type.tensor_type.shape.dim) for one in found
            )
        except onnx.shape_inference.InferenceError:
            theirs = REFUSED
        assert _ours(kind, attributes, shapes) == theirs

    return check
