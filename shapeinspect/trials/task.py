"""What a search for changes is given, and what it returns."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from shapeinspect.plugin_api.edit_words import EditWords
from shapeinspect.trials.candidates import Candidate
from shapeinspect.trials.client import Result
from shapeinspect.trials.copy_of_process import Copy
from shapeinspect.trials.marks import Running
from shapeinspect.trials.sizes import Sizes
from shapeinspect.trials.source_file import File
from shapeinspect.trials.written import Written


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is known of a failure.

    Args:
        frames: file and line of the user's frames, the outermost first.
        error: the class of the exception.
        message: its message.
        sizes: its numbers.
        arrays: the class of each array that a name stands for in the statements that were running.
        modules: the names that stand for modules.
        in_data: whether the likeliest mistake is in what is fed, and not in the model; None for unknown.
        running: what is known of the places of the frames, where more is known than these.
        warned: the warnings about sizes that the run had given.
        shapes: the shape of each of these arrays.
    """

    frames: tuple[tuple[str, int], ...]
    error: str
    message: str
    sizes: Sizes
    arrays: Mapping[str, str]
    modules: frozenset[str]
    in_data: bool | None = None
    running: tuple[Running, ...] = ()
    warned: frozenset[str] = frozenset()
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Repair:
    """Changes with which the script runs.

    Args:
        written: each change.
        result: how the trial ended: ``passed``, or ``running`` behind the statement that had failed.
        rank: how far it stands behind.
        alters: what it changes of the program's meaning; empty for nothing.
        cause: what was wrong, a key of the core's causes; empty where the changes do not say it.
        why: the same in the words of the script, a clause for each change that says it.
        texts: the files that are changed, as they are then.
        note: what it changes besides, where the mistake may stand just there; empty for nothing.
        trial: the number of its trial; of equal ranks the first to begin is first.
    """

    written: tuple[Written, ...]
    result: Result
    rank: float
    alters: str
    cause: str = ""
    why: tuple[str, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)
    trial: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Searched:
    """How a search went.

    Args:
        repairs: the changes with which the script runs, the likeliest first.
        trials: how many changes were run.
        ended: what ended it before there was nothing left to try, a clause; empty for nothing.
        interrupted: whether that was the person who waits.
    """

    repairs: tuple[Repair, ...] = ()
    trials: int = 0
    ended: str = ""
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Means:
    """How trials are run.

    Args:
        limit: the processor time that a trial may take, in seconds.
        prepare: what the frameworks need in a copy of this process; None where they cannot run in one.
        begun: a process that runs trials, where it has been started before.
        hurried: whether the frameworks leave out what only takes time; what passes so is run again as it is.
    """

    limit: float
    prepare: Callable[[], object] | None = None
    begun: subprocess.Popen[bytes] | Copy | None = None
    hurried: bool = False


@dataclass(frozen=True, slots=True)
class Hints:
    """What is known of which changes are worth a trial.

    Args:
        words: how the frameworks in use are written.
        suggested: changes that the plug-ins suggest.
        alone: whether only these are tried.
        later: what the plug-ins suggest for changed files, which fail with another message.
        weigh: how the source speaks for a change or against it: what is added to its rank.
    """

    words: EditWords
    suggested: Sequence[Candidate] = ()
    alone: bool = False
    later: Callable[[Sequence[File], str], Sequence[Candidate]] | None = None
    weigh: Callable[[Candidate], float] | None = None
