#include "ranks/launch.hpp"

#include <cstdlib>
#include <initializer_list>

namespace vida::ranks {
namespace {

const char* first_of(std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (const char* value = std::getenv(name)) return value;
  return nullptr;
}

}  // namespace

bool launched() {  // by Open MPI, by MPICH and its kin, by srun with PMIx
  return first_of({"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"}) != nullptr;
}

int launched_size() {
  const char* size = first_of({"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_NTASKS"});
  return launched() && size ? std::atoi(size) : 1;
}

}  // namespace vida::ranks
