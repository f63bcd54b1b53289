#!/usr/bin/env python3
"""The static test's own parts, on small cases with known answers."""

import unittest
from dataclasses import replace

import budget
import goals
import hot_loops
import sass
from banks import matrix_loops, wavefronts
from hot_loops import HotLoop
from machine import ARCHITECTURES, blocks_per_multiprocessor
from measure import Measured

SM_90 = ARCHITECTURES["sm_90"]
CONSTANTS = {"n": 40, "tile_rows": 4, "spread": 5, "band_low": -8, "band_high": 4, "ring_stride": 56, "halo_columns": 16}
SYMBOL = "_ZN4vida4cuda11team_kernelINS_7kernels11GainForwardIdEEEEvT_lPSt4bytem"
LISTING = f"""
{SYMBOL}:
.text.{SYMBOL}:
        /*0000*/                   LDC R1, c[0x0][0x28] ;
.L_x_1:
        /*0010*/              @!P1 STL.64 [R1+0x8], R240    (*"SpillRefill"*);
        /*0020*/                   STL [R1+0x20], R2 ;
.L_x_2:
        /*0030*/                   LD.E.64 R4, desc[UR4][R2.64+0x10] ;
        /*0040*/                   DFMA R4, R4, R4, R6 ;
        /*0050*/               @P0 BRA `(.L_x_2) ;
        /*0060*/                   BRA `(.L_x_1);
.L_x_3:
        /*0070*/                   BRA `(.L_x_3);
"""


def loop(fma: int, offsets, load="LD.E.64"):
    """An innermost loop of so many multiply-adds and loads at these offsets."""
    own = [sass.Instruction("DFMA R0, R2, R4, R0")] * fma
    own += [sass.Instruction(f"{load} R2, desc[UR4][R8.64+{offset:#x}]") for offset in offsets]
    return sass.Loop(0, len(own) - 1, [], own)


class Sass(unittest.TestCase):
    def test_names_are_demangled(self):
        self.assertEqual(sass.demangled(SYMBOL), "team_kernel<GainForward<double>>")
        lanes = "_ZN4vida4cuda11lane_kernelINS_7kernels13EnsembleLanesIfLi40EEEEEvT_l"
        self.assertEqual(sass.demangled(lanes), "lane_kernel<EnsembleLanes<float, 40>>")
        plain = "_ZN4vida4cuda11team_kernelINS_7kernels12SimulateTwinEEEvT_lPSt4bytem"
        self.assertEqual(sass.demangled(plain), "team_kernel<SimulateTwin>")
        density = "_ZN4vida4cuda11lane_kernelINS_7kernels15EvaluateDensityINS2_8TwoMoonsIfEEEEEEvT_l"
        self.assertEqual(sass.demangled(density), "lane_kernel<EvaluateDensity<TwoMoons<float>>>")
        self.assertIsNone(sass.demangled("_ZN3cub11EmptyKernelIvEEvv"))

    def test_loops_nest_and_own_what_is_not_inside(self):
        outer, inner = sass.parse(LISTING)[0].loops()
        self.assertEqual((len(outer.inner), len(inner.inner)), (1, 0))
        self.assertEqual([i.base for i in inner.own], ["LD", "DFMA", "BRA"])
        self.assertEqual([i.base for i in outer.own], ["STL", "STL", "BRA"])

    def test_only_what_is_marked_is_a_spill(self):
        self.assertEqual(sass.parse(LISTING)[0].spill_slots(), 8)

    def test_doubles_are_found_in_conversions_too(self):
        for text, expected in (("F2F.F32.F64 R2, R2", True), ("MUFU.RCP64H R3, R9", True), ("FFMA R0, R1, R2, R3", False)):
            self.assertEqual(sass.Instruction(text).uses_double, expected, text)


class Banks(unittest.TestCase):
    def test_one_word_for_all_lanes_is_one_wavefront(self):
        self.assertEqual(wavefronts([7] * 32, 1), (1, 1))

    def test_a_stride_of_32_words_meets_in_one_bank(self):
        self.assertEqual(wavefronts([32 * lane for lane in range(32)], 1), (32, 1))

    def test_neighbouring_doubles_take_two(self):
        self.assertEqual(wavefronts(range(32), 2), (2, 2))

    def test_gemm_conflicts_at_40_and_not_at_41(self):
        # 4 columns in one wavefront each for 4 warps; 4 rows, that 4, 4, 4 and 1 groups of lanes read from one bank
        self.assertEqual(matrix_loops(CONSTANTS, 40, 2)["gemm_tiles"].wavefronts, 4 * 4 + 4 * (4 + 4 + 4 + 1))
        free = matrix_loops(CONSTANTS, 41, 2)["gemm_tiles"]
        self.assertEqual(free.wavefronts, free.least)


class Blocks(unittest.TestCase):
    def test_each_limit(self):
        self.assertEqual(blocks_per_multiprocessor(SM_90, 168, 0, 128), (3, "registers"))
        self.assertEqual(blocks_per_multiprocessor(SM_90, 32, 0, 128), (16, "registers"))
        self.assertEqual(blocks_per_multiprocessor(SM_90, 24, 0, 128), (16, "threads"))
        self.assertEqual(blocks_per_multiprocessor(SM_90, 128, 57344, 128), (4, "registers"))
        self.assertEqual(blocks_per_multiprocessor(SM_90, 64, 57345, 128), (3, "shared memory"))

    def test_room_is_what_fits(self):
        self.assertEqual(goals.room("sm_90", 4, 128), (128, 57344))


class Rules(unittest.TestCase):
    traffic = matrix_loops(CONSTANTS, 40, 2)

    def kind(self, one):
        return hot_loops.kind_of(one, 8, self.traffic)

    def test_products_are_told_apart(self):
        self.assertEqual(self.kind(loop(32, range(16))), ("gemm_tiles", 2))
        self.assertEqual(self.kind(loop(32, range(8), "LDS.128")), ("gemm_tiles", 2))
        self.assertEqual(self.kind(loop(30, range(16))), ("band_adjoint", 2))
        self.assertIsNone(self.kind(loop(16, range(32))))  # a vector times a matrix
        self.assertEqual(self.kind(loop(260, range(132))), ("times_band_tiles", 1))
        self.assertEqual(self.kind(loop(260, range(152))), ("times_band_tiles", 1))  # adds a matrix
        addresses = [sass.Instruction("IADD3 R8, R9, R10, RZ")] * 300
        columns = loop(260, range(132))
        columns = sass.Loop(0, 691, [], columns.own + addresses)
        self.assertEqual(self.kind(columns), ("band_times_tiles", 1))

    def test_bound(self):
        found = hot_loops.measured(loop(32, range(16)), SM_90, "gemm_tiles", 2, self.traffic["gemm_tiles"])
        self.assertEqual((found.issue, found.pipe, found.wavefronts), (48, 64, 136))
        self.assertEqual((found.bound, found.limit), (64 / 136, "wavefronts"))


class Budget(unittest.TestCase):
    step = HotLoop("Runge-Kutta step", 1, 765, 760, 0, 0, 0.0, "")
    name = "lane_kernel<EnsembleLanes<float, 40>>"
    kernel = Measured(name, "sm_90", 168, 0, 0, 0, 0, 0, 0, 128, 3, "registers", (step,))

    def failures(self, **changed):
        return budget.failures([replace(self.kernel, **changed)], budget.write([self.kernel]))

    def test_what_set_the_budget_keeps_it(self):
        self.assertEqual(self.failures(), [])

    def test_a_failure_says_kernel_architecture_what_value_and_budget(self):
        self.assertEqual(self.failures(registers=176), [f"{self.name} on sm_90: registers: 176, budget at most 168"])
        self.assertIn("spilled registers: 72 bytes, budget at most 64 bytes", self.failures(spill=72)[0])
        self.assertIn("doubles in a float kernel: 6, budget at most 0", self.failures(doubles=6)[0])
        self.assertIn("blocks of a multiprocessor: 2 (limited by registers), budget at least 3", self.failures(blocks=2)[0])

    def test_a_worse_or_missing_loop_fails(self):
        slow = replace(self.step, issue=1000)
        self.assertIn("bound of Runge-Kutta step: 0.76, budget at least 0.9", self.failures(loops=(slow,))[0])
        self.assertIn("has gone stale", self.failures(loops=())[0])

    def test_kernels_without_a_budget_and_budgets_without_a_kernel_fail(self):
        found = self.failures(kernel="lane_kernel<EnsembleLanes<float, 44>>")
        self.assertIn("has no budget", found[0])
        self.assertIn("is not in the object files", found[-1])


if __name__ == "__main__":
    unittest.main()
