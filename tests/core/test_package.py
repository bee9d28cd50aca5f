"""What the index of packages shows of this one."""

from __future__ import annotations

import re
from importlib.metadata import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Where the links of the description lead to.
FILES = "https://github.com/shapeinspect/shapeinspect/blob/main/"


def test_the_license_is_named_and_there() -> None:
    described = metadata("shapeinspect")
    assert described["License-Expression"] == "MIT"
    (path,) = described.get_all("License-File") or []
    assert "the shapeinspect contributors" in (ROOT / path).read_text("utf-8")


def test_every_link_of_the_description_leads_to_a_file_that_is_there() -> None:
    text = str(metadata("shapeinspect").get_payload())
    links = re.findall(r"\]\(([^)]+)\)", text)
    own = [link.removeprefix(FILES) for link in links if link.startswith(FILES)]
    assert len(own) == len(re.findall(r"\]\((?!https?:|#)", (ROOT / "README.md").read_text("utf-8"))) > 3
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    assert [path for path in own if not (ROOT / path.partition("#")[0]).exists()] == []
