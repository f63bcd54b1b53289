#include "io/netcdf.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/data_file.hpp"
#include "io/files.hpp"
#include "messages.hpp"
#include "vida/error.hpp"

namespace vida::io {
namespace {

using ::testing::HasSubstr;
using vida::testing::message_of;
namespace fs = std::filesystem;

const fs::path kData = VIDA_TEST_DATA;

fs::path scratch(const std::string& name) {
  const fs::path path = fs::path(::testing::TempDir()) / ("vida-netcdf-test-" + name);
  fs::remove_all(path);
  return path;
}

TEST(Netcdf, KeepsValuesShapesAndDescriptions) {
  const auto path = scratch("round.nc");
  Matrix values({2, 3});
  for (long i = 0; i < 6; ++i) values.data()[i] = 0.1 * static_cast<double>(i);
  {
    NetcdfWriter file(path);
    file.attribute("seed", 7L);
    file.attribute("version", std::string("x"));
    file.put("values", {"row", "column"}, values, {"some values", "model time units"});
    const std::vector<long> index = {4, 5, 6};
    file.put("column", {"column"}, {3}, std::span<const long>(index), {"index"});
    file.close();
  }
  const NetcdfReader file(path);
  EXPECT_EQ(file.array<2>("values"), values);
  EXPECT_EQ(file.values("column"), (std::vector<double>{4, 5, 6}));
  EXPECT_EQ(file.text_attribute("", "version"), "x");
  EXPECT_EQ(file.text_attribute("values", "units"), "model time units");
  EXPECT_THAT(message_of([&] { file.array<3>("values"); }), HasSubstr("holds values with 2 axes; 3 are needed"));
  EXPECT_THAT(message_of([&] { file.values("none"); }), HasSubstr("holds no variable 'none'"));
}

TEST(Netcdf, ASlabIsWrittenAndReadInPlace) {
  const auto path = scratch("slabs.nc");
  const std::vector<float> row = {0.5F, 1.5F, 2.5F};
  const std::vector<double> column = {0.1, 0.2};
  {
    NetcdfWriter file(path);
    file.define("x", {"row", "column"}, {2, 3}, Storage::float32, {"points"});
    file.define("v", {"row"}, {2}, Storage::float64, {"values", "m"});
    file.put_slab("x", {1, 0}, {1, 3}, std::span<const float>(row));
    file.put_slab("x", {0, 0}, {1, 3}, std::span<const float>(row));
    file.put_slab("v", {0}, {2}, std::span<const double>(column));
    EXPECT_THAT(message_of([&] { file.put_slab("v", {0}, {3}, std::span<const double>(column)); }),
                HasSubstr("a part of 'v' with 1 axes was given 1 and 1 numbers for its place, and 2 values"));
    EXPECT_THAT(message_of([&] {
                  file.put_slab("v", {0, 0}, {1, 2}, std::span<const double>(column));
                }),
                HasSubstr("a part of 'v' with 1 axes"));
    EXPECT_THROW(file.put_slab("v", {1}, {2}, std::span<const double>(column)), WriteError);
    EXPECT_THROW(file.define("w", {"row"}, {3}, Storage::float64, {}), Error);
    file.close();
  }
  const NetcdfReader file(path);
  EXPECT_EQ(file.values("x"), (std::vector<double>{0.5, 1.5, 2.5, 0.5, 1.5, 2.5}));
  EXPECT_EQ(file.slab("x", {0, 1}, {2, 2}), (std::vector<double>{1.5, 2.5, 1.5, 2.5}));
  EXPECT_EQ(file.values("v"), column);
  EXPECT_EQ(file.text_attribute("v", "units"), "m");
  EXPECT_THAT(message_of([&] { file.slab("x", {0}, {2}); }), HasSubstr("it has 2 axes"));
  EXPECT_THROW(file.slab("x", {1, 0}, {2, 3}), FileError);
}

TEST(Netcdf, AFolderThatIsMissingIsAWriteError) { EXPECT_THROW(NetcdfWriter(scratch("none") / "x.nc"), WriteError); }

TEST(DataFile, ReadsTheReferenceFiles) {
  const DataFile general(kData / "filter_general_n12_p8.nc");
  EXPECT_EQ(general.states(), 12);
  EXPECT_EQ(general.observed(), 8);
  EXPECT_EQ(general.scalar("steps_per_cycle", 0), 3);
  EXPECT_EQ(general.matrix("H", 0).extents(), (Extents<2>{8, 12}));
  const DataFile learn(kData / "learn_gain_l96.nc");
  EXPECT_EQ(learn.cycles(), 1000);
  EXPECT_FALSE(learn.batched());
  EXPECT_FALSE(learn.has("K"));
}

TEST(DataFile, ALeadingAxisMoreIsTheBatch) {
  const auto path = scratch("batch.nc");
  {
    NetcdfWriter file(path);
    file.put("y", {"set", "cycle", "obs"}, Array<double, 3>({4, 5, 8}, 2.0), {"observations"});
    file.put("truth", {"cycle", "state"}, Matrix({5, 8}, 3.0), {"shared truth"});
    file.close();
  }
  const DataFile data(path);
  EXPECT_EQ(data.count(), 4);
  EXPECT_EQ(data.matrix("y", 3).extents(), (Extents<2>{5, 8}));
  EXPECT_EQ(data.matrix("truth", 3), Matrix({5, 8}, 3.0));
}

TEST(OutputFolder, ShowsFilesOnlyWhenAllAreComplete) {
  const auto path = scratch("folder");
  {
    OutputFolder folder(path, false);
    write_text(folder.pending("summary.json"), "new");
    EXPECT_FALSE(fs::exists(path / "summary.json"));
    folder.commit();
    EXPECT_EQ(read_text(path / "summary.json"), "new");
  }
  EXPECT_THAT(message_of([&] { OutputFolder(path, false); }), HasSubstr("already holds a result"));
  {
    OutputFolder folder(path, true);
    write_text(folder.pending("summary.json"), "abandoned");
  }
  EXPECT_EQ(read_text(path / "summary.json"), "new");
  EXPECT_EQ(std::distance(fs::directory_iterator(path), {}), 1);
}

TEST(OutputFolder, RemovesTheFoldersItMadeForNothing) {
  const auto path = scratch("outer");
  { OutputFolder folder(path / "inner", false); }
  EXPECT_FALSE(fs::exists(path));
}

}  // namespace
}  // namespace vida::io
