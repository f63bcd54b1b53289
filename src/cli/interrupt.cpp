#include "cli/interrupt.hpp"

#include <csignal>

namespace vida::cli {
namespace {

volatile std::sig_atomic_t received = 0;

void remember(int number) {
  received = number;
  std::signal(number, SIG_DFL);
}

}  // namespace

InterruptGuard::InterruptGuard() {
  received = 0;
  std::signal(SIGINT, remember);
  std::signal(SIGTERM, remember);
}

InterruptGuard::~InterruptGuard() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

int InterruptGuard::signal() { return received; }

}  // namespace vida::cli
