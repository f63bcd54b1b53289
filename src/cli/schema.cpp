#include <fmt/format.h>

#include "cli/options.hpp"
#include "io/settings_reference.hpp"

namespace vida::cli {

int schema(const SchemaOptions& options) {
  fmt::print("{}", options.json    ? io::settings_json(options.job)
                   : options.words ? io::settings_words(options.job)
                                   : io::settings_page(options.job));
  return kFinished;
}

}  // namespace vida::cli
