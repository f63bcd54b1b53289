// The configuration: lines "#set key=value" at its beginning are given as --set.
#include "io/config.hpp"

#include <sstream>

#include "fuzz/target.hpp"

namespace {

std::vector<std::string> overrides_of(const std::string& text) {
  const std::string mark = "#set ";
  std::vector<std::string> overrides;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line) && line.starts_with(mark);)
    overrides.push_back(line.substr(mark.size()));
  return overrides;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vida;
  const std::string text(data, data + size);
  fuzz::judge([&] {
    const std::string written = io::load_config(fuzz::file_of(text, "config.toml"), overrides_of(text)).to_toml();
    const auto path = fuzz::file_of(written, "written.toml");
    const auto again = fuzz::must_read("to_toml() wrote\n" + written, [&] { return io::load_config(path).to_toml(); });
    if (again != written) fuzz::finding("to_toml() wrote\n" + written + "which reads as\n" + again);
  });
  return 0;
}
