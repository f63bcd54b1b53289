// The jobs flow-vi and amortized, run as a user would.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "cli/inference_jobs.hpp"
#include "io/flow_file.hpp"

namespace vida::test {
namespace {

using io::NetcdfReader;
using ::testing::Contains;
using ::testing::HasSubstr;

const std::string kFour =
    "[problem]\nobservation = [[.1615, .1868, .3949, .3728, .4177], [-.0072, .0427, .0505, .0638, .0729], "
    "[.20, .40, .60, .75, .85], [.18, .32, .42, .49, .54]]\n";
const std::string kSmall =
    "[flow]\nlayers = 4\nhidden = 16\n[train]\nsteps = 60\ndraws = 64\nvalidate_every = 20\nvalidation_draws = 256\n";

std::string leading_zeros(std::string text) {  // TOML wants a digit before the point
  for (std::size_t at = 0; (at = text.find('.', at)) != text.npos; ++at)
    if (at == 0 || !std::isdigit(static_cast<unsigned char>(text[at - 1]))) text.insert(at++, "0");
  return text;
}

Answer run(const Workplace& place, const std::string& job, const std::string& text) {
  place.write("f.toml", "job = '" + job + "'\n" + text);
  return place.vida({"run", "f.toml", "--out", "o", "--force", "--device", "cpu", "--threads", "1"});
}

TEST(FlowViJob, ReachesThePosteriorFromItsDefaultsReferenceRun) {
  const Workplace place;
  const auto answer = run(place, "flow-vi", "");
  ASSERT_EQ(answer.code, 0) << answer.err;
  const auto one = summary_of(place)["examined"][0];
  EXPECT_LT(one["kl"], 0.002);
  EXPECT_LT(one["k_hat"], 0.6);  // the median of ten such sets is below 0.5
  for (std::size_t k = 0; k < 2; ++k) {
    EXPECT_NEAR(one["q_mean"][k], one["true_mean"][k], 0.02);
    EXPECT_NEAR(one["corrected_mean"][k], one["true_mean"][k], 0.005);
  }
}

TEST(FlowViJob, FitsABatchAndKeepsWhatItFound) {
  const Workplace place;
  const auto answer =
      run(place, "flow-vi", leading_zeros(kFour) + kSmall + "[diagnostics]\ndraws = 2000\nproblems = 2\n");
  ASSERT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.out, HasSubstr("and 2 more problems in result.nc"));
  const NetcdfReader result(place.path("o/result.nc"));
  EXPECT_EQ(result.shape("loss"), (std::vector<long>{4, 60}));
  EXPECT_EQ(result.shape("validation"), (std::vector<long>{4, 3}));
  EXPECT_EQ(result.shape("log_q"), (std::vector<long>{2, 160, 160}));
  EXPECT_EQ(result.shape("latent"), (std::vector<long>{2, 500, 2}));
  const auto elbo = result.values("elbo"), evidence = result.values("true_log_evidence");
  for (std::size_t i = 0; i < 2; ++i) EXPECT_LT(elbo[i], evidence[i] + 0.3) << "a bound, beyond the noise of 256 draws";
  const auto flows = io::read_flows(place.path("o/flow.safetensors"));
  EXPECT_EQ(flows.shape.hidden, 16);
  EXPECT_EQ(flows.parameters.extent(0), 4);
  EXPECT_EQ(flows.metadata.at("target"), "oxygen-demand");
  const auto files = place.files();
  for (const char* name : {"posterior", "latent", "weights", "loss"})
    EXPECT_TRUE(std::any_of(files.begin(), files.end(), [&](const auto& file) {
      return file.starts_with(std::string("o/figures/") + name);
    })) << name;
}

TEST(FlowViJob, TheSavedFlowIsTheOneThatWasExamined) {
  const Workplace place;
  ASSERT_EQ(run(place, "flow-vi", kSmall + "[diagnostics]\ndraws = 600\n").code, 0);
  const auto drawn = place.vida({"sample", "o/flow.safetensors", "--count", "500", "--precision", "float64", "--out",
                                 "s.nc", "--device", "cpu", "--threads", "1"});
  ASSERT_EQ(drawn.code, 0) << drawn.err;
  const auto x = NetcdfReader(place.path("s.nc")).values("x"),
             draws = NetcdfReader(place.path("o/result.nc")).values("draws");
  EXPECT_EQ(x, draws);
}

TEST(FlowViJob, HearsItsOptions) {
  const Workplace place;
  const auto losses = [&](const std::string& text) {
    const auto answer = run(place, "flow-vi", text + "[diagnostics]\nproblems = 0\n");
    EXPECT_EQ(answer.code, 0) << text << answer.err;
    return NetcdfReader(place.path("o/result.nc")).values("loss");
  };
  const auto plain = losses(kSmall);  // which ends within [train]
  for (const char* option :
       {"schedule = 'constant'\n", "clip = 0.01\n", "decay = 0.5\n", "gradient = 'stick-the-landing'\n",
        "initial = 'random'\n", "search = [1e-5, 1e-2]\nsearch_steps = 20\n", "step = 0.01\n",
        "schedule = 'plateau'\nplateau_patience = 1\nplateau_factor = 0.1\n"})
    EXPECT_NE(losses(kSmall + option), plain) << option;
}

TEST(FlowViJob, WorksInMoreDimensionsAndOnDensitiesWithoutData) {
  const Workplace place;
  write_linear(place);
  auto answer = run(place, "flow-vi",
                    "[problem]\ntarget = 'linear-gaussian'\nfile = 'linear.nc'\nnoise_variance = 0.3\n" + kSmall +
                        "step = 0.01\n[diagnostics]\ndraws = 2000\n");
  ASSERT_EQ(answer.code, 0) << answer.err;
  const auto one = summary_of(place)["examined"][0];
  EXPECT_NEAR(one["log_evidence"], one["true_log_evidence"], 0.1);
  EXPECT_GT(one["kl"], -0.05);
  answer = run(place, "flow-vi", "[problem]\ntarget = 'two-moons'\n" + kSmall + "[diagnostics]\ndraws = 2000\n");
  ASSERT_EQ(answer.code, 0) << answer.err;
}

TEST(FlowJobs, RefuseWhatTheyCannotUse) {
  const Workplace place;
  const auto refused = [&](const std::string& job, const std::string& text) {
    const auto answer = run(place, job, text);
    EXPECT_EQ(answer.code, 2) << text;
    EXPECT_EQ(std::count(answer.err.begin(), answer.err.end(), '\n'), 1) << answer.err;
    return answer.err;
  };
  EXPECT_THAT(refused("flow-vi", "[train]\ndraws = 0\n"), HasSubstr("train.draws = 0: expected a whole number"));
  EXPECT_THAT(refused("flow-vi", "[train]\nsearch = [0.1, -1.0]\n"), HasSubstr("train.search"));
  EXPECT_THAT(refused("flow-vi", "[train]\nvalidate_every = 0\npatience = 3\n"), HasSubstr("nothing is validated"));
  EXPECT_THAT(refused("flow-vi", "[problem]\nobservation = [1, 2, 3, 4, nan]\n"), HasSubstr("nan"));
  EXPECT_THAT(refused("flow-vi", "[problem]\nobservation = [1, 2, 3, 4, 5, 6]\n"), HasSubstr("a list of 5 numbers"));
  EXPECT_THAT(refused("flow-vi", "[batch]\n'seed' = [1, 2]\n"), HasSubstr("[batch] is not part of job \"flow-vi\""));
  EXPECT_THAT(refused("amortized", "[problem]\ntarget = 'banana'\n"), HasSubstr("Use flow-vi."));
  EXPECT_THAT(refused("amortized", "[train]\ngradient = 'full'\n"), HasSubstr("not a setting of job \"amortized\""));
  EXPECT_THAT(refused("amortized", "[flow]\nhidden = 0\n"), HasSubstr("flow.hidden = 0"));
}

TEST(AmortizedJob, LearnsOneMapForEveryObservationReferenceRun) {
  const Workplace place;
  const auto answer = run(place, "amortized",
                          leading_zeros(kFour) +
                              "[flow]\nhidden = 32\n[train]\nsteps = 1500\ndraws = 256\nstep = 0.005\n[diagnostics]\n"
                              "joint_draws = 2000\nreplications = 200\ndraws = 20000\n");
  ASSERT_EQ(answer.code, 0) << answer.err;
  const auto summary = summary_of(place);
  EXPECT_LT(summary["mean_kl"], 0.06);
  EXPECT_GT(summary["mean_kl"], 0);
  for (std::size_t k = 0; k < 2; ++k) {
    EXPECT_NEAR(summary["coverage_90"][k], 0.9, 0.08);
    EXPECT_GT(summary["rank_p_value"][k], 1e-4);
  }
  for (std::size_t i = 0; i < 4; ++i)
    for (std::size_t k = 0; k < 2; ++k)
      EXPECT_NEAR(summary["examined"][i]["q_mean"][k], summary["examined"][i]["true_mean"][k], 0.2) << i;
}

TEST(AmortizedJob, WritesWhatItFound) {
  const Workplace place;
  const auto answer = run(place, "amortized",
                          leading_zeros(kFour) + kSmall +
                              "[diagnostics]\njoint_draws = 300\nreplications = 100\ndraws = 500\nproblems = 2\n");
  ASSERT_EQ(answer.code, 0) << answer.err;
  EXPECT_THAT(answer.out, HasSubstr("KL(posterior || q)"));
  const NetcdfReader result(place.path("o/result.nc"));
  EXPECT_EQ(result.shape("rank"), (std::vector<long>{100, 2}));
  EXPECT_EQ(result.shape("joint_latent"), (std::vector<long>{300, 2}));
  EXPECT_EQ(result.shape("y"), (std::vector<long>{2, 5}));
  EXPECT_EQ(io::read_flows(place.path("o/flow.safetensors")).shape.context, 5);
  EXPECT_EQ(place
                .vida({"sample", "o/flow.safetensors", "--count", "3", "--context", "0.1,0.2,0.3,0.4,0.5", "--out",
                       "s.nc", "--device", "cpu"})
                .code,
            0);
}

TEST(AmortizedJob, IsHeldAgainstTheExactEvidenceInMoreDimensions) {
  const Workplace place;
  write_linear(place);
  const auto answer = run(place, "amortized",
                          "[problem]\ntarget = 'linear-gaussian'\nfile = 'linear.nc'\nnoise_variance = 0.3\n" + kSmall +
                              "step = 0.01\n[diagnostics]\njoint_draws = 500\nreplications = 0\ndraws = 500\n");
  ASSERT_EQ(answer.code, 0) << answer.err;
  const double kl = summary_of(place)["mean_kl"];
  EXPECT_GT(kl, 0);
  EXPECT_LT(kl, 1.5);
  EXPECT_FALSE(NetcdfReader(place.path("o/result.nc")).has("rank"));
}

}  // namespace
}  // namespace vida::test
