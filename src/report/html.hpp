#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

// What every page is made of. Functions return markup; text that comes from elsewhere passes escaped().
namespace vida::report::html {

/// Text as markup: & < > " ' become entities, control characters and bytes that are not UTF-8 become U+FFFD.
std::string escaped(std::string_view text);

/// "<name>content</name>" and a line's end.
std::string element(const std::string& name, const std::string& content);

/// A list of texts, escaped, as <ul>.
std::string list(const std::vector<std::string>& texts);

/// Markup that is folded away below a line of text, which is escaped.
std::string folded(const std::string& title, const std::string& content);

/// A file as "data:TYPE;base64,..". Throws FileError when it cannot be read.
std::string data_uri(const std::filesystem::path& file, const std::string& type);

/// A picture with a caption below it, which is escaped and also is what replaces the picture where it cannot be seen.
std::string figure(const std::string& uri, const std::string& caption);

/// A page of its own, without a script and without anything from elsewhere; the browser is told to allow neither.
std::string page(const std::string& title, const std::string& style, const std::string& content);

}  // namespace vida::report::html
