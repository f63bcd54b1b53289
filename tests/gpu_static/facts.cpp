// Prints what the drivers ask for at the reference size, n = p = 40 with every observation present and one Runge-Kutta
// step a cycle: shared memory and threads of a block of each kernel, and the constants that decide addresses.

#include <cstdio>

#include "adam.cuh"
#include "ekf.cuh"
#include "ensemble_statistics.cuh"
#include "ensemble_steps.cuh"
#include "gain_backward.cuh"
#include "gaussian_vi.cuh"
#include "lorenz96_maps.cuh"

namespace {

using namespace vida::kernels;

constexpr int kSize = 40;
constexpr int kLeadingDimension = 41;  // CudaExecutor::leading_dimension
constexpr int kRingHalo = 8;           // CudaExecutor::ring_halo
constexpr int kLanes = 128;            // Shape::lanes
constexpr int kTeamLanes = 64;         // of EnsembleTeams: a lane for each component, whole warps

void print(const char* name, const char* real, std::size_t bytes, int lanes = kLanes) {
  std::printf("kernel %s%s%s%s %zu %d\n", name, *real ? "<" : "", real, *real ? ">" : "", bytes, lanes);
}

template <class Real>
void print_kernels(const char* real) {
  constexpr GainShape s{.n = kSize,
                        .p = kSize,
                        .ld = kLeadingDimension,
                        .lp = kLeadingDimension,
                        .rows = kSize,
                        .prows = kSize,
                        .steps = 1,
                        .incomplete = 0,
                        .halo = kRingHalo,
                        .compact = 1};
  print("BuildGainOperators", real, BuildGainOperators<Real>::scratch_bytes(s));
  print("GainForward", real, GainForward<Real>::scratch_bytes(s));
  print("GainTerms", real, GainTerms<Real>::scratch_bytes(s, 0));
  print("GainBackward", real, GainBackward<Real>::scratch_bytes(s));
  print("GainGradient", real, 0);
  print("ExtendedKalmanFilter", real, ExtendedKalmanFilter<Real>::scratch_bytes(s));
  print("InnovationStatistics", real, InnovationStatistics<Real>::scratch_bytes(s));
  print("InvertCovariances", real, InvertCovariances<Real>::scratch_bytes(s));
  print("KlToReference", real, KlToReference<Real>::scratch_bytes(s));
  print("StandardNormals", real, 0);
  print("GaussianStep", real, GaussianStep<Real>::scratch_bytes(GaussianLayout{.d = kSize, .full = 1}));
  for (const char* name : {"BiasLeakyRelu",
                           "SampleWeights",
                           "LatentDraws",
                           "AdamControl",
                           "AdamUpdate",
                           "CopyMarked",
                           "SpreadJointDraws",
                           "Dropout",
                           "RepeatColumns",
                           "SelectRows",
                           "PrepareCoupling",
                           "MixtureCoupling",
                           "MixtureCouplingBackward",
                           "MixtureCouplingInverse",
                           "SpreadPixels",
                           "EncodePixels",
                           "DecodePixels",
                           "QuantisePixels",
                           "PixelTally",
                           "GroupMeans"})
    print(name, real, 0);
  print("AdvanceClock", real, 0, 32);
  print("GradientSquares", real, GradientSquares<Real>::scratch_bytes());
  print("LeakyReluBackward", real, LeakyReluBackward<Real>::scratch_bytes());
  print("ShardSums", real, ShardSums<Real>::scratch_bytes());
  print("Lorenz96Maps", real, Lorenz96Maps<Real>::scratch_bytes(kSize, kSize, 1, Lorenz96Map::jacobian));
  print("EnsembleTeams", real, EnsembleTeams<Real>::scratch_bytes(kSize), kTeamLanes);
  print("EnsembleInitialStates", real, 0);
  print("EnsembleStatisticsOfBlocks", real, EnsembleStatisticsOfBlocks<Real>::scratch_bytes());
}

}  // namespace

int main() {
  print_kernels<float>("float");
  print_kernels<double>("double");
  std::printf("constant n %d\n", kSize);
  std::printf("constant tile_rows %d\n", kTileRows);
  std::printf("constant band_low %d\n", kBandLow);
  std::printf("constant band_high %d\n", kBandHigh);
  std::printf("constant ring_stride %d\n", ring_stride(kSize, kRingHalo));
  std::printf("constant halo_columns %d\n", halo_ld(0, kRingHalo));
  std::printf("constant leading_dimension %d\n", kLeadingDimension);
  std::printf("constant spread %d\n", kSpread);
}
