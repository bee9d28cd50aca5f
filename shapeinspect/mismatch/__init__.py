"""Why shapes do not fit, and what makes them fit: found by running the failed call again with changes."""

from __future__ import annotations

from shapeinspect.mismatch.as_dict import to_dict
from shapeinspect.mismatch.causes import CAUSES
from shapeinspect.mismatch.describe import contradicting, describe, fitting
from shapeinspect.mismatch.diagnose import diagnose
from shapeinspect.mismatch.diagnosis import Diagnosis, Tried

__all__ = ["CAUSES", "Diagnosis", "Tried", "contradicting", "describe", "diagnose", "fitting", "to_dict"]
