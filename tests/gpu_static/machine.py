"""What the three architectures can do: cycles of an instruction, and what a multiprocessor holds."""

import math
from dataclasses import dataclass

SCHEDULERS = 4
WARP = 32
MAX_BLOCKS = 32
MAX_WARPS = 64
REGISTERS = 65536
REGISTER_UNIT = 256  # registers are given to a warp in this unit
SHARED_UNIT = 128
SHARED_RESERVED = 1024  # of every block, by the driver


@dataclass(frozen=True)
class Architecture:
    name: str
    single: int  # cycles of the scheduler's pipe for one warp instruction: FFMA, FADD, FMUL
    double: int  # DFMA, DADD, DMUL
    matrix: int | None  # DMMA 8x8x4; None: not known
    shared: int  # bytes of a multiprocessor
    shared_block: int  # bytes one block may ask for


# Results per cycle and multiprocessor (CUDA programming guide): 64 in single precision and 32 in double on 8.0,
# 128 and 64 on 9.0 and 10.0.
ARCHITECTURES = {
    a.name: a
    for a in (
        Architecture("sm_80", 2, 4, None, 164 * 1024, 163 * 1024),
        Architecture("sm_90", 1, 2, 8, 228 * 1024, 227 * 1024),
        Architecture("sm_100", 1, 2, None, 228 * 1024, 227 * 1024),
    )
}


def pipe_cycles(arch: Architecture, opcode: str) -> int:
    """Cycles that one warp instruction keeps its scheduler's floating-point pipe."""
    base = opcode.split(".")[0]
    if base in ("FFMA", "FADD", "FMUL"):
        return arch.single
    if base in ("DFMA", "DADD", "DMUL"):
        return arch.double
    if base == "DMMA":
        if arch.matrix is None:
            raise RuntimeError(f"a hot loop uses DMMA, whose cycles on {arch.name} are not in machine.py")
        return arch.matrix
    return 0


def blocks_per_multiprocessor(arch: Architecture, registers: int, shared: int, threads: int) -> tuple[int, str]:
    """Blocks that fit at once, and what keeps the next one out. A block that asks for more shared memory than there is
    gets its scratch from device memory instead (launch.cuh)."""
    warps = math.ceil(threads / WARP)
    per_warp = math.ceil(registers * WARP / REGISTER_UNIT) * REGISTER_UNIT
    warps_of_scheduler = REGISTERS // SCHEDULERS // per_warp
    limits = {
        "registers": warps_of_scheduler * SCHEDULERS // warps,
        "threads": min(MAX_WARPS // warps, MAX_BLOCKS),
    }
    if shared <= arch.shared_block:
        asked = math.ceil(shared / SHARED_UNIT) * SHARED_UNIT + SHARED_RESERVED
        limits["shared memory"] = arch.shared // asked
    blocks = min(limits.values())
    return blocks, next(name for name, value in limits.items() if value == blocks)
