#pragma once

#include <string>

#include "vida/error.hpp"

namespace vida::testing {

/// The message of the Failure that an action throws; "" when it throws none. Other exceptions pass.
template <class Failure = Error, class Action>
std::string message_of(const Action& action) {
  try {
    action();
  } catch (const Failure& error) {
    return error.what();
  }
  return "";
}

}  // namespace vida::testing
