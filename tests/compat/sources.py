"""What a .mod file says of itself, as far as an experiment that makes it act must know.

A reader of declarations by regular expressions, not a parser: what the file means is for `graddiff check` to say.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

# What no version of graddiff reads, and the code of the diagnostic that must say so.
REFUSALS = [
    ("VERBATIM", "verbatim"),
    ("POINTER", "unsupported"),
    ("BBCOREPOINTER", "unsupported"),
    ("FUNCTION_TABLE", "unsupported"),
    ("RANDOM", "unsupported"),
    ("ARTIFICIAL_CELL", "unsupported"),
]

KINDS = {
    "SUFFIX": "density",
    "POINT_PROCESS": "point",
    "JUNCTION_PROCESS": "junction",
    "VOLTAGE_PROCESS": "voltage",
    "ARTIFICIAL_CELL": "artificial cell",
}


@dataclass
class Mod:
    """The declarations of one file."""

    path: Path
    name: str = ""
    kind: str = "unknown"
    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    # ion and its charge, or None if the file does not say
    ions: dict[str, int | None] = field(default_factory=dict)
    words: set[str] = field(default_factory=set)

    @property
    def refusals(self) -> list[str]:
        """Codes with which the file must be refused; none if it should be accepted."""
        return [code for word, code in REFUSALS if word in self.words]

    @property
    def diffusive(self) -> list[str]:
        """Ions whose Xd it uses."""
        return [x for x in self.ions if f"{x}d" in self.reads | self.writes]

    @property
    def written(self) -> list[str]:
        """Concentrations it writes."""
        return [f"{x}{side}" for x in self.ions for side in "io" if f"{x}{side}" in self.writes]

    @property
    def acts_by_events(self) -> bool:
        """True if events change it."""
        return "NET_RECEIVE" in self.words


def read(path: Path) -> Mod:
    """Reads the declarations of `path`; missing ones stay empty."""
    text = path.read_text(encoding="utf-8", errors="replace")
    text = re.sub(r"^\s*COMMENT\b.*?^\s*ENDCOMMENT\b", "", text, flags=re.S | re.M)
    text = re.sub(r"\bVERBATIM\b.*?\bENDVERBATIM\b", " VERBATIM ", text, flags=re.S)
    text = re.sub(r"^\s*TITLE\b.*", "", text, flags=re.M)
    text = re.sub(r"[:?].*", "", text)
    mod = Mod(path, words=set(re.findall(r"\b[A-Z_]{4,}\b", text)))
    block = re.search(r"\bNEURON\s*\{([^}]*)\}", text)
    if block is None:
        return mod
    # a statement ends where the next keyword starts; commas mean nothing
    words = re.findall(r"[\w+-]+", block[1])
    i = 0
    while i < len(words):
        word = words[i]
        if word in KINDS and i + 1 < len(words):
            mod.kind, mod.name = KINDS[word], words[i + 1]
        if word == "USEION" and i + 1 < len(words):
            i = _ion(mod, words, i + 1)
        else:
            i += 1
    reversal = [x for x in mod.ions if f"e{x}" in mod.writes]
    if mod.kind == "density" and reversal:
        mod.kind = "reversal potential"
    return mod


def _ion(mod: Mod, words: list[str], i: int) -> int:
    """Reads what follows USEION from word `i`; returns where the next statement starts."""
    ion, into = words[i], None
    mod.ions[ion] = None
    i += 1
    while i < len(words):
        word = words[i]
        if word == "READ":
            into = mod.reads
        elif word == "WRITE":
            into = mod.writes
        elif word == "VALENCE":
            value = words[i + 1] if i + 1 < len(words) else ""
            mod.ions[ion] = int(value) if re.fullmatch(r"[+-]?\d+", value) else None
            return i + 2
        elif into is not None and word in {f"i{ion}", f"e{ion}", f"{ion}i", f"{ion}o", f"{ion}d"}:
            into.add(word)
        else:
            return i
        i += 1
    return i
