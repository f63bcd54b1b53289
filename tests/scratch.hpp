#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace vida::testing {

/// A path for a file of the running test, where nothing is; tests run side by side.
inline std::filesystem::path scratch(const std::string& program, const std::string& name) {
  const std::string test = ::testing::UnitTest::GetInstance()->current_test_info()->name();
  const auto path = std::filesystem::path(::testing::TempDir()) / ("vida-" + program + "-" + test + "-" + name);
  std::filesystem::remove_all(path);
  return path;
}

}  // namespace vida::testing
