// What the program says to input that it cannot use: one clear message, the exit code, and no file left behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "cli/program.hpp"
#include "io/netcdf.hpp"
#include "vida/device.hpp"

namespace vida::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

/// Runs the small job with these words; nothing but its configuration may be in the folder afterwards.
void expect_refused(const std::vector<std::string>& words, const std::string& message) {
  const Workplace place;
  place.write("small.toml", kSmallJob);
  std::vector<std::string> all = {"run", "small.toml"};
  all.insert(all.end(), words.begin(), words.end());
  const auto answer = place.vida(all);
  EXPECT_EQ(answer.code, 2) << ::testing::PrintToString(words);
  EXPECT_THAT(answer.err, StartsWith("vida: "));
  EXPECT_THAT(answer.err, HasSubstr(message));
  EXPECT_EQ(std::count(answer.err.begin(), answer.err.end(), '\n'), 1) << answer.err;
  EXPECT_THAT(answer.out, IsEmpty());
  EXPECT_THAT(place.files(), ElementsAre("small.toml"));
}

/// vida check says the same.
void expect_setting_refused(const std::string& setting, const std::string& message) {
  expect_refused({"--set", setting}, message);
  const Workplace place;
  place.write("small.toml", kSmallJob);
  const auto checked = place.vida({"check", "small.toml", "--set", setting}),
             run = place.vida({"run", "small.toml", "--set", setting});
  EXPECT_EQ(checked.code, 2);
  EXPECT_EQ(checked.err, run.err);
  EXPECT_THAT(checked.out, IsEmpty());
}

TEST(BadInput, AnUnknownKeyIsAnsweredWithTheNearestOne) {
  expect_setting_refused("optimizer.itertions=3",
                         "optimizer.itertions is not a setting; did you mean optimizer.iterations?");
  expect_setting_refused("zebra.stripes=3",
                         "zebra.stripes is not a setting; 'vida init learn-gain' shows all of them.");
  expect_setting_refused("ensemble.steps=3", "ensemble.steps is not a setting of job \"learn-gain\".");
  expect_setting_refused("job=learn-gian", "Did you mean \"learn-gain\"?");
}

TEST(BadInput, AWrongTypeNamesWhatIsExpected) {
  expect_setting_refused("model.n=forty", "model.n = \"forty\": expected a whole number of at least 4.");
  expect_setting_refused("model.n=40.5", "model.n = 40.5: expected a whole number of at least 4.");
  expect_setting_refused("model.dt=true", "model.dt is of type boolean: expected a number above 0.");
  expect_setting_refused("observations.noise=[1, 'a']", "observations.noise is a list with an entry of type string");
}

TEST(BadInput, TooFewVariables) {
  expect_setting_refused("model.n=3", "model.n = 3: expected a whole number of at least 4.");
}

TEST(BadInput, NoiseMustBePositiveAndProcessNoiseMayBeZero) {
  expect_setting_refused("observations.noise=0", "observations.noise = 0: expected a number above 0");
  expect_setting_refused("observations.noise=[1, 1, 1, 1, 1, 1, 1, -1]", "expected a number above 0");
  expect_setting_refused("model.process_noise=-0.1", "model.process_noise = -0.1: expected a number of at least 0");
  expect_setting_refused("observations.noise=[1, 2]", "observations.noise lists 2 numbers; there are 8 observations.");
  const Workplace place;
  place.write("small.toml", kSmallJob);
  EXPECT_EQ(place.vida({"run", "small.toml", "--set", "model.process_noise=0"}).code, 0);
}

TEST(BadInput, OperatorsThatDoNotFitTheModel) {
  expect_setting_refused("observations.operator=every:9", "the model has only 8 components");
  expect_setting_refused("observations.operator=matrix", "needs H [obs, state] in observations.file");
  expect_setting_refused("observations.operator=indices", "needs observations.indices");
  expect_setting_refused("model.process_noise=file", "needs Q in observations.file, which is not set");
  expect_refused({"--set", "observations.operator=every:3", "--set", "gain.structure=circulant"}, "circulant");
}

TEST(BadInput, AxesThatCannotBeBatched) {
  expect_setting_refused("batch.model.n=[8, 12]", "[batch] model.n: this setting must be the same in every run");
  expect_setting_refused("batch.seed=[]", "[batch] seed = []: give at least one value.");
  expect_setting_refused("batch.seed=1", "[batch] seed: expected a list");
  expect_setting_refused("batch.sed=[1]", "did you mean seed?");
}

TEST(BadInput, ConfigurationsThatCannotBeRead) {
  const Workplace place;
  EXPECT_THAT(place.vida({"run", "none.toml"}).err, HasSubstr("'none.toml' does not exist."));
  EXPECT_EQ(place.vida({"run", "none.toml"}).code, 2);
  place.write("broken.toml", "job = 'learn-gain'\n[model\n");
  const auto broken = place.vida({"run", "broken.toml"});
  EXPECT_EQ(broken.code, 2);
  EXPECT_THAT(broken.err, StartsWith("vida: broken.toml:2:"));
  place.write("wrong.toml", "job = 'learn-gain'\n\n[model]\nforcng = 8\n");
  EXPECT_THAT(place.vida({"run", "wrong.toml"}).err,
              HasSubstr("wrong.toml:4: model.forcng is not a setting; did you mean model.forcing?"));
  place.write("nojob.toml", "[model]\nn = 40\n");
  EXPECT_THAT(place.vida({"run", "nojob.toml"}).err, HasSubstr("job is missing"));
}

TEST(BadInput, CommandLinesThatMeanNothing) {
  const Workplace place;
  EXPECT_EQ(place.vida({}).code, 2);
  const auto near = place.vida({"rn"});
  EXPECT_EQ(near.code, 2);
  EXPECT_THAT(near.err, HasSubstr("rn is not a command; did you mean run?"));
  EXPECT_EQ(place.vida({"run"}).code, 2);
  EXPECT_THAT(place.vida({"init", "learngain"}).err, HasSubstr("did you mean learn-gain?"));
  expect_refused({"--set", "nonsense"}, "--set nonsense: expected section.key=value.");
  expect_refused({"--threads", "-1"}, "--threads -1");
}

TEST(BadInput, AGpuThatIsNotThere) {
  if (cuda_status().devices > 0) GTEST_SKIP() << "this machine has a GPU";
  expect_refused({"--device", "cuda"}, "--device cuda: ");
  expect_refused({"--device", "gpu"}, "--device gpu: expected auto, cpu, cuda or cuda:K");
  const Workplace place;
  place.write("small.toml", kSmallJob);
  EXPECT_EQ(place.vida({"run", "small.toml"}, {"VIDA_DEVICE=cuda"}).code, 2);
  EXPECT_EQ(place.vida({"run", "small.toml", "--device", "cpu"}, {"VIDA_DEVICE=cuda"}).code, 0);
}

TEST(BadInput, AnOutputFolderThatCannotBeWritten) {
  expect_refused({"--out", "/proc/nothing"}, "--out '/proc/nothing': the folder cannot be made");
  expect_refused({"--out", "small.toml"}, "--out 'small.toml' is a file; name a folder");
}

TEST(BadInput, AResultIsNotReplacedWithoutForce) {
  const Workplace place;
  place.write("small.toml", kSmallJob);
  ASSERT_EQ(place.vida({"run", "small.toml", "--out", "o"}).code, 0);
  const std::string before = place.read("o/gain.nc");
  const auto refused = place.vida({"run", "small.toml", "--out", "o", "--set", "seed=1"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("already holds a result. Add --force"));
  const auto failed = place.vida({"run", "small.toml", "--out", "o", "--force", "--set", "observations.file=none.nc"});
  EXPECT_EQ(failed.code, 2);
  EXPECT_EQ(place.read("o/gain.nc"), before);
  EXPECT_EQ(place.vida({"run", "small.toml", "--out", "o", "--force", "--set", "seed=1"}).code, 0);
  EXPECT_NE(place.read("o/gain.nc"), before);
}

TEST(BadInput, AGainWhoseCostIsNotFiniteLeavesNothing) {
  const Workplace place;
  place.write("small.toml", kSmallJob);
  const auto answer = place.vida({"run", "small.toml", "--set", "gain.initial=1e200"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_THAT(answer.err, HasSubstr("nothing usable"));
  EXPECT_THAT(place.files(), ElementsAre("small.toml"));
}

TEST(BadInput, AFullDiskLeavesNoPartialFile) {
  const Workplace place;
  place.write("small.toml", kSmallJob);
  const auto answer = place.vida_on_a_small_disk({"run", "small.toml", "--quiet"}, 20000);
  EXPECT_EQ(answer.code, 1);
  EXPECT_THAT(
      answer.err,
      AllOf(StartsWith("vida: the run has ended by an error; its state is kept, and 'vida run --resume runs/small'"),
            HasSubstr("\nvida: '")));
  EXPECT_THAT(place.files(), ElementsAre("runs", "runs/small", "runs/small/checkpoint.safetensors", "small.toml"));
  const auto resumed = place.vida({"run", "--resume", "runs/small"}, {"PATH=/nowhere"});  // there is room again
  EXPECT_EQ(resumed.code, 0) << resumed.err;
}

/// A small data file whose parts the tests change.
struct Data {
  Matrix y = Matrix({10, 8}, 1.0), R = scaled_identity(8, 1.0), Q = scaled_identity(8, 0.1);
  Matrix truth;
  void write(const std::filesystem::path& path) const {
    io::NetcdfWriter file(path);
    file.put("y", {"cycle", "obs"}, y, {"observations"});
    file.put("R", {"r1", "r2"}, R, {"noise"});
    file.put("Q", {"q1", "q2"}, Q, {"process noise"});
    if (!truth.empty()) file.put("truth", {"t1", "t2"}, truth, {"truth"});
    file.close();
  }
};

Answer run_on(const Workplace& place, const Data& data, std::vector<std::string> words = {}) {
  data.write(place.path("obs.nc"));
  place.write(
      "d.toml",
      "job = 'learn-gain'\n[observations]\nfile = 'obs.nc'\n[optimizer]\niterations = 2\n[test]\ncycles = 10\n");
  words.insert(words.begin(), {"run", "d.toml", "--out", "o"});
  return place.vida(words);
}

void expect_data_refused(const Data& data, const std::string& message, const std::vector<std::string>& words = {}) {
  const Workplace place;
  const auto answer = run_on(place, data, words);
  EXPECT_EQ(answer.code, 2);
  EXPECT_THAT(answer.err, HasSubstr(message));
  EXPECT_THAT(place.files(), ElementsAre("d.toml", "obs.nc"));
}

TEST(BadData, AMissingFileOrVariable) {
  expect_setting_refused("observations.file=none.nc", "observations.file: 'none.nc' does not exist.");
  expect_setting_refused("gain.file=none.nc", "gain.file: 'none.nc' does not exist.");
  expect_setting_refused("observations.file=small.toml", "cannot be read as NetCDF");
}

TEST(BadData, ShapesThatDisagree) {
  Data data;
  data.truth = Matrix({9, 8});
  expect_data_refused(data, "holds truth with shape [9, 8], but y with shape [10, 8] needs [cycle, state] = [10, 8]");
  data = {};
  data.R = scaled_identity(7, 1.0);
  expect_data_refused(data, "holds R with shape [7, 7]");
  data = {};
  data.Q = scaled_identity(16, 0.1);
  expect_data_refused(data,
                      "'obs.nc' holds y with shape [10, 8], but observations.operator \"identity\" needs [cycle, 16]. "
                      "Set observations.operator = \"every:2\", or give H (8 x 16) in the file.");
}

TEST(BadData, MatricesThatAreNoCovariance) {
  Data data;
  data.R(0, 1) = 0.5;
  expect_data_refused(data, "R is not symmetric");
  data = {};
  data.R(3, 3) = -1;
  expect_data_refused(data, "definite");
  data = {};
  data.Q(3, 3) = -1;
  expect_data_refused(data, "definite");
  data = {};
  data.Q(3, 3) = std::numeric_limits<double>::quiet_NaN();
  expect_data_refused(data, "Q holds a value that is not finite");
}

TEST(BadData, AValueInBothPlacesThatDiffers) {
  expect_data_refused({}, "model.n = 12, but 'obs.nc' holds states with n = 8", {"--set", "model.n=12"});
  expect_data_refused({}, "observations.cycles = 11", {"--set", "observations.cycles=11"});
  expect_data_refused({}, "observations.noise = 2.0, but 'obs.nc' holds R that is another matrix",
                      {"--set", "observations.noise=2"});
  expect_data_refused({}, "observations.start is for simulated observations", {"--set", "observations.start=filter"});
  const Workplace place;
  EXPECT_EQ(run_on(place, {}, {"--set", "observations.noise=1", "--set", "model.n=8"}).code, 0);
}

TEST(BadData, AnAxisOfTheFileIsABatchOfDataSets) {
  const Workplace place;
  {
    io::NetcdfWriter file(place.path("sets.nc"));
    Array<double, 3> y({2, 10, 8}, 1.0);
    for (double& value : y[1]) value = 2.0;
    file.put("y", {"set", "cycle", "obs"}, y, {"observations"});
    file.close();
  }
  place.write("e.toml", "job = 'evaluate-gain'\n[model]\nn = 8\n[observations]\nfile = 'sets.nc'\n");
  const auto answer = place.vida({"run", "e.toml", "--out", "o"});
  ASSERT_EQ(answer.code, 0) << answer.err;
  const auto cost = io::NetcdfReader(place.path("o/result.nc")).values("cost");
  ASSERT_EQ(cost.size(), 2U);
  EXPECT_NE(cost[0], cost[1]);
}

TEST(BadData, AMissingObservationIsNoError) {
  const Workplace place;
  Data data;
  data.y(3, 2) = data.y(4, 0) = std::numeric_limits<double>::quiet_NaN();
  const auto answer = run_on(place, data);
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.err, HasSubstr("without a truth: scores that need it are left out"));
  EXPECT_THAT(place.read("o/summary.json"), HasSubstr("\"mse_train\": null"));
}

}  // namespace
}  // namespace vida::test
