"""Assertions on shapes: patterns, expectations of an architecture, specifications, snapshots."""

from shapeinspect.check.expect import Failure, expect, verdict
from shapeinspect.check.pattern import Bindings, Match, match
from shapeinspect.check.spec import Spec, load

__all__ = ["Bindings", "Failure", "Match", "Spec", "expect", "load", "match", "verdict"]
