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
    """loads_of(item): the steps of the loop, each a list of addresses. Items are dealt to lanes as team.rank() deals."""
    total = least = warps = count = steps = 0
    for first in range(0, items, WARP):
        lane_loads = [loads_of(item) for item in range(first, min(first + WARP, items))]
        warps += 1
        steps = len(lane_loads[0])
        for step in range(steps):
            count = len(lane_loads[0][step])
            for load in range(count):
                conflicts, free = wavefronts([lane[step][load] for lane in lane_loads], words)
                total += conflicts
                least += free
    passes = math.ceil(items / lanes)
    return Traffic(fma, count, warps, total / steps, least / steps, items / (passes * lanes))


def matrix_loops(constants, ld: int, words: int, lanes: int = 128) -> dict[str, Traffic]:
    """The inner loops of the products of kernels/dense.cuh and kernels/band.cuh at n = 40, by name."""
    n, rows = constants["n"], constants["tile_rows"]
    low, high = constants["band_low"], constants["band_high"]
    stride, halo_ld = constants["ring_stride"], ld + constants["halo_columns"]
    columns = math.ceil(n / TILE_PACKS)
    tiles = math.ceil(n / rows) * columns
    at = lambda tile: (tile // columns * rows, tile % columns)
    packs, rows_of_tile = range(TILE_PACKS), range(rows)

    def gemm(tile):
        i, j = at(tile)
        return [[k * ld + j + c * columns for c in packs] + [(i + r) * ld + k for r in rows_of_tile] for k in range(n)]

    def times_band(tile):
        i, j = at(tile)
        return [
            [(o - low) * stride + j + c * columns for c in packs]
            + [(i + r) * halo_ld + j + c * columns + o for c in packs for r in rows_of_tile]
            for o in range(low, high + 1)
        ]

    def band_times(tile):  # one step is the whole tile: the loop over the diagonals is unrolled
        i, j = at(tile)
        loads = []
        for q in range(low, high + rows):
            loads += [(i + q) % n * ld + j + c * columns for c in packs]
            loads += [(q - r - low) * stride + i + r for r in rows_of_tile if low <= q - r <= high]
        return [loads]

    def band_adjoint(item):
        i, first = item % n, low + item // n
        return [[k * ld + i, k * halo_ld + i + first] for k in range(n)]

    band = high - low + 1
    tile = rows * TILE_PACKS
    return {
        "gemm_tiles": traffic(tile, tiles, lanes, words, gemm),
        "times_band_tiles": traffic(tile, tiles, lanes, words, times_band),
        "band_times_tiles": traffic(tile * band, tiles, lanes, words, band_times),
        "band_adjoint": traffic(1, n * band, lanes, words, band_adjoint),
    }
