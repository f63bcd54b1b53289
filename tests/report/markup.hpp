#pragma once

#include <algorithm>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace vida::testing {

/// What is wrong with a page, "" when nothing is: tags that do not balance, a bare < or &, an id that occurs twice, a
/// link to nothing on the page, a script, or anything that would be fetched from elsewhere.
inline std::string complaint_about(const std::string& page) {
  static const std::set<std::string> kEmpty = {"meta", "img"};
  static const std::regex kTag(R"(<(/?)([a-z][a-z0-9]*)((?: [a-z-]+="[^"<>]*")*)>)");
  static const std::regex kAttribute(R"re( ([a-z-]+)="([^"]*)")re");
  static const std::regex kEntity("^&(amp|lt|gt|quot|nbsp|#39);");
  const std::string start = "<!DOCTYPE html>\n";
  if (!page.starts_with(start)) return "no DOCTYPE";
  std::vector<std::string> open;
  std::set<std::string> ids, links;
  for (std::size_t at = start.size(); at < page.size(); ++at) {
    const std::string here = page.substr(at, 60);
    if (page[at] == '&' && !std::regex_search(here, kEntity)) return "a bare & at: " + here;
    if (page[at] != '<') continue;
    const std::size_t end = page.find('>', at);
    const std::string tag = page.substr(at, end == page.npos ? end : end - at + 1);
    const bool picture = tag.starts_with("<img src=\"data:image/") && tag.find("alt=\"") != tag.npos;
    std::smatch parts;
    // a regular expression of libstdc++ recurses for each letter, too deep for a picture
    if (!picture && !std::regex_match(tag, parts, kTag)) return "no tag: " + here;
    if (picture) {
      at = end;
      continue;
    }
    const std::string name = parts[2], attributes = parts[3];
    if (name == "script" || name == "link" || name == "iframe" || name == "img") return "not allowed: " + here;
    for (std::sregex_iterator i(attributes.begin(), attributes.end(), kAttribute), none; i != none; ++i) {
      const std::string key = (*i)[1], value = (*i)[2];
      if (key == "id" && !ids.insert(value).second) return "the id " + value + " occurs twice";
      if (key == "href" && !value.starts_with("#")) return "leads elsewhere: " + here;
      if (key == "href") links.insert(value.substr(1));
      if (key.starts_with("on") || key == "src" || key == "style") return "not allowed: " + here;
    }
    if (parts[1] == "/") {
      if (open.empty() || open.back() != name) return "closes what is not open: " + here;
      open.pop_back();
    } else if (!kEmpty.contains(name)) {
      open.push_back(name);
    }
    at = end;
  }
  if (!open.empty()) return open.back() + " is not closed";
  if (!std::includes(ids.begin(), ids.end(), links.begin(), links.end())) return "a link to nothing";
  for (const char* address : {"://", "url(", "@import"})
    if (page.find(address) != page.npos) return std::string("an address: ") + address;
  return "";
}

}  // namespace vida::testing
