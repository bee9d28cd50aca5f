"""The arguments of a call, and which of them are its inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from shapeinspect_keras.calls.signatures import ASIDE, LISTED, SIGNATURES


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

    def by_role(self, layer: str) -> dict[str, Any]:
        """Return the arguments of a layer's call under the names that its signature gives them.

        Args:
            layer: its class, one with a row in ``SIGNATURES``.

        Example:
            >>> Arguments((Given("x"), None, Given("m"))).by_role("LSTM")
            {'sequences': Given(name='x'), 'mask': Given(name='m')}
        """
        order, args = SIGNATURES[layer].order, tuple(self.args)
        if order[: len(LISTED)] == LISTED and len(args) == 1 and isinstance(args[0], list | tuple):
            args = tuple(args[0])
        elif order[: len(LISTED)] == LISTED and args and isinstance(args[0], list | tuple):
            args = (*args[0], *(None,) * (len(LISTED) - len(args[0])), *args[1:])
        named = {**dict(zip(order, args, strict=False)), **(self.kwargs or {})}
        return {name: value for name, value in named.items() if value is not None}

    def inputs(self, layer: str) -> tuple[str, ...]:
        """List the values that a layer computes its outputs from, each in its role.

        Args:
            layer: its class.

        Returns:
            The values in the order of the vocabulary: a sequence before its initial states; query, key,
            value. Masks change no shape and are left out.

        Example:
            >>> Arguments((Given("q"), Given("v"))).inputs("MultiHeadAttention")
            ('q', 'v', 'v')
            >>> Arguments(([Given("q"), Given("v"), Given("k")],)).inputs("Attention")
            ('q', 'k', 'v')
            >>> Arguments((Given("x"),), {"mask": Given("m"), "initial_state": [Given("h")]}).inputs("GRU")
            ('x', 'h')
        """
        signature = SIGNATURES.get(layer)
        if signature is None:
            kwargs = {name: value for name, value in (self.kwargs or {}).items() if name not in ASIDE}
            return tuple(
                item.name for item in _operands((list(self.args), kwargs)) if isinstance(item, Given)
            )
        roles = self.by_role(layer)
        for missing, stand_in in signature.defaults:
            if missing not in roles and stand_in in roles:
                roles[missing] = roles[stand_in]
        read = [roles[name] for name in signature.inputs if name in roles]
        return tuple(item.name for item in _operands(read) if isinstance(item, Given))


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
