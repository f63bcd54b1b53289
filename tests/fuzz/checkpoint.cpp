// Any checkpoint: what reads must be written and read again as the same run.
#include "io/checkpoint.hpp"

#include "fuzz/target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vida;
  fuzz::judge([&] {
    const auto found = io::read_checkpoint(fuzz::file_of({data, size}, "any.safetensors"));
    const auto path = fuzz::folder() / "again.safetensors";
    io::write_checkpoint(path, found);
    const auto again = fuzz::must_read("write_checkpoint()", [&] { return io::read_checkpoint(path); });
    if (again.identity != found.identity || again.notes != found.notes ||
        again.state.entries().size() != found.state.entries().size())
      fuzz::finding("write_checkpoint() reads as another run");
  });
  return 0;
}
