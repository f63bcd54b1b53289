"""Kernels as nvdisasm prints them: instructions, loops, spills."""

import re
from dataclasses import dataclass, field

LABEL = re.compile(r"^(\S+):\s*$")
INSTRUCTION = re.compile(r"^\s+/\*[0-9a-f]{4,}\*/\s+(.*?)\s*(\(\*.*\*\))?\s*;")
PREDICATE = re.compile(r"^@!?U?P\w+\s+")
TARGET = re.compile(r"`\((\.L\w+)\)")
OFFSET = re.compile(r"\+(-?0x[0-9a-f]+)\]")
MULTIPLIES = ("FFMA", "DFMA")
ARITHMETIC = ("FFMA", "FADD", "FMUL", "DFMA", "DADD", "DMUL", "DMMA")
LOADS = ("LD", "LDS", "LDG")
LOCAL = ("LDL", "STL")
DOUBLES = re.compile(r"^(DADD|DMUL|DFMA|DSETP|DMNMX|DMMA)\b|\.F64\b|^MUFU\.\w+64H")


@dataclass(frozen=True)
class Instruction:
    text: str  # without its predicate
    spill: bool = False  # nvdisasm's note on what ptxas moved out of registers

    @property
    def opcode(self) -> str:
        return self.text.split()[0]

    @property
    def base(self) -> str:
        return self.opcode.split(".")[0]

    @property
    def bytes(self) -> int:
        sizes = {"64": 8, "128": 16, "256": 32, "U8": 1, "S8": 1, "U16": 2, "S16": 2}
        return next((sizes[part] for part in self.opcode.split(".") if part in sizes), 4)

    @property
    def uses_double(self) -> bool:
        return DOUBLES.search(self.opcode) is not None

    @property
    def offset(self) -> int:
        """What a load adds to its address register."""
        found = OFFSET.search(self.text)
        return int(found.group(1), 16) if found else 0


@dataclass
class Loop:
    """Instructions `first` .. `last`; `own` are those that belong to no loop inside."""

    first: int
    last: int
    inner: list = field(default_factory=list)
    own: list = field(default_factory=list)

    def count(self, bases) -> int:
        return sum(i.base in bases for i in self.own)


@dataclass
class Kernel:
    name: str
    instructions: list = field(default_factory=list)
    labels: dict = field(default_factory=dict)

    def loops(self) -> list[Loop]:
        """A loop is what lies between a branch and the earlier label it goes back to; branches to one label share it."""
        ends = {}
        for at, instruction in enumerate(self.instructions):
            target = TARGET.search(instruction.text) if instruction.base == "BRA" else None
            start = self.labels.get(target.group(1), at + 1) if target else at + 1
            # a label at its own branch is the endless loop after EXIT
            if start < at:
                ends[start] = max(at, ends.get(start, 0))
        found = [Loop(first, last) for first, last in sorted(ends.items())]
        for loop in found:
            loop.inner = [o for o in found if o is not loop and loop.first <= o.first and o.last <= loop.last]
            inside = set()
            for o in loop.inner:
                inside.update(range(o.first, o.last + 1))
            loop.own = [self.instructions[k] for k in range(loop.first, loop.last + 1) if k not in inside]
        return found

    def spill_slots(self) -> int:
        """Bytes of stack that ptxas wrote registers to."""
        slots = set()
        for i in self.instructions:
            if i.base == "STL" and i.spill:
                slots.update(range(i.offset, i.offset + i.bytes))
        return len(slots)


def demangled(symbol: str) -> str | None:
    """team_kernel<GainForward<double>> from its mangled name; None for what is no kernel of vida."""
    found = re.match(r"_ZN4vida4cuda11((?:team|lane)_kernel)INS_7kernels(\d+)(.*)", symbol)
    if not found:
        return None
    kind, names, rest = found.group(1), [], found.group(2) + found.group(3)
    while inner := re.match(r"(?:INS\d?_)?(\d+)", rest):  # a kernel, and what it is a template of
        length = int(inner.group(1))
        names.append(rest[inner.end() : inner.end() + length])
        rest = rest[inner.end() + length :]
    name = names.pop()
    arguments = re.match(r"I([fd])(?:Li(\d+)E)?E", rest)
    if arguments:
        real = {"f": "float", "d": "double"}[arguments.group(1)]
        name += f"<{real}, {arguments.group(2)}>" if arguments.group(2) else f"<{real}>"
    for outer in reversed(names):
        name = f"{outer}<{name}>"
    return f"{kind}<{name}>"


def parse(text: str) -> list[Kernel]:
    """One Kernel per code section, with the functions that it calls (division, square root) at its end."""
    kernels, current = [], None
    for line in text.splitlines():
        label = LABEL.match(line)
        if label:
            if label.group(1).startswith(".text."):
                name = demangled(label.group(1)[len(".text.") :])
                current = Kernel(name) if name else None
                if current:
                    kernels.append(current)
            elif current:
                current.labels[label.group(1)] = len(current.instructions)
            continue
        instruction = INSTRUCTION.match(line) if current else None
        if instruction:
            text = PREDICATE.sub("", instruction.group(1))
            current.instructions.append(Instruction(text, "Spill" in (instruction.group(2) or "")))
    return kernels
