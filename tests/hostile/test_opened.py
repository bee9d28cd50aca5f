"""What the system is asked to open and to start, by ``strace``: also what no audit hook of Python sees."""

from __future__ import annotations

import os
import re
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from .conftest import EVERY, cases, child

_CALL = re.compile(
    r'^\d+ +(open|openat|openat2|creat|execve)\((?:AT_FDCWD, |\d+(?:<.*?>)?, )?"((?:[^"\\]|\\.)*)"', re.M
)
#: Rows of every table; all of them would take an hour.
ROWS = [name for name, case in EVERY.items() if not case.alone and not case.slow and case.server is None][
    :: int(os.environ.get("SHAPEINSPECT_ROWS", "6"))
]
_SYSTEM = (
    "/proc/", "/sys/", "/dev/null", "/dev/urandom", "/etc/ld.so", "/lib", "/usr/lib", "/usr/share/zoneinfo",
    "/usr/share/locale",
    "/etc/localtime",
)  # fmt: skip


#: What importing h5py runs, wherever it lies: Python's ``platform`` asks it for the processor.
_PROGRAM = "/uname"


def _allowed(home: Path) -> tuple[str, ...]:
    import shapeinspect

    project = Path(shapeinspect.__file__).parents[1]
    code = (
        sys.prefix,
        sys.base_prefix,
        *sysconfig.get_paths().values(),
        *filter(None, sys.path),
        project,
        os.path.realpath(sys.executable),
    )
    given = {str(home), os.path.realpath(home)}
    return (*given, *_SYSTEM, *{str(path) for path in code}, *{os.path.realpath(path) for path in code})


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is a program of Linux")
def test_nothing_outside_is_opened_or_started(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()
    running: Any = child.Child(Path(__file__).with_name("show.py"), _traced(log))
    found = []
    try:
        for number, name in enumerate(ROWS):
            home = tmp_path / str(number)
            home.mkdir()
            os.mkfifo(home.with_name(f"{number}.outside"))
            EVERY[name].make(home)
            running.ask(
                {"show": os.path.normpath(home / EVERY[name].show), "given": [str(home)], "formats": ["json"]}
            )
            begin = log.stat().st_size if number else None
            running.answer()
            with log.open("rb") as file:
                file.seek(begin or 0)
                text = file.read().decode("utf-8", "replace")
            paths = [
                (call, path)
                for call, path in _CALL.findall(text)
                if path.startswith("/") and not (call == "execve" and path.endswith(_PROGRAM))
            ]
            if begin is not None:  # before the first row it has imported everything
                found += [(name, *one) for one in paths if not one[1].startswith(_allowed(home))]
            assert not cases.marker(home).exists()
            shutil.rmtree(home)
    finally:
        running.close()
    assert found == []


def _traced(log: Path) -> tuple[str, ...]:
    return "strace", "-f", "-qq", "-e", "trace=open,openat,openat2,creat,execve", "-o", str(log)
