// Weights of a flow: what reads must be written and read again as the same flow.
#include "io/flow_file.hpp"

#include "fuzz/target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vida;
  fuzz::judge([&] {
    const io::SavedFlows flows = io::read_flows(fuzz::file_of({data, size}, "flow.safetensors"));
    const auto path = fuzz::folder() / "again.safetensors";
    io::write_flows(path, flows);
    const auto again = fuzz::must_read("write_flows()", [&] { return io::read_flows(path); });
    if (again.parameters != flows.parameters || again.metadata != flows.metadata)
      fuzz::finding("write_flows() reads as another flow");
  });
  return 0;
}
