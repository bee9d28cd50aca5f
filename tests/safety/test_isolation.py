"""Reading a file opens that file, imports no framework, starts nothing but our own isolated child."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROBE = Path(__file__).with_name("probe.py")


def probe(asked: dict[str, tuple[str, str]], *more: str) -> list:
    done = subprocess.run(
        [sys.executable, str(PROBE), json.dumps(asked), *more], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stderr.splitlines()[-1])


@pytest.fixture(scope="module")
def asked(samples) -> dict[str, tuple[str, str]]:
    return {name: (str(sample.folder), str(sample.folder / sample.show)) for name, sample in samples.items()}


def test_nothing_else_is_opened_started_or_imported(asked) -> None:
    codes, seen, frameworks = probe(asked)
    assert codes == dict.fromkeys(asked, 0)
    assert seen == []
    assert frameworks == []


def test_the_probe_can_fail(asked, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("")
    codes, seen, _ = probe({"gguf": asked["gguf"]}, str(other))
    assert codes == {"gguf": 0}
    assert seen == [["open", str(other.resolve())]]
