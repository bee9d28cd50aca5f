"""The names of the commands."""

from __future__ import annotations

#: Each is the function ``run`` of the module of its name, in the order of the help page.
COMMANDS = (
    *("show", "view", "adapters", "explain", "fit", "check", "diff", "normalize", "diverge", "layouts"),
    *("legend", "docs", "mcp"),
)
