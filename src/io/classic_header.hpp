#pragma once

#include <filesystem>
#include <string>

namespace vida::io {

/// What is wrong with the header of a file in NetCDF's classic formats (CDF-1, CDF-2 and CDF-5), where its counts and
/// lengths tell of more than the file holds; empty when nothing is, and for files of other formats. NetCDF's library
/// believes such numbers and takes as much memory and time as they ask for.
std::string fault_of_classic_header(const std::filesystem::path& path);

}  // namespace vida::io
