"""Graphs whose nodes have the form of another opset than is declared, or that a runtime is too old for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shapeinspect.ir import Layer
from shapeinspect.plugin_api.claims import Claim
from shapeinspect.plugin_api.facts import Edit, Explained
from shapeinspect.plugin_api.programs.failed import Program
from shapeinspect.plugin_api.rerun import Rerun
from shapeinspect.plugin_api.rewriting import Rewriting, outside
from shapeinspect.plugin_api.user_code.source import callee_of
from shapeinspect_onnx.debug.quiet import opened

#: How onnxruntime names the node that it does not know.
_NODE = re.compile(r'In Node, \("(?P<name>[^"]*)", (?P<op>\w+), "(?P<domain>[^"]*)"')
_OF_FORM = re.compile(
    r"Unrecognized attribute|No Op registered for|is deprecated in domain_version"
    r"|has (in|out)put size \d+ not in"
)
_IR = re.compile(r"Unsupported model IR version: (?P<has>\d+), max supported IR version: (?P<most>\d+)")
_TOO_NEW = re.compile(r"Opset (?P<has>\d+) is under development.*till opset (?P<most>\d+)", re.S)
#: Calls that state an opset, each with the place of its number, and its name as an argument.
_STATING = {
    "make_opsetid": (1, "version"),
    "make_operatorsetid": (1, "version"),
    "export": (99, "opset_version"),
}
#: The domains of ONNX's own operators.
_OWN = ("", "ai.onnx")


@dataclass(frozen=True, slots=True)
class _Version:
    """A version that the model states, and another one with which it may open.

    Args:
        what: the field of the model: ``opset`` or ``ir_version``.
        has: the version that it states.
        wants: the other one.
    """

    what: str
    has: int
    wants: int

    def of(self, proto: Any) -> bytes:
        """Return the serialized model with the other version."""
        copy = type(proto)()
        copy.CopyFrom(proto)
        if self.what == "ir_version":
            copy.ir_version = self.wants
        for one in copy.opset_import if self.what == "opset" else ():
            if one.domain in _OWN:
                one.version = self.wants
        return bytes(copy.SerializeToString())

    def text(self, program: Program | None) -> str:
        """Write the edit where the program states the version, else what is to be stated."""
        for node, name in () if program is None else _stated(program.tree, self):
            if program is not None:
                old = ast.get_source_segment(program.text, node) or ""
                number = ast.get_source_segment(program.text, name) or ""
                if old.count(number) == 1:
                    return f"{old.replace(number, str(self.wants))} instead of {old}"
        field = "ir_version" if self.what == "ir_version" else "the version of its opset_import"
        return f"{self.wants} as {field} instead of {self.has}"


def _stated(tree: ast.Module, version: _Version) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Yield the calls that state a version, each with the number."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        place, name = (99, "ir_version") if version.what == "ir_version" else (99, "")
        if version.what == "opset":
            place, name = _STATING.get(callee_of(node), (99, ""))
        given = [word.value for word in node.keywords if word.arg == name] + node.args[place : place + 1]
        for number in given:
            if isinstance(number, ast.Constant) and number.value == version.has:
                yield (node if len(ast.unparse(node)) < 60 else number), number


def misdeclared(proto: Any, program: Program | None, message: str, where: str | None) -> Rerun | None:
    """Say which version of a model does not suit its nodes or the runtime; None where the message is another.

    Args:
        proto: the ``ModelProto``.
        program: the user's program; None where its source is not there.
        message: onnxruntime's words.
        where: the user's source line.
    """
    opset = next((one.version for one in proto.opset_import if one.domain in _OWN), 0)
    found = _NODE.search(message)
    versions: list[_Version] = []
    for pattern, what in ((_IR, "ir_version"), (_TOO_NEW, "opset")):
        new = pattern.search(message)
        if new is not None:
            field = "IR version" if what == "ir_version" else "opset"
            versions = [_Version(what, int(new["has"]), int(new["most"]))]
            fact = Explained(
                "model-version", (f"{field} {new['most']} or older",), (f"{field} {new['has']}",)
            )
            layer = Layer("model", "input", "ModelProto")
    if not versions:
        nodes = [] if found is None else [one for one in proto.graph.node if one.op_type == found["op"]]
        node = next((one for one in nodes if found is not None and one.name == found["name"]), None)
        if node is None or node.domain not in _OWN or _OF_FORM.search(message) is None:
            return None
        takes = [number for number in range(1, _newest() + 1) if _fits(node, number)]
        versions = [
            _Version("opset", opset, number) for number in sorted(takes, key=lambda n: abs(n - opset))
        ]
        expected = (_form(node.op_type, opset),)
        span = f": the form of opsets {takes[0]} to {takes[-1]}" if takes else ""
        fact = Explained("opset", expected, (f"{_written(node)}{span}",))
        layer = Layer(node.name or node.op_type, "unknown", node.op_type)
    version = next((one for one in versions if opened(one.of(proto)) is not None), None)
    edits = () if version is None else (Edit(fact.cause, version.text(program)),)
    fact = Explained(fact.cause, fact.expected, fact.got, edits)
    failure = outside(layer, [], "onnx", message, where, fact)
    return Rewriting(failure, lambda _edit: Claim(what="onnxruntime.InferenceSession"))


def _newest() -> int:
    from onnx import defs

    return int(defs.onnx_opset_version())


def _schema(op: str, opset: int) -> Any:
    from onnx import defs

    try:
        return defs.get_schema(op, opset, "")
    except defs.SchemaError:
        return None


def _fits(node: Any, opset: int) -> bool:
    schema = _schema(node.op_type, opset)
    return (
        schema is not None
        and not schema.deprecated
        and {one.name for one in node.attribute} <= {*schema.attributes}
        and schema.min_input <= len(node.input) <= schema.max_input
        and schema.min_output <= len(node.output) <= schema.max_output
    )


def _form(op: str, opset: int) -> str:
    """Write what an operator takes in an opset."""
    schema = _schema(op, opset)
    if schema is None or schema.deprecated:
        return f"an operator of opset {opset}: {op} is none"
    inputs = ", ".join(one.name for one in schema.inputs)
    attributes = ", ".join(sorted(schema.attributes)) or "none"
    return f"{op} of opset {opset}: inputs {inputs}; attributes {attributes}"


def _written(node: Any) -> str:
    """Write what a node has."""
    count = len([name for name in node.input if name])
    attributes = ", ".join(one.name for one in node.attribute) or "none"
    return f"{count} {'input' if count == 1 else 'inputs'}; attributes {attributes}"
