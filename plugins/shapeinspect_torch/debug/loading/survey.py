"""What does not load, why, and the plans that load it, the likeliest first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shapeinspect.plugin_api.facts import KeyedLoad, Repair
from shapeinspect.plugin_api.user_code.constructions import Construction
from shapeinspect.rules.rule import show
from shapeinspect_torch.debug.loading import apart, values
from shapeinspect_torch.debug.loading.built import built, rebuilt
from shapeinspect_torch.debug.loading.flattened import flattened
from shapeinspect_torch.debug.loading.fused import Fusion, fusion
from shapeinspect_torch.debug.loading.keys import Match, Shapes, match, others_of, shapes_of, shapes_of_module
from shapeinspect_torch.debug.loading.nested import inside, other_content, stated
from shapeinspect_torch.debug.loading.normed import normed
from shapeinspect_torch.debug.loading.plan import Outcome, Plan, Statement, named, run
from shapeinspect_torch.debug.loading.renames import Renaming, renaming

#: A repair with this rank stands behind other sizes of single layers.
_LAST = 10
#: Of the model's keys or of the checkpoint's, at least this part has to load.
_PART = 0.5
#: What a stored tensor of another shape can be turned into.
_ADAPTABLE = ("position-table", "vocabulary", "channels")
#: What a plan alters that does not load every key.
_LEFT_OUT = "what is loaded: whole keys are left out"
#: Causes with which only a part of the checkpoint has a place in the module.
_IN_PART = frozenset({"renamed-in-part", "other-depth"})
#: A condition of more characters is written otherwise, if it can be.
_LENGTH = 100
#: So many keys are written with both of their shapes.
_SHOWN = 2
#: The axes of a convolution's weight over pictures.
_KERNEL = 4
#: What adapters of low rank are called.
_ADAPTERS = ("lora_", "lora.", "loras.")


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What was found out.

    Args:
        fact: it, for the core.
        outcomes: what each repair of the fact loaded.
        call: what was run.
        untried: what is known instead, where nothing was run.
    """

    fact: KeyedLoad
    outcomes: tuple[str, ...]
    call: str = "load_state_dict"
    untried: str = ""


@dataclass(frozen=True, slots=True)
class _Sides:
    """Both sides, after the renaming."""

    have: Shapes
    want: Shapes
    old: Mapping[str, str]
    renaming: Renaming
    inside: str
    why: tuple[str, ...]
    buffers: frozenset[str]
    #: Entries that are no tensors.
    others: tuple[str, ...] = ()
    #: Whether its weights are arrays of NumPy.
    arrays: bool = False
    #: Whether the user's call refuses weights that are missing.
    strict: bool = True

    @property
    def match(self) -> Match:
        """What fits by key."""
        return match(self.have, self.want)

    @property
    def renamed_in_part(self) -> bool:
        """Whether parts of names were exchanged, and weights are left that have no partner."""
        found = self.match
        missing = [key for key in found.missing if key not in self.buffers] if self.strict else []
        single = missing or found.unexpected
        return self.renaming.key != "k" and not self.renaming.prefix and bool(single)

    @property
    def base(self) -> Plan:
        """The plan that changes keys alone."""
        value = "<TORCH>.as_tensor(v)" if self.arrays else "v"
        return Plan("", self.inside, self.renaming.key, (), self.renaming.kept, value=value)


def survey(
    module: Any, state: Any, statement: Statement, construction: Construction | None
) -> Surveyed | None:
    """Compare a state_dict with a module, and run what may load it.

    Args:
        module: the module; it stays as it is.
        state: what was given to ``load_state_dict``.
        statement: the user's statement.
        construction: the call that built the module; None where it is not known.
    """
    want = shapes_of_module(module)
    if isinstance(state, Mapping):  # what a module keeps beside its tensors, such as an extra state
        want |= {key: () for key in module.state_dict(keep_vars=True) if key not in want and key not in state}
    own = match(shapes_of(state) if isinstance(state, Mapping) else {}, want)
    content = other_content(state)
    if content is not None:
        return _mistaken(module, statement, _fact("not-a-checkpoint", own, {}, want, (content,)), want)
    buffers = frozenset(name for name, _ in module.named_buffers())
    sides = _sides(state, want, buffers)
    if sides is None:
        return None
    sides = replace(sides, strict=statement.strict)
    if sides.renamed_in_part:
        named_alike = _sides(state, want, buffers, renamed=False) or sides
        settings = _other_settings(construction, named_alike, module)
        sides = named_alike if settings is not None else sides
    else:
        settings = _other_settings(construction, sides, module)
    found = sides.match
    if found.fits and not statement.opened and not sides.others and sides.base.state("s") == "s":
        return None  # the module refuses something else
    turns = values.turns(found.reshaped, sides.have, want, module)
    turned = {key for turn in turns for key in turn.keys}
    left = [key for key in found.reshaped if key not in turned]
    derived = [key for key in left if values.is_computed(key, module)] if turned else []
    head = values.is_head(left, found.reshaped, sides.have, want) and not (settings and settings.rooted)
    cause, notes = _cause(sides, [key for key in left if key not in derived], turns, statement, head)
    if derived:
        notes += (f"{named(derived)}: computed when the model is built, so the stored one is left out",)
    notes += () if head else _shapes_of(left, sides)
    if settings is not None:
        notes += (*settings.why, *stated(settings.changes, state, statement.holder))
    why = tuple(dict.fromkeys((*sides.why, *(turn.why for turn in turns), *notes)))
    plans = _plans(sides, turns, left, cause, statement)
    tried: list[tuple[Repair, str]] = []
    for rank, plan in plans:
        outcome = run(statement, plan, module, state)
        if outcome is not None and _worth(outcome, sides):
            alters = outcome.left_out if plan.cause in _IN_PART else ""
            text = "; ".join((outcome.text(), *_made(plan, turns)))
            tried.append((Repair(plan.cause, statement.code(plan), rank, alters), text))
    rebuild = _built(settings, sides, turned, left, turns, statement, state, head)
    if rebuild is not None:
        partial = {statement.code(plan) for _, plan in plans if plan.partial}
        tried = _ordered(rebuild, tried, [turn for turn in turns if turn.drops], partial)
    plain = sides.base.state("s") == "s"
    stored = () if rebuild is not None or not plain else _stored(left, sides)
    fact = _fact(cause, own, shapes_of(state) if isinstance(state, Mapping) else {}, want, why)
    if sides.arrays:  # torch has refused each of them
        fact = replace(fact, loaded=(), skipped=fact.loaded)
    unexpected = (*fact.unexpected, *(others_of(state, want) if isinstance(state, Mapping) else ()))
    fact = replace(fact, repairs=tuple(repair for repair, _ in tried), stored=stored, unexpected=unexpected)
    return Surveyed(fact, tuple(text for _, text in tried))


def _shapes_of(keys: Sequence[str], sides: _Sides) -> tuple[str, ...]:
    """Write both shapes of keys that the user's own call does not compare, since it finds them nowhere."""
    keys = [] if sides.base.state("s") == "s" else keys
    said = [
        f"{key}: {show(sides.have[key])} in the checkpoint, {show(sides.want[key])} in the model"
        for key in keys[:_SHOWN]
    ]
    return (*said, f"and {len(keys) - _SHOWN} more") if len(keys) > _SHOWN else tuple(said)


def _mistaken(module: Any, statement: Statement, fact: KeyedLoad, want: Shapes) -> Surveyed:
    """Look for the weights of a module beside what was loaded by mistake."""
    if not isinstance(statement.holder, Mapping):
        return Surveyed(fact, ())
    path, _, _, _ = inside(statement.holder, want)
    beside = replace(statement, state=statement.holder_name)
    plan = Plan("not-a-checkpoint", path, partial=not statement.strict)
    outcome = run(beside, plan, module, statement.holder) if path else None
    if outcome is None or not outcome.loaded:
        return Surveyed(fact, ())
    repair = Repair(plan.cause, beside.code(plan))
    return Surveyed(replace(fact, repairs=(repair,)), (outcome.text(),))


def _sides(state: Any, want: Shapes, buffers: frozenset[str], renamed: bool = True) -> _Sides | None:
    import torch

    have: Shapes
    why: tuple[str, ...]
    entries: tuple[str, ...]
    if isinstance(state, torch.nn.Module):
        entries, arrays = (), False
        path, have, why = ".state_dict()", shapes_of_module(state), ("it is a module, not its state_dict",)
    elif isinstance(state, Mapping):
        path, have, inner, others = inside(state, want)
        arrays = any(not isinstance(inner[key], torch.Tensor) for key in have)
        why, entries = (), others_of(inner, want)
        if path:
            listed = ", ".join(str(key) for key in state)
            why = (f"the checkpoint is a dictionary of {listed}; the weights are under {path}",)
        if others:
            why += (f"{' and '.join(others)} would do as well",)
    else:
        return None
    names = renaming(have, want) if renamed else Renaming()
    if renamed and not match(names.shapes(have), want).loaded:
        names = flattened(have, want) or names
    shapes = names.shapes(have)
    old = {names.apply(key): key for key in have if names.keep(key)}
    return _Sides(shapes, want, old, names, path, (*why, *names.why), buffers, entries, arrays)


def _fact(cause: str, own: Match, have: Shapes, want: Shapes, why: tuple[str, ...]) -> KeyedLoad:
    reshaped = tuple((key, have[key], want[key]) for key in own.reshaped)
    return KeyedLoad(cause, why, own.loaded, reshaped, own.missing, own.unexpected)


def _stored(
    left: list[str], sides: _Sides
) -> tuple[tuple[str, tuple[tuple[str, tuple[int, ...]], ...]], ...]:
    layers: dict[str, list[tuple[str, tuple[int, ...]]]] = {}
    for key in left:
        path, _, role = key.rpartition(".")
        layers.setdefault(path, []).append((role, tuple(sides.have[key])))
    return tuple((path, tuple(roles)) for path, roles in layers.items())


def _cause(
    sides: _Sides, left: list[str], turns: list[values.Turn], statement: Statement, head: bool
) -> tuple[str, tuple[str, ...]]:
    """Say what is wrong, and what is known of it beyond the renaming."""
    found = sides.match
    adapted = _adapted(found)
    if adapted:
        return "adapter", adapted
    if not found.loaded and not found.reshaped:
        return "other-architecture", ("the two have no key in common",)
    if not found.loaded and not turns and (found.missing or found.unexpected):
        return "other-architecture", ("not one key of both has the same shape",)
    if left:
        if head:
            first = left[0]
            old, new = sides.have[first][0], sides.want[first][0]
            boxes = values.boxes(old, new) if len(sides.have[first]) == _KERNEL else ""
            return "other-classes", (
                f"{named(left)}: {old} rows in the checkpoint, {new} in the model{boxes}",
            )
        return "state-dict", values.gates(left, sides.have, sides.want)
    if turns:
        return turns[0].cause, ()
    if statement.opened:
        return "not-a-checkpoint", ("it is the path of a file, which has to be opened first",)
    if sides.arrays:
        return "not-tensors", ("load_state_dict takes tensors of PyTorch",)
    return _cause_of_keys(sides)


def _cause_of_keys(sides: _Sides) -> tuple[str, tuple[str, ...]]:
    """Say what is wrong where every key of both sides has one shape."""
    found = sides.match
    joined = _computed(found, sides) if sides.renaming.key == "k" else None
    if joined is not None:
        return joined.cause, (joined.why,)
    if sides.inside:
        return "not-a-checkpoint" if sides.inside == ".state_dict()" else "nested-checkpoint", ()
    lengths = apart.blocks({sides.old[key]: shape for key, shape in sides.have.items()}, sides.want)
    if sides.renamed_in_part:
        return "renamed-in-part", (*lengths.values(), *_unpaired(sides))
    if sides.renaming.key != "k":
        return "keys-prefixed" if sides.renaming.prefix else "keys-renamed", ()
    if found.missing and all(key in sides.buffers for key in found.missing):
        return "keys-missing", ("what is missing are buffers: state_dict() has them, parameters() has not",)
    if lengths and all(apart.is_in(key, lengths) for key in (*found.missing, *found.unexpected)):
        return "other-depth", tuple(lengths.values())
    return "keys-missing" if found.missing else "keys-unexpected", ()


def _computed(found: Match, sides: _Sides) -> Fusion | None:
    """Return how entries that the module wants follow from others that are stored."""
    return fusion(found, sides.have, sides.want) or normed(found, sides.have, sides.want)


def _unpaired(sides: _Sides) -> tuple[str, ...]:
    """Say which keys have no partner by their names and shapes."""
    found = sides.match
    missing = [key for key in found.missing if key not in sides.buffers]
    unexpected = [sides.old[key] for key in found.unexpected]
    said = [f"{named(missing)} of the model"] if missing else []
    said += [f"{named(unexpected)} of the checkpoint"] if unexpected else []
    return (f"not paired: {' and '.join(said)}",) if said else ()


def _adapted(found: Match) -> tuple[str, ...]:
    """Say where weights of low rank are, if one side alone has them."""
    adapters = [key for key in found.unexpected if _is_adapter(key)]
    wanted = [key for key in found.missing if _is_adapter(key)]
    if adapters and len(adapters) < len(found.unexpected) + len(found.loaded):
        count = f"{len(adapters)} LoRA weights of the checkpoint"
        return (f"{count} have no place in the model, which stays without them",)
    if adapters:
        return (
            "the checkpoint holds LoRA weights alone: wrap the model as it was trained "
            "(peft.get_peft_model), then load them (peft.set_peft_model_state_dict)",
        )
    if wanted:
        return (f"{len(wanted)} LoRA weights of the model are not in the checkpoint",)
    return ()


def _is_adapter(key: str) -> bool:
    return any(word in key.lower() for word in _ADAPTERS)


def _plans(
    sides: _Sides, turns: list[values.Turn], left: list[str], cause: str, statement: Statement
) -> list[tuple[int, Plan]]:
    """List the plans with their ranks."""
    found = sides.match
    if cause == "other-architecture":
        return []
    everything = list(sides.old.values())
    conditions = tuple(values.conditions(turns, sides.old, everything))
    kept = [sides.renaming.kept] if sides.renaming.kept else []
    adapters = [key for key in found.unexpected if _is_adapter(key)]
    if adapters:
        kept.append('"lora_" not in k' if all("lora_" in sides.old[key] for key in adapters) else "")
    if left:
        kept.append(_others_than(left, sides, alone=not conditions))
    partial = bool(found.missing or left or not statement.strict)
    partial = partial or bool([key for key in found.unexpected if key not in adapters])
    partial = partial or bool(sides.others and not sides.renaming.kept)
    joined = _computed(found, sides) if sides.renaming.key == "k" else None
    if joined is not None:
        kept.append(joined.kept)
        open_keys = {*found.missing, *found.unexpected} - joined.made - joined.used
        partial = bool(open_keys or left or sides.others or not statement.strict)
    whole = replace(
        sides.base,
        cause=cause,
        values=conditions,
        kept=" and ".join(part for part in kept if part),
        partial=partial,
        added=joined.entries if joined is not None else "",
    )
    head = cause == "other-classes"
    plain = sides.base.state("s") == "s"
    rank = 0 if cause in _ADAPTABLE or not left or (head and not (statement.strict and plain)) else _LAST
    plans = [(rank, whole)]
    if any(turn.cause in ("position-table", "vocabulary") for turn in turns):
        keys = [sides.old[key] for turn in turns for key in turn.keys]
        skipped = _negated(values.condition(keys, everything))
        kept_then = " and ".join(part for part in (*kept, skipped) if part)
        plans.append((_LAST, replace(whole, values=(), kept=kept_then, partial=True)))
    return plans


def _others_than(left: list[str], sides: _Sides, alone: bool) -> str:
    """Write the condition that leaves out keys of other shapes: their names, or the shapes of many.

    Args:
        left: the keys, as the module calls them.
        sides: both sides.
        alone: whether no other key has another shape.
    """
    condition = _negated(values.condition([sides.old[key] for key in left], list(sides.old.values())))
    if len(condition) <= _LENGTH or not alone:
        return condition
    return f"<MODEL>.state_dict().get({sides.renaming.key}, v).shape == v.shape"


def _negated(condition: str) -> str:
    return condition.replace(" == ", " != ") if " == " in condition else (
        condition.replace("k in ", "k not in ") if condition.startswith("k in ") else f"not {condition}"
    )  # fmt: skip


def _worth(outcome: Outcome, sides: _Sides) -> bool:
    """Tell whether a plan loads enough to be called a repair."""
    if not outcome.loaded:
        return False
    return outcome.loaded >= _PART * outcome.total or outcome.loaded >= _PART * len(sides.have)


def _other_settings(construction: Construction | None, sides: _Sides, module: Any) -> apart.Settings | None:
    """Return the settings with which the module would fit by key; None where none are found."""
    if construction is None or sides.match.fits or sides.inside == ".state_dict()":
        return None
    changes, problems = rebuilt(construction, sides.have, sides.want, module)
    return apart.Settings(construction, changes, sides.have, sides.want) if changes and not problems else None


def _built(
    settings: apart.Settings | None,
    sides: _Sides,
    turned: set[str],
    left: list[str],
    turns: list[values.Turn],
    statement: Statement,
    state: Any,
    head: bool,
) -> tuple[Repair, str, bool] | None:
    """Write other settings of the module, whether they were written, and what they load."""
    transposed = bool(turned) and not left and all(turn.cause == "stored-transposed" for turn in turns)
    if settings is None or transposed:
        return None
    construction, changes = settings.construction, settings.changes
    code = construction.code(changes)
    if code is None:
        return None
    if sides.base.state("s") != "s":
        code = f"{code}, {statement.code(sides.base)}"
    new = built(lambda: construction.build(changes), sides.want)
    outcome = None if new is None else run(statement, sides.base, new, state)
    if outcome is None:
        return None
    written = all(construction.is_written(path) for path in changes)
    cause = "other-settings" if sides.match.missing or sides.match.unexpected else "state-dict"
    cause = _BUILT_CAUSES.get(turns[0].cause, cause) if turns and not left else cause
    if head:
        cause = "other-classes"
    return Repair(cause, code), outcome.text(), written


#: What other arguments change, where the user may have meant those that are written.
_ALTERED = {
    "other-classes": "the number of classes",
    "position-table": "the size of the inputs",
    "vocabulary": "the size of the vocabulary",
    "channels": "the number of input channels",
}
_BUILT_CAUSES = {"position-table": "position-table", "vocabulary": "vocabulary", "channels": "channels"}


def _made(plan: Plan, turns: Sequence[values.Turn]) -> Iterable[str]:
    """Say where numbers come from with a plan that are not stored."""
    used = {expression for _, expression in plan.values}
    return dict.fromkeys(turn.makes for turn in turns if turn.makes and turn.expression in used)


def _ordered(
    built: tuple[Repair, str, bool],
    tried: list[tuple[Repair, str]],
    dropping: list[values.Turn],
    partial: set[str],
) -> list[tuple[Repair, str]]:
    """Put the other arguments behind what the user may have meant with those that are written, else first.

    What leaves out a part of the stored numbers comes last.
    """
    repair, text, written = built
    if dropping:
        cut = []
        for one, said in tried:
            drops = " and ".join(turn.drops for turn in dropping if turn.expression in one.code)
            cut.append((replace(one, alters=f"what is loaded: {drops}" if drops else _LEFT_OUT), said))
        return [(replace(repair, rank=0), text), *cut]
    first = tried[0][0] if tried else None
    meant = first is not None and first.cause in ("other-classes", *_ADAPTABLE)
    complete = first is not None and first.rank == 0 and first.code not in partial
    if first is None or not (written and (meant or complete)):
        marked = [
            (replace(one, alters=one.alters or _LEFT_OUT) if one.code in partial else one, said)
            for one, said in tried
        ]
        return [(replace(repair, rank=0), text), *marked]
    alters = _ALTERED.get(first.cause, "what the model is built of")
    return [(replace(first, rank=0), tried[0][1]), (replace(repair, alters=alters), text), *tried[1:]]
