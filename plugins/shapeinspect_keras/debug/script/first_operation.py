"""The moment before TensorFlow starts its threads: until then, and no longer, a process can be copied."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

#: The module whose ``Context`` starts the threads, when the first operation is run.
_MODULE = "tensorflow.python.eager.context"


@contextmanager
def before_first_operation(call: Callable[[], object]) -> Iterator[None]:
    """Call something once, before TensorFlow runs its first operation; never where it is not imported.

    Args:
        call: what is called.
    """
    if _MODULE in sys.modules:
        yield
        return
    ended: list[Callable[[], None]] = []
    finder = _Finder(lambda module: ended.append(_watched(module.Context, call)))
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)
        for end in ended:
            end()


def _watched(context: Any, call: Callable[[], object]) -> Callable[[], None]:
    start = context.ensure_initialized

    def end() -> None:
        context.ensure_initialized = start

    @functools.wraps(start)
    def first(self: Any) -> Any:
        end()
        if not _holds_a_device(self):
            call()
        return start(self)

    context.ensure_initialized = first
    return end


def _holds_a_device(context: Any) -> bool:
    """Tell whether a device is in use already, which a copy could not use."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return True
    devices = getattr(context, "_physical_devices", None) or ()
    return any(device.device_type != "CPU" for device in devices)


class _Finder(MetaPathFinder):
    """Finds the module as Python does, and has something called when it has been imported."""

    def __init__(self, imported: Callable[[ModuleType], object]) -> None:
        self._imported = imported

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find the module; see :class:`importlib.abc.MetaPathFinder`."""
        if fullname != _MODULE:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path, target)
        loader: Any = None if spec is None else spec.loader
        if loader is not None and hasattr(loader, "exec_module"):
            run = loader.exec_module

            def run_and_tell(module: ModuleType) -> None:
                run(module)
                self._imported(module)

            loader.exec_module = run_and_tell
        return spec
