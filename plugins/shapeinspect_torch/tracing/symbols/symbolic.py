"""A forward with symbols for lengths: the conditions on them under which it runs as it does at one size.

torch's own symbolic integers carry a number and a symbol; whatever the network's code, or a shape function,
decides by the number is kept as a condition on the symbols. At every size for which all of these
conditions hold, the same code runs and decides the same, so that it ends in the same way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from shapeinspect.plugin_api.regions import Place, Region
from shapeinspect.plugin_api.user_code.frames import traceback_frames, user_place
from shapeinspect.sources.source import Source
from shapeinspect_torch.tracing.dispatch_mode import function_name, without_numbers_mode
from shapeinspect_torch.tracing.guard import undisturbed
from shapeinspect_torch.tracing.inputs import prepare
from shapeinspect_torch.tracing.meta_checks import refuse
from shapeinspect_torch.tracing.meta_copy import Shadow
from shapeinspect_torch.tracing.recorder import PACKAGES
from shapeinspect_torch.tracing.recurrent import RECURRENT, one_step
from shapeinspect_torch.tracing.symbols.conditions import holding
from shapeinspect_torch.tracing.symbols.known_ids import KnownIds, OutsideTableError
from shapeinspect_torch.tracing.symbols.real_checks import RealRefusalError, refuse_inputs, refuse_output
from shapeinspect_torch.tracing.symbols.symbolic_views import multiplied, pooled, reshaped
from shapeinspect_torch.tracing.wrappers import named_modules, unwrap

#: Exceptions of ours in the place of torch's, which a run without numbers does not raise.
_RAISED: dict[type[BaseException], str] = {OutsideTableError: "IndexError", RealRefusalError: "RuntimeError"}
#: Exceptions of these names, or whose text has one of these words, are about the method and not about sizes.
_LIMITS = frozenset(
    {
        *(
            "GuardOnDataDependentSymNode",
            "NotImplementedError",
            "NeedsNumbersError",
            "UnsupportedOperatorException",
        ),
        *("DataDependentOutputException", "DynamicOutputShapeException", "RecursionError", "MemoryError"),
        *(
            "PendingUnbackedSymbolNotFound",
            "UncertainError",
            "TorchRuntimeError",
            "AttributeError",
            "TypeError",
        ),
        *("NameError", "ImportError", "ModuleNotFoundError", "InternalTorchDynamoError", "ZeroDivisionError"),
    }
)
_LIMIT_WORDS = (
    "meta",
    "symint",
    "symbolic",
    "symbol",
    "data-dependent",
    "storage",
    "internal assert",
    "fake",
)


def conditions(source: Source, lengths: Mapping[Place, tuple[str, int]]) -> Region | None:
    """Run a live module's forward with symbols for some lengths of its inputs.

    Args:
        source: the request, with the shapes of the inputs.
        lengths: for an input, by its name or number, and an axis, the name of its length and the number
            that it has in this run.

    Returns:
        what happened, and where else it happens; None if it cannot be run in this way.
    """
    import torch

    model, _ = unwrap(source.target)
    if hasattr(model, "_c"):
        return None
    with _silent(), undisturbed(grad=False), ExitStack() as stack:
        shadow = Shadow()
        copy = shadow.of(model)
        inputs = prepare(source, model, shadow, frozenset())
        symbols = _Symbols()
        fed = {}
        for index, (name, tensor) in enumerate(inputs.names):
            at = {axis: lengths.get((name, axis), lengths.get((index, axis))) for axis in range(tensor.dim())}
            fed[id(tensor)] = symbols.tensor(tensor, {axis: known for axis, known in at.items() if known})
        args, kwargs = torch.utils._pytree.tree_map(
            lambda leaf: fed.get(id(leaf), leaf), (inputs.args, inputs.kwargs)
        )
        first = next(iter((*model.parameters(), *model.buffers())), None)
        device = torch.device("cpu") if first is None or first.is_meta else first.device
        ids = KnownIds(fed.values(), _constants(model, shadow))
        stack.enter_context(symbols.dispatcher())
        stack.enter_context(_plain_flags())
        stack.enter_context(without_numbers_mode(device, _listener(ids)))
        try:
            copy(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  # the user's forward may raise anything
            if _is_limit(error):
                return None
            kind = _RAISED.get(type(error), type(error).__name__)
            text = f"{kind}: {str(error).strip().partition(chr(10))[0]}"
            holds = holding(symbols.guards(), symbols.names)
            hidden = type(error) in _RAISED or "when training" in text
            if holds is None:
                return None
            return Region(False, holds, text, _line(error), hidden, _module(error, copy))
        holds = holding(symbols.guards(), symbols.names)
    if holds is None:
        return None
    if ids.unknown:
        return Region(None, holds, "it looks up numbers in a table that its own code computes")
    return Region(True, holds)


@contextmanager
def _plain_flags() -> Iterator[None]:
    """Let a comparison of lengths be the flag of an attention, as it is where lengths are numbers.

    ``is_causal=query.shape[2] > 1`` is refused by torch's parser of arguments before any mode sees the call;
    a plain flag keeps the comparison as a condition.
    """
    import torch

    attend = torch.nn.functional.scaled_dot_product_attention

    def plain(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = torch.utils._pytree.tree_map_only(torch.SymBool, bool, (args, kwargs))
        return attend(*args, **kwargs)

    torch.nn.functional.scaled_dot_product_attention = plain
    try:
        yield
    finally:
        torch.nn.functional.scaled_dot_product_attention = attend


def _constants(model: Any, shadow: Shadow) -> Iterator[tuple[Any, int]]:
    """Yield the copies of a model's integer buffers, each with the largest number in it."""
    for buffer in model.buffers():
        if not (buffer.is_floating_point() or buffer.is_complex() or buffer.is_meta) and buffer.numel():
            yield shadow.of(buffer), int(buffer.max())


class _Symbols:
    """The symbols of one run, and what was decided by their numbers."""

    def __init__(self) -> None:
        from torch.fx.experimental.symbolic_shapes import ShapeEnv

        self._env = ShapeEnv(specialize_zero_one=False, duck_shape=False)
        self._made: dict[str, Any] = {}
        #: The name of each length, by its symbol.
        self.names: dict[Any, str] = {}

    def tensor(self, tensor: Any, lengths: Mapping[int, tuple[str, int]]) -> Any:
        """Return a tensor on meta with symbols for some of its lengths."""
        import torch

        if not lengths:
            return tensor
        shape = [
            self._length(*lengths[axis]) if axis in lengths else length
            for axis, length in enumerate(tensor.shape)
        ]
        return torch.empty(shape, dtype=tensor.dtype, device="meta")

    def _length(self, name: str, number: int) -> Any:
        from torch._dynamo.source import ConstantSource
        from torch.fx.experimental.symbolic_shapes import DimDynamic

        if name not in self._made:
            place = ConstantSource(f"size_{len(self._made)}")
            symbol = self._env.create_symbol(
                number, place, DimDynamic.DYNAMIC, positive=None, do_not_specialize_zero_one=True
            )
            self.names[symbol] = name
            self._made[name] = self._env.create_symintnode(symbol, hint=number, source=place)
        return self._made[name]

    @staticmethod
    def dispatcher() -> Any:
        """Return the context in which torch's shape functions take symbols."""
        from torch._dispatch.python import enable_python_dispatcher

        return enable_python_dispatcher()

    def guards(self) -> list[Any]:
        """Return every condition that was decided, in order."""
        return [guard.expr for guard in self._env.guards]


def _listener(ids: KnownIds) -> Callable[..., Any]:
    def listen(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], run: Callable[[], Any]) -> Any:
        name = function_name(func)
        ids.check(name, args, kwargs)
        refuse_inputs(name, args, kwargs)
        output = _call(func, name, args, kwargs, run)
        refuse_output(name, output)
        ids.follow(name, args, kwargs, output)
        return output

    return listen


def _call(func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], run: Callable[[], Any]) -> Any:
    """Run one call; what has symbols is left to torch's own shape functions."""
    import torch

    leaves = [part for leaf in torch.utils._pytree.tree_leaves((args, kwargs)) for part in _parts(leaf)]
    tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    has_symbols = any(isinstance(leaf, torch.SymInt | torch.SymFloat | torch.SymBool) for leaf in leaves)
    if not tensors and has_symbols:
        return func(*args, **{**kwargs, "device": "meta"}) if name in _MAKERS else func(*args, **kwargs)
    if not has_symbols and not any(one.is_meta and one._has_symbolic_sizes_strides for one in tensors):
        return run()
    if name in RECURRENT:
        return one_step(func, args, kwargs)
    for answer_of in (refuse, reshaped, pooled, multiplied):
        answer = answer_of(name, args, kwargs)
        if answer is not None:
            return answer
    args, kwargs = torch.utils._pytree.tree_map(_on_meta, (args, kwargs))
    return func(*args, **kwargs)


def _parts(leaf: Any) -> tuple[Any, ...]:
    return (leaf.start, leaf.stop, leaf.step) if isinstance(leaf, slice) else (leaf,)


_MAKERS = frozenset(
    {
        *(
            "arange",
            "range",
            "linspace",
            "logspace",
            "zeros",
            "ones",
            "full",
            "eye",
            "rand",
            "randn",
            "randint",
        ),
        *("randperm", "normal", "empty", "empty_strided", "tril_indices", "triu_indices", "hann_window"),
    }
)


def _on_meta(leaf: Any) -> Any:
    import torch

    if isinstance(leaf, torch.Tensor) and not leaf.is_meta and leaf.dim():
        return torch.empty_strided(leaf.shape, leaf.stride(), dtype=leaf.dtype, device="meta")
    return leaf


def _is_limit(error: BaseException) -> bool:
    """Tell whether an exception is about running with symbols, or may be."""
    if type(error) in _RAISED:
        return False
    if {kind.__name__ for kind in type(error).__mro__} & _LIMITS:
        return True
    module = str(type(error).__module__)
    text = str(error).lower()
    return module.startswith(("torch.", "sympy")) or any(word in text for word in _LIMIT_WORDS)


def _module(error: BaseException, copy: Any) -> str:
    """Return the path of the innermost module that was running."""
    paths = {id(module): path for path, module in named_modules(copy)}
    frames = [frame for frame, _ in traceback_frames(error.__traceback__)]
    running = [id(frame.f_locals["self"]) for frame in frames if "self" in frame.f_locals]
    return next((paths[one] for one in reversed(running) if one in paths), "")


def _line(error: BaseException) -> str | None:
    site = user_place(reversed(traceback_frames(error.__traceback__)), PACKAGES)
    return None if site is None else f"{site[0].f_code.co_filename}:{site[1]}"


@contextmanager
def _silent() -> Iterator[None]:
    """Keep torch from writing of what it refuses, and of every condition, to its logs."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
