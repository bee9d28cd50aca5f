"""What a mirror of a folder holds: links, changed files, and folders where the script writes."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from shapeinspect.plugin_api.isolation.mirror import PREFIX, beside, mirror

if TYPE_CHECKING:
    import pytest


def made(folder: Path) -> None:
    for name in ("a.py", "data/x.txt", "package/mod.py", "package/deep/y.txt", "out/old.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def kinds(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.rglob("*")):
        kind = "link" if path.is_symlink() else "folder" if path.is_dir() else "file"
        found[str(path.relative_to(folder))] = kind
    return found


def test_files_are_links_and_changed_ones_are_written(tmp_path: Path) -> None:
    made(tmp_path / "own")
    mirror(str(tmp_path / "own"), str(tmp_path / "m"), {"package/mod.py": "new"}, time.time() + 60)
    assert kinds(tmp_path / "m")["a.py"] == "link"
    assert kinds(tmp_path / "m")["package/mod.py"] == "file"
    assert (tmp_path / "m/package/mod.py").read_text() == "new"
    assert (tmp_path / "own/package/mod.py").read_text() == "package/mod.py"
    assert (tmp_path / "m/data/x.txt").read_text() == "data/x.txt"


def test_of_a_large_folder_those_folders_are_made_that_are_written_to(tmp_path: Path) -> None:
    own = tmp_path / "own"
    made(own)
    for number in range(400):
        (own / f"{number}.bin").touch()
    past = time.time() - 600
    for path in (own, *own.rglob("*")):
        os.utime(path, (past, past))
    (own / "out/new.txt").write_text("by the script")
    mirror(str(own), str(tmp_path / "m"), {"a.py": "new"}, past + 60, ("package",))
    found = kinds(tmp_path / "m")
    assert found["data"] == "link"
    assert found["package"] == "folder"
    assert found["out"] == "folder"
    assert found["package/deep"] == "link"
    assert found["out/old.txt"] == "link"
    assert "out/new.txt" not in found


def test_what_stands_beside_is_linked(tmp_path: Path) -> None:
    made(tmp_path / "parent/own")
    (tmp_path / "parent/shared.txt").write_text("shared")
    beside(str(tmp_path / "parent/own"), str(tmp_path / "m"))
    assert kinds(tmp_path / "m") == {"shared.txt": "link"}


def test_a_folder_that_nobody_may_list_is_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path / "own")
    closed = str(tmp_path / "own/package")
    monkeypatch.setattr(os, "access", lambda path, mode: path != closed and bool(mode))
    mirror(str(tmp_path / "own"), str(tmp_path / "m"), {}, time.time() + 60)
    found = kinds(tmp_path / "m")
    assert (found["package"], found["data"]) == ("link", "folder")


def test_a_mirror_in_its_own_folder_does_not_hold_itself(tmp_path: Path) -> None:
    """As for a script that lies where temporary files do, with the mirror of another run beside it."""
    (tmp_path / "train.py").write_text("1")
    other = tmp_path / f"{PREFIX}other"
    other.mkdir()
    place = tmp_path / "made"
    place.mkdir()
    mirror(str(tmp_path), str(place / "files"), {"train.py": "2"}, 0.0)
    assert [path.name for path in (place / "files").iterdir()] == ["train.py"]
    assert (place / "files" / "train.py").read_text() == "2"
