#!/usr/bin/env python3
"""Checks what nvcc made of the kernels against the budget, and docs/gpu-static-report.md against the build.

--write writes the report anew, --write-budget sets the budget to the present values.
"""

import argparse
import difflib
import sys
from pathlib import Path

import budget
import report
from machine import ARCHITECTURES
from measure import Facts, measure_all
from tools import VERSION, NotFound, Tools

SKIPPED = 77  # SKIP_RETURN_CODE
BUDGET = Path(__file__).with_name("budget.toml")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", nargs="+", type=Path, required=True, help="object files of the CUDA kernels")
    parser.add_argument("--facts", type=Path, required=True, help="the built facts.cpp")
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder for the tools and what they extract")
    parser.add_argument("--toolkit", type=Path, default=Path(), help="folder of the CUDA toolkit's programs")
    parser.add_argument("--nvcc", required=True, help="version of nvcc that made the object files")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--write-budget", action="store_true")
    return parser.parse_args()


def report_differs(path: Path, made: str, versions: str, complete: bool) -> bool:
    """Only what the same tools made of the same architectures is compared."""
    kept = path.read_text() if path.exists() else ""
    if not complete or (kept and versions not in kept):
        print(f"{path.name} is not compared: it speaks of other tools or architectures than this build ({versions}).")
        return False
    if kept == made:
        return False
    difference = difflib.unified_diff(kept.splitlines(), made.splitlines(), path.name, "this build", lineterm="", n=0)
    print("\n".join(list(difference)[:40]))
    print(f"{path.name} is not what this build gives; build the target gpu_static_report and commit the page.")
    return True


def main() -> int:
    options = arguments()
    try:
        tools = Tools(options.work, options.toolkit)
    except NotFound as missing:
        print(f"skipped: {missing}")
        return SKIPPED
    objects = sorted(o for o in options.objects if o.name.endswith((".cu.o", ".cu.obj")))
    facts = Facts.read(options.facts)
    measured = measure_all(tools, objects, facts)
    if not measured:
        print("skipped: the object files hold no kernel for " + ", ".join(ARCHITECTURES))
        return SKIPPED
    complete = {m.architecture for m in measured} == set(ARCHITECTURES)
    versions = f"nvcc {options.nvcc}, nvdisasm {tools.version}"
    if options.write_budget:
        BUDGET.write_text(budget.write(measured))
    text = BUDGET.read_text()
    if tools.version != VERSION:
        print(f"nvdisasm is {tools.version}, not {VERSION}: spilled registers may go unseen.")
    failed = budget.failures(measured, text)
    print("\n".join(failed))
    made = report.page(measured, facts, versions)
    if options.write:
        options.report.write_text(made)
    elif report_differs(options.report, made, versions, complete):
        failed.append("report")
    print(f"{len(measured)} kernels on {len({m.architecture for m in measured})} architectures, {len(failed)} failures")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
