"""Pastes a fix into a program: for each form in which fixes are printed, the texts that it may mean."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from edits import call_name, insert, made_at, replaced, signature, source, statement_at, with_argument
from screens import Screen  # noqa: TC002  # both lie beside this file, which is no package

Text = str | None

# Names in an expression that are no values of the program.
MODULES = {"F", "nn", "np", "torch", "layers", "keras", "tf"}

# Either quote, as a pattern.
QUOTE = "[\"']"


class Paste(NamedTuple):
    """A program, its screen, and what the probe found."""

    text: str
    screen: Screen
    probe: dict[str, Any]
    kind: str

    @property
    def tree(self) -> ast.Module:
        """The program as a tree."""
        return ast.parse(self.text)


def argument(p: Paste, fix: str) -> Iterator[str]:
    """`in_features=48 in "conv2.lin"`, several of them joined by commas.

    Where the layer is made from an argument of its block, that argument of the block is set as well: the line
    that makes the layer may be shared by other blocks.
    """
    parts = re.findall(r'(\w+)=((?:\([^)]*\)|"[^"]*"|[^,(\s])+) in ((?:"[^"]+"(?:, | and )?)+)', fix)
    if not parts:
        return
    for through_block in (False, True):
        text: Text = p.text
        for name, value, layers in parts:
            for layer in re.findall(r'"([^"]+)"', layers):
                if text is not None:
                    text = argument_set(p, text, layer, name, value, through_block)
        if text is not None:
            yield text


def argument_set(p: Paste, text: str, layer: str, name: str, value: str, through_block: bool) -> Text:
    """The text with one argument set where one layer is made, or where its block is."""
    line, cls = p.probe["paths"].get(layer, (None, None))
    call = made_at(text, line, cls)
    if call is None:
        return None
    if not through_block:
        return with_argument(text, call, name, value, p.kind)
    positions = signature(call_name(call), p.kind)
    given = next((k.value for k in call.keywords if k.arg == name), None)
    if given is None and name in positions and positions.index(name) < len(call.args):
        given = call.args[positions.index(name)]
    classes = {n.name: n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.ClassDef)}
    path = layer
    while path := path.rpartition(".")[0]:
        above, block = p.probe["paths"].get(path, (None, None))
        if block in classes:
            break
    outer = made_at(text, above, block) if path else None
    if not isinstance(given, ast.Name) or outer is None:
        return None
    for function in (
        n for n in classes[block].body if isinstance(n, ast.FunctionDef) and n.name == "__init__"
    ):
        arguments = [a.arg for a in function.args.args][1:]
        same: dict[str, str] = {}
        for n in ast.walk(function):
            if (
                isinstance(n, ast.Assign)
                and isinstance(n.targets[0], ast.Name)
                and isinstance(n.value, ast.Name)
            ):
                same.setdefault(n.targets[0].id, n.value.id)
        origin = given.id if given.id in arguments else same.get(given.id)
        if origin in arguments:
            place = arguments.index(origin)
            if place < len(outer.args):
                return replaced(text, outer.args[place], value)
            return with_argument(text, outer, origin, value, p.kind)
    return None


def setting(p: Paste, fix: str) -> Iterator[str]:
    """`loss="categorical_crossentropy"` or `collate_fn=...`: an argument of compile or of a DataLoader."""
    found = re.fullmatch(r"(\w+)=(.+)", fix)
    if not found or " in " in found[2].replace(" in [", ""):
        return
    goal = "DataLoader" if found[1] in ("collate_fn", "drop_last", "batch_size") else "compile"
    for call in (n for n in ast.walk(p.tree) if isinstance(n, ast.Call) and call_name(n) == goal):
        text = with_argument(p.text, call, found[1], found[2], p.kind)
        if "pad_sequence" in fix:
            text = "from torch.nn.utils.rnn import pad_sequence\n" + text
        yield text
        return


def sizes(p: Paste, fix: str) -> Iterator[str]:
    """`feed 128×128`, `feed x of shape (…)`: the old sizes become the new ones, where they are numbers."""
    old: list[int | None]
    new: list[int | None]
    pair = re.match(r"feed (\d+(?:×\d+)*)(?: |$|,)", fix)
    whole = re.match(r"feed (\S+) of shape \(([\d?, ]+)\)", fix)
    if pair:
        new = [int(s) for s in pair[1].split("×")]
        for letters, shape in p.screen.inputs.values():
            axes = [i for i, a in enumerate(letters.split()) if a in "DHWLT"] if letters else []
            if len(axes) != len(new):
                axes = list(range(len(shape)))[-len(new) :]
            if len(shape) > len(new) and axes[-1] < len(shape):
                old = [shape[i] for i in axes]
                break
        else:
            return
    elif whole and whole[1] in p.screen.inputs:
        new = [int(s) if s.strip().isdigit() else None for s in whole[2].split(",") if s.strip()]
        old = list(p.screen.inputs[whole[1]][1])
    else:
        return
    change = {a: b for a, b in zip(old, new, strict=False) if a != b and a is not None and b is not None}
    if not change:
        return
    bodies = [s for s in p.tree.body if not isinstance(s, ast.FunctionDef | ast.ClassDef)]
    bodies += [
        s for c in p.tree.body if isinstance(c, ast.ClassDef) for s in c.body if isinstance(s, ast.Assign)
    ]
    constants = [
        n
        for s in bodies
        for n in ast.walk(s)
        if isinstance(n, ast.Constant) and type(n.value) is int and n.value in change
    ]
    if not constants:
        return
    text = p.text
    for node in sorted(constants, key=lambda n: (n.lineno, n.col_offset), reverse=True):
        text = replaced(text, node, str(change[node.value]))
    yield text
    for node in constants:
        yield replaced(p.text, node, str(change[node.value]))


def swap(p: Paste, fix: str) -> Iterator[str]:
    """`x = x + 1 instead of x += 1`, at the line that is named."""
    found = re.match(r"(.+?) instead of (.+)", fix)
    if not found:
        return
    whole = False
    for n in ast.walk(p.tree):
        plain = isinstance(n, ast.stmt | ast.expr)
        if plain and same(source(p.text, n), found[2]):  # type: ignore[arg-type]  # one of both
            whole = True
            yield replaced(p.text, n, found[1])
    if whole:
        return
    if any(text.count(a) != text.count(b) for text in found.groups() for a, b in ("()", "[]", "{}")):
        return  # a part of a fix that was taken apart inside of a call
    new = "" if found[1] == "nothing" else found[1]
    spaced = r"\s*".join(QUOTE if c in "\"'" else re.escape(c) for c in re.sub(r"\s", "", found[2]))
    places = [*re.finditer(spaced, p.text)]
    if len(places) == 1:  # the head of a function, or a part of a line: it stands there once
        yield p.text[: places[0].start()] + new + p.text[places[0].end() :]


def same(written: str, printed: str) -> bool:
    """Whether two texts are the same code, whatever the quotes and spaces."""
    plain = [re.sub(r"\s", "", text).replace("'", '"') for text in (written, printed)]
    return plain[0] == plain[1]


def fed(p: Paste, fix: str) -> Iterator[str]:
    """`feed input.1.squeeze(1)`: an input of a session, whose value stands in the dictionary of its feeds."""
    if p.kind != "onnx" or not fix.startswith("feed ") or " of shape " in fix or not p.screen.at:
        return
    tree = p.tree
    statement = statement_at(tree, p.screen.at)
    found = fix.removeprefix("feed ")
    for name in (n for n in p.screen.inputs if re.search(rf"(?<![\w.]){re.escape(n)}(?!\w)", found)):
        for feeds in (n for n in ast.walk(statement) if isinstance(n, ast.Dict)):
            for key, value in zip(feeds.keys, feeds.values, strict=True):
                if len(feeds.keys) == 1 or (isinstance(key, ast.Constant) and key.value == name):
                    yield replaced(p.text, value, found.replace(name, f"({source(p.text, value)})"))
                    return
        for call in (n for n in ast.walk(statement) if isinstance(n, ast.Call) and call_name(n) == "run"):
            if len(call.args) == 2 and isinstance(call.args[1], ast.Name):
                entry = f'{call.args[1].id}["{name}"]'
                yield insert(p.text, statement.lineno, f"{entry} = {found.replace(name, entry)}")
                return


def expression(p: Paste, fix: str) -> Iterator[str]:
    """`feed x.unsqueeze(0)`, `pass y.squeeze(1)`, `set kernel.T in "layer"`, `mask.t() before "layer"`."""
    found = re.match(r'(?:feed |pass |set )?(.+?)(?: (?:before|for|in) "[^"]+"(?:, "[^"]+")*|)$', fix)
    try:
        goal = ast.parse(found[1] if found else "", mode="eval").body
    except SyntaxError:
        return
    names = {n.id for n in ast.walk(goal) if isinstance(n, ast.Name)} - MODULES
    new = ast.unparse(goal)
    tree = p.tree
    statement = statement_at(tree, p.screen.at) if p.screen.at else None
    if fix.startswith("feed") and len(names) == 1:
        name = next(iter(names))
        for line in p.probe["forwards"][:1]:
            for function in (
                n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.lineno == line
            ):
                if name in [a.arg for a in function.args.args]:
                    yield insert(p.text, function.body[0].lineno, f"{name} = {new}")
        # Keras calls an array by the name of its input, or x: it is the first argument of the call
        if p.kind != "torch" and (name == "x" or [*p.screen.inputs][:1] == [name]) and statement is not None:
            for call in (n for n in ast.walk(statement) if isinstance(n, ast.Call) and n.args):
                if call_name(call) in ("fit", "predict", "evaluate") or not isinstance(
                    call.func, ast.Attribute
                ):
                    written = source(p.text, call.args[0])
                    yield replaced(p.text, call.args[0], re.sub(rf"\b{name}\b", f"({written})", new))
                    return
    if statement is None:
        return
    parts = sorted((n for n in ast.walk(goal) if isinstance(n, ast.expr)), key=lambda n: -len(ast.dump(n)))
    for part in parts:
        if not names & {n.id for n in ast.walk(part) if isinstance(n, ast.Name)}:
            continue
        # the value alone counts, not whether it is read or written
        there = [
            n for n in ast.walk(statement) if isinstance(n, ast.expr) and ast.unparse(n) == ast.unparse(part)
        ]
        there = [n for n in there if not isinstance(getattr(n, "ctx", ast.Load()), ast.Store)]
        if there:
            yield replaced(p.text, there[0], new)
            return


LOADS = ("load_state_dict", "load_weights", "load_model", "set_weights", "TFSMLayer")


def load(p: Paste, fix: str) -> Iterator[str]:
    """`model.load_state_dict({...})`: the call that loads, in the line that is named."""
    try:
        goal = ast.parse(fix).body
    except SyntaxError:
        return
    if (
        not goal
        or not isinstance(goal[-1], ast.Expr)
        or not isinstance(goal[-1].value, ast.Call)
        or not p.screen.at
    ):
        return
    statement = statement_at(p.tree, p.screen.at)
    for call in (n for n in ast.walk(statement) if isinstance(n, ast.Call) and call_name(n) in LOADS):
        text = replaced(p.text, call, source(fix, goal[-1].value))
        for before in reversed(goal[:-1]):
            text = insert(text, statement.lineno, source(fix, before))
        yield text
        return


ONE: tuple[Callable[[Paste, str], Iterator[str]], ...] = (
    load,
    argument,
    setting,
    sizes,
    swap,
    fed,
    expression,
)


def several(p: Paste, fix: str) -> Iterator[str]:
    """`feed ids[:, :512], feed mask[:, :512]`: several edits joined by commas, one after the other."""
    yield from swaps(p, fix)
    parts = re.split(r', (?=(?:feed|pass|set) |\w+=(?!=)[^,]* in ")', fix)
    if len(parts) < 2 or all(re.match(r"\w+=", part) for part in parts):
        return
    for part in parts:
        new = next((new for paster in ONE for new in paster(p, part) if new != p.text), None)
        if new is None:
            return
        p = shifted(p, new)
    yield p.text


def swaps(p: Paste, fix: str) -> Iterator[str]:
    """`a = 3 instead of a = 2, f(b) instead of f(c)`: each in its own place."""
    for comma in re.finditer(r", ", fix):
        left, right = fix[: comma.start()], fix[comma.end() :]
        if left.count(" instead of ") != 1 or " instead of " not in right:
            continue
        for new in swap(p, left):
            rest = shifted(p, new)
            yield from swap(rest, right) if right.count(" instead of ") == 1 else swaps(rest, right)


def shifted(p: Paste, new: str) -> Paste:
    """The program with another text: what stands behind a line that was put in has moved."""
    old, lines = p.text.splitlines(), new.splitlines()
    first = next((n for n, (a, b) in enumerate(zip(old, lines, strict=False)) if a != b), len(old)) + 1
    by = len(lines) - len(old)

    def moved(line: int | None) -> int | None:
        return line if line is None or line < first else line + by

    paths = {name: (moved(line), cls) for name, (line, cls) in p.probe["paths"].items()}
    probe = {"paths": paths, "forwards": [moved(line) for line in p.probe["forwards"]]}
    return Paste(new, p.screen._replace(at=moved(p.screen.at)), probe, p.kind)


def above(p: Paste, fix: str) -> Iterator[str]:
    """`y = y.unsqueeze(1) before line 54`: a statement of its own."""
    found = re.fullmatch(r"(\w+ = .+) before line (\d+)", fix)
    if found:
        yield insert(p.text, int(found[2]), found[1])


PASTERS = (above, several, *ONE)
