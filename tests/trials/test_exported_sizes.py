"""A change of the size at which a model is exported alters what is exported: its place tells it."""

from __future__ import annotations

import ast

import pytest

from shapeinspect.trials.alterations import altered
from shapeinspect.trials.source_file import Edit, File

SCRIPT = """
def export(path, size=64):
    net = build(size)
    converter.export(net, example(1, 3, size), path)

def load(size=48):
    return read(size)

def main():
    example = zeros(1, 3, 32)
    onnx.export(net, example, "b.onnx")
    clip = zeros(2, 3, 40)
    return run(clip)

export("a.onnx", 80)
run(load(56))
"""
EXPORTED = "the size that the model is exported for"


@pytest.mark.parametrize(
    ("old", "meaning"),
    [("64", EXPORTED), ("32", EXPORTED), ("80", EXPORTED), ("48", ""), ("40", ""), ("56", "")],
)
def test_a_number_of_an_export_changes_what_is_exported(old: str, meaning: str) -> None:
    file = _file()
    node = next(one for one in ast.walk(file.tree) if isinstance(one, ast.Constant) and str(one.value) == old)
    first, last = file.span(node)
    assert altered(file, [Edit(file.path, first, last, "72")], node) == meaning


def test_a_further_argument_of_an_export_does_so_as_well() -> None:
    file = _file()
    node = next(
        one for one in ast.walk(file.tree) if isinstance(one, ast.Call) and ast.unparse(one) == "load(56)"
    )
    first, last = file.span(node)
    assert altered(file, [Edit(file.path, first, last, "load(size=72)")], node) == ""
    node = next(
        one
        for one in ast.walk(file.tree)
        if isinstance(one, ast.Call) and ast.unparse(one).startswith("export(")
    )
    first, last = file.span(node)
    assert altered(file, [Edit(file.path, first, last, 'export("a.onnx", size=72)')], node) == EXPORTED


def _file() -> File:
    return File.parsed("a.py", SCRIPT)
