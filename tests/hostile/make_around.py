"""What lies around a file: its directory, its server, its author: ``python make_around.py FOLDER``."""

from __future__ import annotations

import http.server
from pathlib import Path

from cases import IMPORTS, PRIVACY, REMOTE, Case, Read, Refused, code, entry, safetensors
from cases import main as write_all
from make_hdf5 import model as hdf5
from make_onnx import model as onnx
from make_pickles import beside, dumped

ONE = safetensors({"w": entry()}, bytes(60))
W = {"w": (3, 5)}
#: Modules that are imported on the way, by the command or by the processes that it starts.
SHADOWS = (
    "json", "re", "struct", "zlib", "os", "io", "typing", "dataclasses", "pathlib", "numpy", "h5py", "onnx",
        "rich",
    "typer", "torch", "tensorflow", "keras", "shapeinspect", "shapeinspect_torch", "sitecustomize",
        "usercustomize",
    "google", "encodings", "pickle",
)  # fmt: skip


def shadowed(name: str) -> Case:
    """A model among modules that are called like those that read it."""

    def write(home: Path) -> None:
        for module in SHADOWS:
            (home / f"{module}.py").write_text(code(home))
        if name == "m.safetensors":
            (home / name).write_bytes(ONE)
        elif name == "m.pt":
            (home / name).write_bytes(beside(dumped(home, 2)))
        elif name == "m.onnx":
            (home / name).write_bytes(onnx(lambda *_: None))
        else:
            hdf5(lambda *_: None)(home)

    expected = {"fc/kernel": (3, 5), "fc/bias": (5,)} if name == "m.h5" else W
    return Case(
        write, "modules of the model's directory that are imported", Read(expected), name, IMPORTS, alone=True
    )


class Whole(http.server.SimpleHTTPRequestHandler):
    """Sends the whole file, whatever range is asked for, as Python's own server does."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass


class Elsewhere(Whole):
    """Sends whoever asks to another host."""

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", "http://127.0.0.2:9/m.safetensors")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET


class Local(Elsewhere):
    """Sends whoever asks to a file of his own machine."""

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", "file:///etc/passwd")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET


class Liar(Whole):
    """Says that the file has 2^62 bytes, and sends some."""

    def do_GET(self) -> None:
        self.send_response(206)
        self.send_header("Content-Range", f"bytes 0-{2**62 - 2}/{2**62}")
        self.send_header("Content-Length", str(len(ONE)))
        self.end_headers()
        self.wfile.write(ONE)

    do_HEAD = do_GET


def served(server: type, tries: str, reason: str) -> Case:
    def write(home: Path) -> None:
        (home / "m.safetensors").write_bytes(ONE)

    return Case(write, tries, Refused(reason), "m.safetensors", REMOTE, server=server)


def exported(home: Path) -> None:
    """A program of torch.export, which keeps where each line of the model's code stands."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = torch.nn.Linear(5, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(self.fc(x))

    torch.export.save(torch.export.export(Net(), (torch.zeros(2, 5),)), home / "m.pt2")


CASES: dict[str, Case] = {
    **{f"beside {name}": shadowed(name) for name in ("m.safetensors", "m.pt", "m.onnx", "m.h5")},
    "a server that ignores ranges": served(Whole, "as many bytes as it likes", "range"),
    "a server that sends elsewhere": served(Elsewhere, "a request to another host",
        "redirects to other hosts are not followed"),
    "a server that sends to a file": served(Local, "a file of this machine", "redirects"),
    "a server that lies about the length": served(Liar, "a size that is none",
        "range request failed"),
    "an author's paths": Case(
        exported, "nothing: the author's paths stand in it",
        Read({"fc.weight": (3, 5), "fc.bias": (3,)}, hides=str(Path(__file__).parent)), "m.pt2", PRIVACY),
}  # fmt: skip

if __name__ == "__main__":
    write_all(CASES)
