// NetCDF: the user's data, gains, and any file through the reader's own functions.
#include "io/netcdf.hpp"

#include "fuzz/target.hpp"
#include "io/data_file.hpp"

namespace {
using namespace vida;

/// Everything that a job may ask of the data.
void use(const io::DataFile& data) {
  for (long item = 0; item < std::min(data.count(), 3L); ++item) {
    for (const char* name : {"y", "truth", "H", "R", "Q", "C0", "K"})
      if (data.has(name)) data.matrix(name, data.batched(name) ? item : 0);
    if (data.has("m0")) data.vector("m0", data.batched("m0") ? item : 0);
    for (const char* name : {"F", "dt", "steps_per_cycle"})
      if (data.has(name)) data.scalar(name, data.batched(name) ? item : 0);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto path = fuzz::file_of({bytes, size}, "data.nc");
  fuzz::judge([&] { use(io::DataFile(path)); });
  fuzz::judge([&] { io::read_gains(path); });
  fuzz::judge([&] {
    const io::NetcdfReader file(path, "points");
    for (const char* name : {"x", "y", "K"}) {
      fuzz::judge([&] { file.array<2>(name); });
      fuzz::judge([&] { file.scalar(name); });
      fuzz::judge([&] { file.slab(name, {0, 1}, {1, 1}); });
      fuzz::judge([&] { file.text_attribute(name, "units"); });
    }
    file.text_attribute("", "configuration");
  });
  return 0;
}
