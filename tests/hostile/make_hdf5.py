"""HDF5 files that lead elsewhere, lie, go in circles or crash libhdf5: ``python make_hdf5.py FOLDER``.

Each is a model as Keras 2 saved it, with a layer ``fc`` of 3 × 5, and one thing that is wrong.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cases import HDF5, Case, Read, Refused, code, file, main, outside

CONFIG = {"class_name": "Sequential", "config": {"name": "s", "layers": [
    {"class_name": "InputLayer", "config": {"name": "in", "batch_shape": [None, 3]}},
    {"class_name": "Dense", "config": {"name": "fc", "units": 5}},
]}}  # fmt: skip

KERNEL, BIAS = {"fc/kernel": (3, 5)}, {"fc/bias": (5,)}
BOTH = {**KERNEL, **BIAS}


def model(change: Callable[[Any, Path], None], **options: Any) -> Callable[[Path], None]:
    """Write the model, then change it."""

    def write(home: Path) -> None:
        import h5py
        import numpy as np

        with h5py.File(home / "m.h5", "w", **options) as made:
            made.attrs["model_config"] = json.dumps(CONFIG)
            made.attrs["keras_version"] = "2.9.0"
            group = made.create_group("model_weights")
            group.attrs["layer_names"] = [b"fc"]
            below = group.create_group("fc")
            below.attrs["weight_names"] = [b"fc/kernel", b"fc/bias"]
            below["fc/kernel"], below["fc/bias"] = np.zeros((3, 5), "float32"), np.zeros(5, "float32")
            change(made, home)

    return write


FC = "model_weights/fc/fc"


def external_link(made: Any, home: Path) -> None:
    import h5py

    del made[f"{FC}/kernel"]
    made[f"{FC}/kernel"] = h5py.ExternalLink(str(outside(home)), "/data")


def soft_link(made: Any, _: Path) -> None:
    import h5py

    del made[f"{FC}/kernel"]
    made["elsewhere"] = h5py.SoftLink("/nowhere")
    made[f"{FC}/kernel"] = h5py.SoftLink(f"/{FC}/bias")


def external_storage(made: Any, home: Path) -> None:
    del made[f"{FC}/kernel"]
    made.create_dataset(f"{FC}/kernel", (3, 5), "float32", external=[(str(outside(home)), 0, 60)])


def virtual(made: Any, home: Path) -> None:
    """Its shape is unlimited: to ask for it opens the other file."""
    import h5py

    del made[f"{FC}/kernel"]
    layout = h5py.VirtualLayout((3, 5), "float32", (None, 5))
    there = h5py.VirtualSource(str(outside(home)), "data", (3, 5), maxshape=(None, 5))
    layout[:3] = there[:3]
    made.create_virtual_dataset(f"{FC}/kernel", layout)


def cycle(made: Any, _: Path) -> None:
    made["model_weights/fc/again"] = made["model_weights"]
    made["model_weights/root"] = made["/"]


def huge(made: Any, _: Path) -> None:
    del made[f"{FC}/kernel"]
    made.create_dataset(f"{FC}/kernel", (2**40, 2**20), "float32", chunks=(1, 1024))


def many_axes(made: Any, _: Path) -> None:
    del made[f"{FC}/kernel"]
    made.create_dataset(f"{FC}/kernel", (1,) * 32, "float32")


def deep(made: Any, _: Path) -> None:
    group = made["model_weights/fc"]
    for _level in range(3000):
        group = group.create_group("g")


def empty(made: Any, _: Path) -> None:
    import h5py

    made["model_weights/fc/extra"] = h5py.Empty("float32")


def small_ones(made: Any, _: Path) -> None:
    group = made.create_group("model_weights/small")
    for number in range(5000):
        group.create_dataset(f"w{number}", (2, 3), "float32")


def many(made: Any, _: Path) -> None:
    group = made["model_weights"]
    for number in range(2000):
        group[f"same {number}"] = made["model_weights/fc"]


def missing(made: Any, _: Path) -> None:
    made["model_weights/fc"].attrs["weight_names"] = [b"../../../../etc/passwd", b"/fc/bias", b"fc/bias"]


def objects(made: Any, _: Path) -> None:
    """References and texts of any length where numbers belong."""
    import h5py

    del made[f"{FC}/kernel"]
    made.create_dataset(f"{FC}/kernel", (3, 5), h5py.ref_dtype)
    del made[f"{FC}/bias"]
    made.create_dataset(f"{FC}/bias", (5,), h5py.string_dtype())


def large_attribute(made: Any, _: Path) -> None:
    import numpy as np

    made["model_weights"].attrs.create("backend", np.zeros(1 << 22, "uint8"))


def typed(made: Any, _: Path) -> None:
    """A type where a layer belongs."""
    import numpy as np

    made["model_weights/type"] = np.dtype("float32")


def lambda_layer(made: Any, home: Path) -> None:
    """The configuration of Keras 2 holds marshalled code, which its reader runs."""
    told = {"class_name": "Lambda", "config": {"name": "l", "function": [code(home), None, None],
                                               "function_type": "lambda"}}  # fmt: skip
    config = json.loads(json.dumps(CONFIG))
    config["config"]["layers"].append(told)
    made.attrs["model_config"] = json.dumps(config)


def filtered(made: Any, _: Path) -> None:
    """A filter that libhdf5 would look for among its plug-ins."""
    import h5py

    del made[f"{FC}/kernel"]
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((3, 5))
    plan.set_filter(32_001, h5py.h5z.FLAG_OPTIONAL, (1,))
    space = h5py.h5s.create_simple((3, 5))
    h5py.h5d.create(made["model_weights/fc/fc"].id, b"kernel", h5py.h5t.IEEE_F32LE, space, plan)


#: A file of 9,552 bytes as h5py 3.14 writes it, small and always the same: damage stands at fixed places.
SOUND = (
    "eNrtWkFPE0EUntm2sJRCSmhKsQrbDSYcCBJPSDjU0GoPRoh4MDGmLGULDcs2dqvUEKLHevMHeODo0aNHjx79AR48+AM8esPdmTfd"
    "nbXSjRij8r4eXt+bN282s2+/t33Tl5XSrbHkpSTxoKokTtIkiFPAxlVZF+NbICnILsg3irAPsbEc2NMQX4txfQ/s9++Vy573aQhi"
    "nW9ZLlWCuIiolG9uePIB6CKfPiiy30Fzx7Sqh2Zjd6/tBPKy+IvrinztTnL9LdhTpAL5PUYyblbydWtNu97Y9ezTlLKZ6d41qNJz"
    "subFjPnPzu219TuUwISQn4cjvWYZjlO1jQNTX9H0TfPxE9NuNwxLX9B0vq5rP9KFg+PZLeOZ2XJc9eGj42MWR2xXAuT1xRuLS66E"
    "SyFJkG3TdpqtutU85Hoc7GJ+vSbHGenZr203DGdlCfQhkKP++L7Zsk0LPIZ/Elfg6zjmPgKBQCAQCAQCgUAg/h9MiD4D6KJ/5vcZ"
    "xlmfwf3xbDjVp+6v+kbTjtBnSAT6DAqLV4RxlcXbNmr7pr0zME4yECfG7LG+fb0iGDpgH9TX6+RJYDXERUO4rye6zydZ2U/0hUQ+"
    "Vs657ubd9RJlTwHHckaOvwX6iyzeoyi8Fd6vFNxR6n7LuCzBOpGse+kw+zQl/fmGUuk+CKkE+CfO7PG+/PP+Mtc/RuSf1wXkH+Sf"
    "H/lHy/9Z/nmXk+N/Fomdx3sUhX/C+5WCk0V+PpMj/ETIJ6BB/KMEeMfDaIB/vDONkYCekN6rEuy9yluIRHg/C/LaMMynAQdK5rlU"
    "aO/dS6zZX8+xqRPaLJzZaGRKJVPPe34qG1cUHlAFBo3RkxnusRra4c4/mxuUffwaIXIlPsv1uUK0GvFFxxqBNcKvERrIUkH2kw42"
    "XYiDUPGsL5+zRnyakWtEOI8RZ+2j0uOBhbmz/cV+v7qCeyfzabg25aSamfhttWgV/m2UCV1B96/fo++brtKP"
)


def sound() -> bytes:
    """The small file."""
    return zlib.decompress(base64.b64decode(SOUND))


def damaged(*changes: tuple[int, int]) -> Callable[[Path], None]:
    """The small file with some of its bytes changed."""

    def make() -> bytes:
        data = bytearray(sound())
        for at, value in changes:
            data[at] = value
        return bytes(data)

    return file(make, "m.h5")


def case(change: Callable[[Any, Path], None], tries: str, must: str | dict, says: str = "") -> Case:
    said = Refused(must) if isinstance(must, str) else Read(must, says)
    return Case(model(change), tries, said, "m.h5", HDF5)


NOT_READ = "not read"
BROKE, CIRCLES = "the HDF5 library crashed on it", "takes too long"

CASES: dict[str, Case] = {
    "sound": case(lambda *_: None, "nothing", BOTH),
    "external link": case(external_link, "another file", BIAS, NOT_READ),
    "soft link": case(soft_link, "another place, and none", BIAS, NOT_READ),
    "external storage": case(external_storage, "another file's bytes", BOTH),
    "virtual dataset": case(virtual, "another file, opened for its shape", BIAS, NOT_READ),
    "cycle": case(cycle, "a walk without end", BOTH, NOT_READ),
    "huge shape": case(huge, "4 EiB of memory", {"fc/kernel": (2**40, 2**20), **BIAS}),
    "many axes": case(many_axes, "a shape of 32 axes", {"fc/kernel": (1,) * 32, **BIAS}),
    "deep": case(deep, "recursion", BOTH),
    "an empty dataset": case(empty, "what has no shape", BOTH),
    "many small datasets": Case(model(small_ones, libver="latest"), "an honest file that is refused",
        Read(BOTH), "m.h5", HDF5),
    "many links": case(many, "one object two thousand times", BOTH),
    "names of weights that lead outside": case(missing, "a path", BIAS),
    "no numbers": case(objects, "objects where numbers belong", BOTH),
    "a large attribute": Case(model(large_attribute, libver="latest"), "memory", Read(BOTH), "m.h5", HDF5),
    "a type": case(typed, "what is neither group nor dataset", BOTH),
    "a filter": case(filtered, "a plug-in of libhdf5", BOTH),
    "a lambda": case(lambda_layer, "code in the configuration", BOTH),
    "damage: crash in a name": Case(damaged((6265, 127)), "a crash of libhdf5", Refused(BROKE), "m.h5", HDF5),
    "damage: crash in a heap": Case(damaged((857, 228)), "a crash of libhdf5", Refused(BROKE), "m.h5", HDF5),
    "damage: crash in an attribute": Case(damaged((7521, 3)), "a crash of libhdf5", Refused(BROKE), "m.h5",
        HDF5),
    "damage: a chunk of gigabytes": Case(
        damaged((5091, 175)), "memory ahead of the bytes", Refused("its HDF5 cannot be read"), "m.h5", HDF5),
    "damage: circles in a header": Case(damaged((1160, 9)), "a listing without end", Refused(CIRCLES),
        "m.h5", HDF5),
}  # fmt: skip

if __name__ == "__main__":
    main(CASES)
