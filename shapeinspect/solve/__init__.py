"""Which input sizes a network accepts: its shape program, run on all candidate sizes at once."""

from __future__ import annotations

from shapeinspect.solve.fit import LIMIT, Answer, Refusal, Sample, Solution, Solver, Variable, variables
from shapeinspect.solve.program import Program
from shapeinspect.solve.retrace import Trace, Tried, disagreements, retraced

__all__ = [
    "LIMIT",
    "Answer",
    "Program",
    "Refusal",
    "Sample",
    "Solution",
    "Solver",
    "Trace",
    "Tried",
    "Variable",
    "disagreements",
    "retraced",
    "variables",
]
