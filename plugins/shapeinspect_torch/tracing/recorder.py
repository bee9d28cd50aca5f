"""Records a traced forward: layers in the order of their first call, calls, and values."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Call, Value
from shapeinspect.plugin_api.user_code.frames import running_place
from shapeinspect.rules import output_shapes
from shapeinspect_torch.tracing.dispatch_mode import function_name
from shapeinspect_torch.tracing.pytree import rebuild, tensors
from shapeinspect_torch.vocabulary.functions import counted, describe_call, plain_name
from shapeinspect_torch.vocabulary.indexing import index_steps
from shapeinspect_torch.vocabulary.work import work_of

#: The packages whose lines are not the user's; see ``shapeinspect.plugin_api.user_code.frames``.
PACKAGES = (
    "torch", "shapeinspect_torch",
    "lightning", "lightning_fabric", "pytorch_lightning", "deepspeed", "accelerate",
)  # fmt: skip
#: Functions that describe a tensor or return it unchanged: not layers.
_SILENT = frozenset((
    "contiguous", "detach", "clone", "requires_grad_", "clone_", "data", "grad", "real", "is_same_size",
    "size", "dim", "stride", "numel", "__len__", "__hash__", "__repr__", "__format__", "__deepcopy__",
    "retain_grad", "register_hook", "record_stream", "set_grad_enabled", "broadcast_tensors",
    "broadcast_shapes", "result_type", "promote_types", "can_cast", "finfo", "iinfo",
    "has_torch_function", "is_tensor", "get_device", "is_grad_enabled", "backward", "manual_seed",
    "is_floating_point", "is_complex", "is_contiguous", "element_size", "storage", "untyped_storage",
    "storage_offset", "data_ptr", "nelement", "ndimension", "get_default_dtype", "grad_", "__get__",
    "__set__", "cpu", "cuda", "xpu", "pin_memory",
))  # fmt: skip
_CASTS = frozenset((
    "to", "float", "half", "double", "bfloat16", "int", "long", "bool", "type", "type_as", "short",
    "char", "byte",
))  # fmt: skip
#: Methods that share a name with a function that does something else.
_ALONE = frozenset({"Tensor.unfold"})
_MAKERS = frozenset((
    "zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like", "randint_like",
    "new_zeros", "new_ones", "new_full", "new_empty", "new_tensor", "tensor", "as_tensor", "asarray",
    "scalar_tensor", "arange", "range", "linspace", "logspace", "zeros", "ones", "full", "eye", "rand",
    "randn", "randint", "randperm", "normal", "empty", "empty_strided", "tril_indices", "triu_indices",
    "from_numpy", "bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window",
    "meshgrid", "bernoulli",
))  # fmt: skip


class NeedsIntegersError(RuntimeError):
    """An embedding receives floating-point indices.

    Args:
        value: the name of the value with these indices.
        layer: the path of the embedding.
    """

    def __init__(self, value: str, layer: str) -> None:
        self.value = value
        self.layer = layer
        super().__init__(f'layer "{layer}" takes integers, but value "{value}" is not an integer tensor')


@dataclass(slots=True)
class Draft:
    """A layer of the trace; its weights are added later."""

    path: str
    kind: str
    type: str
    parts: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """The origin of an exception: the innermost layer, and its inputs."""

    layer: Draft | None
    inputs: tuple[str, ...]
    scope: str


@dataclass(slots=True)
class _Scope:
    draft: Draft
    used: Counter[str] = field(default_factory=Counter)


class Recorder:
    """Records one forward pass.

    Args:
        root: the model itself; the paths of its layers do not include its own.
        taken: the paths of all modules, which no function may be given.
        weights: the full name of each parameter and buffer of the copy, by ``id``.
        keeps: whether every tensor is kept alive, which costs nothing where tensors have no numbers.
    """

    def __init__(
        self, root: Draft, taken: frozenset[str], weights: Mapping[int, str], keeps: bool = True
    ) -> None:
        self.root = root
        self.drafts: dict[str, Draft] = {}
        self.calls: list[Call | None] = []
        self.values: dict[str, Value] = {}
        self.inputs: list[str] = []
        self.failure: Failure | None = None
        #: The nn class and role that the use of a weight by a function proves, by the weight's name.
        self.uses: dict[str, tuple[str, str, dict[str, int]]] = {}
        #: Called with the name of each new value and its tensor, as it is then.
        self.observer: Callable[[str, Any], None] | None = None
        self._taken = taken
        self._weights = weights
        self._names: dict[int, str] = {}
        self._keeps = keeps
        self._alive: list[Any] = []
        self._watched: dict[int, Any] = {}
        self._scopes = [_Scope(root)]
        self._silent = False

    def add_input(self, name: str, tensor: Any) -> None:
        """Register an input of the model; call it before the forward.

        Args:
            name: the input's name.
            tensor: the tensor; it is recognized by identity.
        """
        self._bind(tensor, self._free(name))
        self.inputs.append(self._names[id(tensor)])

    def name_of(self, tensor: Any) -> str:
        """Return the name of a tensor's value; a new tensor gets a new name.

        Args:
            tensor: any tensor of the forward.
        """
        name = self._names.get(id(tensor))
        if name is None:
            weight = self._weights.get(id(tensor))
            name = self._bind(tensor, weight if weight is not None else self._fresh())
        return name

    def module(self, draft: Draft, forward: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
        """Run a module's forward and record it; the calls inside a leaf are not recorded.

        Args:
            draft: the module's row.
            forward: its forward.
            args: positional arguments.
            kwargs: named arguments.
        """
        if self._silent:
            return forward(*args, **kwargs)
        with _plain():
            inputs = self._recorded((args, kwargs))
            position = self._enter(draft)
        if draft.kind != "module":
            return self._leaf(draft, forward, args, kwargs, inputs, position)
        self._scopes.append(_Scope(draft))
        try:
            result = forward(*args, **kwargs)
        except Exception:
            self._failed(None, inputs)
            raise
        finally:
            self._scopes.pop()
        with _plain():
            self.calls[position] = Call(draft.path, tuple(inputs), tuple(self._recorded(result)))
        return result

    def quietly(self, forward: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
        """Run a function without recording it, such as a parametrization.

        Args:
            forward: what to run.
            args: positional arguments.
            kwargs: named arguments.
        """
        before, self._silent = self._silent, True
        try:
            return forward(*args, **kwargs)
        finally:
            self._silent = before

    def function(
        self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], run: Callable[[], Any]
    ) -> Any:
        """Run one of torch's functions and record it, if it is a step of the model.

        Args:
            func: the function, as torch passes it to ``__torch_function__``.
            args: positional arguments.
            kwargs: named arguments.
            run: runs it.

        Raises:
            NeedsIntegersError: if an embedding gets floating-point indices.
        """
        raw = function_name(func)
        if self._silent:
            return run()
        if raw in _SILENT:
            return self._same(args, run())
        operands = [tensor for _, tensor in tensors((args, kwargs))]
        name = plain_name(raw)
        if raw in _CASTS:
            return self._cast(operands, run)
        spelled = _spelled(func, raw)
        kind, attributes, weights = (
            ("unknown", {}, {}) if spelled in _ALONE else self._described(name, args, kwargs, operands)
        )
        shown = Draft("", kind, spelled, ())
        inputs = [self.name_of(tensor) for tensor in self._without(weights, operands)]
        for use, weight in weights.items():
            self._used(use, weight, attributes)
        if kind == "embedding" and operands[0].is_floating_point():
            self._failed(shown, inputs)
            raise NeedsIntegersError(inputs[0], self._scopes[-1].draft.path)
        try:
            result = run()
        except Exception:
            shown.path, shown.parts = self._path_of(name, shown)
            shown.attributes = attributes
            self._failed(shown, inputs)
            raise
        results = [args[0]] if raw == "__setitem__" else [tensor for _, tensor in tensors(result)]
        if not results:
            return result
        if raw == "__getitem__" and kind in ("unknown", "gather") and self._item(spelled, args, result):
            return result
        outputs = [self._bind(tensor, self._fresh()) for tensor in results]
        self._write(name, shown, attributes, inputs, outputs)
        return result

    def _item(self, spelled: str, args: tuple[Any, ...], result: Any) -> bool:
        """Record an index that consists of several steps, each as a call; return whether it did.

        The steps between have no tensors: their shapes are those that the rules give, and the last
        shape has to be the result's.
        """
        import torch

        with _plain():
            steps = index_steps(args[1], args[0].dim())
            if len(steps) == 1 and all(isinstance(tensor, torch.Tensor) for tensor in steps[0].tensors):
                return False
            positions = [tuple(map(torch.as_tensor, step.tensors)) for step in steps]
            shapes = [tuple(args[0].shape)]
            for step, tensors in zip(steps, positions, strict=True):
                given = (shapes[-1], *(tuple(tensor.shape) for tensor in tensors))
                shape = output_shapes(step.kind, step.attributes, given)[0]
                shapes.append(tuple(result.shape) if shape is None else shape)
            if shapes[-1] != tuple(result.shape):
                return False
            source = self.name_of(args[0])
            for step, tensors, shape in zip(steps, positions, shapes[1:], strict=True):
                inputs = [source, *map(self.name_of, tensors)]
                source = self._fresh()
                if step is steps[-1]:
                    self._bind(result, source)
                else:
                    self.values[source] = Value(source, shape, _dtype(result))
                draft = Draft("", step.kind, spelled, ())
                self._write("getitem", draft, step.attributes, inputs, [source])
        return True

    def operands(self, raw: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """Return the tensors that a call reads, without its own weights.

        Args:
            raw: the function's name, or the path of a module.
            args: positional arguments.
            kwargs: named arguments.
        """
        read = [tensor for _, tensor in tensors((args, kwargs))]
        return self._without(self._described(plain_name(raw), args, kwargs, read)[2], read)

    def _without(self, weights: Mapping[str, Any], operands: list[Any]) -> list[Any]:
        skipped = {id(weight) for weight in weights.values() if id(weight) in self._weights}
        return [tensor for tensor in operands if id(tensor) not in skipped]

    def finished(self) -> tuple[Call, ...]:
        """Return the completed calls, in the order in which they began."""
        return tuple(call for call in self.calls if call is not None)

    def input_behind(self, value: str) -> str | None:
        """Return the model input that a value is a rearrangement of, or None.

        Args:
            value: the name of a value.
        """
        producers = {name: call for call in self.finished() for name in call.outputs}
        while value not in self.inputs:
            call = producers.pop(value, None)
            if call is None or len(call.inputs) != 1:
                return None
            value = call.inputs[0]
        return value

    def _leaf(
        self,
        draft: Draft,
        forward: Callable[..., Any],
        args: Any,
        kwargs: dict[str, Any],
        inputs: list[str],
        position: int,
    ) -> Any:
        with _plain():
            versions = {id(tensor): tensor._version for _, tensor in tensors((args, kwargs))}
            first = next((tensor for _, tensor in tensors((args, kwargs))), None)
        if draft.kind in ("embedding", "embedding_bag") and first is not None:
            with _plain():
                if first.is_floating_point():
                    self._failed(draft, inputs)
                    raise NeedsIntegersError(inputs[0], draft.path)
        self._silent = True
        try:
            result = forward(*args, **kwargs)
        except Exception:
            self._failed(draft, inputs)
            raise
        finally:
            self._silent = False
        with _plain():
            if any(versions.get(id(tensor)) == tensor._version for _, tensor in tensors(result)):
                # Returned as it is (an Identity): another object for the same tensor, so that what
                # reads this layer's output is distinguished from what reads its input.
                result = rebuild(result, lambda t: t.view_as(t) if versions.get(id(t)) == t._version else t)
            outputs = tuple(self._bind(tensor, self._fresh()) for _, tensor in tensors(result))
        self.calls[position] = Call(draft.path, tuple(inputs), outputs, Frozen(_of_this_call(args, kwargs)))
        return result

    def _enter(self, draft: Draft) -> int:
        self.drafts.setdefault(draft.path, draft)
        self.calls.append(None)
        return len(self.calls) - 1

    def _described(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], operands: list[Any]
    ) -> tuple[str, dict[str, Any], dict[str, Any]]:
        if name == "where" and len(operands) == 1:
            return "unknown", {}, {}  # the places of what is not zero
        if name in _MAKERS:
            return "constant", counted(args, kwargs) if name == "arange" else {}, {}
        try:
            return describe_call(name, args, kwargs, operands[0].dim() if operands else 0)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            # Arguments that the function itself refuses, or a signature that the table does not know.
            return "unknown", {}, {}

    def _same(self, args: tuple[Any, ...], result: Any) -> Any:
        # contiguous, detach and the like: another object for the same value.
        source = args[0] if args else None
        if hasattr(result, "dim") and hasattr(source, "dim") and id(result) not in self._names:
            self._bind(result, self.name_of(source))
        return result

    def _cast(self, operands: list[Any], run: Callable[[], Any]) -> Any:
        result = run()
        results = [tensor for _, tensor in tensors(result)]
        if not results or not operands or results[0] is operands[0]:
            return result
        if results[0].dtype == operands[0].dtype:
            self._bind(results[0], self.name_of(operands[0]))
            return result
        source, dtype = self.name_of(operands[0]), _dtype(results[0])
        shown = Draft("", "cast", "Tensor.to", ())
        self._write("to", shown, {"dtype": dtype}, [source], [self._bind(results[0], self._fresh())])
        return result

    def _write(
        self, name: str, shown: Draft, attributes: dict[str, Any], inputs: list[str], outputs: list[str]
    ) -> None:
        path, parts = self._path_of(name, shown)
        self._scopes[-1].used[name] += 1
        draft = self.drafts.get(path)
        if draft is None:
            draft = Draft(path, shown.kind, shown.type, parts, attributes, running_place(PACKAGES))
        differing = {key: value for key, value in attributes.items() if draft.attributes.get(key) != value}
        position = self._enter(draft)
        work = None
        if draft.kind == "unknown":
            work = work_of(
                name, *([self.values[value].shape for value in side] for side in (inputs, outputs))
            )
        self.calls[position] = Call(path, tuple(inputs), tuple(outputs), Frozen(differing), work)

    def _path_of(self, name: str, shown: Draft) -> tuple[str, tuple[str, ...]]:
        scope = self._scopes[-1]
        outer = () if scope.draft is self.root else scope.draft.parts
        prefix = "" if scope.draft is self.root else f"{scope.draft.path}."
        while True:
            count = scope.used[name]
            last = f"{name}_{count}" if count else name
            path = prefix + last
            existing = self.drafts.get(path)
            free = path not in self._taken and (
                existing is None or (existing.kind, existing.type) == (shown.kind, shown.type)
            )
            if free:
                return path, (*outer, last)
            scope.used[name] += 1

    def _used(self, use: str, weight: Any, attributes: Mapping[str, Any]) -> None:
        name = self._weights.get(id(weight))
        if name is not None:
            kind, role = use.split()
            groups = attributes.get("groups")
            self.uses[name] = (kind, role, {} if groups is None else {"g": groups})

    def _failed(self, draft: Draft | None, inputs: list[str]) -> None:
        if self.failure is None:
            self.failure = Failure(draft, tuple(inputs), self._scopes[-1].draft.path)

    def _recorded(self, tree: Any) -> list[str]:
        return [self.name_of(tensor) for _, tensor in tensors(tree)]

    def _bind(self, tensor: Any, name: str) -> str:
        self._names[id(tensor)] = name
        self._hold(tensor)
        if name not in self.values:
            self.values[name] = Value(name, tuple(tensor.shape), _dtype(tensor))
            if self.observer is not None:
                self.observer(name, tensor)
        return name

    def _hold(self, tensor: Any) -> None:
        """Keep a tensor, or forget its name when it is gone: another one may get its ``id``."""
        if self._keeps:
            self._alive.append(tensor)
            return
        key = id(tensor)

        def gone(reference: Any) -> None:
            if self._watched.get(key) is reference:
                del self._watched[key]
                self._names.pop(key, None)

        self._watched[key] = weakref.ref(tensor, gone)

    def _fresh(self) -> str:
        return self._free(f"v{len(self.values)}")

    def _free(self, name: str) -> str:
        while name in self.values:
            name += "_"
        return name


def _of_this_call(args: Any, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    more: dict[str, Any] = {"need_weights": False} if kwargs.get("need_weights") is False else {}
    if args and hasattr(args[0], "batch_sizes"):
        more["packed"] = True
    return more


def _dtype(tensor: Any) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _plain() -> Any:
    # Our own use of tensors is not a call of the model.
    import torch

    return torch._C.DisableTorchFunction()


def _spelled(func: Any, name: str) -> str:
    import torch

    home = str(getattr(func, "__module__", None) or "")
    if getattr(torch.nn.functional, name, None) is func:
        return f"F.{name}"
    owner = getattr(func, "__objclass__", None) or str(getattr(func, "__qualname__", "")).partition(".")[0]
    if home in ("torch.nn.functional", "torch._C._nn"):
        return f"F.{name}"
    if home == "torch._tensor" or (not home and owner) or "Tensor" in str(owner):
        return f"Tensor.{name}"
    return f"torch.{name}"
