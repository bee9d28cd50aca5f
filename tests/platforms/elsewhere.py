"""Runs the command line as on a system without POSIX: the names are gone, and `sys.platform` is another.

Third parties and the standard library are loaded first: they have been made for the system that is here.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import sysconfig
import time

from posix_names import ATTRIBUTES, MODULES

_FIRST = (
    *(
        "asyncio",
        "ctypes",
        "h5py",
        "multiprocessing",
        "numpy",
        "onnx",
        "onnx.shape_inference",
        "rich.progress",
    ),
    *("rich.console", "safetensors.numpy", "selectors", "tempfile", "threading", "typer", "urllib.request"),
    "webbrowser",
)


def become(system: str) -> None:
    """Take from this process what a system lacks."""
    for name in _FIRST:
        importlib.import_module(name)
    sysconfig.get_config_vars()  # pydantic asks for them later: a file of the system that is here
    sys.platform = system
    if system == "win32":
        for name in MODULES:
            sys.modules[name] = None  # type: ignore[assignment]  # how an import is made to fail
        for owner in ("os", "signal", "mmap"):
            module = importlib.import_module(owner)
            for name in ATTRIBUTES[owner] - {"WNOHANG"}:  # which subprocess needs here
                if hasattr(module, name):
                    delattr(module, name)
        del time.clock_gettime, os.set_blocking
        return
    import resource

    def refuse(kind: int, _limits: tuple[int, int]) -> None:
        if kind == resource.RLIMIT_AS:
            raise ValueError("current limit exceeds maximum limit")

    resource.setrlimit = refuse


def import_everything() -> None:
    """Import every module, and look at the gates of the rooms that need Linux."""
    import shapeinspect

    for found in pkgutil.walk_packages(shapeinspect.__path__, "shapeinspect."):
        if found.name != "shapeinspect.__main__":
            importlib.import_module(found.name)
    from shapeinspect.plugin_api.isolation import landlock
    from shapeinspect.plugin_api.programs import copies
    from shapeinspect.trials import client

    assert not copies.available()
    assert not client.available()
    assert landlock.version() == 0


if __name__ == "__main__":
    become(sys.argv[1])
    if sys.argv[2:]:
        from shapeinspect.cli import main

        main(sys.argv[2:])
    import_everything()
