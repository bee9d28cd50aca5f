"""What the tests of trials share."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def few_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start servers of trials without the frameworks that other tests of this process have imported."""
    monkeypatch.setattr("shapeinspect.trials.client.imported", lambda _folder: ["numpy"])
