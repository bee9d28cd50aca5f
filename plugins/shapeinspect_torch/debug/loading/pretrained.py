"""A model of transformers whose checkpoint has other sizes: ``from_pretrained`` and its report."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from shapeinspect.plugin_api.facts import KeyedLoad, Repair
from shapeinspect.plugin_api.user_code.calls import UserCall
from shapeinspect.plugin_api.user_code.frames import Place
from shapeinspect_torch.debug.loading import values
from shapeinspect_torch.debug.loading.keys import Shapes, shapes_of_module
from shapeinspect_torch.debug.loading.plan import Outcome
from shapeinspect_torch.debug.loading.survey import Surveyed

#: The words of the error that says that sizes differ.
WORDS = "ignore_mismatched_sizes"
#: A folder of more bytes is not loaded a second time.
_BYTES = 300_000_000
_SIZES = re.compile(
    r"size mismatch for (?P<key>\S+): copying a param with shape torch\.Size\(\[(?P<stored>[\d, ]*)\]\)"
)


def pretrained(message: str, frames: list[Place], call: UserCall | None) -> tuple[Any, Surveyed] | None:
    """Return the module and what of its checkpoint does not fit; None where neither is found.

    Args:
        message: the exception's message.
        frames: those of the traceback, the outermost first, with their lines.
        call: the user's call of ``from_pretrained``.
    """
    import torch

    for frame, _ in reversed(frames):
        local = frame.f_locals
        module = local.get("model")
        if not isinstance(module, torch.nn.Module):
            continue
        report = local.get("loading_info")
        stored = _mismatched(getattr(report, "mismatched_keys", ())) or _told(message)
        if not stored:
            continue
        missing = tuple(sorted(getattr(report, "missing_keys", ()) or ()))
        unexpected = tuple(sorted(getattr(report, "unexpected_keys", ()) or ()))
        return module, _surveyed(module, stored, missing, unexpected, call)
    return None


def _mismatched(rows: Any) -> Shapes:
    """Return the stored shapes that a report lists: a key, and both shapes."""
    return {str(row[0]): tuple(row[1]) for row in rows or () if len(row) > 1}


def _told(message: str) -> Shapes:
    return {
        found["key"]: tuple(int(part) for part in found["stored"].split(",") if part.strip())
        for found in _SIZES.finditer(message)
    }


def _surveyed(
    module: Any, stored: Shapes, missing: tuple[str, ...], unexpected: tuple[str, ...], call: UserCall | None
) -> Surveyed:
    want = shapes_of_module(module)
    keys = [key for key in want if key in stored]
    have = {**{key: shape for key, shape in want.items() if key not in missing}, **stored}
    head = values.is_head(keys, keys, have, want)
    cause = "other-classes" if head else "state-dict"
    loaded = tuple(key for key in want if key not in stored and key not in missing)
    repairs: tuple[Repair, ...] = ()
    outcomes: tuple[str, ...] = ()
    untried = ""
    if call is not None:
        given = ", ".join(call.source(item) for item in (*call.node.args, *call.node.keywords))
        code = f"{call.source(call.node.func)}({given}{', ' if given else ''}{WORDS}=True)"
        outcome = Outcome(len(want), tuple(key for key in want if key not in loaded))
        repairs, outcomes = (Repair(cause, code),), (outcome.text(),)
        if not _runs(call):
            untried = f"by the report of transformers {outcome.text()}"
    fact = KeyedLoad(
        cause,
        (),
        loaded,
        tuple((key, tuple(stored[key]), want[key]) for key in keys),
        missing,
        unexpected,
        repairs=repairs,
    )
    return Surveyed(fact, outcomes, "from_pretrained", untried)


def _runs(call: UserCall) -> bool:
    """Call ``from_pretrained`` again with the repair, if it reads a small folder of this machine."""
    import contextlib
    import io
    import logging

    from shapeinspect_torch.tracing.guard import undisturbed

    try:
        function, args, kwargs = call.values()
    except ValueError:
        return False
    folder = next((item for item in args if isinstance(item, str | os.PathLike)), None)
    if folder is None or not os.path.isdir(folder) or _size(folder) > _BYTES:
        return False
    disabled = logging.root.manager.disable
    logging.disable()  # the same report was written before
    try:
        with undisturbed(grad=False), contextlib.redirect_stderr(io.StringIO()):
            function(*args, **_options(kwargs))
    except Exception:  # noqa: BLE001  # whatever it raises, it does not load
        return False
    finally:
        logging.disable(disabled)
    return True


def _options(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {**kwargs, WORDS: True}


def _size(folder: str | os.PathLike[str]) -> int:
    return sum(entry.stat().st_size for entry in os.scandir(folder) if entry.is_file())
