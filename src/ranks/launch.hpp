#pragma once

namespace vida::ranks {

/// Whether mpirun, mpiexec or srun started this process as one of a job. Starting MPI costs a tenth of a second and
/// leaves files behind when a process dies, so that a process alone does without.
bool launched();

/// How many processes the launcher started, as far as it says so.
int launched_size();

}  // namespace vida::ranks
