#!/usr/bin/env python3
"""Peer of bench/filters: one cycle of each filter in DAPPER on the set-up of Sakov and Oke (2008), on one core.

    python3 bench/peers/filters_dapper.py [--cycles 300] [--repetitions 2]

DAPPER filters one run at a time, so its time per cycle stands beside ours for one run and for a batch. Its statistics are
part of its time as ours are part of ours; its progress bars and live plots are off. Prints one JSON object a line, with
the fastest of the repetitions: {"case": "filters/letkf/runs:64/threads:1", "seconds_per_unit": ..., ...}.
"""
import argparse
import json
import os
import time


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=300)
    parser.add_argument("--repetitions", type=int, default=2)
    return parser.parse_args()


def limit_threads():
    """Before numpy starts."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])


def main():
    options = arguments()
    limit_threads()
    import dapper
    import dapper.da_methods as methods
    import dapper.tools.progressbar as progressbar
    from dapper.mods.Lorenz96.sakov2008 import HMM

    progressbar.disable_progbar = True
    # name of our benchmark: the filter, and what fraction of the cycles it is given
    filters = {
        "3dvar": (methods.Var3D(xB=0.02), 1),
        "ekf": (methods.ExtKF(infl=10), 1),
        "enkf": (methods.EnKF("PertObs", N=40, infl=1.06), 1),
        "denkf": (methods.EnKF("DEnKF", N=40, infl=1.01), 1),
        "etkf": (methods.EnKF("Sqrt", N=24, infl=1.013, rot=True), 1),
        "serial": (methods.EnKF("Serial", N=28, infl=1.02, rot=True), 1),
        "letkf": (methods.LETKF(N=7, rot=True, infl=1.04, loc_rad=4), 1),
        "enkf-n": (methods.EnKF_N(N=24, rot=True, xN=2), 1),
        "ienks": (methods.iEnKS("Sqrt", N=40, infl=1.01, rot=True), 1),
        "particle": (methods.PartFilt(N=3000, NER=0.5, reg=0.7), 0.2),
    }
    for name, (method, share) in filters.items():
        cycles = max(20, int(share * options.cycles))
        HMM.tseq.T = HMM.tseq.dt * cycles
        HMM.tseq.BurnIn = 0
        dapper.set_seed(3000)
        truth, observations = HMM.simulate()
        seconds = []
        for _ in range(options.repetitions):
            start = time.perf_counter()
            method.assimilate(HMM, truth, observations, liveplots=False)
            seconds.append((time.perf_counter() - start) / cycles)
        for runs in (64, 1):
            print(json.dumps({"case": f"filters/{name}/runs:{runs}/threads:1", "seconds_per_unit": min(seconds),
                              "peer": f"DAPPER {dapper.__version__}"}), flush=True)


if __name__ == "__main__":
    main()
