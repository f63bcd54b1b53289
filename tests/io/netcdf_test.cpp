#include "io/netcdf.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netcdf.h>

#include "io/data_file.hpp"
#include "io/files.hpp"
#include "messages.hpp"
#include "vida/error.hpp"

namespace vida::io {
namespace {

using ::testing::AllOf;
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

TEST(Netcdf, AShapeThatTheFileCannotHoldIsDamage) {
  const auto path = scratch("huge.nc");
  {
    NetcdfWriter file(path);
    file.define("K", {"a", "b"}, {1L << 30, 1L << 30}, Storage::float64, {"never written"});
    file.define("x", {"a", "c"}, {1L << 30, 8}, Storage::float32, {"never written"});
    file.close();
  }
  EXPECT_THAT(message_of<FileError>([&] { NetcdfReader(path).values("K"); }),
              AllOf(HasSubstr("declares K with shape [1073741824, 1073741824], more than its"),
                    HasSubstr("bytes can hold: it is damaged.")));
  EXPECT_THAT(message_of<FileError>([&] { NetcdfReader(path).array<2>("x"); }), HasSubstr("declares x with shape"));
  EXPECT_THAT(message_of<FileError>([&] { read_gains(path); }), HasSubstr("gain.file: '"));
}

TEST(Netcdf, AClassicHeaderThatTellsOfMoreThanTheFileHoldsIsDamage) {
  const auto path = scratch("classic.nc");
  const auto file_of = [&](int format) {
    int file = 0, axis = 0, variable = 0;
    EXPECT_EQ(nc_create(path.c_str(), NC_CLOBBER | format, &file), NC_NOERR);
    EXPECT_EQ(nc_def_dim(file, "axis", 3, &axis), NC_NOERR);
    EXPECT_EQ(nc_def_var(file, "K", NC_SHORT, 1, &axis, &variable), NC_NOERR);
    EXPECT_EQ(nc_put_att_text(file, variable, "units", 5, "metre"), NC_NOERR);
    EXPECT_EQ(nc_close(file), NC_NOERR);
    return read_text(path);
  };
  for (const int format : {0, NC_64BIT_OFFSET, NC_64BIT_DATA}) {
    const std::string bytes = file_of(format);
    EXPECT_EQ(NetcdfReader(path).shape("K"), std::vector<long>{3});
    for (std::size_t cut = 4; cut < bytes.rfind("metre") + 8; ++cut) {
      write_text(path, bytes.substr(0, cut));
      EXPECT_THAT(message_of<FileError>([&] { NetcdfReader(path, "x"); }),
                  HasSubstr("': cannot be read as NetCDF: its header is damaged: "))
          << cut;
    }
    for (std::size_t at = 4; at < bytes.size(); ++at) {  // whatever a byte becomes, it is read or refused
      std::string changed = bytes;
      changed[at] = '\x7f';
      write_text(path, changed);
      message_of<FileError>([&] { NetcdfReader(path).values("K"); });
    }
  }
}

/// A name of the same length, so that a classic file stays whole: the library itself refuses to write such a fill
/// value.
TEST(Netcdf, AFillValueOfSeveralNumbersIsPassedOver) {
  const auto path = scratch("fill.nc");
  int file = 0, variable = 0;
  const double numbers[] = {7, 8, 9, 10};
  ASSERT_EQ(nc_create(path.c_str(), NC_CLOBBER, &file), NC_NOERR);
  ASSERT_EQ(nc_def_var(file, "F", NC_DOUBLE, 0, nullptr, &variable), NC_NOERR);
  ASSERT_EQ(nc_put_att_double(file, variable, "_FillXalue", NC_DOUBLE, 4, numbers), NC_NOERR);
  ASSERT_EQ(nc_enddef(file), NC_NOERR);
  ASSERT_EQ(nc_put_var_double(file, variable, numbers), NC_NOERR);
  ASSERT_EQ(nc_close(file), NC_NOERR);
  std::string bytes = read_text(path);
  bytes.replace(bytes.find("_FillXalue"), 10, "_FillValue");
  write_text(path, bytes);
  EXPECT_EQ(NetcdfReader(path).scalar("F"), 7);
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

}  // namespace
}  // namespace vida::io
