"""The programs here are run by the tests, each in a process of its own, and are no tests themselves."""

from __future__ import annotations

collect_ignore_glob = ["scripts/*", "farm.py", "judging.py", "score.py"]
