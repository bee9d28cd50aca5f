"""The operation in place that overwrote what a gradient needs: who saved it, who wrote, and what mends it.

Autograd itself tells what it saves (``torch.autograd.graph.saved_tensors_hooks``), and a tensor's
version tells whether it was written to since. So the failed statements are run once more on copies,
and the first saved tensor that backward finds changed names both lines. A fix is an edit of the
user's own statement, compiled into the copy; it is offered only if backward passes with it and gives
the loss and the gradients that come out where every saved tensor is a copy of its own.
(``torch.autograd.graph.allow_mutation_on_saved_tensors`` would be that, but overlooks views: torch
2.13 gives other gradients than ``gradcheck`` where a slice of a saved tensor is written to.)
"""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import FunctionType, MethodType
from typing import Any

from shapeinspect.ir import Frozen, Layer, Model
from shapeinspect.plugin_api import facts
from shapeinspect.plugin_api.changes import Change, OutOfPlace, Wording
from shapeinspect.plugin_api.rerun import Failure, Rerun
from shapeinspect_torch.debug import source_edits as source
from shapeinspect_torch.debug.replay import LOSS, Replay
from shapeinspect_torch.tracing.guard import undisturbed
from shapeinspect_torch.tracing.meta_copy import Shadow
from shapeinspect_torch.tracing.module_tree import walk
from shapeinspect_torch.tracing.pytree import tensors
from shapeinspect_torch.tracing.versions import Overwritten, Site, overwrites

#: Models of more numbers than this are run again without numbers.
_NUMBERS = 30_000_000
#: A run with numbers that takes longer than this is the last one with numbers.
_SECONDS = 2.0
#: So many statements may have to be mended at once.
_AT_ONCE = 4

_Edit = Callable[[Shadow], None]


@dataclass(frozen=True, slots=True)
class _Mend:
    """One way out.

    Args:
        text: what to write.
        statements: the user's statements in their new form; None if these stay.
        edit: what is done to the copy besides.
        same: whether the gradients are to stay the same.
    """

    text: str
    statements: tuple[ast.stmt, ...] | None = None
    edit: _Edit | None = None
    same: bool = True


@dataclass(slots=True)
class _Ran:
    """How a run ended."""

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
        call: a module, its arguments by place and by name, from whose outputs a backward starts.
        message: torch's words.
    """

    def __init__(
        self, message: str, replay: Replay | None = None, call: tuple[Any, tuple[Any, ...], Any] | None = None
    ) -> None:
        self._message, self._replay, self._call = message, replay, call
        self._statements: tuple[ast.stmt, ...] = replay.statements if replay is not None else ()
        self._edits: tuple[_Edit, ...] = ()
        self._mends: list[tuple[_Mend, ...]] = []
        self._numbers = self._count() <= _NUMBERS
        self.compared = False

    def locate(self) -> bool:
        """Find who saved and who wrote; tell whether that succeeded."""
        first = self._run(self._statements)
        if not first.refused() and self._replay is not None and self._replay.again:
            self._statements = (*self._replay.statements, *self._replay.again)
            first = self._run(self._statements)
        if not first.refused():
            return False
        self._numbers = self._numbers and first.seconds < _SECONDS
        seen = self._run(self._statements, watch=True)
        found = seen.overwritten
        if found is None or found.write is None or seen.shadow is None:
            return False
        layer = self._layer(found, seen.shadow)
        root = self._root(self._statements)
        nodes = walk(root)
        model = Model("", "live", "torch", "torch-live", tuple(_plain(node) for node in nodes))
        self._mend(found, seen.shadow)
        edits = len(self._mends)
        saved_at, where = _text(found.saved_at) or None, _text(found.write.site) or None
        fact = facts.Overwritten(found.shape, found.saved_by, saved_at, found.write.function, edits=edits)
        self.failure = Failure(model, layer, (), self._message, where, fact=fact)
        return True

    def attempt(self, changes: Sequence[Change]) -> Failure | None:
        """Take the fix that a number names: it was run when it was found."""
        for change in changes:
            if isinstance(change, OutOfPlace) and change.edit < len(self._mends):
                return None
        return self.failure

    def spell(self, change: Wording, name: str) -> str:
        """Write the statement out of place."""
        del name
        return (
            ", ".join(one.text for one in self._mends[change.edit]) if isinstance(change, OutOfPlace) else ""
        )

    def _count(self) -> int:
        given = (self._replay.modules, self._replay.inputs) if self._replay is not None else self._call
        found = {id(tensor): tensor.numel() for _, tensor in tensors(given)}
        modules = self._replay.modules.values() if self._replay is not None else [(self._call or (None,))[0]]
        for module in modules:
            if module is not None:
                found.update({id(one): one.numel() for one in (*module.parameters(), *module.buffers())})
        return sum(found.values())

    def _given(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
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
    ) -> _Ran:
        import torch

        ended, begin = _Ran(), time.monotonic()
        with undisturbed(True):
            torch.manual_seed(0)
            shadow = ended.shadow = Shadow(self._numbers)
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
                    ended.loss = copy(*args, **kwargs)
                    if self._replay is None:
                        ends = [one for _, one in tensors(ended.loss) if one.requires_grad]
                        ended.loss = sum(one.float().sum() for one in ends)
                        ended.loss.backward()
            except Exception as error:  # noqa: BLE001  # the user's own statements may raise anything
                ended.error = error
            ended.overwritten = next(iter(overwritten or ()), None)
            ended.gradients = {
                name: one.grad for name, one in copy.named_parameters() if one.grad is not None
            }
            ended.gradients |= {
                name: one.grad
                for name, one in tensors((args, kwargs))
                if one.is_leaf and one.grad is not None
            }
        ended.seconds = time.monotonic() - begin
        return ended

    def _layer(self, found: Overwritten, shadow: Shadow) -> Layer:
        """Name the layer whose weight was changed, the module that wrote, or the operation."""
        root = self._root(self._statements)
        write = found.write
        for node in walk(root):
            copy = shadow.of(node.real)
            own = [one.untyped_storage()._cdata for one in copy.parameters(recurse=False)]
            if found.storage in own or (write is not None and write.module is copy):
                return _plain(node)
        name = write.function if write is not None else "write"
        plain = (
            "setitem"
            if name == "__setitem__"
            else name.strip("_").removeprefix("i" if name.startswith("__i") else "")
        )
        kind = "activation" if "relu" in plain else "elementwise"
        return Layer(plain, kind, f"Tensor.{name}")

    def _mend(self, found: Overwritten, shadow: Shadow) -> None:
        """Try every way out, and the ways out of what then still fails."""
        right = self._run(self._statements, around=_kept_apart)
        self.compared = right.error is None and self._numbers
        for mend in self._ways(found, shadow, self._statements):
            done, statements, edits = [mend], mend.statements or self._statements, _edits([mend])
            ended = self._run(statements, edits)
            while ended.refused() and len(done) < _AT_ONCE and self._numbers:
                seen = self._run(statements, edits, watch=True)
                further = (
                    seen.overwritten
                    and seen.shadow
                    and next(iter(self._ways(seen.overwritten, seen.shadow, statements)), None)
                )
                if not further:
                    break
                done.append(further)
                statements, edits = further.statements or statements, _edits(done)
                ended = self._run(statements, edits)
            same = not self.compared or not all(one.same for one in done) or _equal(ended, right)
            if ended.error is None and same:
                self._mends.append(tuple(done))

    def _ways(self, found: Overwritten, shadow: Shadow, statements: Sequence[ast.stmt]) -> Sequence[_Mend]:
        write = found.write
        if write is None:
            return ()
        if write.module is not None:
            return self._flag(write.module, shadow)
        site = write.site
        if site is None:
            return ()
        inside = self._replay is not None and site.code.co_filename == self._replay.file
        statement = source.statement_at(statements, site.line) if inside else None
        if statement is not None:
            if _is_step(statement):
                return tuple(self._stepped(statement, statements))
            return tuple(
                _Mend(new.text, tuple(source.replaced(statements, site.line, new)))
                for new in source.out_of_place(statement)
            )
        return tuple(_in_function(site, shadow))

    def _flag(self, module: Any, shadow: Shadow) -> tuple[_Mend, ...]:
        for node in walk(self._root(self._statements)):
            if shadow.of(node.real) is module:

                def edit(other: Shadow, real: Any = node.real) -> None:
                    other.of(real).__dict__["inplace"] = False

                return (_Mend(f'inplace=False in "{node.draft.path}"', edit=edit),)
        return ()

    def _stepped(self, step: ast.stmt, statements: Sequence[ast.stmt]) -> Sequence[_Mend]:
        """Move the optimizer's step behind the backward, or part the graph of the step before."""
        step = next((one for one in statements if one.lineno == step.lineno), step)
        again = self._replay is not None and len(statements) > len(self._replay.statements)
        if not again:
            moved = tuple(one for one in statements if one is not step)
            last = ast.unparse(_without_loss(statements[-1]))
            return [_Mend(f"{ast.unparse(step)} after {last}", (*moved, step))]
        found = []
        first, second = self._replay.statements, self._replay.again  # type: ignore[union-attr]  # there is a replay
        for name in _carried(second):
            value = (self._replay.outer | self._replay.inputs).get(name)  # type: ignore[union-attr]  # as above
            text = f"{name} = {name}.detach()"
            if isinstance(value, (tuple, list)):
                text = f"{name} = tuple(one.detach() for one in {name})"
            reader = next(one for one in second if name in _names(one, ast.Load))
            parted = ast.parse(text).body
            body = [new for one in second for new in ((*parted, one) if one is reader else (one,))]
            said = f"{text} before {ast.unparse(_without_loss(reader))}"
            found.append(_Mend(said, (*first, *body), same=False))
        return found


def _text(site: Site | None) -> str:
    return "" if site is None else site.text


def _kept_apart() -> AbstractContextManager[Any]:
    """Let autograd save copies, which no write reaches."""
    import torch

    def pack(tensor: Any) -> Any:
        with torch._C.DisableTorchFunction():
            return tensor.detach().clone()

    return torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)  # type: ignore[no-any-return]  # torch is read as Any


def _in_function(site: Site, shadow: Shadow) -> Sequence[_Mend]:
    """Rewrite a statement of a method of a module."""
    import torch

    owner, code = site.owner, site.code
    tree = source.definition(code)
    function = next(
        (vars(kind)[code.co_name] for kind in type(owner).__mro__ if code.co_name in vars(kind)), None
    )
    if tree is None or not isinstance(owner, torch.nn.Module) or not isinstance(function, FunctionType):
        return ()
    statement = source.statement_at(tree.body, site.line)
    real = shadow.real(owner)
    if function.__code__ is not code or statement is None or real is None:
        return ()
    found = []
    for new in source.out_of_place(statement):
        made = source.rewritten(function, tree, site.line, new)

        def edit(other: Shadow, made: FunctionType = made) -> None:
            copy = other.of(real)
            copy.__dict__[code.co_name] = MethodType(made, copy)

        found.append(_Mend(new.text, edit=edit))
    return found


def _edits(mends: Sequence[_Mend]) -> tuple[_Edit, ...]:
    return tuple(one.edit for one in mends if one.edit is not None)


def _plain(node: Any) -> Layer:
    draft = node.draft
    return Layer(draft.path, draft.kind, draft.type, draft.parts, Frozen(draft.attributes))


def _is_step(statement: ast.stmt) -> bool:
    value = getattr(statement, "value", None)
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "step"


def _without_loss(statement: ast.stmt) -> ast.stmt:
    """Write a statement as the user did, without the name that its loss got."""
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
    """Return the names that a pass of a loop reads before it makes them, and makes: what is carried over."""
    made: set[str] = set()
    found: list[str] = []
    stored = {name for one in body for name in _names(one, ast.Store)}
    for statement in body:
        found += [name for name in _names(statement, ast.Load) if name in stored and name not in made]
        made.update(_names(statement, ast.Store))
    return list(dict.fromkeys(found))


def _equal(one: _Ran, other: _Ran) -> bool:
    """Compare loss and gradients."""
    import torch

    if (one.loss is None) != (other.loss is None) or one.gradients.keys() != other.gradients.keys():
        return False
    pairs = [(one.gradients[name], other.gradients[name]) for name in one.gradients]
    if isinstance(one.loss, torch.Tensor) and isinstance(other.loss, torch.Tensor):
        pairs.append((one.loss, other.loss))
    return all(
        left.shape == right.shape and torch.allclose(left, right, rtol=1e-4, atol=1e-6, equal_nan=True)
        for left, right in pairs
    )
