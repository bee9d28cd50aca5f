"""Watches a second run of a program of torch: what every function makes of the lengths, and what fails."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from shapeinspect.plugin_api.origins.literals import Literal
from shapeinspect.plugin_api.origins.numbers import Number, Origin, made, origin_of, refusals, watchers
from shapeinspect.plugin_api.programs.follower import Follower
from shapeinspect_torch.debug.origins.arrays import seen
from shapeinspect_torch.debug.origins.axes import Axes, after, axes_of, keep, plain_shape, tensors_in
from shapeinspect_torch.debug.origins.batches import watch
from shapeinspect_torch.debug.origins.stored import Stored, stored_otherwise

#: Tensors of more numbers are not looked at, and of more different ones not all are kept.
_MANY, _DIFFERENT = 4_000_000, 260
#: Attributes of tensors that tell nothing of lengths.
_QUIET = frozenset({"shape", "T", "mT", "H", "mH", "data", "real", "imag"})


@dataclass(frozen=True, slots=True)
class Operand:
    """A tensor that the failed call read.

    Args:
        name: the parameter that it was passed for; empty where that is not known.
        shape: its shape.
        axes: where each of its lengths comes from.
        is_mask: whether it holds truth values.
        values: the different whole numbers that it holds, in order, the last one the largest; empty where
            they are none, or too many to be looked at.
    """

    name: str
    shape: tuple[int, ...]
    axes: Axes
    is_mask: bool = False
    values: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """The call that failed in the second run.

    Args:
        function: the function of torch; empty where none failed.
        operands: the tensors that it read.
        numbers: the numbers that it was given.
        layer: the class of the innermost module around it; empty for none.
        settings: the integer settings of that module.
        given: the tensors that the module was called with.
        batch_first: what the module says of the order of its axes.
        asked: all whole numbers that it was given, also those of which nothing is known.
        stored: what a file has stored with other lengths.
        building: whether a layer of torch's own refused the numbers with which it was to be made.
        idle: the layers beside it that were made before it and were never called: the name of each, and what
            its weights take and give.
    """

    function: str
    operands: tuple[Operand, ...]
    numbers: tuple[Origin, ...]
    layer: str = ""
    settings: tuple[tuple[str, Origin], ...] = ()
    given: tuple[Operand, ...] = ()
    batch_first: bool = False
    idle: tuple[tuple[str, int, int], ...] = ()
    asked: tuple[Origin, ...] = ()
    stored: tuple[Stored, ...] = ()
    building: bool = False


def as_before() -> None:
    """Let torch run in a copy of this process, with the draws of the first run, and load data in it."""
    import torch

    torch.set_num_threads(1)  # threads do not survive a fork
    torch.manual_seed(torch.initial_seed())
    load_in_this_process()


def load_in_this_process() -> None:
    """Let loaders start no processes of their own; this process ends soon."""
    from torch.utils.data import DataLoader

    load = DataLoader.__init__

    def alone(self: Any, *args: Any, **kwargs: Any) -> None:
        args = (*args[:5], 0, *args[6:]) if len(args) > 5 else args
        for name in ("num_workers", "prefetch_factor", "persistent_workers", "timeout"):
            kwargs.pop(name, None)
        kwargs.pop("multiprocessing_context", None)
        load(self, *args, **kwargs)

    DataLoader.__init__ = alone


class TorchFollower(Follower):
    """Follows lengths through torch."""

    def __init__(self) -> None:
        self._files: frozenset[str] = frozenset()
        self._failed: dict[int, tuple[BaseException, str, Any, dict[str, Any]]] = {}
        self._ran: set[int] = set()
        self._around: dict[int, list[Any]] = {}
        self._inside: dict[int, tuple[Any, Any, dict[str, Any]]] = {}
        #: Where torch's own layers are made, and those that are running.
        self._made: dict[int, tuple[str, int]] = {}
        self._running: list[Any] = []
        self._refused: dict[int, tuple[str, Any, dict[str, Any]]] = {}

    @contextmanager
    def watching(self, literals: Sequence[Literal]) -> Iterator[None]:
        """Watch while the program runs; see :class:`Follower`.

        Args:
            literals: the literals of the program, by their number.
        """
        import torch

        self._files = frozenset(literal.file for literal in literals)
        with ExitStack() as stack:
            _patch(self, torch)
            watchers.append(seen)
            refusals.append(self.refuses)
            stack.enter_context(_mode(self))
            yield

    def place(self) -> tuple[str, int]:
        """Return the user's line that is running."""
        frame: Any = sys._getframe(2)
        while frame is not None:
            if frame.f_code.co_filename in self._files:
                return frame.f_code.co_filename, frame.f_lineno
            frame = frame.f_back
        return "", 0

    def fails(self, error: BaseException, name: str, args: Any, kwargs: dict[str, Any]) -> None:
        """Keep what a function was called with that raised.

        Args:
            error: what it raised.
            name: the function's name.
            args: its arguments.
            kwargs: its keyword arguments.
        """
        if name == "__setitem__" and len(args) == 3:
            part = _part(args[0], args[1], self.place())
            name, args = ("__getitem__", args[:2]) if part is None else (name, (part, args[2]))
        self._failed.setdefault(id(error), (error, name, args, kwargs))

    def enters(self, error: BaseException, module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        """Keep the modules in which an exception was raised, and what the innermost one was called with.

        Args:
            error: what was raised.
            module: a module that it passed through, the innermost first.
            args: the module's arguments.
            kwargs: its keyword arguments.
        """
        self._inside.setdefault(id(error), (module, args, kwargs))
        self._around.setdefault(id(error), []).append(module)

    def refuses(self, error: BaseException, function: Any, args: Any, kwargs: dict[str, Any]) -> None:
        """Keep the numbers with which a layer of torch's own could not be made.

        Args:
            error: what was raised.
            function: what was called.
            args: its arguments.
            kwargs: its keyword arguments.
        """
        if isinstance(function, type) and function.__module__.startswith("torch.nn."):
            self._refused.setdefault(id(error), (function.__name__, args, kwargs))

    def makes(self, module: Any) -> None:
        """Keep where a layer of torch's own is made.

        Args:
            module: a module that begins to be; another one may have been at its address.
        """
        self._made.pop(id(module), None)
        if type(module).__module__.startswith("torch.nn."):
            self._made[id(module)] = self.place()

    @contextmanager
    def runs(self, module: Any) -> Iterator[None]:
        """Keep that a module is called.

        Args:
            module: the module.
        """
        self._ran.add(id(module))
        self._running.append(module)
        try:
            yield
        finally:
            self._running.pop()

    def layer(self) -> tuple[str, int] | None:
        """Return where the layer of torch's own is made that is running; None for other code."""
        return self._made.get(id(self._running[-1])) if self._running else None

    def _idle(self, error: BaseException) -> Iterator[tuple[str, int, int]]:
        """Yield the layers before the failed one, in the modules around it, that were never called."""
        around = self._around.get(id(error), [])
        for inner, outer in pairwise(around):
            children = list(outer.named_children())
            holding = (
                at for at, (_, one) in enumerate(children) if any(part is inner for part in one.modules())
            )
            for name, child in children[: next(holding, 0)]:
                parts = [(type(one).__name__, one.weight) for one in child.modules() if _has_weight(one)]
                if parts and self._ran.isdisjoint(map(id, child.modules())):
                    taken, given = (plain_shape(weight)[:2][::-1] for _, weight in (parts[0], parts[-1]))
                    turned = [kind.startswith("ConvTranspose") for kind, _ in (parts[0], parts[-1])]
                    yield name, taken[turned[0]], given[1 - turned[1]]

    def found(self, error: BaseException | None) -> Found | None:
        """Return the call that failed; see :class:`Follower`.

        Args:
            error: what the program ended with; None at its own end.
        """
        if error is None:
            return None
        failed, inside = self._failed.get(id(error)), self._inside.get(id(error))
        stored = stored_otherwise(error)
        if failed is None and inside is None:
            return self._unmade(error) or (Found("", (), (), stored=stored) if stored else None)
        _, name, args, kwargs = failed or (error, "", (), {})
        layer, batch_first = "", False
        settings: tuple[tuple[str, Origin], ...] = ()
        given: tuple[Operand, ...] = ()
        if inside is not None:
            module, layer = inside[0], type(inside[0]).__name__
            batch_first = getattr(module, "batch_first", False) is True
            settings = tuple(
                (key, value.origin)
                for key, held in vars(module).items()
                for value in (held[:1] if isinstance(held, tuple) else (held,))
                if isinstance(value, Number)
            )
            given = _operands(inside[1], inside[2])
        given_numbers = _numbers(args, kwargs)
        numbers = tuple(value.origin for value in given_numbers if isinstance(value, Number))
        asked = tuple(map(origin_of, given_numbers))
        idle = tuple(self._idle(error))
        return Found(name, _operands(args, kwargs), numbers, layer, settings, given, batch_first, idle, asked)

    def _unmade(self, error: BaseException) -> Found | None:
        """Return the layer that could not be made; None where none refused its numbers."""
        if id(error) not in self._refused:
            return None
        name, args, kwargs = self._refused[id(error)]
        numbers = _numbers(args, kwargs)
        known = tuple(value.origin for value in numbers if isinstance(value, Number))
        return Found(name, (), known, asked=tuple(map(origin_of, numbers)), building=True)


def _numbers(args: Any, kwargs: dict[str, Any]) -> list[Any]:
    """Return the whole numbers among arguments, and those in their lists."""
    return [
        value
        for one in (*args, *kwargs.values())
        for value in (one if isinstance(one, list | tuple) else (one,))
        if type(value) in (int, Number)
    ]


def _part(tensor: Any, index: Any, place: tuple[str, int]) -> Any:
    """Return the part of a tensor that is written to; None where there is no such part."""
    try:
        part = tensor[index]
    except Exception:  # noqa: BLE001  # the index itself may be what fails
        return None
    keep(part, after("__getitem__", (tensor, index), {}, plain_shape(part), place))
    return part


def _has_weight(module: Any) -> bool:
    import torch

    weight = getattr(module, "weight", None)
    table = isinstance(module, torch.nn.Embedding | torch.nn.EmbeddingBag)
    return isinstance(weight, torch.Tensor) and weight.dim() > 1 and not table


def _operands(args: Any, kwargs: dict[str, Any]) -> tuple[Operand, ...]:
    named = [("", one) for one in tensors_in(args)]
    named += [(name, one) for name, value in kwargs.items() for one in tensors_in((value,))]
    return tuple(
        Operand(name, plain_shape(one), axes_of(one), _is_mask(one), _numbers_in(one)) for name, one in named
    )


def _numbers_in(tensor: Any) -> tuple[int, ...]:
    """Return the different whole numbers of a tensor, the first ones and the last one."""
    import torch

    real = type(tensor) in (torch.Tensor, torch.nn.Parameter) and tensor.layout == torch.strided
    whole = tensor.dtype in (torch.int64, torch.int32, torch.int16, torch.uint8, torch.int8)
    if not real or not whole or tensor.is_meta or not 0 < tensor.numel() <= _MANY:
        return ()
    with torch._C.DisableTorchFunction():
        found = [int(one) for one in torch.unique(tensor.detach()).tolist()]
    return tuple(found if len(found) <= _DIFFERENT else [*found[: _DIFFERENT - 1], found[-1]])


def _is_mask(tensor: Any) -> bool:
    import torch

    return bool(tensor.dtype == torch.bool)


def _patch(follower: TorchFollower, torch: Any) -> None:
    """Follow what torch's functions do not tell; this process ends soon."""
    make, call = torch.nn.Parameter.__new__, torch.nn.Module.__call__
    begin = torch.nn.Module.__init__

    def parameter(cls: Any, data: Any = None, requires_grad: bool = True) -> Any:
        new = make(cls, data, requires_grad) if data is not None else make(cls, requires_grad=requires_grad)
        if data is not None:
            keep(new, axes_of(data))
        return new

    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        with follower.runs(self):
            try:
                return call(self, *args, **kwargs)
            except Exception as error:
                follower.enters(error, self, args, kwargs)
                raise

    def begun(self: Any, *args: Any, **kwargs: Any) -> None:
        follower.makes(self)
        begin(self, *args, **kwargs)

    torch.serialization.add_safe_globals([int, float])  # as which numbers that remember are saved
    torch.nn.Parameter.__new__ = staticmethod(parameter)
    torch.nn.Module.__call__, torch.nn.Module.__init__ = called, begun
    watch(follower.place)


def _mode(follower: TorchFollower) -> Any:
    from torch.overrides import TorchFunctionMode

    class Following(TorchFunctionMode):  # type: ignore[misc]  # torch is read as Any
        """Keeps where the lengths come from after each function."""

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            del types
            kwargs = kwargs or {}
            name = str(getattr(func, "__name__", func))
            if name == "__get__":
                name = str(getattr(getattr(func, "__self__", None), "__name__", ""))
                if name not in _QUIET:
                    return func(*args, **kwargs)
            if name in ("shape", "size", "numel", "nelement", "__len__"):
                return _asked(name, func, args, kwargs)
            try:
                result = func(*args, **kwargs)
            except Exception as error:
                follower.fails(error, name, args, kwargs)
                raise
            _kept(follower, name, args, kwargs, result)
            return result

    return Following()


def _kept(follower: TorchFollower, name: str, args: Any, kwargs: dict[str, Any], result: Any) -> None:
    import torch

    results = (
        (result,) if isinstance(result, torch.Tensor) else result if isinstance(result, list | tuple) else ()
    )
    place: tuple[str, int] | None = None
    for one in results:
        if isinstance(one, torch.Tensor) and not any(one is given for given in args):
            place = place or follower.place()
            axes = after(name, args, kwargs, plain_shape(one), place)
            keep(one, _by_layer(axes, name, place, follower.layer()))


def _by_layer(axes: Axes, name: str, place: tuple[str, int], layer: tuple[str, int] | None) -> Axes:
    """Say of the lengths that a function has just made which layer it belongs to."""
    if layer is None:
        return axes
    return tuple(
        replace(one, layer=layer)
        if one is not None and one.kind == "axis" and (one.symbol, one.file, one.line) == (name, *place)
        else one
        for one in axes
    )


def _asked(name: str, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Return a length, or all of them, with where they come from."""
    import torch

    result = func(*args, **kwargs)
    axes = axes_of(args[0])
    if isinstance(result, torch.Size):
        return torch.Size(
            [int(n) if one is None else Number(int(n), one) for n, one in zip(result, axes, strict=True)]
        )
    if name == "size" and len(args) + len(kwargs) > 1:
        one = axes[int(args[1] if len(args) > 1 else next(iter(kwargs.values())))]
        return result if one is None else Number(int(result), one)
    if name in ("numel", "nelement"):
        known = [Number(one.value, one) for one in axes if one is not None]
        return made("*", int(result), *known)
    return result
