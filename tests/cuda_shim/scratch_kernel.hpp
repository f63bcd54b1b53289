#pragma once

#include "team.cuh"

namespace vida::kernels {

/// out[item, lane] = item * 1000 + the next lane's rank, through scratch that other lanes read to the very end of an
/// item: what a team that works several items has to expect.
struct Neighbours {
  double* out;  // [item, 128]

  template <class Team>
  VIDA_FN void operator()(Team team, long item) const {
    double* scratch = team.template scratch<double>();
    scratch[team.rank()] = static_cast<double>(item * 1000 + team.rank());
    team.sync();
    out[item * 128 + team.rank()] = scratch[(team.rank() + 1) % team.size()];
  }
};

}  // namespace vida::kernels
