"""What reading costs: no numpy and no package onnx for a usual file; and what stands in for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, defs, helper, numpy_helper

from shapeinspect_onnx.graph.inputs import names
from shapeinspect_onnx.reading.numbers import numbers

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light/light_resnet50.onnx"


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, str(LIGHT)], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout.strip()


def test_a_usual_file_needs_neither_numpy_nor_the_package_onnx() -> None:
    code = """if True:
        import sys
        from shapeinspect import inspect
        str(inspect(sys.argv[1]))
        print(sorted({"onnx", "numpy"} & set(sys.modules)), "google.protobuf" in sys.modules)
    """
    assert run(code) == "[] True"


@pytest.mark.parametrize("order", [("read", "onnx"), ("onnx", "read")])
@pytest.mark.parametrize("implementation", ["upb", "python"])
def test_there_is_one_set_of_message_classes(order: tuple[str, str], implementation: str) -> None:
    steps = {"read": "report = inspect(sys.argv[1])", "onnx": "import onnx"}
    code = f"""if True:
        import os, sys
        os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = {implementation!r}
        from shapeinspect import inspect
        {steps[order[0]]}
        {steps[order[1]]}
        from google.protobuf.internal import api_implementation
        from shapeinspect_onnx.reading.messages import messages
        ours = messages()
        assert ours.ModelProto is onnx.ModelProto is onnx.onnx_ml_pb2.ModelProto
        assert ours.TensorProto is onnx.TensorProto and ours.TypeProto.Tensor is onnx.TypeProto.Tensor
        model = onnx.load(sys.argv[1])
        onnx.checker.check_model(model)
        assert inspect(model).totals == report.totals
        print(api_implementation.Type())
    """
    assert run(code) == implementation


def test_the_names_of_inputs_are_those_of_onnx() -> None:
    checked = 0
    for schema in defs.get_all_schemas_with_history():
        if schema.domain or schema.deprecated:
            continue
        real = tuple(entry.name for entry in schema.inputs)
        ours = names(schema.name, schema.since_version, "")
        assert ours[: len(real)] == real, (schema.name, schema.since_version)
        newest = defs.get_schema(schema.name)
        if schema.since_version == newest.since_version:
            assert ours == real, schema.name
        checked += 1
    assert checked > 400
    assert names("NoSuchOperator", 17, "") == ()
    assert names("NoSuchOperator", 1 << 40, "") == names("NoSuchOperator", -1, "") == ()


CODES = sorted(set(TensorProto.DataType.values()) - {TensorProto.UNDEFINED, TensorProto.STRING})


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("raw", [True, False])
def test_numbers_are_those_of_onnx(code: int, raw: bool) -> None:
    kind = helper.tensor_dtype_to_np_dtype(code)
    zero = 2 if code == TensorProto.FLOAT8E8M0 else 0  # it has no zero
    values = np.array([[zero, 1, 1], [1, zero, 1]]).astype(kind)
    if raw:
        tensor = numpy_helper.from_array(values)
        assert tensor.HasField("raw_data")
    else:
        tensor = helper.make_tensor("t", code, values.shape, values.flatten())
    assert numbers(tensor) == numpy_helper.to_array(tensor).reshape(-1).tolist()
    if raw:
        tensor.dims[0] = 3
        assert numbers(tensor) is None


def test_numbers_of_signed_types_texts_and_truths() -> None:
    for values in (np.array([-3, 7], np.int64), np.array([-1.5], np.float32), np.array(-2, np.int8)):
        assert numbers(numpy_helper.from_array(values)) == values.reshape(-1).tolist()
    truths = numbers(numpy_helper.from_array(np.array([True, False])))
    assert truths is not None
    assert [type(one) for one in truths] == [bool, bool]
    text = helper.make_tensor("t", TensorProto.STRING, [2], ["a", "b\u00e9"])
    assert numbers(text) == ["a", "b\u00e9"]
    assert numbers(TensorProto(data_type=TensorProto.INT64, dims=[2], int64_data=[1])) is None
