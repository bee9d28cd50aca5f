"""Runs a copy of a model for real, on the user's own weights, within limits, and changes none of them.

Weights are shared, all other tensors are copied. An operation that would write to a shared weight is stopped
before it writes, and the run begins again with a copy of that weight.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from shapeinspect.plugin_api import clock
from shapeinspect_torch.storages import address
from shapeinspect_torch.tensor_values import whole
from shapeinspect_torch.tracing.dispatch_mode import DEVICE_FLAGS, Listener, function_name
from shapeinspect_torch.tracing.meta_copy import cloned

#: A run may take so many seconds, or so many times as long as the call that failed.
SECONDS, TIMES = 2.0, 3.0
#: A run may take so much of the memory that is available when it begins.
_SHARE = 0.5
_HALF = "a real run takes more than half of the memory that is available"
#: How many bytes of results are made between two looks at the memory.
_BETWEEN = 32 << 20

T = TypeVar("T")


class LimitError(RuntimeError):
    """A real run was stopped at a limit.

    Args:
        reason: which one, as a clause.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class _WritesError(RuntimeError):
    """A weight that is shared with the user's model would be written to."""


class RealRun:
    """What one real run shares with the user's model, and its limits.

    Args:
        seconds: how long it may take.
        copied: the ``id`` of each weight that is copied because the model writes to it.
    """

    def __init__(self, seconds: float = SECONDS, copied: frozenset[int] = frozenset()) -> None:
        self._seconds, self._copied = seconds, copied
        self._end = 0.0
        self._shared: dict[int, int] = {}
        self._bytes = 0
        self._floor: dict[str, float] = {}
        #: The weights that would have been written to.
        self.written: set[int] = set()

    def tensor(self, tensor: Any) -> Any:
        """Copy a tensor: a weight shares its numbers, any other keeps its strides and has numbers of its own.

        Args:
            tensor: a tensor of the user's.

        Raises:
            LimitError: if other processes have a part of it.
        """
        import torch

        held = whole(tensor)
        if held is None:
            raise LimitError("a real run takes all of each weight, of which this process has a part")
        if held is not tensor:
            return torch.nn.Parameter(held.detach().clone(), requires_grad=tensor.requires_grad)

        if not isinstance(tensor, torch.nn.Parameter):
            return _with_strides(tensor)
        if torch.nn.parameter.is_lazy(tensor):
            return type(tensor)(tensor.requires_grad, device=tensor.device, dtype=tensor.dtype)
        place = address(tensor)
        if id(tensor) in self._copied or place is None:  # where it has no address, no write to it is seen
            return cloned(tensor)
        self._shared[place] = id(tensor)
        new = torch.nn.Parameter(tensor.detach(), requires_grad=tensor.requires_grad)
        if type(tensor) is not torch.nn.Parameter:
            new = torch.Tensor._make_subclass(type(tensor), tensor.detach(), tensor.requires_grad)
        new.__dict__.update(getattr(tensor, "__dict__", {}))
        return new

    @contextlib.contextmanager
    def mode(self, listener: Listener) -> Iterator[None]:
        """Report every call to a listener, and hold the limits.

        Args:
            listener: is called with every call of the user's code.

        Raises:
            LimitError: if the run takes too long or too much memory.
        """
        import torch

        self._end = clock.now() + clock.allowed(self._seconds)
        try:
            with _guard(self), _listening(listener):
                yield
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise LimitError("a real run takes more memory than there is") from error

    def before(self, writes: list[Any]) -> None:
        """Check the limit of time, and what an operation writes to.

        Args:
            writes: the tensors that it writes to.

        Raises:
            LimitError: if the time is over.
        """
        if clock.now() > self._end:
            raise LimitError(f"a real run takes more than {clock.allowed(self._seconds):.0f} s")
        hit = [self._shared[place] for tensor in writes if (place := address(tensor)) in self._shared]
        if hit:
            self.written.update(hit)
            raise _WritesError

    def after(self, results: list[Any]) -> None:
        """Check the limit of memory.

        Args:
            results: the tensors that an operation has made.

        Raises:
            LimitError: if less than the run has to leave is available.
        """
        for tensor in results:
            self._bytes += tensor.numel() * tensor.element_size()
        if self._bytes < _BETWEEN or not results:
            return
        self._bytes = 0
        device = results[0].device
        left = _available(device)
        floor = self._floor.setdefault(str(device), left * (1 - _SHARE))
        if left < floor:
            raise LimitError(_HALF)


def unwritten(run: Callable[[RealRun], T], seconds: float = SECONDS) -> T:
    """Run something for real, again for as long as it would write to weights that are shared.

    Args:
        run: makes the copy with ``RealRun.tensor`` and runs it under ``RealRun.mode``.
        seconds: how long each run may take.
    """
    copied: frozenset[int] = frozenset()
    while True:
        real = RealRun(seconds, copied)
        try:
            result = run(real)
        except Exception:
            if not real.written:
                raise
        else:
            if not real.written:
                return result
        copied |= real.written


def room_for(size: int, device: Any) -> None:
    """Raise where something takes more of a device's memory than a real run may.

    Args:
        size: its bytes.
        device: the device.

    Raises:
        LimitError: if it does.
    """
    if size > _available(device) * _SHARE:
        raise LimitError(_HALF)


def _with_strides(tensor: Any) -> Any:
    """Return a copy with the strides of a tensor, also where entries share memory or lie apart."""
    import torch

    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_nested or tensor.is_meta:
        return cloned(tensor)
    if type(tensor) is not torch.Tensor or not tensor.numel():
        return cloned(tensor)
    plain = tensor.detach()
    span = 1 + sum((length - 1) * step for length, step in zip(plain.shape, plain.stride(), strict=True))
    memory = plain.as_strided((span,), (1,)).clone()
    new = memory.as_strided(plain.shape, plain.stride(), 0)
    return new.detach().requires_grad_(tensor.requires_grad)


def _available(device: Any) -> float:
    """Return how many bytes are available on a device; infinite where the system does not say."""
    import torch

    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            lines = dict(line.split(":") for line in file)
        return float(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return float("inf")


def _listening(listener: Listener) -> contextlib.AbstractContextManager[Any]:
    from torch.overrides import TorchFunctionMode

    class Listening(TorchFunctionMode):  # type: ignore[misc]  # torch is read as Any
        def __torch_function__(
            self, func: Any, _types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
        ) -> Any:
            kwargs = dict(kwargs or {})
            if function_name(func) in _PLAIN:
                return func(*args, **kwargs)
            return listener(func, args, kwargs, lambda: func(*args, **kwargs))

    return Listening()


#: What a tensor says of itself.
_PLAIN = frozenset((*DEVICE_FLAGS, "device", "shape", "dtype", "layout", "requires_grad", "get_device"))


def _guard(run: RealRun) -> contextlib.AbstractContextManager[Any]:
    from torch.utils._python_dispatch import TorchDispatchMode

    written: dict[Any, list[tuple[int, str]]] = {}

    class Guard(TorchDispatchMode):  # type: ignore[misc]  # torch is read as Any
        @classmethod
        def _should_skip_dynamo(cls) -> bool:
            return False  # else torch imports its compiler at the first operation, to keep it out of here

        def __torch_dispatch__(
            self, func: Any, _types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
        ) -> Any:
            kwargs = kwargs or {}
            if func not in written:
                written[func] = _written(func)
            run.before(_arguments(written[func], args, kwargs))
            result = func(*args, **kwargs)
            run.after(_flat(result))
            return result

    return Guard()


def _written(func: Any) -> list[tuple[int, str]]:
    """Return the position and the name of each argument that an operation writes to."""
    return [
        (position, argument.name)
        for position, argument in enumerate(func._schema.arguments)
        if argument.alias_info is not None and argument.alias_info.is_write
    ]


def _arguments(places: list[tuple[int, str]], args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
    return [
        tensor
        for position, name in places
        for tensor in _flat(args[position] if position < len(args) else kwargs.get(name))
    ]


def _flat(value: Any) -> list[Any]:
    import torch

    values = value if isinstance(value, (list, tuple)) else (value,)
    return [part for part in values if isinstance(part, torch.Tensor)]
