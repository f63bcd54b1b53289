#include "report/html.hpp"

#include <fmt/format.h>

#include <cstdint>

#include "io/files.hpp"

namespace vida::report::html {
namespace {

constexpr const char* kReplacement = "\xEF\xBF\xBD";

/// How many bytes the UTF-8 sequence at `start` has; 0 when there is none (Unicode 15, table 3-7).
std::size_t sequence_length(std::string_view text, std::size_t start) {
  const auto byte = [&](std::size_t i) {
    return start + i < text.size() ? static_cast<unsigned char>(text[start + i]) : 0U;
  };
  const unsigned first = byte(0), second = byte(1);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xC2 && first <= 0xDF   ? 2
                             : first >= 0xE0 && first <= 0xEF ? 3
                             : first >= 0xF0 && first <= 0xF4 ? 4
                                                              : 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0U) != 0x80) return 0;
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool no_character = (first == 0xED && second > 0x9F) || (first == 0xF4 && second > 0x8F);
  return overlong || no_character ? 0 : length;
}

std::string base64(const std::string& bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t word = 0;
    for (std::size_t k = 0; k < 3; ++k)
      word = word << 8U | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) text += i + k <= bytes.size() ? kDigits[word >> (18 - 6 * k) & 63U] : '=';
  }
  return text;
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string markup;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = sequence_length(text, i);
    const auto first = static_cast<unsigned char>(text[i]);
    const bool control = first == 0x7F || (first < 0x20 && first != '\n' && first != '\t');
    if (length == 0 || control)
      markup += kReplacement;
    else if (first == '&')
      markup += "&amp;";
    else if (first == '<')
      markup += "&lt;";
    else if (first == '>')
      markup += "&gt;";
    else if (first == '"')
      markup += "&quot;";
    else if (first == '\'')
      markup += "&#39;";
    else
      markup += text.substr(i, length);
    i += length == 0 ? 1 : length;
  }
  return markup;
}

std::string element(const std::string& name, const std::string& content) {
  return fmt::format("<{0}>{1}</{0}>\n", name, content);
}

std::string list(const std::vector<std::string>& texts) {
  std::string items = "\n";
  for (const std::string& text : texts) items += element("li", escaped(text));
  return element("ul", items);
}

std::string folded(const std::string& title, const std::string& content) {
  return element("details", element("summary", escaped(title)) + content);
}

std::string data_uri(const std::filesystem::path& file, const std::string& type) {
  return "data:" + type + ";base64," + base64(io::read_text(file));
}

std::string figure(const std::string& uri, const std::string& caption) {
  const std::string text = escaped(caption);
  return fmt::format("<figure>\n<img src=\"{}\" alt=\"{}\">\n<figcaption>{}</figcaption>\n</figure>\n", uri, text,
                     text);
}

std::string page(const std::string& title, const std::string& style, const std::string& content) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src "
      "'unsafe-inline'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n{}</body>\n</html>\n",
      escaped(title), style, content);
}

}  // namespace vida::report::html
