"""Parts of a source are found where Python's parser says, whatever Unicode takes for the end of a line."""

from __future__ import annotations

import ast

from shapeinspect.plugin_api.programs.span import Span, source_of
from shapeinspect.trials.source_file import File
from shapeinspect_keras.debug.script.program import Program, Replacement

#: A page break, and separators inside of texts and comments.
SOURCE = 'a = "Größe\u2028 \x85"  # \x1c\n\x0c\nsize = 寸 + 24\n'


def test_each_reader_of_spans_finds_the_same_part() -> None:
    number = next(node for node in ast.walk(ast.parse(SOURCE)) if isinstance(node, ast.BinOp)).right
    program = Program("a.py", SOURCE)
    assert SOURCE.encode()[slice(*program.span(number))] == b"24"
    assert program.edited([Replacement(number, "17")]).text == SOURCE.replace("24", "17")
    span = Span.of(SOURCE, "a.py", number)
    assert span is not None
    assert source_of(SOURCE, span) == "24"
    assert File.parsed("a.py", SOURCE).source(number) == "24"
