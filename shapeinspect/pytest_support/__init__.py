"""The ``shapes`` fixture and what it returns: reports whose shapes can be asserted on."""

from shapeinspect.pytest_support.checked import Checked, CheckedCall, CheckedLayer, CheckedReport
from shapeinspect.pytest_support.failure_text import assertion_text, comparison_lines
from shapeinspect.pytest_support.fixture import Shapes
from shapeinspect.pytest_support.scope import Scope

__all__ = [
    "Checked",
    "CheckedCall",
    "CheckedLayer",
    "CheckedReport",
    "Scope",
    "Shapes",
    "assertion_text",
    "comparison_lines",
]
