"""Everything that the report and the budget speak of, per kernel and architecture."""

from dataclasses import dataclass
from pathlib import Path

import hot_loops
import sass
from banks import matrix_loops
from machine import ARCHITECTURES, SHARED_RESERVED, blocks_per_multiprocessor
from tools import Tools, run



@dataclass(frozen=True)
class Measured:
    kernel: str
    architecture: str
    registers: int
    stack: int
    spill: int  # bytes of the stack that hold spilled registers
    local: int  # loads and stores of local memory ..
    local_in_loops: int  # .. in innermost loops
    doubles: int  # instructions on doubles
    shared: int  # bytes of a block at the reference size
    threads: int
    blocks: int  # of a multiprocessor
    limit: str  # what keeps another block out
    loops: tuple  # HotLoop


@dataclass(frozen=True)
class Facts:
    """What facts.cpp prints."""

    kernels: dict  # name -> (bytes, threads)
    constants: dict

    @staticmethod
    def read(program: Path):
        kernels, constants = {}, {}
        for line in run(program).splitlines():
            words = line.split()
            if words[0] == "kernel":
                kernels[words[1]] = (int(words[2]), int(words[3]))
            else:
                constants[words[1]] = int(words[2])
        return Facts(kernels, constants)

    def block(self, kernel: str) -> tuple[int, int]:
        inside = kernel[kernel.index("<") + 1 : -1]
        if kernel.startswith("lane_kernel"):
            return 0, 128
        if inside not in self.kernels:
            raise RuntimeError(f"{kernel} has no line in facts.cpp; print its scratch and threads there")
        return self.kernels[inside]


def measure(kernel: sass.Kernel, usage, architecture: str, facts: Facts, traffic) -> Measured:
    arch = ARCHITECTURES[architecture]
    shared, threads = facts.block(kernel.name)
    # from 9.0 on the tool adds what the driver reserves
    static = usage["SHARED"] - (SHARED_RESERVED if usage["SHARED"] >= SHARED_RESERVED else 0)
    blocks, limit = blocks_per_multiprocessor(arch, usage["REG"], shared + static, threads)
    local = [i for i in kernel.instructions if i.base in sass.LOCAL]
    inner = [loop for loop in kernel.loops() if not loop.inner]
    return Measured(
        kernel.name,
        architecture,
        usage["REG"],
        usage["STACK"],
        kernel.spill_slots(),
        len(local),
        sum(loop.count(sass.LOCAL) for loop in inner),
        sum(i.uses_double for i in kernel.instructions),
        shared + static,
        threads,
        blocks,
        limit,
        tuple(hot_loops.of_kernel(kernel, arch, traffic)),
    )


def measure_all(tools: Tools, objects, facts: Facts) -> list[Measured]:
    cubins = [(a, c) for a, c in tools.cubins(objects) if a in ARCHITECTURES]
    traffic = {bytes_: matrix_loops(facts.constants, facts.constants["leading_dimension"], bytes_ // 4) for bytes_ in (4, 8)}
    found = []
    for (architecture, cubin), text in zip(cubins, tools.disassembled([c for _, c in cubins])):
        usage = {sass.demangled(symbol): use for symbol, use in tools.resources(cubin).items()}
        found += [measure(k, usage[k.name], architecture, facts, traffic) for k in sass.parse(text)]
    order = list(ARCHITECTURES)
    return sorted(found, key=lambda m: (m.kernel, order.index(m.architecture)))
