#include "fibers.hpp"

#include <sys/mman.h>
#include <ucontext.h>

#include <cstdint>
#include <vector>

// Compiled without sanitizers: they do not know about these stacks.

namespace cuda_shim::fibers {
namespace {

constexpr std::size_t kStack = 128 * 1024;
constexpr int kMost = 1024;

struct Fiber {
  ucontext_t start;
  void* here[5];
  bool started = false;
};

Fiber fiber[kMost];
void* home[5];
void (*lane_body)(int);
int running;

char* stacks() {
  static char* const memory = static_cast<char*>(
      mmap(nullptr, kStack * kMost, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  return memory;
}

// The compiler wants its setjmp and its longjmp in different functions.
[[noreturn, gnu::noinline]] void jump(void** to) { __builtin_longjmp(to, 1); }

void begin() {
  lane_body(running);
  jump(home);
}

}  // namespace

void prepare(int count, void (*body)(int lane)) {
  lane_body = body;
  for (int lane = 0; lane < count; ++lane) {
    Fiber& it = fiber[lane];
    getcontext(&it.start);
    it.start.uc_stack.ss_sp = stacks() + kStack * static_cast<std::size_t>(lane);
    it.start.uc_stack.ss_size = kStack;
    it.start.uc_link = nullptr;
    makecontext(&it.start, begin, 0);
    it.started = false;
  }
}

// ucontext starts a lane, the compiler's own setjmp switches it: 10 ns instead of 360, which go to the signal mask.
__attribute__((noinline)) void resume(int lane) {
  running = lane;
  if (__builtin_setjmp(home)) return;
  if (fiber[running].started) jump(fiber[running].here);
  fiber[running].started = true;
  setcontext(&fiber[running].start);
}

__attribute__((noinline)) void leave() {
  if (!__builtin_setjmp(fiber[running].here)) jump(home);
}

bool on_stack(int lane, const void* address) {
  return static_cast<std::size_t>(static_cast<const char*>(address) - stacks()) / kStack ==
         static_cast<std::size_t>(lane);
}

}  // namespace cuda_shim::fibers
