#pragma once

namespace vida {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace vida
