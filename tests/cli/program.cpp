#include "cli/program.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace vida::test {
namespace fs = std::filesystem;

const char* const kSmallJob = R"(job = "learn-gain"
[model]
n = 8
[observations]
cycles = 30
[optimizer]
iterations = 3
[test]
cycles = 20
)";

namespace {

std::string content(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace

Workplace::Workplace() {
  std::string name = (fs::temp_directory_path() / "vida-test-XXXXXX").string();
  if (!::mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
  folder_ = name;
}

Workplace::~Workplace() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
  fs::remove(folder_.string() + ".out", ignored);
  fs::remove(folder_.string() + ".err", ignored);
}

void Workplace::write(const std::string& name, const std::string& text) const { std::ofstream(path(name)) << text; }

std::string Workplace::read(const std::string& name) const { return content(path(name)); }

std::vector<std::string> Workplace::files() const {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder_))
    names.push_back(fs::relative(entry.path(), folder_).string());
  std::sort(names.begin(), names.end());
  return names;
}

int Workplace::start(const std::vector<std::string>& words, const std::vector<std::string>& environment,
                     long file_limit, const std::string& program) const {
  const int process = ::fork();
  if (process != 0) return process;
  if (::chdir(folder_.c_str()) != 0) ::_exit(99);
  ::setenv("VIDA_DEVICE", "cpu", 1);
  ::unsetenv("VIDA_THREADS");
  for (const auto& item : environment) ::putenv(const_cast<char*>(item.c_str()));
  const auto redirect = [](const std::string& file, int to) {
    ::dup2(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), to);
  };
  redirect(folder_.string() + ".out", STDOUT_FILENO);
  redirect(folder_.string() + ".err", STDERR_FILENO);
  std::vector<char*> arguments = {const_cast<char*>("vida")};
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  if (file_limit > 0) {
    const rlimit limit{static_cast<rlim_t>(file_limit), static_cast<rlim_t>(file_limit)};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ::execv(program.empty() ? VIDA_PROGRAM : program.c_str(), arguments.data());
  ::_exit(98);
}

Answer Workplace::wait_for(int process) const {
  int status = 0;
  rusage usage{};
  ::wait4(process, &status, 0, &usage);
  Answer answer;
  answer.peak_bytes = static_cast<double>(usage.ru_maxrss) * 1024;
  answer.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  answer.out = content(folder_.string() + ".out");
  answer.err = content(folder_.string() + ".err");
  return answer;
}

Answer Workplace::vida(const std::vector<std::string>& words, const std::vector<std::string>& environment) const {
  return wait_for(start(words, environment));
}

Answer Workplace::run(const std::string& program, const std::vector<std::string>& words,
                      const std::vector<std::string>& environment) const {
  return wait_for(start(words, environment, 0, program));
}

Answer Workplace::vida_on_a_small_disk(const std::vector<std::string>& words, long bytes) const {
  return wait_for(start(words, {}, bytes));
}

Answer Workplace::vida_killed(const std::vector<std::string>& words, double seconds,
                              const std::vector<std::string>& environment) const {
  const int process = start(words, environment);
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  ::kill(process, SIGKILL);  // of a process that has ended nothing is left to kill
  return wait_for(process);
}

Answer Workplace::vida_interrupted(const std::vector<std::string>& words, int signal,
                                   const std::string& file_ready) const {
  const int process = start(words, {});
  const auto ready = [&] {
    for (const auto& name : files())
      if (name.find(file_ready) != name.npos) {
        std::error_code gone;
        if (fs::is_directory(path(name), gone)) return true;
        const auto size = fs::file_size(path(name), gone);
        if (!gone && size > 0) return true;
      }
    return false;
  };
  for (int tries = 0; tries < 3000 && !ready(); ++tries) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  ::kill(process, signal);
  return wait_for(process);
}

Answer Workplace::vida_watched(const std::vector<std::string>& words,
                               const std::function<void(int process)>& watch) const {
  const int process = start(words, {});
  watch(process);
  ::kill(process, SIGINT);
  return wait_for(process);
}

}  // namespace vida::test
