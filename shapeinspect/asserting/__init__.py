"""What the ``shapes`` fixture hands out: reports whose shapes can be asserted on."""

from shapeinspect.asserting.checked import Checked, CheckedCall, CheckedLayer, CheckedReport
from shapeinspect.asserting.fixture import Shapes
from shapeinspect.asserting.scope import Scope
from shapeinspect.asserting.told import compared, retold

__all__ = [
    "Checked",
    "CheckedCall",
    "CheckedLayer",
    "CheckedReport",
    "Scope",
    "Shapes",
    "compared",
    "retold",
]
