"""Turns off one barrier, one wait or the last bytes of one shared buffer at a time, or swaps one transpose of a matrix
product, and demands that the tests notice.

    mutate.py TEST_PROGRAM SOURCE_FOLDER [--jobs N] [--only WORD | --without WORD]

A first run of the test program lists the sites that it meets; every team.sync() in kernels/ must be among them. Then
each site is turned off in a run of its own. A mutant survives when that run passes. equivalent_mutants.txt beside this
script lists the survivors that are right to survive, each with its proof; one that no longer survives must leave it.

--only takes the sites that nothing but tests with the word in their names meets, --without the others, which these tests
then do not help to judge.
"""

import argparse
import collections
import concurrent.futures
import fnmatch
import os
import pathlib
import re
import subprocess
import sys
import tempfile


HIDDEN = ("::sync() const", "vida::gemm<")  # inlined into the place that matters


def places_of(program, offsets):
    """Source line of each offset: the innermost frame that is not one of HIDDEN."""
    before_return = [hex(int(offset, 16) - 1) for offset in offsets]
    text = subprocess.run(["addr2line", "-e", program, "-a", "-i", "-f", "-C"], input="\n".join(before_return),
                          capture_output=True, text=True, check=True).stdout
    places, frames = [], None
    for line in text.splitlines() + ["0x0"]:
        if line.startswith("0x"):
            if frames is not None:
                wanted = [place for function, place in zip(frames[::2], frames[1::2])
                          if not any(name in function for name in HIDDEN)]
                places.append(re.sub(r" \(discriminator \d+\)", "", wanted[0].rsplit("/", 1)[-1]))
            frames = []
        else:
            frames.append(line)
    return places


class Mutant:
    """`site` is what the shim turns off: a kind and the addresses of one source line, or a kernel."""

    def __init__(self, site):
        self.site = site
        self.tests = set()


def mutants_of(program):
    """{"barrier spd.cuh:86": Mutant}, from a run without any."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "sites")
        done = subprocess.run([program], env={**os.environ, "VIDA_SHIM_SITES": path}, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit("mutate: the tests fail without any mutant:\n" + done.stdout[-4000:])
        met = sorted({tuple(line.split("\t")) for line in pathlib.Path(path).read_text().splitlines()})
    addresses = sorted({site.split(" ", 1)[1] for site, _ in met if not site.startswith("shared ")})
    place = dict(zip(addresses, places_of(program, addresses)))
    mutants = {}
    for site, test in met:
        kind, where = site.split(" ", 1)
        mutant = mutants.setdefault(f"{kind} {place.get(where, where)}", Mutant(kind))
        if f" {where}" not in mutant.site:
            mutant.site += f" {where}"
        mutant.tests.add(test)
    return mutants


def unreached(mutants, source, pattern):
    """Barriers of the source that no test meets."""
    for path in sorted((source / "kernels").glob(pattern)):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if "team.sync()" in line.split("//")[0] and f"barrier {path.name}:{number}" not in mutants:
                yield f"{path.name}:{number}"


def chosen(mutants, only, without):
    """The mutants that --only or --without leave."""
    word = only or without
    if not word:
        return mutants
    result = {}
    for name, mutant in mutants.items():
        others = {test for test in mutant.tests if word not in test}
        if only and not others:
            result[name] = mutant
        if without and others:
            mutant.tests = others
            result[name] = mutant
    return result


def equivalents(mutants, met):
    """Names in equivalent_mutants.txt that are to be judged now; one with a * stands for all that it matches."""
    names = set()
    for line in (pathlib.Path(__file__).parent / "equivalent_mutants.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name = line.split(": ", 1)[0]
            matching = fnmatch.filter(met, name) if "*" in name else [name]
            names.update(mutant for mutant in matching or [name] if mutant in mutants or mutant not in met)
    return names


def survives(program, mutant):
    command = [program, "--gtest_fail_fast", "--gtest_brief=1", "--gtest_filter=" + ":".join(sorted(mutant.tests))]
    try:
        return subprocess.run(command, env={**os.environ, "VIDA_SHIM_MUTANT": mutant.site}, capture_output=True,
                              timeout=300).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", default="")
    parser.add_argument("--without", default="")
    options = parser.parse_args()

    met = mutants_of(options.program)
    mutants = chosen(met, options.only, options.without)
    equivalent = equivalents(mutants, met)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        alive = dict(zip(mutants, pool.map(lambda mutant: survives(options.program, mutant), mutants.values())))
    survivors = {name for name, lives in alive.items() if lives}
    missed = list(unreached(met, options.source, "*.cuh" if options.without else "**/*.cuh"))
    for place in missed:
        print(f"not tested: barrier {place}")
    for name in sorted(survivors - equivalent):
        print(f"survived: {name}")
    stale = sorted(equivalent - survivors)
    for name in stale:
        print(f"not equivalent, or gone: {name}")
    kinds = collections.Counter(name.split(" ", 1)[0] for name in mutants)
    print(f"{len(mutants)} mutants ({', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items()))}), "
          f"{len(survivors - equivalent)} survived, {len(equivalent)} equivalent")
    return 1 if missed or stale or survivors - equivalent else 0


if __name__ == "__main__":
    sys.exit(main())
