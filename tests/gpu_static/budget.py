"""The budget: what each kernel may use. A goal that is met is the budget; where it is not, the present value is, so that
nothing gets worse unseen."""

import tomllib

import hot_loops
from measure import Measured

SPILL_GOAL = 64  # bytes, in a prologue
BOUND_GOALS = {("lane_kernel<EnsembleLanes<float, 40>>", "Runge-Kutta step"): 0.9}
UNITS = {"shared": "bytes", "stack": "bytes", "spill": "bytes"}
MEANING = {
    "shared": "shared memory of a block",
    "registers": "registers",
    "stack": "stack",
    "spill": "spilled registers",
    "local_in_loops": "loads and stores of local memory in innermost loops",
    "doubles": "instructions on doubles in a float kernel",
}


def uses(m: Measured) -> dict:
    """What has an upper limit."""
    values = {
        "shared": m.shared,
        "registers": m.registers,
        "stack": m.stack,
        "spill": m.spill,
        "local_in_loops": m.local_in_loops,
    }
    return values | {"doubles": m.doubles} if "<float" in m.kernel else values


def bounds(m: Measured) -> dict:
    """The worst bound of each kind of hot loop, rounded down to two digits."""
    worst = {}
    for loop in m.loops:
        worst[loop.kind] = min(loop.bound, worst.get(loop.kind, 1.0))
    return {kind: int(value * 100 + 1e-9) / 100 for kind, value in worst.items()}


def allowed(m: Measured) -> dict:
    """The budget that this measurement would set."""
    limits = uses(m)
    limits["registers"] = (m.registers + 7) // 8 * 8  # as registers are given out: what lies between costs nothing
    for name in ("spill", "stack"):
        limits[name] = max(limits[name], SPILL_GOAL)
    return limits


def write(measured: list[Measured]) -> str:
    lines = [
        "# What each kernel may use on each architecture; gpu_static.py --write-budget sets it to the present values.",
        "# shared, stack, spill: bytes. blocks: of a multiprocessor, at least. bounds: at least.",
    ]
    for architecture in dict.fromkeys(m.architecture for m in measured):
        mine = [m for m in measured if m.architecture == architecture]
        lines += ["", f"[{architecture}.kernels]"]
        for m in mine:
            limits = allowed(m) | {"blocks": m.blocks}
            lines.append(f'"{m.kernel}" = {{ ' + ", ".join(f"{k} = {v}" for k, v in limits.items()) + " }")
        lines += ["", f"[{architecture}.bounds]"]
        for m in mine:
            for kind, value in bounds(m).items():
                goal = BOUND_GOALS.get((m.kernel, kind), 1.0)
                lines.append(f'"{m.kernel} {kind}" = {min(goal, value)}')
    return "\n".join(lines) + "\n"


def failures(measured: list[Measured], text: str) -> list[str]:
    """One line for each kernel, architecture and use that exceeds its budget."""
    budget = tomllib.loads(text)
    found = []
    for m in measured:
        where = f"{m.kernel} on {m.architecture}"
        own = budget.get(m.architecture, {})
        limits = own.get("kernels", {}).get(m.kernel)
        if limits is None:
            found.append(f"{where}: has no budget; add one with gpu_static.py --write-budget")
            continue
        for name, value in uses(m).items():
            if value > limits[name]:
                unit = f" {UNITS[name]}" if name in UNITS else ""
                found.append(f"{where}: {MEANING[name]}: {value}{unit}, budget at most {limits[name]}{unit}")
        if m.blocks < limits["blocks"]:
            found.append(
                f"{where}: blocks of a multiprocessor: {m.blocks} (limited by {m.limit}), "
                f"budget at least {limits['blocks']}"
            )
        worst = bounds(m)
        for kind in hot_loops.expected_kinds(m.kernel):
            least = own.get("bounds", {}).get(f"{m.kernel} {kind}")
            if kind not in worst:
                found.append(f"{where}: no loop looks like {kind}; its rule in hot_loops.py has gone stale")
            elif least is None:
                found.append(f"{where}: bound of {kind}: has no budget; add one with gpu_static.py --write-budget")
            elif worst[kind] < least:
                found.append(f"{where}: bound of {kind}: {worst[kind]}, budget at least {least}")
    built = {(m.kernel, m.architecture) for m in measured}
    architectures = {m.architecture for m in measured}
    for architecture in sorted(architectures & budget.keys()):
        for kernel in budget[architecture]["kernels"]:
            if (kernel, architecture) not in built:
                found.append(f"{kernel} on {architecture}: has a budget, but is not in the object files")
    return found
