// Nothing that was safe is lost: every call of a run that changes a file fails once, or is the last that the process
// makes, and the result that was there is there still.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <map>

#include "cli/program.hpp"
#include "io/flow_file.hpp"
#include "io/netcdf.hpp"

namespace vida::test {
namespace {

using Files = std::map<std::string, std::string>;

constexpr const char* kJob = R"(job = "evaluate-gain"
[model]
n = 4
[observations]
cycles = 4
)";

struct Fault {
  long at = 0;
  int error = 0;  // 0: the process is killed
  bool lasting = false;
};

std::string name_of(const Fault& fault) {
  return "call " + std::to_string(fault.at) + (fault.error ? ", errno " + std::to_string(fault.error) : ", killed") +
         (fault.lasting ? ", and all later ones" : "");
}

/// A folder `out` that gets results, and runs whose calls fail in it.
class Place {
 public:
  Place() { place_.write("job.toml", kJob); }

  Answer run(const std::vector<std::string>& words, const Fault& fault = {}) const {
    return place_.vida(
        words, {std::string("LD_PRELOAD=") + VIDA_FAILING_CALLS, "VIDA_FAULT_FOLDER=" + place_.path("out").string(),
                "VIDA_FAULT_AT=" + std::to_string(fault.at), "VIDA_FAULT_ERROR=" + std::to_string(fault.error),
                std::string("VIDA_FAULT_LASTING=") + (fault.lasting ? "1" : "0"),
                "VIDA_FAULT_COUNT=" + place_.path("count").string()});
  }
  long calls() const { return std::stol(place_.read("count")); }
  std::filesystem::path path(const std::string& name) const { return place_.path(name); }

  /// Everything in `out`, hidden files too, but for the state of a run that can go on.
  Files out() const {
    Files files;
    for (const auto& name : place_.files())
      if (name.starts_with("out/") && name.find("checkpoint.safetensors") == name.npos)
        files[name.substr(4)] = place_.read(name);
    return files;
  }
  void set_out(const Files& files) const {
    std::filesystem::remove_all(path("out"));
    std::filesystem::create_directory(path("out"));
    for (const auto& [name, content] : files) place_.write("out/" + name, content);
  }

 private:
  Workplace place_;
};

/// The words that go on with the new job, or find that there is nothing to go on with.
const std::vector<std::string> kGoOn = {"run", "job.toml", "--resume", "out", "--quiet", "--set", "seed=2"};

std::vector<std::string> names_of(const Files& files) {
  std::vector<std::string> names;
  for (const auto& file : files) names.push_back(file.first);
  return names;
}

/// The seed is what tells the old result from the new one in each of its files.
std::vector<std::string> job(int seed) {
  return {"run", "job.toml", "--out", "out", "--force", "--quiet", "--set", "seed=" + std::to_string(seed)};
}

/// The seed that each file of a result tells of; -1: another set of files.
std::vector<long> seeds_in(const Place& place, const Files& files) {
  if (names_of(files) != std::vector<std::string>{"config.toml", "result.nc", "summary.json"}) return {-1};
  const auto number_behind = [](const std::string& text, const std::string& key) {
    const auto found = text.find(key);
    return found == text.npos ? -2 : std::stol(text.substr(found + key.size()));
  };
  const std::string configuration =
      io::NetcdfReader(place.path("out") / "result.nc").text_attribute("", "configuration");
  return {number_behind(files.at("config.toml"), "seed = "), number_behind(files.at("summary.json"), "\"seed\": "),
          number_behind(configuration, "seed = ")};
}

/// Calls from 1 to the last: every one of the last sixty, where files get their names, and some of the many before with
/// which HDF5 writes.
std::vector<long> calls_to_fail(long last) {
  std::vector<long> calls;
  for (long at = 1; at <= last; at += last - at > 60 ? 9 : 1) calls.push_back(at);
  return calls;
}

/// Another error for each call: how it fails makes no difference to the program.
int error_of(long at) { return std::array{ENOSPC, EROFS, EIO}[static_cast<std::size_t>(at % 3)]; }

/// Without the second names of an older result and temporary ones of a run that ended.
Files visible(Files files) {
  std::erase_if(files, [](const auto& file) { return file.first.starts_with('.'); });
  return files;
}

const std::vector<long> kOld = {1, 1, 1}, kNew = {2, 2, 2};

class Faults : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(place_.run(job(1)).code, 0);
    old_ = place_.out();
    const Answer answer = place_.run(job(2));
    ASSERT_EQ(answer.code, 0) << answer.err;
    calls_ = place_.calls();
    ASSERT_EQ(seeds_in(place_, place_.out()), kNew);
    ASSERT_GT(calls_, 20);  // writes of three files, their names, and what makes both last
  }
  Place place_;
  Files old_;
  long calls_ = 0;
};

/// The run fails with a message and leaves the old result byte for byte and nothing else; or it does not need the call
/// and leaves the new one. NetCDF's library ends on a segmentation fault (4.9.0) when the very last of its writes
/// fails, which marks the file as closed: then there is no message, and a temporary file stays.
void expect_old_or_new(const Place& place, const Files& old, const Fault& fault) {
  place.set_out(old);
  const Answer answer = place.run(job(2), fault);
  const auto said = name_of(fault) + " gave " + std::to_string(answer.code) + " and said " + answer.err;
  if (answer.code == 0) {
    EXPECT_EQ(seeds_in(place, visible(place.out())), kNew) << said;
  } else if (answer.code == -SIGSEGV) {
    EXPECT_TRUE(visible(place.out()) == old) << said;
  } else {
    EXPECT_THAT(answer.err, ::testing::StartsWith("vida: ")) << said;
    EXPECT_TRUE(place.out() == old) << said;
  }
}

TEST_F(Faults, AFailingCallLeavesTheOldResult) {
  for (const long at : calls_to_fail(calls_)) expect_old_or_new(place_, old_, {at, error_of(at)});
}

TEST_F(Faults, AKilledRunLeavesTheOldResultOrTheNewOne) {
  for (const long at : calls_to_fail(calls_)) {
    const Fault fault{at};
    place_.set_out(old_);
    ASSERT_EQ(place_.run(job(2), fault).code, -SIGKILL) << name_of(fault);
    if (const Files files = visible(place_.out()); files.contains("summary.json")) {  // what a reader takes
      EXPECT_THAT(seeds_in(place_, files), ::testing::AnyOf(kOld, kNew)) << name_of(fault);
    }
    const Answer next = place_.run(kGoOn);
    EXPECT_EQ(next.code, 0) << name_of(fault) << " " << next.err;
    Files files = place_.out();
    std::erase_if(files, [](const auto& file) { return file.first.ends_with(".tmp"); });
    EXPECT_THAT(seeds_in(place_, files), ::testing::AnyOf(kOld, kNew)) << name_of(fault);
  }
}

/// When even the way back fails both results may be there; the next run keeps the new one if all of it has its names.
TEST_F(Faults, ADiskThatStaysBadKeepsOneResult) {
  for (const long at : calls_to_fail(calls_)) {
    const Fault fault{at, at % 2 ? ENOSPC : EROFS, true};
    place_.set_out(old_);
    const Answer answer = place_.run(job(2), fault);
    if (answer.code == 0) continue;                          // only what tidies up failed
    EXPECT_EQ(place_.run(kGoOn).code, 0) << name_of(fault);  // on a disk that is good again
    Files files = place_.out();
    std::erase_if(files, [](const auto& file) { return file.first.ends_with(".tmp"); });
    EXPECT_TRUE(files == old_ || seeds_in(place_, files) == kNew)
        << name_of(fault) << " gave " << answer.code << " and said " << answer.err;
  }
}

TEST(FaultsOfAFirstResult, AFailingCallLeavesNoFolder) {
  const Place place;
  ASSERT_EQ(place.run(job(2)).code, 0);
  for (const long at : calls_to_fail(place.calls())) {
    std::filesystem::remove_all(place.path("out"));
    const Fault fault{at, error_of(at)};
    const Answer answer = place.run(job(2), fault);
    if (answer.code == 0) {
      EXPECT_EQ(seeds_in(place, place.out()), kNew) << name_of(fault);
    } else if (answer.code != -SIGSEGV) {
      EXPECT_FALSE(std::filesystem::exists(place.path("out"))) << name_of(fault) << " said " << answer.err;
    }
  }
}

TEST(FaultsOfSample, AFailingCallLeavesTheOldFile) {
  const Place place;
  const FlowShape shape{.dimension = 2, .context = 0, .layers = 2, .hidden = 3, .depth = 1};
  io::write_flows(place.path("flow.safetensors"), {shape, Matrix({1, flow_parameter_count(shape)}, 0.1), {}});
  const std::vector<std::string> words = {"sample", "flow.safetensors", "--count", "5",
                                          "--out",  "out/x.nc",         "--force", "--quiet"};
  place.set_out({{"x.nc", "precious"}});
  ASSERT_EQ(place.run(words).code, 0);
  const Files whole = place.out();
  const long calls = place.calls();
  for (const long at : calls_to_fail(calls)) {
    const Fault fault{at, error_of(at)};
    place.set_out({{"x.nc", "precious"}});
    const Answer answer = place.run(words, fault);
    const auto said = name_of(fault) + " gave " + std::to_string(answer.code) + " and said " + answer.err;
    if (at == calls) {  // the new file has its name; whether that is on disk is what could not be found out
      EXPECT_TRUE(answer.code != 0 && place.out() == whole) << said;
    } else if (answer.code == 0) {  // HDF5 tries to open a file before it makes it
      EXPECT_TRUE(place.out() == whole) << said;
    } else {
      EXPECT_TRUE(visible(place.out()) == (Files{{"x.nc", "precious"}})) << said;
    }
  }
}

}  // namespace
}  // namespace vida::test
