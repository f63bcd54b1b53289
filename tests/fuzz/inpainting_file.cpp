// A trained in-painting model, and the map of its pixels in use.
#include "io/inpainting_file.hpp"

#include "fuzz/target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vida;
  fuzz::judge([&] {
    const auto model = io::read_inpainting(fuzz::file_of({data, size}, "model.safetensors"), "weights");
    for (const int byte : {0, 1, 255}) model.map.encode(0, byte, 0.5);
    for (const double z : {-9.0, 0.0, 9.0}) model.map.decode(model.map.size() - 1, z);
  });
  return 0;
}
