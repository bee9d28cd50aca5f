"""Explains a backward that fails because an in-place operation overwrote a saved tensor, and fixes it.

Autograd reports what it saves (``torch.autograd.graph.saved_tensors_hooks``), and a tensor's version
changes with every write. So the failed statements are run once more on copies, and the first saved
tensor that backward finds changed identifies both lines. A fix is an edit of the
user's own statement, compiled into the copy; it is offered only if backward passes with it and returns
the loss and the gradients of a run in which every saved tensor is a copy.
(``torch.autograd.graph.allow_mutation_on_saved_tensors`` would be that, but overlooks views: torch
2.13 returns other gradients than ``gradcheck`` where a slice of a saved tensor is written to.)
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import FunctionType, MethodType
from typing import Any

from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Model
from shapeinspect.plugin_api import clock, facts
from shapeinspect.plugin_api.changes import Change, OutOfPlace, Wording
from shapeinspect.plugin_api.claims import Claim
from shapeinspect.plugin_api.rerun import Failure, Rerun
from shapeinspect_torch.debug.code import source_edits as source
from shapeinspect_torch.debug.replay import LOSS, Replay
from shapeinspect_torch.tracing.autograd.versions import Overwritten, Site, overwrites
from shapeinspect_torch.tracing.guard import undisturbed
from shapeinspect_torch.tracing.meta_copy import Shadow, cloned
from shapeinspect_torch.tracing.module_tree import walk
from shapeinspect_torch.tracing.pytree import tensors

#: Models with more elements than this are rerun on meta tensors.
_NUMBERS = 30_000_000
#: After a run with data that takes longer than this, all others are on meta tensors.
_SECONDS = 2.0
#: The most statements that are edited at once.
_AT_ONCE = 4

_Edit = Callable[[Shadow], None]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A candidate edit.

    Args:
        text: the edit in words.
        statements: the user's statements after the edit; None if they stay as they are.
        edit: a further change of the copy.
        same: whether the gradients have to stay the same.
    """

    text: str
    statements: tuple[ast.stmt, ...] | None = None
    edit: _Edit | None = None
    same: bool = True


@dataclass(slots=True)
class _Result:
    """The outcome of a run."""

    error: Exception | None = None
    loss: Any = None
    gradients: dict[str, Any] = field(default_factory=dict)
    shadow: Shadow | None = None
    overwritten: Overwritten | None = None
    seconds: float = 0.0

    def refused(self) -> bool:
        """Tell whether autograd refused an overwritten tensor."""
        return self.error is not None and "inplace operation" in str(self.error)


class InPlace(Rerun):
    """A forward and a backward that fails.

    Args:
        replay: the user's statements; or
        call: a module and its arguments, by position and by name; backward starts from its outputs.
        message: torch's message.
    """

    def __init__(
        self, message: str, replay: Replay | None = None, call: tuple[Any, tuple[Any, ...], Any] | None = None
    ) -> None:
        self._message, self._replay, self._call = message, replay, call
        self._statements: tuple[ast.stmt, ...] = replay.statements if replay is not None else ()
        self._edits: tuple[_Edit, ...] = ()
        self._fixes: list[tuple[_Candidate, ...]] = []
        self._numbers = self._count() <= _NUMBERS
        self.compared = False

    def locate(self) -> bool:
        """Find where the tensor was saved and where it was overwritten; return whether that succeeded."""
        first = self._run(self._statements)
        if not first.refused() and self._replay is not None and self._replay.again:
            self._statements = (*self._replay.statements, *self._replay.again)
            first = self._run(self._statements)
        if not first.refused():
            return False
        self._numbers = self._numbers and first.seconds < clock.allowed(_SECONDS)
        seen = self._run(self._statements, watch=True)
        overwritten = seen.overwritten
        if overwritten is None or overwritten.write is None or seen.shadow is None:
            return False
        layer = self._layer(overwritten, seen.shadow)
        root = self._root(self._statements)
        nodes = walk(root)
        model = Model("", "live", "torch", "torch-live", tuple(_plain(node) for node in nodes))
        self._try_candidates(overwritten, seen.shadow)
        edits = len(self._fixes)
        saved_at, where = _text(overwritten.saved_at) or None, _text(overwritten.write.site) or None
        fact = facts.Overwritten(
            overwritten.shape, overwritten.saved_by, saved_at, overwritten.write.function, edits=edits
        )
        self.failure = Failure(
            model, layer, (), self._message, where, fact=fact, claim=Claim(what="backward")
        )
        return True

    def attempt(self, changes: Sequence[Change]) -> Failure | None:
        """Accept a fix by its number: it has been tried already."""
        for change in changes:
            if isinstance(change, OutOfPlace) and change.edit < len(self._fixes):
                return None
        return self.failure

    def spell(self, change: Wording, name: str) -> str:
        """Spell the out-of-place statement."""
        del name
        return (
            ", ".join(candidate.text for candidate in self._fixes[change.edit])
            if isinstance(change, OutOfPlace)
            else ""
        )

    def _count(self) -> int:
        read = (self._replay.modules, self._replay.inputs) if self._replay is not None else self._call
        sizes = {id(tensor): tensor.numel() for _, tensor in tensors(read)}
        modules = self._replay.modules.values() if self._replay is not None else [(self._call or (None,))[0]]
        for module in modules:
            if module is not None:
                sizes.update(
                    {id(tensor): tensor.numel() for tensor in (*module.parameters(), *module.buffers())}
                )
        return sum(sizes.values())

    def _arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if self._replay is not None:
            return (), dict(self._replay.inputs)
        return () if self._call is None else self._call[1], {} if self._call is None else dict(self._call[2])

    def _root(self, statements: Sequence[ast.stmt]) -> Any:
        if self._replay is not None:
            return self._replay.module(statements)
        return (self._call or (None,))[0]

    def _run(
        self,
        statements: Sequence[ast.stmt],
        edits: Sequence[_Edit] = (),
        watch: bool = False,
        around: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> _Result:
        import torch

        result, begin = _Result(), clock.now()
        with undisturbed(True):
            torch.manual_seed(0)
            shadow = result.shadow = Shadow(cloned if self._numbers else None)
            root = self._root(statements)
            copy = shadow.of(root)
            args, kwargs = (
                ((), self._replay.inputs) if self._replay is not None else (self._call or ((), (), {}))[1:]
            )
            args, kwargs = shadow.of(tuple(args)), shadow.of(dict(kwargs))
            for edit in edits:
                edit(shadow)
            device: Any = nullcontext() if self._numbers else torch.device("meta")
            watching: Any = overwrites() if watch else nullcontext([])
            try:
                with device, around(), watching as overwritten:
                    result.loss = copy(*args, **kwargs)
                    if self._replay is None:
                        ends = [tensor for _, tensor in tensors(result.loss) if tensor.requires_grad]
                        result.loss = sum(tensor.float().sum() for tensor in ends)
                        result.loss.backward()
            except Exception as error:  # noqa: BLE001  # the user's own statements may raise anything
                result.error = error
            result.overwritten = next(iter(overwritten or ()), None)
            result.gradients = {
                name: tensor.grad for name, tensor in copy.named_parameters() if tensor.grad is not None
            }
            result.gradients |= {
                name: tensor.grad
                for name, tensor in tensors((args, kwargs))
                if tensor.is_leaf and tensor.grad is not None
            }
        result.seconds = clock.now() - begin
        return result

    def _layer(self, overwritten: Overwritten, shadow: Shadow) -> Layer:
        """Return the layer whose weight was changed, the module that wrote, or the operation."""
        root = self._root(self._statements)
        write = overwritten.write
        for node in walk(root):
            copy = shadow.of(node.real)
            own = [weight.untyped_storage()._cdata for weight in copy.parameters(recurse=False)]
            if overwritten.storage in own or (write is not None and write.module is copy):
                return _plain(node)
        name = write.function if write is not None else "write"
        plain = (
            "setitem"
            if name == "__setitem__"
            else name.strip("_").removeprefix("i" if name.startswith("__i") else "")
        )
        kind = "activation" if "relu" in plain else "elementwise"
        return Layer(plain, kind, f"Tensor.{name}")

    def _try_candidates(self, overwritten: Overwritten, shadow: Shadow) -> None:
        """Try each candidate; where another in-place error follows, extend it until backward passes."""
        right = self._run(self._statements, around=_saving_copies)
        self.compared = right.error is None and self._numbers
        for candidate in self._candidates(overwritten, shadow, self._statements):
            done, statements, edits = (
                [candidate],
                candidate.statements or self._statements,
                _edits([candidate]),
            )
            result = self._run(statements, edits)
            while result.refused() and len(done) < _AT_ONCE and self._numbers:
                seen = self._run(statements, edits, watch=True)
                further = (
                    seen.overwritten
                    and seen.shadow
                    and next(iter(self._candidates(seen.overwritten, seen.shadow, statements)), None)
                )
                if not further:
                    break
                done.append(further)
                statements, edits = further.statements or statements, _edits(done)
                result = self._run(statements, edits)
            same = not self.compared or not all(part.same for part in done) or _equal(result, right)
            if result.error is None and same:
                self._fixes.append(tuple(done))

    def _candidates(
        self, overwritten: Overwritten, shadow: Shadow, statements: Sequence[ast.stmt]
    ) -> Sequence[_Candidate]:
        write = overwritten.write
        if write is None:
            return ()
        if write.module is not None:
            return self._flag(write.module, shadow)
        site = write.site
        if site is None:
            return ()
        inside = self._replay is not None and site.code.co_filename == self._replay.file
        found = source.statements_at(statements, site.line) if inside else []
        for statement in found:
            if _is_step(statement):
                return tuple(self._stepped(statement, statements))
        if found:
            return tuple(
                _Candidate(new.text, tuple(source.replaced(statements, new)))
                for statement in found
                for new in source.out_of_place(statement)
            )
        return tuple(_in_function(site, shadow))

    def _flag(self, module: Any, shadow: Shadow) -> tuple[_Candidate, ...]:
        for node in walk(self._root(self._statements)):
            if shadow.of(node.real) is module:

                def edit(copies: Shadow, real: Any = node.real) -> None:
                    copies.of(real).__dict__["inplace"] = False

                return (_Candidate(f'inplace=False in "{node.draft.path}"', edit=edit),)
        return ()

    def _stepped(self, step: ast.stmt, statements: Sequence[ast.stmt]) -> Sequence[_Candidate]:
        """Move the optimizer's step after the backward, or detach the graph of the previous step."""
        step = next((statement for statement in statements if statement.lineno == step.lineno), step)
        again = self._replay is not None and len(statements) > len(self._replay.statements)
        if not again:
            moved = tuple(statement for statement in statements if statement is not step)
            last = ast.unparse(_without_loss(statements[-1]))
            return [_Candidate(f"{ast.unparse(step)} after {last}", (*moved, step))]
        candidates = []
        first, second = self._replay.statements, self._replay.again  # type: ignore[union-attr]  # there is a replay
        for name in _carried(second):
            value = (self._replay.outer | self._replay.inputs).get(name)  # type: ignore[union-attr]  # as above
            text = f"{name} = {name}.detach()"
            if isinstance(value, (tuple, list)):
                text = f"{name} = tuple(one.detach() for one in {name})"
            reader = next(statement for statement in second if name in _names(statement, ast.Load))
            parted = ast.parse(text).body
            body = [
                new
                for statement in second
                for new in ((*parted, statement) if statement is reader else (statement,))
            ]
            edit = f"{text} before {ast.unparse(_without_loss(reader))}"
            candidates.append(_Candidate(edit, (*first, *body), same=False))
        return candidates


def _text(site: Site | None) -> str:
    return "" if site is None else site.text


def _saving_copies() -> AbstractContextManager[Any]:
    """Make autograd save copies, which are never written to."""
    import torch

    def pack(tensor: Any) -> Any:
        with torch._C.DisableTorchFunction():
            return tensor.detach().clone()

    return torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)  # type: ignore[no-any-return]  # torch is read as Any


def _in_function(site: Site, shadow: Shadow) -> Sequence[_Candidate]:
    """Rewrite a statement of a method of a module."""
    import torch

    owner, code = site.owner, site.code
    tree = source.definition(code)
    function = next(
        (vars(kind)[code.co_name] for kind in type(owner).__mro__ if code.co_name in vars(kind)), None
    )
    if tree is None or not isinstance(owner, torch.nn.Module) or not isinstance(function, FunctionType):
        return ()
    inner: Any = inspect.unwrap(function)
    real = shadow.real(owner)
    if not isinstance(inner, FunctionType) or inner.__code__ is not code or real is None:
        return ()
    candidates = []
    for statement in source.statements_at(tree.body, site.line):
        for new in source.out_of_place(statement):
            rewritten = source.decorated(function, inner, source.rewritten(inner, tree, new))
            if rewritten is None:
                continue

            def edit(copies: Shadow, rewritten: FunctionType = rewritten) -> None:
                copy = copies.of(real)
                copy.__dict__[code.co_name] = MethodType(rewritten, copy)

            candidates.append(_Candidate(new.text, edit=edit))
    return candidates


def _edits(candidates: Sequence[_Candidate]) -> tuple[_Edit, ...]:
    return tuple(candidate.edit for candidate in candidates if candidate.edit is not None)


def _plain(node: Any) -> Layer:
    draft = node.draft
    return Layer(draft.path, draft.kind, draft.type, draft.parts, Frozen(draft.attributes))


def _is_step(statement: ast.stmt) -> bool:
    value = getattr(statement, "value", None)
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "step"


def _without_loss(statement: ast.stmt) -> ast.stmt:
    """Return a statement as the user wrote it, without the name given to its loss."""
    text = ast.unparse(ast.fix_missing_locations(statement))
    tree = ast.parse(text)

    class Plain(ast.NodeTransformer):
        def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.AST:
            return node.value if node.target.id == LOSS else node

    return ast.fix_missing_locations(Plain().visit(tree)).body[0]  # type: ignore[no-any-return]  # a module has a body


def _names(statement: ast.AST, kind: type[ast.expr_context]) -> list[str]:
    return [
        node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, kind)
    ]


def _carried(body: Sequence[ast.stmt]) -> list[str]:
    """Return the names that an iteration reads before it assigns them: they are carried over."""
    stored_before: set[str] = set()
    carried: list[str] = []
    stored = {name for part in body for name in _names(part, ast.Store)}
    for statement in body:
        carried += [
            name for name in _names(statement, ast.Load) if name in stored and name not in stored_before
        ]
        stored_before.update(_names(statement, ast.Store))
    return list(dict.fromkeys(carried))


def _equal(left: _Result, right: _Result) -> bool:
    """Compare loss and gradients."""
    import torch

    if (left.loss is None) != (right.loss is None) or left.gradients.keys() != right.gradients.keys():
        return False
    pairs = [(left.gradients[name], right.gradients[name]) for name in left.gradients]
    if isinstance(left.loss, torch.Tensor) and isinstance(right.loss, torch.Tensor):
        pairs.append((left.loss, right.loss))
    return all(
        a.shape == b.shape and torch.allclose(a, b, rtol=1e-4, atol=1e-6, equal_nan=True) for a, b in pairs
    )
