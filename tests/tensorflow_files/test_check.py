"""What a file of TensorFlow is told to be fed: in NumPy's words."""

from __future__ import annotations

from typing import Any

from shapeinspect.api.debugging import fits


def test_a_fix_is_an_expression(files: Any) -> None:
    fit = fits(str(files / "float.tflite"), (1, 3, 17, 19))
    assert fit.diagnosis is not None
    texts = [tried.text for tried in fit.diagnosis.fixes]
    assert any(text.endswith(".transpose(0, 2, 3, 1)") for text in texts), texts
    assert not any("steps=" in text or "attributes=" in text for text in texts)
    assert fits(str(files / "float.tflite"), (1, 17, 19, 3)).diagnosis is None
