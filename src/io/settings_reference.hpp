#pragma once

#include <string>

namespace vida::io {

// The table of settings as something to read. job: empty for the settings of all jobs. Each throws InvalidArgument for
// a job that is none.

/// The page docs/configuration.md in Markdown: every setting with what it accepts, its default and what it means.
std::string settings_page(const std::string& job = "");
/// The same as JSON: {"settings": [{"key", "jobs", "type", ..}, ..]}.
std::string settings_json(const std::string& job = "");
/// For completion in a shell: a key in each line, behind it the words that it accepts, if there are such.
std::string settings_words(const std::string& job = "");

}  // namespace vida::io
