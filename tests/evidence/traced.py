"""A traced run of a script without any framework."""

from __future__ import annotations

import ast
import pickle

from shapeinspect.plugin_api.programs.child import Ended, Script, run
from shapeinspect.plugin_api.programs.copies import Send, in_copy
from shapeinspect.plugin_api.programs.instruments import valued
from shapeinspect.plugin_api.programs.trace import Trace

FILE = "net.py"


def traced(text: str) -> Trace:
    """Run a script, and return what its expressions were worth.

    Args:
        text: the script.
    """
    tree = ast.fix_missing_locations(valued(0).visit(ast.parse(text)))
    script = Script(FILE, {FILE: compile(tree, FILE, "exec")}, ())

    def ran(send: Send) -> None:
        send(pickle.dumps(run(script)))

    data, _ = in_copy(ran, 20.0, 120.0)
    ended = pickle.loads(data)
    assert isinstance(ended, Ended)
    return Trace({FILE: text}, ended)
