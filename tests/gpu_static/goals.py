"""The goals of the kernels, and whether they are met. A goal is changed by a decision, never to make it met."""

import math

from budget import SPILL_GOAL
from machine import ARCHITECTURES, REGISTER_UNIT, REGISTERS, SCHEDULERS, SHARED_RESERVED, SHARED_UNIT, WARP
from measure import Measured

MATRIX_BOUND = 0.5
STEP_BOUND = 0.9
STEP_BLOCKS = 3
GRADIENT_BLOCKS = 4
LOCAL_SHARE = 0.01  # of the instructions of a hot loop
GRADIENT = ("team_kernel<GainForward<double>>", "team_kernel<GainTerms<double>>", "team_kernel<GainBackward<double>>")
STEP = "lane_kernel<EnsembleLanes<float, 40>>"


def room(architecture: str, blocks: int, threads: int) -> tuple[int, int]:
    """Registers of a thread and bytes of a block with which so many blocks fit."""
    warps = math.ceil(blocks * math.ceil(threads / WARP) / SCHEDULERS)
    registers = REGISTERS // SCHEDULERS // warps // REGISTER_UNIT * REGISTER_UNIT // WARP
    shared = ARCHITECTURES[architecture].shared // blocks // SHARED_UNIT * SHARED_UNIT - SHARED_RESERVED
    return min(registers, 255), shared


def row(goal: str, value: str, met: bool) -> tuple[str, str, str]:
    return goal, value, "yes" if met else "**no**"


def named(kernel: str) -> str:
    return "`" + kernel[kernel.index("<") + 1 : -1] + "`"


def of_step(m: Measured):
    bound = min((loop.bound for loop in m.loops), default=0.0)
    yield row(f"{named(m.kernel)}, sm_90: bound at least {STEP_BOUND}", f"{bound:.2f}", bound >= STEP_BOUND)
    yield row(
        f"{named(m.kernel)}, sm_90: {STEP_BLOCKS} blocks of {m.threads} a multiprocessor",
        f"{m.blocks}: {m.registers} registers",
        m.blocks >= STEP_BLOCKS,
    )


def of_gradient(m: Measured):
    registers, shared = room(m.architecture, GRADIENT_BLOCKS, m.threads)
    needs = f"at most {registers} registers and {shared} bytes"
    yield row(
        f"{named(m.kernel)}, sm_90: {GRADIENT_BLOCKS} blocks a multiprocessor ({needs})",
        f"{m.blocks}: {m.registers} registers, {m.shared} bytes",
        m.blocks >= GRADIENT_BLOCKS,
    )
    for kind in dict.fromkeys(loop.kind for loop in m.loops):
        worst = min((loop for loop in m.loops if loop.kind == kind), key=lambda loop: loop.bound)
        yield row(
            f"{named(m.kernel)}, sm_90: bound of `{kind}` at least {MATRIX_BOUND}",
            f"{worst.bound:.2f}, limited by {worst.limit}",
            worst.bound >= MATRIX_BOUND,
        )


def everywhere(goal: str, values, form: str, allowed):
    """values: (kernel, value); the worst of each kernel that exceeds what is allowed is named."""
    worst = {}
    for kernel, value in values:
        if value > allowed:
            worst[kernel] = max(value, worst.get(kernel, value))
    found = ", ".join(f"{named(kernel)} {value:{form}}" for kernel, value in worst.items())
    return row(goal, found or "in every kernel", not worst)


def rows(measured: list[Measured]) -> list[tuple[str, str, str]]:
    at_90 = {m.kernel: m for m in measured if m.architecture == "sm_90"}
    found = list(of_step(at_90[STEP])) if STEP in at_90 else []
    for kernel in GRADIENT:
        found += of_gradient(at_90[kernel]) if kernel in at_90 else []
    spills = [(m.kernel, m.spill) for m in measured]
    found.append(everywhere(f"at most {SPILL_GOAL} bytes of spilled registers", spills, "d", SPILL_GOAL))
    shares = [(m.kernel, loop.share_local) for m in measured for loop in m.loops]
    goal = f"hot loops: local memory in at most {LOCAL_SHARE:.0%} of the instructions"
    found.append(everywhere(goal, shares, ".1%", LOCAL_SHARE))
    doubles = [(m.kernel, m.doubles) for m in measured if "<float" in m.kernel]
    found.append(everywhere("no instruction on doubles in a float kernel", doubles, "d", 0))
    return found
