"""Archives, JSON, pickles and compressed data are read in one place, and by no library that trusts them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: What reads without the bounds of ``shapeinspect.binary``.
TRUSTING = {"zipfile", "tarfile", "zlib", "gzip", "bz2", "lzma", "pickle", "pickletools", "mmap", "marshal"}
PARSING = {"json.loads", "json.load", "json.JSONDecoder", "np.load", "numpy.load"}
#: A process of its own answers in JSON, to its parent.
CHILDREN = ("_child.py",)


def uses(code: str) -> Iterator[str]:
    """Name what a module imports of these, and each place where it parses JSON."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.partition(".")[0] in TRUSTING)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in TRUSTING:
            yield str(node.module)
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in PARSING:
            yield ast.unparse(node)


def test_no_plug_in_reads_with_a_library_that_trusts_the_file() -> None:
    files = [path for path in (ROOT / "plugins").rglob("*.py") if not path.name.endswith(CHILDREN)]
    assert len(files) > 200
    found = {str(path.relative_to(ROOT)): [*uses(path.read_text())] for path in files}
    assert {path: names for path, names in found.items() if names} == {}


def test_the_check_can_fail() -> None:
    code = "import zipfile\ndef f(raw):\n    from zlib import crc32\n    return json.loads(raw)"
    assert [*uses(code)] == ["zipfile", "zlib", "json.loads"]
