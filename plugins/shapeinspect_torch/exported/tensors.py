"""Tensors in torch.export's JSON: element types, lengths, and the arguments of ops.

Source: ``torch/_export/serde/schema.py`` (``ScalarType``, ``TensorMeta``, ``SymInt``, ``Argument``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from shapeinspect.dims import UNKNOWN, Dim
from shapeinspect.errors import UnreadableFileError
from shapeinspect_torch.exported.dims import read_dim
from shapeinspect_torch.pickles.tensors import Storage, Tensor
from shapeinspect_torch.vocabulary.aten import Argument
from shapeinspect_torch.vocabulary.dtypes import BITS

#: The schema's codes of element types.
DTYPES = {
    1: "uint8",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    6: "float16",
    7: "float32",
    8: "float64",
    9: "complex32",
    10: "complex64",
    11: "complex128",
    12: "bool",
    13: "bfloat16",
    28: "uint16",
    29: "float8_e4m3fn",
    30: "float8_e5m2",
    31: "float8_e4m3fnuz",
    32: "float8_e5m2fnuz",
    33: "float8_e8m0fnu",
    34: "uint32",
    35: "uint64",
}
_MAX_RANK = 64
_MAX_LENGTH = 2**63 - 1


class Lengths:
    """Reads lengths, each expression once.

    Args:
        label: the file, for errors.
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._known: dict[str, Dim] = {}
        #: The length of each symbol in the example inputs.
        self.hints: dict[str, int] = {}

    @property
    def unread(self) -> list[str]:
        """The expressions that no dimension can represent."""
        return [text for text, dim in self._known.items() if dim == UNKNOWN]

    def length(self, field: Any) -> Dim:
        """Read one length: ``{"as_int": 3}`` or ``{"as_expr": {"expr_str": ...}}``.

        Args:
            field: the length in the file.

        Raises:
            UnreadableFileError: if it is neither, or below 0.
        """
        if isinstance(field, dict) and type(field.get("as_int")) is int:
            if not 0 <= field["as_int"] <= _MAX_LENGTH:
                raise UnreadableFileError(self._label, f"a length is {field['as_int']}"[:200])
            return int(field["as_int"])
        return self.expression(field)

    def expression(self, field: Any) -> Dim:
        """Read an integer of any sign, or an expression.

        Args:
            field: the length in the file.

        Raises:
            UnreadableFileError: if it is neither.
        """
        if isinstance(field, dict) and type(field.get("as_int")) is int:
            return int(field["as_int"])
        inner = field.get("as_expr") if isinstance(field, dict) else None
        text = inner.get("expr_str") if isinstance(inner, dict) else None
        if not isinstance(text, str):
            raise UnreadableFileError(self._label, "a length in it is neither a number nor an expression")
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = read_dim(text)
            hint = inner.get("hint") if isinstance(inner, dict) else None
            if isinstance(hint, dict) and type(hint.get("as_int")) is int:
                self.hints.setdefault(str(known), hint["as_int"])
        return known

    def argument(self, name: str, meta: Any) -> Argument:
        """Read the description of a tensor of the graph.

        Args:
            name: its name.
            meta: its description in the file.

        Raises:
            UnreadableFileError: if it has no shape.
        """
        sizes = meta.get("sizes") if isinstance(meta, dict) else None
        if not isinstance(sizes, list) or len(sizes) > _MAX_RANK:
            raise UnreadableFileError(self._label, f"tensor {name!r} has no shape")
        return Argument(name, tuple(map(self.length, sizes)), dtype_of(meta))

    def stored(self, name: str, meta: Any, key: str) -> Tensor:
        """Read the description of a stored tensor, whose lengths are all integers.

        Args:
            name: its name.
            meta: its description in the file.
            key: the name of its storage.

        Raises:
            UnreadableFileError: if they are not.
        """
        argument = self.argument(name, meta)
        steps, offset = meta.get("strides"), meta.get("storage_offset")
        if not isinstance(steps, list) or len(steps) != len(argument.shape):
            raise UnreadableFileError(self._label, f"tensor {name!r} has a shape without strides")
        numbers = [*argument.shape, *map(self.length, steps), self.length(offset)]
        shape = tuple(number for number in numbers if isinstance(number, int))
        if len(shape) != len(numbers):
            raise UnreadableFileError(
                self._label, f"the stored tensor {name!r} has a length that is no number"
            )
        rank = len(argument.shape)
        storage = None if argument.dtype is None else Storage(key, argument.dtype, 0)
        grad = meta.get("requires_grad") is True
        return Tensor(shape[:rank], argument.dtype, shape[rank:-1], shape[-1], storage, False, grad)


def dtype_of(meta: Any) -> str | None:
    """Return the element type of a tensor's description, or None for one that is not known.

    Args:
        meta: its description in the file.

    Example:
        >>> dtype_of({"dtype": 13})
        'bfloat16'
    """
    number = meta.get("dtype")
    dtype = DTYPES.get(number) if type(number) is int else None
    return dtype if dtype in BITS else None


def decode(argument: Any, tensor: Callable[[str], Argument | None], number: Callable[[Any], Any]) -> Any:
    """Read one argument of an op: a plain value, a tensor, a length, or a list of these.

    Args:
        argument: the argument in the file, such as ``{"as_ints": [2, 2]}``.
        tensor: returns a tensor by its name.
        number: reads a symbolic number.

    Returns:
        The value; None for None and for what is not used (devices, layouts, objects).

    Example:
        >>> decode({"as_ints": [2, 2]}, lambda _: None, int)
        [2, 2]
    """
    if not isinstance(argument, dict) or len(argument) != 1:
        return None
    ((form, value),) = argument.items()
    if form in _PLAIN:
        return value
    read = _FORMS.get(form)
    return None if read is None else read(value, tensor, number)


def _tensor(value: Any, tensor: Callable[[str], Argument | None], _number: Any) -> Argument | None:
    name = value.get("name") if isinstance(value, dict) else None
    return tensor(name) if isinstance(name, str) else None


def _optional(value: Any, tensor: Callable[[str], Argument | None], number: Any) -> Argument | None:
    return _tensor(value.get("as_tensor"), tensor, number) if isinstance(value, dict) else None


def _each(read: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
    return lambda value, tensor, number: [read(part, tensor, number) for part in value]


def _number(value: Any, _tensor: Any, number: Callable[[Any], Any]) -> Any:
    return number(value)


def _dtype(value: Any, _tensor: Any, _number: Any) -> str | None:
    return DTYPES.get(value) if type(value) is int else None


_PLAIN = frozenset({
    "as_int", "as_ints", "as_float", "as_floats", "as_string", "as_strings", "as_bool", "as_bools",
    "as_int_lists",
})  # fmt: skip
_FORMS: Mapping[str, Callable[[Any, Any, Any], Any]] = {
    "as_tensor": _tensor,
    "as_tensors": _each(_tensor),
    "as_optional_tensor": _optional,
    "as_optional_tensors": _each(_optional),
    "as_nested_tensors": _each(_each(_tensor)),
    "as_sym_int": _number,
    "as_sym_ints": _each(_number),
    "as_scalar_type": _dtype,
}
