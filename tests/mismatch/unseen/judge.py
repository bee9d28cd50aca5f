"""Run each program under the debugger, paste the first fix that is printed, and run it again.

    python judge.py NAME ...                    these programs
    python judge.py all                         every program
    python judge.py --screens FOLDER all        keep the screens there, and read them again where they are
    python judge.py --folder FOLDER all         the programs of another folder, with its expected.json

For each program one JSON line: the layer that the screen names and whether it is the expected one, the first
fix, how it was pasted, and whether the script then runs to its end. What nothing here can paste counts as not
working. Whether the cause is right, and whether a claim is false, is for a reader of the screens to say.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

# These lie beside this file, which is no package.
import pastes  # noqa: E402
import screens  # noqa: E402
import verify  # noqa: E402

# Runs a script and says where in it each layer was made, and which forward the error went through first.
PROBE = """
import json, sys, traceback, types, weakref
script, out = sys.argv[1:3]
made, paths, forwards = {}, {}, []

def line_of(frame, layer):
    while frame is not None:
        own = frame.f_code.co_name == "__init__" and any(v is layer for v in [*frame.f_locals.values()][:1])
        if frame.f_code.co_filename == script and not own:
            return frame.f_lineno
        frame = frame.f_back
    return None

def watch(cls, kind):
    before = cls.__init__
    def init(self, *args, **kwargs):
        if id(self) not in made or kind == "torch" and made[id(self)][1]() is not self:
            kept = weakref.ref(self) if kind == "torch" else self
            made[id(self)] = (kind, kept, line_of(sys._getframe(1), self))
        before(self, *args, **kwargs)
    cls.__init__ = init

text = open(script).read()
if "torch" in text:
    import torch
    watch(torch.nn.Module, "torch")
if "keras" in text:
    import keras
    watch(keras.layers.Layer, "keras")
sys.argv = [script]
main = types.ModuleType("__main__")
main.__file__ = script
sys.modules["__main__"] = main
try:
    exec(compile(text, script, "exec"), main.__dict__)
except BaseException as error:
    for frame, _ in traceback.walk_tb(error.__traceback__):
        code = frame.f_code
        if code.co_filename == script and code.co_name in ("forward", "call"):
            forwards.append(code.co_firstlineno)
    frames = [f for f, _ in traceback.walk_tb(error.__traceback__) if f.f_code.co_filename == script]
    roots = list(main.__dict__.values()) + [v for f in frames for v in f.f_locals.values()]
    for v in list(roots):
        roots += list(getattr(v, "__dict__", {}).values()) if type(v).__module__ == "__main__" else []
    for root in roots:
        if "torch" in sys.modules and isinstance(root, sys.modules["torch"].nn.Module):
            for name, module in root.named_modules():
                if id(module) in made:
                    paths.setdefault(name, (made[id(module)][2], type(module).__name__))
    for kind, layer, line in made.values():
        if kind == "keras":
            paths.setdefault(layer.name, (line, type(layer).__name__))
json.dump({"paths": paths, "forwards": forwards}, open(out, "w"))
"""


def layer_named(screen: screens.Screen, expected: dict[str, Any]) -> bool:
    """Whether the screen names the layer or the statement that fails."""
    for wanted in (expected["layer"], *expected.get("also", ())):
        line = re.match(r"line (\d+): ", wanted)
        if line:
            if screen.layer is not None and screen.at == int(line[1]):
                return True
        elif screen.layer is not None and (screen.layer + ".").startswith(wanted + "."):
            return True
    return False


def probed(text: str, name: str) -> dict[str, Any]:
    """Where the script makes its layers."""
    with tempfile.TemporaryDirectory() as folder:
        script, probe, out = (Path(folder) / n for n in (f"{name}.py", "probe.py", "out.json"))
        script.write_text(text)
        probe.write_text(PROBE)
        subprocess.run(
            [sys.executable, str(probe), str(script), str(out)],
            cwd=folder,
            env=verify.environment(),
            capture_output=True,
            timeout=verify.LIMIT,
            check=False,
        )
        found: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {"paths": {}, "forwards": []}
        return found


def judged(name: str, expected: dict[str, Any], keep: Path | None, folder: Path) -> dict[str, Any]:
    """One program's layer and first fix."""
    text = (folder / f"{name}.py").read_text()
    kept = keep / f"{name}.json" if keep else None
    if kept and kept.exists():
        stderr = json.loads(kept.read_text())["stderr"]
    else:
        code, stdout, stderr = verify.run(text, name, "-m", "shapeinspect")
        if kept:
            kept.write_text(json.dumps({"code": code, "stdout": stdout, "stderr": stderr}))
    screen = screens.read(stderr, name)
    result: dict[str, Any] = {
        "layer": layer_named(screen, expected),
        "named": screen.layer,
        "first_fix": screen.fixes[0] if screen.fixes else None,
        "works": False,
    }
    if not screen.fixes:
        return result | {"pasted": "no fix is printed"}
    paste = pastes.Paste(text, screen, probed(text, name), name.split("_", maxsplit=1)[0])
    result["pasted"] = "could not be pasted"
    for paster in pastes.PASTERS:
        for new in paster(paste, screen.fixes[0]):
            if new == text:
                continue
            code, _, error = verify.run(new, name)
            result["pasted"] = paster.__name__
            result["works"] = code == 0
            if code == 0:
                return result
            result["then"] = verify.last_error(error)[:300] or error[-300:]
        if result["pasted"] != "could not be pasted":
            return result
    return result


def main(arguments: list[str]) -> int:
    """Judge the named programs and print one JSON line for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+")
    parser.add_argument("--screens", type=Path)
    parser.add_argument("--folder", type=Path, default=HERE)
    chosen = parser.parse_args(arguments)
    expected = json.loads((chosen.folder / "expected.json").read_text())
    if chosen.screens:
        chosen.screens.mkdir(exist_ok=True)
    for name in sorted(expected) if chosen.names == ["all"] else chosen.names:
        found = judged(name, expected[name], chosen.screens, chosen.folder)
        print(json.dumps({"name": name} | found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
