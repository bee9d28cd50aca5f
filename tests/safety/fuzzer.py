"""A program of its own: fuzzes one reader for some time, led by the code that its inputs reach.

``python fuzzer.py '{"name", "packages", "seconds", "clock", "slow", "corpus", "found", "seeds", …}'``:
"seconds" are those of processor time, "clock" those after which it ends in any case, "slow" those of
processor time that no input may take; "corpus" is a folder, from whose inputs a later run goes on; "found"
is a file that holds, as JSON, the first input of each kind of fault; libFuzzer's own figures are on stderr.
The address space is bounded to what the process has before the first input and 512 MiB. A fault does not
end it.
"""

from __future__ import annotations

import json
import sys

import atheris

#: Only what reads is followed: following everything takes a minute before the first input.
with atheris.instrument_imports(
    include=json.loads(sys.argv[1])["packages"],
    exclude=["shapeinspect.binary.child_limits"],
    enable_loader_override=False,
):
    import contextlib
    import functools
    import os
    import resource
    import time
    import traceback
    from pathlib import Path

    import readers

    from shapeinspect import registry
    from shapeinspect.errors import UnreadableFileError, UsageError

    asked = json.loads(sys.argv[1])
    registry.installed = functools.cache(registry.installed)
    if asked["name"] in readers.MODELS:
        model = readers.Model(Path(asked["home"]), asked["show"], asked["damaged"], asked["member"])
        read, seeds = model.read, [model.seed()]
    else:
        read = {**readers.PARTS, **readers.PLANTED}[asked["name"]]
        seeds = [bytes.fromhex(text) for text in asked["seeds"]]
    for seed in (*seeds, b"{"):  # what is imported late has to be followed as well
        with contextlib.suppress(UnreadableFileError, UsageError):
            read(seed)

MEMORY = 512 << 20
_BEGIN, _START = time.process_time(), time.monotonic()
found: dict[str, str] = {}
runs = [0]


def keep(kind: str, what: str) -> None:
    """Write down the first of each kind at once: libFuzzer ends the process without any handler."""
    if found.setdefault(kind, what) is what:
        Path(asked["found"]).write_text(json.dumps(found))


def one(data: bytes) -> None:
    """Read one input; whatever escapes is kept by where it was raised."""
    begin = time.process_time()
    try:
        read(data)
    except (UnreadableFileError, UsageError):
        pass
    except BaseException as error:  # noqa: BLE001  # whatever escapes is the finding
        frame = traceback.extract_tb(error.__traceback__)[-1]
        kind = f"{type(error).__name__} in {Path(frame.filename).name}:{frame.lineno}"
        keep(kind, f"{str(error)[:200]} | {data.hex()}")
    taken = time.process_time() - begin
    if taken > asked["slow"]:
        keep("slow", f"{taken:.1f} s | {data.hex()}")
    runs[0] += 1
    used = begin - _BEGIN
    if used > asked["seconds"] or time.monotonic() - _START > asked["clock"]:
        print(f"Done {runs[0]} runs in {used:.0f} s", file=sys.stderr, flush=True)
        os._exit(0)


def main() -> None:
    corpus = Path(asked["corpus"])
    for number, seed in enumerate(seeds):
        (corpus / f"seed{number}").write_bytes(seed)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))
    longest = max(4096, 2 * max(map(len, seeds)))
    seed = 1 + len(list(corpus.iterdir()))  # a later run draws others
    words = [f"-max_len={longest}", "-timeout=60", "-rss_limit_mb=0", f"-seed={seed}",
             f"-artifact_prefix={Path(asked['found']).parent}{os.sep}"]  # fmt: skip
    atheris.Setup([sys.argv[0], str(corpus), *words], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
