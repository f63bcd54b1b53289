"""How many wavefronts the loads of the matrix loops take, from the addresses of the lanes.

A wavefront serves 32 banks of 4 bytes. A load takes as many as the fullest bank holds different words; lanes that read
the same word share it. That is the least the hardware can do: an 8-byte load that is served in two halves may take one
wavefront more. Global operands go through the same pipe and are counted alike.
"""

import math
from dataclasses import dataclass

BANKS = 32
WARP = 32
TILE_PACKS = 4  # cuda::Team::kTilePacks
ADJOINT_ROWS, ADJOINT_COLUMNS = 3, 5  # of band_adjoint_lanes


@dataclass(frozen=True)
class Traffic:
    """Of one step of an inner loop, for all warps of a block."""

    fma: int  # multiplications of one lane
    loads: int  # of one lane
    warps: int  # warps that run the step, counting one again in every pass
    wavefronts: float
    least: float  # the same loads without conflicts
    lanes_at_work: float  # share of the lanes of the block


def wavefronts(addresses, words: int) -> tuple[int, int]:
    """Of one load of one warp, and without conflicts. addresses: elements of `words` 4-byte words each."""
    touched = {a * words + w for a in addresses for w in range(words)}
    banks = [0] * BANKS
    for word in touched:
        banks[word % BANKS] += 1
    return max(banks), math.ceil(len(touched) / BANKS)


def traffic(fma, items, lanes, words, loads_of) -> Traffic:
    """loads_of(item): the steps of the loop, each a list of addresses; None for a lane that has nothing to do. Items are
    dealt to lanes as team.rank() deals."""
    total = least = warps = count = steps = busy = 0
    for first in range(0, items, WARP):
        lane_loads = [loads_of(item) for item in range(first, min(first + WARP, items))]
        lane_loads = [loads for loads in lane_loads if loads]
        busy += len(lane_loads)
        warps += 1
        steps = len(lane_loads[0])
        for step in range(steps):
            count = len(lane_loads[0][step])
            for load in range(count):
                conflicts, free = wavefronts([lane[step][load] for lane in lane_loads], words)
                total += conflicts
                least += free
    passes = math.ceil(items / lanes)
    return Traffic(fma, count, warps, total / steps, least / steps, busy / (passes * lanes))


def matrix_loops(constants, ld: int, words: int, lanes: int = 128) -> dict[str, Traffic]:
    """The inner loops of the products of kernels/dense.cuh and kernels/band.cuh at n = 40, by name."""
    n, rows, spread = constants["n"], constants["tile_rows"], constants["spread"]
    low, high = constants["band_low"], constants["band_high"]
    stride, halo_ld = constants["ring_stride"], ld + constants["halo_columns"]
    columns = math.ceil(n / TILE_PACKS)
    tiles = math.ceil(n / rows) * columns
    packs, rows_of_tile, apart = range(TILE_PACKS), range(rows), range(spread)

    def gemm(tile):
        i, j = tile // columns * rows, tile % columns
        return [[k * ld + j + c * columns for c in packs] + [(i + r) * ld + k for r in rows_of_tile] for k in range(n)]

    # the loop over the diagonals is unrolled: one step is a whole tile of `rows` neighbours x `spread` lines `step` apart
    step = math.ceil(n / spread)
    band_tiles = math.ceil(n / rows) * step
    entries = lambda q, start: [(q - r - low) * stride + start + r for r in rows_of_tile if low <= q - r <= high]

    def band_times(tile):
        i, j = min(tile // step * rows, n - rows), tile % step
        loads = []
        for q in range(low, high + rows):
            loads += [(i + q) % n * ld + min(j + c * step, n - 1) for c in apart] + entries(q, i)
        return [loads]

    def times_band(tile):
        i, j = tile % step, min(tile // step * rows, n - rows)
        loads = []
        for q in range(low, high + rows):
            loads += [min(i + r * step, n - 1) * halo_ld + j + q for r in apart] + entries(q, j)
        return [loads]

    band = high - low + 1
    blocks = math.ceil(n / ADJOINT_ROWS)
    across = math.ceil(blocks / WARP) * WARP

    def band_adjoint(item):
        if item % across >= blocks:
            return None
        i = item % across * ADJOINT_ROWS
        first = i + low + item // across * ADJOINT_COLUMNS
        return [
            [k * ld + (i + r if i + r < n else i) for r in range(ADJOINT_ROWS)] + [k * halo_ld + first + c for c in range(ADJOINT_COLUMNS)]
            for k in range(n)
        ]

    groups = math.ceil((ADJOINT_ROWS + band - 1) / ADJOINT_COLUMNS)
    return {
        "gemm_tiles": traffic(rows * TILE_PACKS, tiles, lanes, words, gemm),
        "times_band_tiles": traffic(rows * spread * band, band_tiles, lanes, words, times_band),
        "band_times_tiles": traffic(rows * spread * band, band_tiles, lanes, words, band_times),
        "band_adjoint": traffic(ADJOINT_ROWS * ADJOINT_COLUMNS, across * groups, lanes, words, band_adjoint),
    }
