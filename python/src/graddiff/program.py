"""Calls the program `graddiff`: GRADDIFF, else the first on PATH."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Iterable, Sequence
from typing import Any

from .errors import GraddiffError, Missing, Rejected

# Exit codes of the program; what is not among these is a bug of its own.
_KINDS: dict[int, type[GraddiffError]] = {1: Rejected, 2: Rejected, 3: Missing}


def find() -> str:
    """The program's path.

    Raises Missing if there is none.
    """
    named = os.environ.get("GRADDIFF")
    found = shutil.which(named or "graddiff")
    if found is None:
        where = f"GRADDIFF={named} is no program" if named else "no graddiff on PATH"
        raise Missing(f"{where}; build it with `cargo install --path adapter`, or name it in GRADDIFF")
    return found


def call(arguments: Sequence[str | os.PathLike[str]]) -> str:
    """What the program prints.

    Raises Missing if it or its compiler is not there, Rejected with its words if it refuses.
    """
    done = subprocess.run([find(), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        kind = _KINDS.get(done.returncode, GraddiffError)
        raise kind("\n".join([f"graddiff {arguments[0]}: {done.stderr.strip()}", *_diagnostics(done.stdout)]))
    return done.stdout


def _diagnostics(text: str) -> list[str]:
    """The errors in a document that tells of them."""
    try:
        found = json.loads(text).get("diagnostics", [])
    except (ValueError, AttributeError):
        return []
    errors = [d for d in found if d["severity"] == "error"]
    return [f"{d['file']}:{d['line']}: {d['message']}; {d['help']}" for d in errors]


def document(arguments: Sequence[str | os.PathLike[str]]) -> Any:
    """The JSON document that the program prints."""
    return json.loads(call([*arguments, "--json"]))


def sources(files: Iterable[str | os.PathLike[str]], wrt: str | Iterable[str]) -> list[str | os.PathLike[str]]:
    """The arguments that name mechanisms and parameters.

    Raises Rejected if there are none.
    """
    files = list(files)
    names = [wrt] if isinstance(wrt, str) else list(wrt)
    if not files:
        raise Rejected("no mechanisms: name the .mod files of all mechanisms of the model")
    if not names:
        raise Rejected("no parameters: name some in `wrt`, as in wrt=['hh.gnabar']")
    return [*files, "--wrt", ",".join(names)]


class Folder:
    """A folder for what is generated: the given one, which is made and kept, or one that goes with the object."""

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="graddiff-") if path is None else path).resolve()
        self.path.mkdir(parents=True, exist_ok=True)
        if path is None:
            weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def unit_name(unit: str) -> str:
    """A unit as part of a name: S/cm2 becomes s_per_cm2, none becomes 1."""
    out = "".join(c if c.isalnum() else "_per_" if c == "/" else "_" for c in unit.lower()).strip("_")
    return out.removeprefix("per_") if out else "1"
