"""What the screen of one mutant is worth: found, named, mended, and claimed rightly or not.

The truth is the change itself: its line, and the text that stood there before, a fix known to be good.
"""

from __future__ import annotations

import ast
import difflib
import importlib.util
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import farm
from mutate import Mutant  # noqa: TC002  # it lies beside this file


def _load(name: str, folder: Path) -> ModuleType:
    import sys

    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


UNSEEN = Path(__file__).resolve().parent.parent / "mismatch" / "unseen"
verify = _load("verify", UNSEEN)
judge = _load("judge", UNSEEN)

#: What Python itself raises, and what no framework is asked about.
PLAIN = re.compile(
    r"values to unpack|unsupported operand|positional argument|unexpected keyword|cannot unpack"
    r"|not subscriptable|not iterable|not callable|multiple values|list index|tuple index|object is not"
    r"|has no len|invalid literal|but got (?:module|function|type|method|str|builtin)"
    r"|math domain|empty range|'NoneType'|must be str|only integer|bad operand|object cannot be interpreted"
    r"|list indices must|tuple indices must|local variable|range\(\) arg"
)
KINDS = [
    "RuntimeError",
    "ValueError",
    "IndexError",
    "TypeError",
    "AssertionError",
    "InvalidArgumentError",
    "InvalidArgument",
    "OutOfRangeError",
    "UnimplementedError",
    "InvalidGraph",
    "Fail",
    "RuntimeException",
    "AxisError",
    "NotImplementedError",
]


def fails_by_shape(found: dict[str, Any]) -> bool:
    """Whether a run ended with a framework's error of shape, dtype or index."""
    error, message = found.get("error"), found.get("message", "")
    if error not in KINDS or PLAIN.search(message.split("\n")[0]):
        return False
    return bool(verify.SHAPE_ERROR.search(message) or "divisible" in message)


def told(stdout: str) -> str:
    """What a script printed, its sizes kept and other numbers left out."""
    return re.sub(r"-?\d+\.\d+(e-?\d+)?|\bnan\b", "#", stdout)


def fixes(text: str) -> list[tuple[str, str]]:
    """The fixes on a screen in their order, each with what is claimed of it."""
    found = re.search(r"^  fix {7}(.*?)(?=^  \S|^\S|\Z)", text, re.M | re.S)
    items: list[str] = []
    for line in (found[1] if found else "").splitlines():
        if line.startswith(" " * 14) and items:
            items[-1] += " " + line.strip()
        elif line.strip():
            items.append(line.strip())
    result: list[tuple[str, str]] = []
    open_ones: list[str] = []
    for item in items:
        if re.match(r"\((?:it|each|they|\w+ (?:of|was))\b", item):
            result += [(fix, item) for fix in open_ones]
            open_ones = []
        else:
            open_ones.append(re.sub(r"\s+", " ", item.removeprefix("or ")))
    return result + [(fix, "") for fix in open_ones]


def is_layer_named(screen: Any, found: dict[str, Any], text: str) -> bool:
    """Whether the statement of the script that failed is named, or the innermost layer of its traceback."""
    inside = [name for name in found["inside"] if name]
    if screen.layer and inside and f"{screen.layer}.".startswith(f"{inside[-1]}."):
        return True
    if not found["stack"] or screen.at is None:
        return False
    first, last = farm.statement_lines(text, found["stack"][-1][0])
    return bool(first <= screen.at <= last)


def is_cause_named(mutant: Mutant, screen_text: str, found: dict[str, Any]) -> bool:
    """Whether the changed line is named anywhere on the screen, or a layer that is made there."""
    lines = {mutant.line, mutant.line + mutant.before.count("\n")}
    flat = re.sub(r"\n {14}(?=\S)", " ", screen_text)
    named = {int(n) for n in re.findall(rf"{mutant.script}\.py:(\d+)|\blines? (\d+)", flat) for n in n if n}
    layers = {name for name, (line, _) in found["paths"].items() if line in lines and name}
    return bool(lines & named) or any(f'"{name}"' in flat for name in layers)


def contradicted(claim: str, text: str, found: dict[str, Any], pasted: str, then: dict[str, Any]) -> str:
    """How a pasted fix that fails stands against its claim: "false", "suspect", or nothing.

    False is a claim that a statement ran to its end where just this statement fails again.
    """
    if "to its end" not in claim or "not tried" in claim:
        return ""
    stack = found["stack"]
    if re.search(r"__init__|required argument|not callable|is not defined", then.get("message", "")):
        return "suspect"  # it was pasted wrongly
    if not stack or not then.get("stack"):
        return "suspect"
    if "whole script" in claim:
        return "false"
    names = [name for _, name in stack]
    inner = next((i for i, name in enumerate(names) if name in ("forward", "call")), len(stack))
    at = max(inner - 1, 0) if "model call" in claim or "whole call" in claim else len(stack) - 1
    first, last = farm.statement_lines(text, stack[at][0])
    end = re.search(r"to line (\d+)", claim)
    old_of = _old_lines(text, pasted)
    places = [(old_of.get(line), name) for line, name in then["stack"]]
    same = [line for line, name in places if name == stack[at][1] and line is not None]
    if any(first <= line <= last for line in same):
        return "false"
    if end and len(places) == at + 1 and any(first <= line <= int(end[1]) for line in same):
        return "false"
    if same and max(same) < first:
        return "suspect"
    return ""


def _old_lines(before: str, after: str) -> dict[int, int]:
    matcher = difflib.SequenceMatcher(None, before.splitlines(), after.splitlines(), autojunk=False)
    lines: dict[int, int] = {}
    for _, a1, a2, b1, b2 in matcher.get_opcodes():
        for b in range(b1, b2):
            lines[b + 1] = min(a1 + (b - b1), max(a2 - 1, a1)) + 1
    return lines


def judged(mutant: Mutant, original: str, printed: str, known: dict[str, Any]) -> farm.Task:
    """The task that runs one mutant, reads its screen and pastes its fixes.

    Args:
        mutant: the change.
        original: the script before it.
        printed: what the script prints before the change.
        known: outcomes of runs without the debugger, by their text.

    Returns:
        None where the mutant is none; otherwise its judgement.
    """
    text = mutant.applied(original)

    def plain(pasted: str) -> farm.Task:
        if pasted not in known:
            known[pasted] = yield farm.Job(pasted, mutant.script)
        return known[pasted]

    found = yield from plain(text)
    if not fails_by_shape(found):
        return None
    ran = yield farm.Job(text, mutant.script, debug=True)
    screen = judge.screens.read(ran["stderr"], mutant.script)
    result: dict[str, Any] = {
        "key": mutant.key, "script": mutant.script, "kind": mutant.kind, "line": mutant.line,
        "before": mutant.before, "after": mutant.after,
        "error": found["error"], "message": found["message"][:300],
        "printed": bool(screen.text) and "no diagnosis" not in screen.text.split("\n")[0],
        "broken": (screen.text or f"code {ran['code']}")[:200]
        if "no diagnosis" in screen.text or ran["code"] < 0
        else "",
        "layer": is_layer_named(screen, found, text), "cause": is_cause_named(mutant, screen.text, found),
        "fixes": [], "works": False, "kept": False, "false": [], "suspect": [], "seconds": ran["seconds"],
        "screen": screen.text, "inside": found["inside"], "stack": found["stack"], "text": text,
    }  # fmt: skip
    framework = mutant.script.split("_", maxsplit=1)[0]
    probe = {name: found[name] for name in ("paths", "forwards")}
    for index, (fix, claim) in enumerate(fixes(screen.text)[:3]):
        result["fixes"].append([fix, claim])
        paste = judge.pastes.Paste(text, screen, probe, framework)
        outcome = SimpleNamespace(works=False, verdicts=[], then="", kept=False)
        for new in _in_its_line(text, fix, claim) or _candidates(paste, fix):
            then = yield from plain(new)
            if then["error"] is None and then["code"] == 0:
                outcome.works = True
                outcome.kept = _same_code(new, original) or told(then["stdout"]) == told(printed)
                break
            outcome.verdicts.append(contradicted(claim, text, found, new, then))
            outcome.then = f"{then['error']}: {then.get('message', '')[:200]} at {then['stack']}"
        if any(outcome.verdicts) and not outcome.works and framework == "torch":
            # An edit of a line may be too much or too little: the layers themselves are built again.
            exact, settings = _exactly(paste, fix, found["paths"])
            if settings or exact is None or fix.startswith("feed "):
                outcome.verdicts = ["suspect"]
            if settings and exact is not None:
                then = yield farm.Job(exact, mutant.script, settings=settings)
                outcome.verdicts = (
                    [""] if then["code"] == 0 else [contradicted(claim, text, found, exact, then)]
                )
                outcome.then += (
                    f"; exactly: {then['error']}: {then.get('message', '')[:200]} at {then['stack']}"
                )
        result["fixes"][-1] += [outcome.works, outcome.kept, outcome.then]
        if index == 0:
            result["works"], result["kept"] = outcome.works, outcome.kept
            result["cause"] = result["cause"] or (outcome.works and outcome.kept)
        if not outcome.works and outcome.verdicts:
            kind = "false" if all(v == "false" for v in outcome.verdicts) else "suspect"
            if any(outcome.verdicts):
                result[kind].append(f"{fix} | {claim} | then {outcome.then}")
    return result


def _in_its_line(text: str, fix: str, claim: str) -> list[str]:
    """The text with ``NEW instead of OLD`` put into the line that the claim names."""
    named = re.search(r"change is in \S+?:(\d+)", claim)
    new, split, old = fix.partition(" instead of ")
    if not named or not split or " instead of " in old:
        return []
    begin = sum(len(line) for line in text.splitlines(keepends=True)[: int(named[1]) - 1])
    letters = (re.escape(letter) if letter not in "\"'" else "[\"']" for letter in re.sub(r"\s", "", old))
    found = re.compile(r"\s*".join(letters)).search(text, begin)
    return [text[: found.start()] + new + text[found.end() :]] if found else []


def _candidates(paste: Any, fix: str) -> list[str]:
    """The texts that the fix may mean, of the first way of pasting that makes one."""
    for paster in judge.pastes.PASTERS:
        try:
            new = [one for one in paster(paste, fix) if one != paste.text]
        except (SyntaxError, ValueError, IndexError, AttributeError, TypeError, StopIteration):
            continue
        if new:
            return new
    return []


def _parts(fix: str) -> list[str]:
    """A fix at its commas outside of brackets and quotes; names in quotes belong to what is before them."""
    parts, depth, quoted = [""], 0, False
    for letter in fix:
        quoted ^= letter == '"'
        depth += (letter in "([{") - (letter in ")]}") if not quoted else 0
        if letter == "," and not depth and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    joined: list[str] = []
    for part in (p.strip() for p in parts):
        if joined and part.startswith(('"', "and ")):
            joined[-1] += f", {part}"
        else:
            joined.append(part)
    return joined


def _exactly(paste: Any, fix: str, paths: dict[str, Any]) -> tuple[str | None, list[tuple[str, str, Any]]]:
    """The text with what is no setting of a layer pasted, None where that cannot be, and the settings.

    What is pasted into a line of a block that is there several times changes them all, which no fix says.
    """
    blocks = [cls for _, cls in paths.values()]
    settings: list[tuple[str, str, Any]] = []
    for part in _parts(fix):
        setting = re.fullmatch(r'(\w+)=(.+?) in ((?:"[^"]+"(?:, | and )?(?:and )?)+)', part)
        if setting:
            try:
                value = ast.literal_eval(setting[2])
            except (ValueError, SyntaxError):
                return None, settings
            settings += [(layer, setting[1], value) for layer in re.findall(r'"([^"]+)"', setting[3])]
            continue
        new = next(iter(_candidates(paste, part)), None)
        place = re.search(r'(?:before|in) "([^"]+)\.[^".]+"', part)
        if new is None or (place and blocks.count(paths.get(place[1], (0, ""))[1]) > 1):
            return None, settings
        paste = judge.pastes.shifted(paste, new)
    return paste.text, settings


def _same_code(text: str, other: str) -> bool:
    try:
        return ast.dump(ast.parse(text)) == ast.dump(ast.parse(other))
    except SyntaxError:
        return False
