// Any safetensors file: what reads must be written and read again with the same tensors and notes.
#include "io/safetensors.hpp"

#include "fuzz/target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vida;
  fuzz::judge([&] {
    const io::Safetensors file(fuzz::file_of({data, size}, "any.safetensors"), "weights");
    const std::string bytes = file.encoded();
    const auto path = fuzz::file_of(bytes, "again.safetensors");
    const auto again = fuzz::must_read("encoded()", [&] { return io::Safetensors(path); });
    if (again.names() != file.names() || again.metadata != file.metadata || again.encoded() != bytes)
      fuzz::finding("encoded() reads as another file");
  });
  return 0;
}
