"""``python -m shapeinspect`` is the command line; before a script's name it runs that under the debugger."""

import os
import sys


def _is_script(words: list[str]) -> bool:
    return bool(words) and words[0].endswith(".py") and os.path.isfile(words[0])


if __name__ == "__main__":
    if _is_script(sys.argv[1:]):
        from shapeinspect.api.script_run import run_script

        run_script(sys.argv[1:])
    else:
        # Python looks for modules and plug-ins in the current directory first: it may be a stranger's.
        if sys.path and sys.path[0] in ("", os.getcwd()):
            del sys.path[0]
        from shapeinspect.cli import program

        program()
