"""Finds the loops where the time goes, and bounds how near to the peak of the floating-point pipe they can run.

A loop is recognised by what it does in one pass: so many multiplications for so many loaded elements. The rules were
checked against the line numbers that nvcc -lineinfo leaves.
"""

from dataclasses import dataclass

from machine import SCHEDULERS, Architecture, pipe_cycles
from sass import ARITHMETIC, LOADS, LOCAL, MULTIPLIES

STEP_OPERATIONS = 19  # floating-point instructions per component of a Runge-Kutta step of Lorenz-96
MATRIX_KERNELS = ("GainForward", "GainTerms", "GainBackward")
WARPS = 4  # of a block


@dataclass(frozen=True)
class HotLoop:
    kind: str
    steps: int  # steps of the source's loop in one pass of the SASS
    issue: float  # cycles of a multiprocessor for one block, one pass
    pipe: float
    wavefronts: float
    local: int  # loads and stores of local memory in the loop
    share_local: float  # of the loop's instructions
    loads: str  # instructions that load: LD first finds out whether an address is shared

    @property
    def bound(self) -> float:
        return self.pipe / max(self.issue, self.pipe, self.wavefronts)

    @property
    def limit(self) -> str:
        most = max(self.issue, self.pipe, self.wavefronts)
        if most == self.pipe:
            return "pipe"
        return "issue" if most == self.issue else "wavefronts"


def measured(loop, arch: Architecture, kind: str, steps: int, traffic) -> HotLoop:
    """traffic: of one step of this kind, None where the loop reads no memory."""
    warps = traffic.warps if traffic else WARPS
    local = [i for i in loop.own if i.base in LOCAL]
    waves = (traffic.wavefronts * steps if traffic else 0) + warps * sum(max(1, i.bytes // 4) for i in local)
    return HotLoop(
        kind,
        steps,
        len(loop.own) * warps / SCHEDULERS,
        sum(pipe_cycles(arch, i.opcode) for i in loop.own) * warps / SCHEDULERS,
        waves,
        len(local),
        len(local) / len(loop.own),
        ", ".join(sorted({i.base for i in loop.own if i.base in LOADS})),
    )


def kind_of(loop, element_bytes: int, traffic) -> tuple[str, int] | None:
    """The product whose inner loop this is, and how often it is unrolled."""
    multiplies = loop.count(MULTIPLIES)
    elements = sum(i.bytes // element_bytes for i in loop.own if i.base in LOADS and i.bytes >= element_bytes)
    if multiplies == 0 or any(o.count(ARITHMETIC) for o in loop.inner):
        return None
    tile = traffic["band_times_tiles"]
    added = tile.fma // 13  # outputs of the tile, to which the epilogue may add a matrix
    if multiplies == tile.fma and elements - tile.loads in (0, added):
        # as many loads in both, but a lane of band_times has the addresses of columns to find anew in each row
        others = len(loop.own) - multiplies - elements
        columns = elements == tile.loads and others > multiplies
        return ("band_times_tiles" if columns else "times_band_tiles"), 1
    if loop.inner:
        return None
    for kind in ("gemm_tiles", "band_adjoint"):
        one = traffic[kind]
        if multiplies % one.fma == 0 and elements * one.fma == multiplies * one.loads:
            return kind, multiplies // one.fma
    return None


def of_kernel(kernel, arch: Architecture, traffic) -> list[HotLoop]:
    """traffic: {element bytes: matrix_loops(..)}"""
    name = kernel.name
    element_bytes = 4 if "<float" in name else 8
    found = []
    if "EnsembleLanes<" in name:
        n = int(name.rstrip(">").split(",")[1])
        for loop in kernel.loops():
            if not loop.inner and loop.count(ARITHMETIC) >= STEP_OPERATIONS * n:
                found.append(measured(loop, arch, "Runge-Kutta step", 1, None))
    elif any(f"<{one}<" in name for one in MATRIX_KERNELS):
        of_element = traffic[element_bytes]
        for loop in kernel.loops():
            kind = kind_of(loop, element_bytes, of_element)
            if kind:
                found.append(measured(loop, arch, *kind, of_element[kind[0]]))
    return found


def expected_kinds(name: str) -> list[str]:
    """The loops that must be found in a kernel: a rule that finds none has gone stale."""
    if "EnsembleLanes<" in name:
        return ["Runge-Kutta step"]
    if not any(f"<{one}<" in name for one in MATRIX_KERNELS):
        return []
    kinds = ["gemm_tiles", "band_times_tiles", "times_band_tiles"]
    return kinds + ["band_adjoint"] if "GainBackward" in name else kinds
