#include <fmt/format.h>

#include "cli/options.hpp"
#include "io/config.hpp"

namespace vida::cli {

int init(const std::string& example) {
  fmt::print("{}", io::example_config(example));
  return kFinished;
}

}  // namespace vida::cli
