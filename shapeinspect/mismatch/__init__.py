"""Why shapes do not fit, and what makes them fit: found by running the failed call again with changes."""

from __future__ import annotations

from shapeinspect.mismatch.diagnose import diagnose
from shapeinspect.mismatch.diagnosis import Diagnosis, Tried
from shapeinspect.mismatch.words.as_dict import to_dict
from shapeinspect.mismatch.words.causes import CAUSES
from shapeinspect.mismatch.words.describe import agreeing, describe, fitting

__all__ = [
    "CAUSES",
    "Diagnosis",
    "Tried",
    "agreeing",
    "describe",
    "diagnose",
    "fitting",
    "to_dict",
]
