#include <fmt/format.h>

#include "ranks/launch.hpp"
#include "ranks/ranks.hpp"
#include "vida/error.hpp"

namespace vida::ranks {

std::unique_ptr<Ranks> of_this_launch() {
  if (launched_size() > 1)
    throw InvalidArgument(
        fmt::format("a launcher started {} processes, but this build has no MPI, and each would do the whole job. "
                    "Configure with -DVIDA_MPI=ON (Debian: libopenmpi-dev), or start one process.",
                    launched_size()));
  return sole();
}

std::string mpi_description() { return "not built"; }

}  // namespace vida::ranks
