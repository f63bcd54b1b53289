"""docs/gpu-static-report.md."""

import goals
from banks import TILE_PACKS, matrix_loops
from machine import ARCHITECTURES
from measure import Facts, Measured

INTRODUCTION = """\
# What nvcc makes of the kernels

Made by `tests/gpu_static` from the object files of a build, without a GPU; not edited by hand. To make it anew, and to
check it:

    cmake --build build --target gpu_static_report
    ctest --test-dir build -L gpu-static --output-on-failure

The test fails when a kernel exceeds its budget (`tests/gpu_static/budget.toml`), and, with the tools that made this page,
when the build gives another page. Nothing on it is a measured time: bounds say what the instructions allow.
"""

RULES = """\
## How a bound is reckoned

    bound = pipe / max(issue, pipe, wavefronts)

All three are cycles of one multiprocessor with four schedulers, for one pass of the loop by one block of 128 threads.

* **pipe**: how long the floating-point instructions keep their scheduler's pipe busy, by the table below.
* **issue**: one slot of its scheduler for every instruction of the loop. Loops inside that only bring an index back to the
  ring are left out, so that the bound stays one.
* **wavefronts**: the shared-memory pipe serves 32 banks of 4 bytes a cycle, for the whole multiprocessor. A load takes as
  many wavefronts as the fullest bank holds different words among the 32 lanes. Addresses come from the index formulas of
  `kernels/dense.cuh` and `kernels/band.cuh` with n = {n}, 128 lanes, leading dimension {ld}. Operands in global memory go
  through the same pipe and are counted alike; a load or store of local memory takes one wavefront for each 4 bytes.

Cycles of one warp instruction:

{cycles}

Latencies and barriers come on top, and so do lanes without work: {idle}.

**Which loop is which.** A loop is what lies between a branch and the earlier label it goes back to. One pass of a loop is
told by what it holds, loops inside not counted:

{rules}

The rules were compared with the line numbers that `nvcc -lineinfo` leaves, for the double kernels on sm_90 and sm_100: they
find every innermost loop of these functions and no other. A rule that finds no loop in a kernel fails the test.
"""


def table(head: list[str], rows) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(c) for c in row) + " |" for row in rows])


def span(values, form="{:g}") -> str:
    least, most = form.format(min(values)), form.format(max(values))
    return least if least == most else f"{least} to {most}"


def short(kernel: str) -> str:
    return "`" + kernel[kernel.index("<") + 1 : -1] + "`"


def rules(facts: Facts) -> str:
    traffic = matrix_loops(facts.constants, facts.constants["leading_dimension"], 2)
    gemm, whole, adjoint = (traffic[k] for k in ("gemm_tiles", "band_times_tiles", "band_adjoint"))
    added = whole.fma // 13
    cycles = table(
        ["architecture", "FFMA, FADD, FMUL", "DFMA, DADD, DMUL", "DMMA 8x8x4"],
        [(a.name, a.single, a.double, a.matrix or "not given") for a in ARCHITECTURES.values()],
    )
    rows = [
        ("Runge-Kutta step", "any", "any", "innermost, at least 19 floating-point instructions a component"),
        ("`gemm_tiles`", f"{gemm.fma} u", f"{gemm.loads} u", "innermost, unrolled u times"),
        ("`times_band_tiles`", whole.fma, f"{whole.loads}, or {added} more", "a whole tile, not `band_times_tiles`"),
        (
            "`band_times_tiles`",
            whole.fma,
            whole.loads,
            "a whole tile, with more other instructions than multiply-adds; loops inside hold no arithmetic",
        ),
        ("`band_adjoint`", f"{adjoint.fma} u", f"{adjoint.loads} u", "innermost, unrolled u times"),
    ]
    idle = f"of 128 lanes, tiles of dense products use {gemm.lanes_at_work:.0%}, of band products {whole.lanes_at_work:.0%}, "
    idle += f"`band_adjoint` {adjoint.lanes_at_work:.0%}"
    body = table(["loop", "multiply-adds", "elements loaded", "further"], rows)
    return RULES.format(cycles=cycles, n=facts.constants["n"], ld=facts.constants["leading_dimension"], idle=idle, rules=body)


def hot_loops(measured: list[Measured]) -> str:
    head = ["kernel", "loop", "found", "steps", "issue", "pipe", "wavefronts", "bound", "limited by", "loads", "local"]
    parts = [
        "## Hot loops\n\nCycles of one pass; a kernel holds a product as often as the code calls it (found), and the "
        "span goes over all of them.\nSteps: of the loop in the source, done in one pass. Loads: the instructions used (LD "
        "is the generic one, which has to find out\nwhether an address is shared). Local: loads and stores of local "
        "memory in these loops."
    ]
    for architecture in ARCHITECTURES:
        rows = []
        for m in measured:
            if m.architecture != architecture or (m.kernel.startswith("lane") and ", 40>" not in m.kernel):
                continue
            for kind in dict.fromkeys(loop.kind for loop in m.loops):
                mine = [loop for loop in m.loops if loop.kind == kind]
                numbers = [span([getattr(i, name) for i in mine]) for name in ("steps", "issue", "pipe", "wavefronts")]
                worst = min(mine, key=lambda loop: loop.bound)
                bound = span([i.bound for i in mine], "{:.2f}")
                local = sum(i.local for i in mine)
                rows.append([short(m.kernel), kind, len(mine), *numbers, bound, worst.limit, worst.loads, local])
        parts.append(f"### {architecture}\n\n" + table(head, rows))
    return "\n\n".join(parts)


def conflicts(facts: Facts) -> str:
    n = facts.constants["n"]
    head = ["loop", "least"] + [f"ld = {ld}" for ld in range(n, n + 5)]
    parts = [
        "## Bank conflicts and the leading dimension\n\n"
        "Wavefronts of one step, all warps of a block, without any conflict (least) and for leading dimensions 40 to 44; "
        "in\nbrackets what they leave of the peak on sm_90, all else being free. "
        f"A tile of a dense product is 4 rows x {TILE_PACKS} columns; neighbouring\nlanes hold neighbouring columns, so the "
        "rows that one warp reads lie 4 ld apart: a multiple of 32 words at ld = 40."
    ]
    for real, words in (("double", 2), ("float", 1)):
        models = [matrix_loops(facts.constants, n + pad, words) for pad in range(5)]
        rows = []
        for kind, present in models[0].items():
            cycles = ARCHITECTURES["sm_90"].double if words == 2 else ARCHITECTURES["sm_90"].single
            pipe = present.fma * cycles * present.warps / 4
            cells = [f"{m[kind].wavefronts:g} ({min(1, pipe / m[kind].wavefronts):.2f})" for m in models]
            rows.append([f"`{kind}`", f"{present.least:g} ({min(1, pipe / present.least):.2f})", *cells])
        parts.append(f"### {real}\n\n" + table(head, rows))
    return "\n\n".join(parts)


def kernels(measured: list[Measured]) -> str:
    head = ["kernel", "registers", "stack", "spilled", "local", "in loops", "doubles", "shared", "blocks", "limited by"]
    parts = [
        "## Kernels\n\n"
        "Stack and spilled registers in bytes (the rest of a stack are arrays with an index that is not known when "
        "compiling);\nloads and stores of local memory, and how many stand in innermost loops; instructions on doubles "
        "in float kernels;\nshared memory of a block at n = p = 40; blocks that one multiprocessor holds at once, and "
        "what keeps the next one out."
    ]
    for architecture in ARCHITECTURES:
        rows = [
            [
                short(m.kernel),
                m.registers,
                m.stack,
                m.spill,
                m.local,
                m.local_in_loops,
                m.doubles if "<float" in m.kernel else "",
                m.shared,
                m.blocks,
                m.limit,
            ]
            for m in measured
            if m.architecture == architecture
        ]
        parts.append(f"### {architecture}\n\n" + table(head, rows))
    return "\n\n".join(parts)


def page(measured: list[Measured], facts: Facts, versions: str) -> str:
    goal_rows = table(["goal", "value", "met"], goals.rows(measured))
    parts = [
        INTRODUCTION + f"\nTools: {versions}.",
        "## Goals\n\nWhere a goal is not met, the budget holds the present value.\n\n" + goal_rows,
        hot_loops(measured),
        rules(facts).rstrip(),
        conflicts(facts),
        kernels(measured),
    ]
    return "\n\n".join(parts) + "\n"
