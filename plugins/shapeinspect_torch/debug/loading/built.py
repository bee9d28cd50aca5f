"""The settings with which the user's module would fit a checkpoint, found by building it again."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Iterator
from typing import Any

from shapeinspect.plugin_api.user_code.build_search import counts, search
from shapeinspect.plugin_api.user_code.constructions import Construction
from shapeinspect_torch.debug.loading.keys import Shapes, match, shapes_of_module
from shapeinspect_torch.tracing.guard import undisturbed

#: A module of more numbers than this is built on the meta device only.
_NUMBERS = 20_000_000


def rebuilt(
    construction: Construction, have: Shapes, want: Shapes, module: Any
) -> tuple[dict[tuple[str, ...], Any], int]:
    """Return the settings that make a module fit, and how many keys still do not load.

    Args:
        construction: the call that built the module.
        have: the shapes of the state_dict, under the module's keys.
        want: those of the module.
        module: the module.
    """
    now = match(have, want)
    lengths = [
        (a, b)
        for key in now.reshaped
        if len(have[key]) == len(want[key])
        for a, b in zip(have[key], want[key], strict=True)
        if a != b
    ]
    stored, own = counts(have), counts(want)
    lengths += [(stored.get(name, 0), count) for name, count in own.items() if stored.get(name, 0) != count]
    flags = bool(now.missing or now.unexpected)

    def problems(changes: dict[tuple[str, ...], Any]) -> int | None:
        shapes = _shapes(lambda: construction.build(changes), type(module), want)
        return None if shapes is None else match(have, shapes).problems

    if problems({}) != now.problems:
        return {}, now.problems  # it is not what the line alone builds
    return search(construction.settings(), lengths, flags, problems, now.problems, construction.texts())


def _shapes(build: Callable[[], Any], kind: type, want: Shapes) -> Shapes | None:
    new = built(build, want)
    return shapes_of_module(new) if isinstance(new, kind) else None


def built(build: Callable[[], Any], want: Shapes) -> Any:
    """Build a module without numbers, or a small one with them; None where that fails.

    Args:
        build: builds it.
        want: the shapes of the module that there is.
    """
    numbers = sum(_product(shape) for shape in want.values())
    for device in ("meta", "cpu") if numbers < _NUMBERS else ("meta",):
        try:
            with undisturbed(grad=False), contextlib.redirect_stdout(io.StringIO()), _unfilled(device):
                return build()
        except Exception:  # noqa: BLE001, S110  # a constructor may refuse other sizes in any way
            pass
    return None


def _product(shape: tuple[int, ...]) -> int:
    total = 1
    for length in shape:
        total *= length
    return total


#: What fills a new weight with numbers. On the meta device some of these import torch's whole compiler.
_FILLING = re.compile(
    r"(normal|uniform|trunc_normal|xavier\w*|kaiming\w*|orthogonal|zeros|ones|constant|eye|dirac)_"
)


@contextlib.contextmanager
def _unfilled(device: str) -> Iterator[None]:
    """Create tensors on a device, and fill no new weight with numbers."""
    import torch
    from torch.overrides import TorchFunctionMode

    class Unfilled(TorchFunctionMode):  # type: ignore[misc]  # torch is not typed here
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            given = dict(kwargs or {})
            if _FILLING.fullmatch(getattr(func, "__name__", "")):
                return args[0] if args else given["tensor"]
            if func in (torch.randn, torch.rand):
                given.pop("generator", None)
                return torch.empty(*args, **given)
            return func(*args, **given)

    with torch.device(device), Unfilled():
        yield
