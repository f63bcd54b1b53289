// Images in IDX files, plain or compressed. The input: how many images to take, the length of the file of labels, that
// file, and behind it the file of images.
#include "io/idx.hpp"

#include <algorithm>

#include "fuzz/target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace vida;
  if (size < 2) return 0;
  const fuzz::Bytes bytes(data + 2, size - 2);
  const std::size_t of_labels = std::min<std::size_t>(data[1], bytes.size());
  fuzz::judge([&] {
    fuzz::file_of(bytes.first(of_labels), "train-labels-idx1-ubyte");
    fuzz::file_of(bytes.subspan(of_labels), "train-images-idx3-ubyte.gz");
    const io::ImageSet set = io::read_image_set(fuzz::folder(), "train", data[0]);
    if (std::ssize(set.pixels) != set.count * set.size() || std::ssize(set.labels) != set.count)
      fuzz::finding("an image set whose size is not that of its images");
  });
  return 0;
}
