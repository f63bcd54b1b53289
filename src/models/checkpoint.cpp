#include "vida/checkpoint.hpp"

#include <fmt/format.h>

#include "vida/error.hpp"

namespace vida {

const Snapshot::Values& Snapshot::at(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) throw InvalidArgument(fmt::format("the state to go on from lacks {}.", name));
  return found->second;
}

Snapshot Snapshot::part(const std::string& name) const {
  const std::string prefix = name + "/";
  Snapshot part;
  for (auto entry = entries_.lower_bound(prefix); entry != entries_.end() && entry->first.starts_with(prefix); ++entry)
    part.put(entry->first.substr(prefix.size()), entry->second);
  return part;
}

void Snapshot::put_part(const std::string& name, Snapshot part) {
  for (auto& entry : part.entries_) put(fmt::format("{}/{}", name, entry.first), std::move(entry.second));
}

}  // namespace vida
