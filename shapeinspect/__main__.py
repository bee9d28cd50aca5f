"""``python -m shapeinspect`` is the command line; before a script's name it runs that under the debugger."""

import sys

from shapeinspect.cli import program


def _is_script(words: list[str]) -> bool:
    import os

    return bool(words) and words[0].endswith(".py") and os.path.isfile(words[0])


if __name__ == "__main__":
    if _is_script(sys.argv[1:]):
        from shapeinspect.api.debugging import run_script

        run_script(sys.argv[1:])
    else:
        program()
