"""Which input sizes a network takes: by its shape program on all candidate sizes at once, and by runs."""

from __future__ import annotations

from shapeinspect.solve.nearest import Find, Nearest, nearest
from shapeinspect.solve.program import Program
from shapeinspect.solve.regions import FITS, OPEN, REFUSED, Known, Run, explore
from shapeinspect.solve.retrace import Trace, Tried, disagreements, retraced
from shapeinspect.solve.solution import Answer, Refusal, Sample, Solution
from shapeinspect.solve.solver import LIMIT, Solver
from shapeinspect.solve.variables import Variable, variables

__all__ = [
    "FITS",
    "LIMIT",
    "OPEN",
    "REFUSED",
    "Answer",
    "Find",
    "Known",
    "Nearest",
    "Program",
    "Refusal",
    "Run",
    "Sample",
    "Solution",
    "Solver",
    "Trace",
    "Tried",
    "Variable",
    "disagreements",
    "explore",
    "nearest",
    "retraced",
    "variables",
]
