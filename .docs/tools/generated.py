"""Pages that are written from the code itself: commands, letters, columns, schemas, the Python reference."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1]

#: The modules whose public names the reference lists, with what each page says first.
MODULES: Mapping[str, tuple[str, str]] = {
    "shapeinspect": (
        "reference/python.md",
        "Everything is imported from `shapeinspect`; importing it imports no framework.",
    ),
    "shapeinspect.testing": (
        "reference/testing.md",
        "The types of the pytest fixture, equal outputs of two models, and the contract of adapters.",
    ),
    "shapeinspect.schema": ("", ""),
}


def pages() -> dict[str, str]:
    """Return every generated page by its path below ``pages``."""
    return {
        **{f"reference/commands/{name}.md": command_page(name) for name in commands()},
        "reference/commands/index.md": overview(),
        **{path: module_page(name) for name, (path, _) in MODULES.items() if path},
        "reference/letters.md": letters_page(),
        "reference/columns.md": columns_page(),
        "reference/schemas.md": schemas_page(),
        "reference/pytest.md": pytest_page(),
    }


def commands() -> tuple[str, ...]:
    """Return the names of the commands, in the order of the help page."""
    from shapeinspect.commands.names import COMMANDS

    return COMMANDS


def command(name: str) -> Any:
    """Return a command as typer builds it, with its arguments and options.

    Args:
        name: its name.
    """
    import typer

    from shapeinspect.cli import app

    built = typer.main.get_command(app((name,)))
    return getattr(built, "commands", {name: built})[name]


def overview() -> str:
    """Return the page that lists the commands."""
    rows = [(f"[`{name}`]({name}.md)", _sentence(command(name).help)) for name in commands()]
    head = (DOCS / "commands" / "index.md").read_text(encoding="utf-8")
    return f"# Commands\n\n{_definitions(rows)}\n{head}"


def command_page(name: str) -> str:
    """Return the page of a command: what it is for, examples that are run, every argument and option.

    Args:
        name: the command.
    """
    built = command(name)
    arguments = [each for each in built.params if each.param_type_name == "argument"]
    options = [each for each in built.params if each.param_type_name == "option" and not _is_help(each)]
    usage = " ".join([f"shapeinspect {name} [OPTIONS]", *(_placed(each) for each in arguments)])
    examples = (DOCS / "commands" / f"{name}.md").read_text(encoding="utf-8")
    parts = [f"# shapeinspect {name}", _paragraphs(built.help), f"```text\n{usage}\n```", examples]
    if arguments:
        parts += ["## Arguments", _definitions([(f"`{_metavar(each)}`", each.help) for each in arguments])]
    panels: dict[str, list[Any]] = {}
    for each in options:
        panels.setdefault(getattr(each, "rich_help_panel", None) or "Options", []).append(each)
    for title, those in panels.items():
        parts += [f"## {title}", _definitions([(_spelled(each), _described(each)) for each in those])]
    return "\n\n".join(parts) + "\n"


def _is_help(option: Any) -> bool:
    return "--help" in option.opts


def _placed(argument: Any) -> str:
    name = _metavar(argument)
    return name if argument.required else f"[{name}]"


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper()).strip("[]")


def _spelled(option: Any) -> str:
    """Write an option's names and what it takes, with an anchor that is its first long name."""
    names = sorted([*option.opts, *option.secondary_opts], key=lambda text: not text.startswith("--"))
    anchor = names[0].lstrip("-")
    taken = "" if option.is_flag or getattr(option, "count", False) else f" *{_kind(option)}*"
    first, *others = (f"`{name}`" for name in names)
    return " ".join([f"{first}{{ #{anchor} }}", *others]) + taken


def _kind(option: Any) -> str:
    """Return what an option takes, in one word."""
    if option.metavar:
        return str(option.metavar)
    described = getattr(option, "type_descriptor", None)
    annotation = getattr(described, "annotation", str)
    return {"int": "NUMBER", "float": "NUMBER", "Path": "FILE"}.get(annotation.__name__, "WORD")


def _described(option: Any) -> str:
    text = _escaped(str(option.help or ""))
    default = option.default
    if option.show_default and default not in (None, False, "", ()) and not callable(default):
        text += f" Default: `{default}`."
    return text


def _escaped(text: str) -> str:
    """Write a help text as Markdown: stars, braces and angles in it mean themselves."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(
        piece if piece.startswith("`") else re.sub(r"([*_<>{}\[\]])", r"\\\1", piece) for piece in pieces
    )


def _paragraphs(text: str | None) -> str:
    return "\n\n".join(
        _escaped(" ".join(part.split())) for part in inspect.cleandoc(text or "").split("\n\n")
    )


def _sentence(text: str | None) -> str:
    return _paragraphs(text).partition("\n\n")[0]


def _definitions(rows: Sequence[tuple[str, str]]) -> str:
    """Write terms with their descriptions below them, which fits a narrow screen."""
    return "\n".join(f"{term}\n:   {text}\n" for term, text in rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def module_page(name: str) -> str:
    """Return the reference of a module: each of its public names, by what it is.

    Args:
        name: the module.
    """
    module = importlib.import_module(name)
    groups: dict[str, list[str]] = {"Functions": [], "Classes": [], "Errors": [], "Constants": []}
    for public in module.__all__:
        groups[_group(getattr(module, public))].append(public)
    parts = [f"# `{name}`", MODULES[name][1]]
    for title, names in groups.items():
        kept = [public for public in names if not public.startswith("__")]
        if kept:
            parts += [f"## {title}", *(f"::: {name}.{public}" for public in kept)]
    return "\n\n".join(parts) + "\n"


def _group(value: object) -> str:
    if inspect.isclass(value):
        return "Errors" if issubclass(value, BaseException) else "Classes"
    return "Functions" if callable(value) else "Constants"


def letters_page() -> str:
    """Return the page of the letters and of the settings' notation, from the tables that write them."""
    from shapeinspect.render.legend import ACTIVATION_AXES, WEIGHT_AXES
    from shapeinspect.render.notation import notations

    head = (DOCS / "partials" / "letters.md").read_text(encoding="utf-8")
    parts = {
        "activations": _table(
            ("letter", "axis"), [(f"`{letter}`", meaning) for letter, meaning in ACTIVATION_AXES.items()]
        ),
        "weights": _table(
            ("letter", "axis"), [(f"`{letter}`", meaning) for letter, meaning in WEIGHT_AXES.items()]
        ),
        "settings": _table(
            ("in the table", "attribute", "means"),
            [(f"`{each.example}`", f"`{each.attribute}`", each.meaning) for each in notations()],
        ),
    }
    return re.sub(r"<!-- (\w+) -->", lambda found: parts[found[1]], head)


#: What the types of a record's values are called.
_TYPES: dict[type, str] = {str: "text", int: "integer", float: "number"}


def columns_page() -> str:
    """Return the page of the table's columns and of the fields of a record."""
    from shapeinspect.render.forms.fields import FIELDS, MEANINGS
    from shapeinspect.render.forms.records import records
    from shapeinspect.render.rows import COLUMNS, ON_REQUEST

    head = (DOCS / "partials" / "columns.md").read_text(encoding="utf-8")

    def rows(names: Sequence[str], shown: Callable[[str], str]) -> str:
        return _definitions([(f"`{name}`{shown(name)}", MEANINGS[name].meaning) for name in names])

    def heading(name: str) -> str:
        title = {**COLUMNS, **ON_REQUEST}[name].name
        return "" if title == name else f", under the heading *{title}*"

    def typed(name: str) -> str:
        known = [_TYPES[each] for each in MEANINGS[name].types if each in _TYPES]
        place = f", in JSON `{MEANINGS[name].json}`" if MEANINGS[name].json else ", not in JSON"
        return (
            f" ({' or '.join(known)}{'' if len(known) == len(MEANINGS[name].types) else ', or empty'}{place})"
        )

    parts = {
        "columns": rows(list(COLUMNS), heading),
        "requested": rows(list(ON_REQUEST), heading),
        "fields": rows(FIELDS, typed),
        "dropped": ", ".join(
            column.name for column in sorted(COLUMNS.values(), key=lambda each: -each.rank) if column.rank
        ),
        "records": inspect.cleandoc(records.__doc__ or "").split("\n\n")[1].replace("``", "`"),
    }
    return re.sub(r"<!-- (\w+) -->", lambda found: parts[found[1]], head)


def schemas_page() -> str:
    """Return the page of the JSON Schemas: every field of every output."""
    from shapeinspect.schema import NAMES, load

    head = (DOCS / "partials" / "schemas.md").read_text(encoding="utf-8")
    return "\n\n".join([head.rstrip(), *(_schema(name, load(name)) for name in NAMES)]) + "\n"


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    parts = [f"## {name} {{ #{name} }}", _escaped(str(schema.get("description", ""))), _fields(schema, name)]
    for part, inner in schema.get("$defs", {}).items():
        parts += [f"### {part} {{ #{name}-{part} }}", _escaped(str(inner.get("description", "")))]
        parts += [_fields(inner, name) or _type(inner, name)]
    return "\n\n".join(part for part in parts if part)


def _fields(schema: Mapping[str, Any], name: str) -> str:
    required = set(schema.get("required", ()))
    rows = [
        (
            f"`{field}` {_type(inner, name)}{'' if field in required else ', may be left out'}",
            _escaped(str(inner.get("description", ""))) or "&nbsp;",
        )
        for field, inner in schema.get("properties", {}).items()
    ]
    return _definitions(rows)


def _type(schema: Mapping[str, Any], name: str) -> str:
    """Write which values a schema allows, with links to its definitions."""
    if "$ref" in schema:
        target = schema["$ref"].rpartition("/")[2]
        return f"[{target}](#{name}-{target})"
    if "const" in schema:
        return f"always `{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return "one of " + ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(_type(each, name) for each in schema[several])
    kinds = schema.get("type", "any value")
    names = [kinds] if isinstance(kinds, str) else list(kinds)
    texts = []
    for kind in names:
        if kind == "array" and isinstance(schema.get("items"), Mapping):
            texts.append(f"list of {_type(schema['items'], name)}")
        elif kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
            texts.append(f"object whose values are {_type(schema['additionalProperties'], name)}")
        else:
            texts.append({"array": "list"}.get(kind, kind))
    return " or ".join(texts)


def pytest_page() -> str:
    """Return the page of the pytest plug-in: its options and fixtures as pytest itself sees them."""
    head = (DOCS / "partials" / "pytest.md").read_text(encoding="utf-8")
    options = _definitions([(_option(words, given), given["help"]) for words, given in _pytest_options()])
    return head.replace("<!-- options -->", options)


def _pytest_options() -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield what the plug-in adds to pytest's options."""
    from shapeinspect.pytest_plugin import pytest_addoption

    class Group:
        def __init__(self) -> None:
            self.rows: list[tuple[tuple[str, ...], dict[str, Any]]] = []

        def getgroup(self, *_words: str) -> Group:
            return self

        def addoption(self, *words: str, **given: Any) -> None:
            self.rows.append((words, given))

        def addini(self, *_words: str, **_given: Any) -> None:
            raise RuntimeError("the pytest plug-in has a setting of pytest.ini now: let the page list it")

    group = Group()
    pytest_addoption(group)  # type: ignore[arg-type]  # it is asked for nothing else
    yield from group.rows


def _option(words: tuple[str, ...], given: Mapping[str, Any]) -> str:
    taken = f" *{given['metavar']}*" if "metavar" in given else ""
    return f"`{words[0]}`{{ #{words[0].lstrip('-')} }}{taken}"
