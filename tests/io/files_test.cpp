#include "io/files.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "io/replace_files.hpp"
#include "messages.hpp"
#include "scratch.hpp"

namespace vida::io {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using vida::testing::message_of;
namespace fs = std::filesystem;

fs::path scratch(const std::string& name) { return vida::testing::scratch("files-test", name); }

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
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

/// A folder with a result, and a set of files that is to take its place.
class ReplaceFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(folder_);
    write("result.nc", "old result"), write("summary.json", "old summary");
  }
  void TearDown() override { fs::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) const { write_text(folder_ / name, text); }
  std::string read(const std::string& name) const { return read_text(folder_ / name); }
  std::vector<PendingFile> pending(const std::vector<std::string>& names) const {
    std::vector<PendingFile> files;
    for (const auto& name : names) {
      write("new." + name, "new " + name);
      files.push_back({folder_ / ("new." + name), name});
    }
    return files;
  }
  /// What a process of this number leaves that ends within replace_files().
  void leave_second_name(const std::string& name, const std::string& text, int process = 1 << 30) const {
    write("." + name + "." + std::to_string(process) + ".old", text);
  }
  const fs::path folder_ = scratch("folder");
};

TEST_F(ReplaceFiles, PutsAllInPlaceAndLeavesNothingElse) {
  write("notes.txt", "mine");
  replace_files(folder_, pending({"summary.json", "flow.safetensors", "result.nc"}));
  EXPECT_THAT(names_in(folder_), ElementsAre("flow.safetensors", "notes.txt", "result.nc", "summary.json"));
  EXPECT_EQ(read("result.nc"), "new result.nc");
  EXPECT_EQ(read("summary.json"), "new summary.json");
  EXPECT_EQ(read("notes.txt"), "mine");
}

TEST_F(ReplaceFiles, AFileThatCannotBeReplacedPutsTheOthersBack) {
  fs::create_directory(folder_ / "sweep.csv");  // a folder in the way of the last file
  auto files = pending({"new.csv", "result.nc", "summary.json"});
  files.push_back({folder_ / "missing", "a.csv"});
  EXPECT_THAT(message_of<WriteError>([&] { replace_files(folder_, files); }), HasSubstr("a.csv' cannot be replaced: "));
  EXPECT_EQ(read("result.nc"), "old result");
  EXPECT_EQ(read("summary.json"), "old summary");
  EXPECT_FALSE(fs::exists(folder_ / "new.csv"));
  EXPECT_THAT(message_of<WriteError>([&] {
                replace_files(folder_, pending({"result.nc", "sweep.csv", "summary.json"}));
              }),
              HasSubstr("sweep.csv' cannot be replaced: "));
  EXPECT_EQ(read("result.nc"), "old result");
  EXPECT_EQ(read("summary.json"), "old summary");
}

TEST_F(ReplaceFiles, WithoutTheMarkOldFilesGetTheirNamesBack) {
  fs::remove(folder_ / "summary.json");
  write("result.nc", "new result");
  leave_second_name("result.nc", "old result"), leave_second_name("summary.json", "old summary");
  EXPECT_THAT(message_of<FileError>([&] { OutputFolder(folder_, false); }), HasSubstr("already holds a result"));
  EXPECT_EQ(read("result.nc"), "old result");
  EXPECT_EQ(read("summary.json"), "old summary");
  EXPECT_THAT(names_in(folder_), ElementsAre("result.nc", "summary.json"));
}

TEST_F(ReplaceFiles, WithTheMarkOldFilesGo) {
  leave_second_name("result.nc", "older result"), leave_second_name("summary.json", "older summary");
  restore_interrupted(folder_);
  EXPECT_EQ(read("result.nc"), "old result");
  EXPECT_EQ(read("summary.json"), "old summary");
  EXPECT_THAT(names_in(folder_), ElementsAre("result.nc", "summary.json"));
}

TEST_F(ReplaceFiles, FilesOfAProcessAtWorkAndOfOtherNamesAreLeftAlone) {
  fs::remove(folder_ / "summary.json");
  leave_second_name("result.nc", "of our parent", ::getppid());
  for (const char* name :
       {".result.nc.old", ".old", "result.nc.7.old", ".result.nc.x7.old", ".result.nc.-7.old", "..7.old"})
    write(name, "not ours");
  const auto before = names_in(folder_);
  restore_interrupted(folder_);
  EXPECT_EQ(names_in(folder_), before);
  EXPECT_EQ(read("result.nc"), "old result");
}

TEST(SyncToDisk, SaysWhatCannotBeWritten) {
  EXPECT_THAT(message_of<WriteError>([&] { sync_to_disk(scratch("none"), O_RDONLY); }),
              HasSubstr("none' cannot be written to disk: No such file or directory."));
}

}  // namespace
}  // namespace vida::io
