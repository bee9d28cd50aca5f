"""The cases are modules beside the tests, found by name here and in `score.py`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
collect_ignore_glob = ["score.py", "*_cases.py"]
