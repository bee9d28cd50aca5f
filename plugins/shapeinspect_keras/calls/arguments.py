"""The arguments of a call, and which of them are its inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

#: The layers that are called as ``layer(query, value, key)`` or on a list of the three.
#: Source: ``call`` of keras/src/layers/attention/multi_head_attention.py, grouped_query_attention.py and
#: attention.py, 3.15.
_ATTENTION = frozenset(
    {"MultiHeadAttention", "GroupedQueryAttention", "GroupQueryAttention", "Attention", "AdditiveAttention"}
)
_ORDER = ("query", "value", "key")


@dataclass(frozen=True, slots=True)
class Given:
    """An argument that is a value of the model.

    Args:
        name: the value.
    """

    name: str


@dataclass(frozen=True, slots=True)
class Array:
    """An argument that is an array of numbers.

    Args:
        shape: its lengths.
        dtype: its element type.
    """

    shape: tuple[int, ...]
    dtype: str


Operand: TypeAlias = "Given | Array"


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of one call, as plain values in their original structures.

    Args:
        args: positional arguments: numbers, slices, tuples, lists, mappings, :class:`Given`, :class:`Array`.
        kwargs: the same by name.

    Example:
        >>> Arguments((Given("x"), 2)).operands("Add")
        (Given(name='x'),)
    """

    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] | None = None

    @property
    def given(self) -> tuple[str, ...]:
        """The values of the model among them, in order."""
        return tuple(
            item.name for item in _operands((list(self.args), self.kwargs)) if isinstance(item, Given)
        )

    def entering(self, keys: Sequence[str], layers: Sequence[str]) -> tuple[str, ...]:
        """List the values that become the inputs of a functional model; those in a mapping go by its keys.

        Args:
            keys: the key of each input, where the model takes a mapping.
            layers: the name of each input layer.

        Example:
            >>> Arguments(({"a": Given("x"), "b": Given("y")},)).entering((), ("b", "a"))
            ('y', 'x')
        """
        argument = self.args[0] if self.args else next(iter((self.kwargs or {}).values()), None)
        if isinstance(argument, Mapping):
            for names in (keys, layers):
                if set(names) == set(argument):
                    argument = [argument[name] for name in names]
                    break
        return tuple(item.name for item in _operands(argument) if isinstance(item, Given))

    def get(self, position: int, name: str) -> Any:
        """Return one argument, None if it is omitted.

        Args:
            position: its place among the positional ones.
            name: its name.
        """
        return self.args[position] if position < len(self.args) else (self.kwargs or {}).get(name)

    def operands(self, operation: str) -> tuple[Operand, ...]:
        """List the operands of an operation of ``keras.ops``: values, and arrays of numbers.

        Args:
            operation: its class.
        """
        if operation == "GetItem":
            return tuple(_operands(self.get(0, "x")))
        if operation == "Take":
            indices = self.get(1, "indices")
            return (*_operands(self.get(0, "x")), *_operands(_array(indices)))
        return tuple(_operands((list(self.args), self.kwargs)))

    def inputs(self, layer: str) -> tuple[str, ...]:
        """List the values that a layer reads; those of an attention as query, key and value.

        Args:
            layer: its class.

        Example:
            >>> Arguments((Given("q"), Given("v"))).inputs("MultiHeadAttention")
            ('q', 'v', 'v')
            >>> Arguments(([Given("q"), Given("v"), Given("k")],)).inputs("Attention")
            ('q', 'k', 'v')
        """
        args = self.args
        if layer not in _ATTENTION:
            return self.given
        if len(args) == 1 and isinstance(args[0], list | tuple):
            args = args[0]
        kwargs = self.kwargs or {}
        named = {name: kwargs[name] for name in _ORDER if kwargs.get(name) is not None}
        result = {**dict(zip(_ORDER, args, strict=False)), **named}
        query, value = result.get("query"), result.get("value")
        key = value if result.get("key") is None else result["key"]
        if isinstance(query, Given) and isinstance(key, Given) and isinstance(value, Given):
            return query.name, key.name, value.name
        return self.given


def _operands(value: Any) -> Iterator[Operand]:
    """List the operands in a structure, mappings in the order of their keys, as Keras flattens them."""
    if isinstance(value, Given | Array):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _operands(item)
    elif isinstance(value, Mapping):
        for key in sorted(value):
            yield from _operands(value[key])


def _array(value: Any) -> Any:
    """Convert plain integers to the array that they become."""
    lengths = rectangle(value)
    return value if lengths is None else Array(lengths, "int32")


def rectangle(value: Any) -> tuple[int, ...] | None:
    """Return the lengths of nested lists of numbers, or None if they are ragged or contain anything else.

    Args:
        value: a number, or lists of numbers.

    Example:
        >>> rectangle([[1, 2, 3], [4, 5, 6]]), rectangle(7), rectangle([[1], [2, 3]])
        ((2, 3), (), None)
    """
    if isinstance(value, int | float | str):
        return ()
    if not isinstance(value, list | tuple):
        return None
    inner = {rectangle(item) for item in value}
    lengths = next(iter(inner)) if len(inner) == 1 else () if not value else None
    return None if lengths is None else (len(value), *lengths)
