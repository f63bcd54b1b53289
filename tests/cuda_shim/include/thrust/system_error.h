#pragma once

#include <system_error>

namespace thrust {
using std::system_error;  // its code is a cudaError_t
}
