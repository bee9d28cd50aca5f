"""The interface of a plug-in's debugger: it finds a failed call and reruns it with changes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from shapeinspect.dims import Shape
from shapeinspect.frozen import Frozen
from shapeinspect.ir import Layer, Model
from shapeinspect.plugin_api.changes import Change, Wording
from shapeinspect.plugin_api.claims import Claim, Level
from shapeinspect.plugin_api.edit_words import EditWords
from shapeinspect.plugin_api.evidence.evidence import Evidence
from shapeinspect.plugin_api.facts import Fact
from shapeinspect.plugin_api.programs.trace import Trace
from shapeinspect.plugin_api.regions import Place, Region
from shapeinspect.plugin_api.story import Story
from shapeinspect.plugin_api.suggestions import Suggestion
from shapeinspect.sources.source import Source

#: What may be said where nobody says what was run.
NOTHING_RUN = Claim(Level.UNTRIED)
#: What the arithmetic of shapes proves, where the framework did not take part.
COMPUTED = Claim(Level.UNTRIED, rest="the arithmetic of shapes finds no layer that refuses it")
#: What may be said where the model was called again.
CALLED = Claim()


@dataclass(frozen=True, slots=True)
class Failure:
    """Where a run ended, and everything before it.

    Args:
        model: the layers, the calls that returned, and their values, in the source's layout.
        layer: the layer or op that refused; its path is that of the innermost container where no
            single op did.
        inputs: the names of its input values.
        message: the framework's own message.
        where: the user's own source line, such as ``train.py:12  y = self.fc(x)``.
        fact: further facts from the real numbers or from the message; None for none.
        names: what the user's line calls the inputs, one expression each; empty where it does not say.
        declares: the shapes that the model declares for inputs that are fed other ones, by name.
        claim: what was run with a fix that ``Rerun.attempt`` lets pass.
        transposable: whether the graph itself says which way round a stored matrix is read.
        position: how many calls had returned before; a change with which there are more gets further.
        roles: the parameter of the layer that each input is passed for, such as ``attn_mask``; empty where
            that is not known.
        cause: what is wrong where no fix says more, a key of the core's causes; empty for what shapes say.
        told: where the sizes come from that do not fit, a sentence each, as far as the core cannot see it.
    """

    model: Model
    layer: Layer
    inputs: tuple[str, ...]
    message: str
    where: str | None = None
    fact: Fact | None = None
    names: tuple[str, ...] = ()
    declares: Frozen[Shape] = field(default_factory=Frozen)
    claim: Claim = NOTHING_RUN
    transposable: bool = False
    position: int = 0
    roles: tuple[str, ...] = ()
    cause: str = ""
    told: tuple[str, ...] = ()


class Rerun(ABC):
    """One failed call of a model that can be run again, without numbers and with changes."""

    #: The failure of the original run.
    failure: Failure
    #: Runs the whole program a second time, and tells what that says of the failure; None where it cannot.
    second: Callable[[], Story] | None = None
    #: Whether the framework itself runs what is attempted; else only the arithmetic of shapes does.
    confirms: bool = True

    def insists(self) -> frozenset[Place]:
        """Return the axes of inputs, each with the input's number, for which one length alone is taken."""
        return frozenset()

    @abstractmethod
    def attempt(self, changes: Sequence[Change]) -> Failure | None:
        """Run the whole call again with changes.

        Args:
            changes: what is different this time; none of them touches the user's own objects.

        Returns: None if it passes, else where it ended now. Only ``layer``, ``inputs``, the values of these
            inputs and ``position`` need to be filled in.
        """

    def claim(self, changes: Sequence[Change]) -> Claim:
        """Return what was run with changes that ``attempt`` let pass; nothing wider may be said of them.

        Args:
            changes: the changes, as they were last given to ``attempt``.
        """
        del changes
        return self.failure.claim

    def continued(self, changes: Sequence[Change]) -> Rerun | None:
        """Return the call with changes that get it further, as a failed call of its own.

        Args:
            changes: they belong to every run of the call that is returned.

        Returns:
            The call, with its ``failure`` filled in completely; None where it cannot be told.
        """
        del changes
        return None

    def region(self, lengths: Mapping[Place, tuple[str, int]]) -> Region | None:
        """Run the call at one size, and say at which others it ends in the same way.

        ``shapeinspect.solve.nearest`` finds with it the sizes nearest to those that were fed.

        Args:
            lengths: of an input, by its number, and an axis: the name of its length and the number now.

        Returns:
            what happens there; None where it cannot be told for more than one size.
        """
        del lengths
        return None

    @abstractmethod
    def spell(self, change: Wording, name: str) -> str:
        """Spell a change in the framework's own terms.

        Args:
            change: the change, or a value that describes one.
            name: the name of the changed tensor.
        """


class Retried(Rerun):
    """A failure outside of every model, such as in a constructor: one function tells whether a change helps.

    Args:
        failure: the failure; its ``claim`` says what is run with a fix.
        passes: repeats the failed action with changes, for real, and tells whether it passes.
        spell: spells a change as ``Rerun.spell`` does.
    """

    def __init__(
        self,
        failure: Failure,
        passes: Callable[[Sequence[Change]], bool],
        spell: Callable[[Wording, str], str],
    ) -> None:
        self.failure = failure
        self._passes, self._spell = passes, spell

    def attempt(self, changes: Sequence[Change]) -> Failure | None:
        """Run it again; see :class:`Rerun`."""
        return None if self._passes(changes) else self.failure

    def spell(self, change: Wording, name: str) -> str:
        """Spell a change; see :class:`Rerun`."""
        return self._spell(change, name)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A failed call of a model whose graph is recorded: the core walks it again by its arithmetic.

    Args:
        model: the graph in its own layout, the failed call included.
        fed: the shape fed to each input, by name; the declared shape if a name is missing.
        message: the framework's own message.
        where: the user's source line.
        spell: spells a change as ``Rerun.spell`` does.
        contract: the values whose declared shapes the framework compares with the computed ones, and refuses.
        computed: whether the framework itself computed the shapes that the model records. Where a rule
            contradicts it, the record stands, and the rule is in doubt.
        takes: tells whether the framework really takes inputs of these shapes, for the path of a layer whose
            rule refuses what is recorded; None where it cannot be asked.
        refuses: what the framework refuses before any layer sees it: a feed of another ``shape`` than
            the declared one, or only of another ``rank``; empty for nothing.
        batched: whether every convolution and pool needs a batch axis.
        fact: what is known beyond the shapes, as in :class:`Failure`.
        steps: the steps that the framework can spell; empty for all.
        refused: the layer that the framework refused, where it says why: ``fact`` is a ``Refusal`` then. The
            walk ends there even if the arithmetic knows nothing against it.
        claim: what is claimed of a fix that fits by arithmetic alone.
        confirmed: what is claimed of a fix that ``confirm`` accepts.
        transposable: as in :class:`Failure`.
        confirm: lets the framework itself do what the arithmetic says fits: False where it refuses, None
            where it cannot be asked.
        cause: as in :class:`Failure`.
        told: as in :class:`Failure`.
        second: as in :class:`Rerun`.
        retell: the same, where it takes the failure to tell; None where ``second`` tells all.
    """

    model: Model
    fed: Frozen[Any]
    message: str
    where: str | None
    spell: Callable[[Wording, str], str]
    contract: frozenset[str] = frozenset()
    computed: bool = False
    takes: Callable[[str, Sequence[Shape | None]], bool] | None = None
    refuses: str = ""
    batched: bool = False
    fact: Fact | None = None
    steps: frozenset[str] = frozenset()
    refused: str = ""
    claim: Claim = COMPUTED
    confirmed: Claim = CALLED
    transposable: bool = False
    confirm: Callable[[Sequence[Change]], bool | None] | None = None
    cause: str = ""
    told: tuple[str, ...] = ()
    second: Callable[[], Story] | None = None
    retell: Callable[[Failure], Story] | None = None


class Debugger(ABC):
    """Understands a framework's exceptions; an adapter names one in ``Adapter.debugger``."""

    #: The packages whose exceptions it understands; it is used only if one of them is imported.
    packages: tuple[str, ...]
    #: How its users write what can be changed in their source.
    words: EditWords = EditWords()
    #: Whether :meth:`hurry` does anything.
    hurries: bool = False

    @abstractmethod
    def recover(
        self, error: BaseException, model: object | None
    ) -> Rerun | Recorded | Iterator[Rerun | Recorded] | None:
        """Find the failed call behind an exception.

        Args:
            error: the exception, with its traceback.
            model: the model that the user is debugging, or None where it is not known.

        Returns: The call to rerun, or None if the exception is not about shapes; if several calls may have
            failed, all of them, the likeliest first: the first that does not fit is used.
        """

    def runs_in_copies(self) -> bool:
        """Tell whether the framework runs in a forked copy of this process, where no other thread is left."""
        return True

    def before_threads(self, call: Callable[[], object]) -> AbstractContextManager[Any]:
        """Have something called once, before the framework starts threads, with which no copy can be made.

        It is called in a ``with`` block when the framework is used for the first time, if it is used at all.

        Args:
            call: what is called.
        """
        del call
        return nullcontext()

    def prepare_copy(self) -> None:  # noqa: B027  # most need nothing
        """Do what the framework needs at the beginning of a forked copy of this process."""

    def hurry(self) -> None:  # noqa: B027  # most have nothing to leave out
        """Let this process, which runs a changed script, take less time; what passes runs again as it is."""

    def suggestions(self, error: BaseException) -> Sequence[Suggestion]:
        """Suggest edits of the script that an exception ended; each is tried by a run of the whole of it.

        Args:
            error: the exception.
        """
        del error
        return ()

    def evidence(self, error: BaseException) -> Sequence[Evidence]:
        """Return what the script that an exception ended says itself about which part of it is wrong.

        Args:
            error: the exception, with its traceback.
        """
        del error
        return ()

    def trace(self, error: BaseException, texts: Mapping[str, str]) -> Trace | None:
        """Return what the expressions of the script that an exception ended are worth; None for unknown.

        Args:
            error: the exception, with its traceback.
            texts: the files that differ from those that failed, by path; none for the failed run itself.
        """
        del error, texts
        return None

    def later_suggestions(
        self, error: BaseException, texts: Mapping[str, str], message: str
    ) -> Sequence[Suggestion]:
        """Suggest edits of the script where it has been changed, and fails in another way.

        Args:
            error: the exception that ended the script as the user wrote it.
            texts: the changed files, by their paths.
            message: the message of the exception that ends the changed script.
        """
        del error, texts, message
        return ()

    @abstractmethod
    def watch(self, model: object) -> AbstractContextManager[Any]:
        """Record what a later exception no longer contains, without noticeable cost per training step.

        Args:
            model: the model that the user is debugging; one of another framework is left alone.

        Returns:
            A context manager: while it is entered, the model is watched; ``nullcontext`` for nothing.
        """

    def unexplained(self, error: BaseException) -> Rerun | None:
        """Say what is known of an exception of this framework that no debugger finds a failed call for.

        Args:
            error: the exception, with its traceback.
        """
        del error
        return None

    def story(self, error: BaseException) -> Callable[[], Story] | None:
        """Return what runs the script again, and tells where its sizes come from; None for nothing.

        It is asked for a failure that another debugger has found and knows nothing more of.

        Args:
            error: the exception, with its traceback.
        """
        del error
        return None

    @abstractmethod
    def examine(self, source: Source) -> Rerun | Recorded | None:
        """Examine a saved or live model before anything has failed.

        Args:
            source: the model, and the requested input shapes.

        Returns:
            A graph to walk, a call that fails on these inputs, or None if the call passes.

        Raises:
            UsageError: if the request does not fit the model.
        """
