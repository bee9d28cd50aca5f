"""No name of the standard library that only POSIX systems have is used without a guard."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from posix_names import ATTRIBUTES, MODULES, unguarded

ROOT = Path(__file__).parents[2]
#: Rooms that a failed script's second run needs. They are entered where Linux offers Landlock and nowhere
#: else: ``test_simulated`` shows that the gates are closed on other systems, where they can be imported.
ONLY_WITH_LANDLOCK = frozenset(
    f"shapeinspect/{name}.py"
    for name in (
        *("plugin_api/isolation/limits", "plugin_api/isolation/inheritance", "plugin_api/isolation/landlock"),
        *("plugin_api/programs/copies", "plugin_api/programs/probes"),
        *("trials/child", "trials/copy_of_process", "trials/server"),
    )
)


def _modules() -> dict[str, str]:
    files = [*(ROOT / "shapeinspect").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]
    return {file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8") for file in files}


def test_every_use_is_guarded() -> None:
    found = {name: uses for name, code in _modules().items() if (uses := unguarded(code))}
    assert {name: uses for name, uses in found.items() if name not in ONLY_WITH_LANDLOCK} == {}
    assert set(found) == ONLY_WITH_LANDLOCK, "a room that needs no exception any more"


def test_those_rooms_use_none_while_they_are_imported() -> None:
    for name in ONLY_WITH_LANDLOCK:
        code = (ROOT / name).read_text(encoding="utf-8")
        defined = [
            node.lineno
            for node in ast.parse(code).body
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)
        ]
        first = min(defined)
        assert [line for line, _ in unguarded(code) if line < first] == [], name


def test_the_table_names_what_this_system_has() -> None:
    """A name that no system has would be a slip, and would guard nothing."""
    import mmap
    import os
    import select
    import signal
    import socket
    import time

    assert len(MODULES) > 9
    here = {"os": os, "signal": signal, "time": time, "mmap": mmap, "socket": socket, "select": select}
    lacking = {
        f"{name}.{part}"
        for name, module in here.items()
        for part in ATTRIBUTES[name]
        if not hasattr(module, part)
    }
    assert lacking <= {"select.kqueue", "os.unshare", "os.setns", "os.lockf", "socket.CMSG_LEN", "os.O_PATH"}


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("import fcntl", [1]),
        ("import os\nos.fork()", [2]),
        ("import os\ndef f():\n    x = [os.getuid() for _ in ()]", [3]),
        ("import os\nif True:\n    os.fork()", [3]),
        ("import signal\nsignal.signal(signal.SIGHUP, f)", [2]),
        ("import subprocess\nsubprocess.Popen([], preexec_fn=f)", [2]),
        ("from resource import getrusage", [1]),
        ("try:\n    f()\nexcept ValueError:\n    import pwd", [4]),
        ("try:\n    import pwd\nexcept ImportError:\n    pwd = None", []),
        (
            "def f():\n try:\n  import pwd\n except ImportError:\n  return\n return os.fork()",
            [],
        ),
        ("import sys, os\nif sys.platform != 'win32':\n    os.fork()", []),
        (
            "import sys, os\ndef f():\n if sys.platform == 'win32':\n  return\n return os.getuid()",
            [],
        ),
        ("import sys, os\ndef f():\n    if x:\n        return 0\n    return os.getuid()", [5]),
        ("import os\nx = os.getuid() if hasattr(os, 'getuid') else 0", []),
        ("import os\nwith suppress(AttributeError):\n    os.getuid()", []),
        ("import os\nwith suppress(OSError):\n    os.getuid()", [3]),
        ("x = getattr(os, 'O_NOFOLLOW', 0)", []),
    ],
)
def test_what_a_guard_is(code: str, lines: list[int]) -> None:
    assert [line for line, _ in unguarded(code)] == lines
