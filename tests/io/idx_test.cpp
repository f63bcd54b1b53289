#include "io/idx.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>

#include "messages.hpp"
#include "scratch.hpp"

namespace vida::io {
namespace {

using ::testing::ElementsAre;

std::string word(std::uint32_t value) {
  std::string bytes;
  for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(value >> shift & 0xff);
  return bytes;
}

/// Five images of 2 x 3 pixels: pixel k of image i is 10 i + k.
std::string images() {
  std::string bytes = word(0x803) + word(5) + word(2) + word(3);
  for (int i = 0; i < 5; ++i)
    for (int k = 0; k < 6; ++k) bytes += static_cast<char>(10 * i + k);
  return bytes;
}
std::string labels() { return word(0x801) + word(5) + std::string("\x07\x02\x01\x00\x09", 5); }

class Idx : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directory(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void plain(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }
  void compressed(const std::string& name, const std::string& bytes) const {
    gzFile file = gzopen((folder_ / name).c_str(), "wb");
    ASSERT_EQ(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())), static_cast<int>(bytes.size()));
    gzclose(file);
  }
  std::string refused() const {
    return testing::message_of<FileError>([&] { read_image_set(folder_, "train"); });
  }
  /// The message about these files in place of good ones.
  std::string refused(const std::string& image_bytes, const std::string& label_bytes) const {
    plain("train-images-idx3-ubyte", image_bytes), plain("train-labels-idx1-ubyte", label_bytes);
    return refused();
  }
  std::filesystem::path folder_ = testing::scratch("idx", "data");
};

TEST_F(Idx, PlainAndCompressedFilesHoldTheSame) {
  plain("train-images-idx3-ubyte", images()), compressed("train-labels-idx1-ubyte.gz", labels());
  compressed("t10k-images-idx3-ubyte.gz", images()), plain("t10k-labels-idx1-ubyte", labels());
  for (const char* part : {"train", "t10k"}) {
    const ImageSet set = read_image_set(folder_, part);
    EXPECT_EQ(set.count, 5);
    EXPECT_EQ(set.rows, 2);
    EXPECT_EQ(set.columns, 3);
    EXPECT_THAT(set.labels, ElementsAre(7, 2, 1, 0, 9));
    EXPECT_THAT(std::vector(set.image(3), set.image(4)), ElementsAre(30, 31, 32, 33, 34, 35));
  }
}

TEST_F(Idx, OnlyTheFirstImagesAreReadWhereThatIsEnough) {
  compressed("train-images-idx3-ubyte.gz", images()), compressed("train-labels-idx1-ubyte.gz", labels());
  const ImageSet set = read_image_set(folder_, "train", 2);
  EXPECT_EQ(set.count, 2);
  EXPECT_THAT(set.pixels, ElementsAre(0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15));
  EXPECT_THAT(set.labels, ElementsAre(7, 2));
  EXPECT_EQ(read_image_set(folder_, "train", 100).count, 5);
}

TEST_F(Idx, DamagedFilesAreNamed) {
  using ::testing::HasSubstr;
  EXPECT_THAT(refused(images().substr(0, 40), labels()), HasSubstr("is truncated: it holds 24 of the 30 bytes"));
  EXPECT_THAT(refused(images().substr(0, 10), labels()), HasSubstr("is truncated: it ends within its header"));
  EXPECT_THAT(refused(images() + "x", labels()), HasSubstr("holds more than the 30 bytes"));
  EXPECT_THAT(refused(labels(), labels()),
              HasSubstr("is no IDX file of images: it begins with 0x00000801, expected 0x00000803"));
  EXPECT_THAT(refused("", labels()), HasSubstr("is no IDX file of images"));
  EXPECT_THAT(refused(images(), word(0x801) + word(4) + "\x07\x02\x01\x03"), HasSubstr("holds 5 images, but"));
}

TEST_F(Idx, AHeaderThatTellsOfAnyNumberIsNoReasonToTakeMemory) {
  using ::testing::HasSubstr;
  const std::string many = word(0xffffffff);
  EXPECT_THAT(refused(word(0x803) + many + many + many, word(0x801) + many),
              HasSubstr("is damaged: its header tells of 4294967295 images of 4294967295 x 4294967295 pixels"));
  EXPECT_THAT(refused(word(0x803) + many + word(1) + word(0), word(0x801) + many),
              HasSubstr("is damaged: its header tells of 4294967295 images of 1 x 0 pixels"));
  EXPECT_THAT(refused(word(0x803) + many + word(1 << 10) + word(1 << 10) + "x", word(0x801) + many),
              HasSubstr("is truncated: it holds 1 of the 4503599626321920 bytes"));
}

TEST_F(Idx, ATruncatedArchiveIsDamaged) {
  compressed("train-images-idx3-ubyte.gz", images()), compressed("train-labels-idx1-ubyte.gz", labels());
  const auto path = folder_ / "train-images-idx3-ubyte.gz";
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 9);
  EXPECT_THAT(refused(), ::testing::HasSubstr("train-images-idx3-ubyte.gz' is "));
}

TEST_F(Idx, MissingFilesAreNamed) {
  EXPECT_THAT(testing::message_of<FileError>([&] { read_image_set(folder_ / "none", "train"); }),
              ::testing::HasSubstr("none' is not a folder"));
  EXPECT_THAT(refused(), ::testing::HasSubstr("holds neither train-images-idx3-ubyte nor train-images-idx3-ubyte.gz"));
}

}  // namespace
}  // namespace vida::io
