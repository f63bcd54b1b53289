// Long calls that are cut off and go on: they must end with the bits of a call that never stopped.
#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <functional>

#include "backend/archive.hpp"
#include "backends.hpp"
#include "messages.hpp"
#include "vida/vida.hpp"

namespace vida {
namespace {

using testing::kOnShim;
using testing::message_of;
using testing::OnEveryBackend;

/// The process died.
struct Killed {};

/// The latest state of a call. Wants a state whenever it is asked.
class Memory final : public Checkpoints {
 public:
  Snapshot found() override { return state; }
  bool due() override { return true; }
  void keep(Snapshot latest) override {
    state = std::move(latest);
    if (dies && ++kept_ == kLife) throw Killed();
  }
  void live_again() { kept_ = 0; }

  Snapshot state;
  bool dies = true;  ///< after it kept so many states

 private:
  static constexpr int kLife = 2;
  int kept_ = 0;
};

template <class Values>
bool same_bits(const Values& a, const Values& b) {
  using T = std::remove_cvref_t<decltype(*a.begin())>;
  if (std::ssize(a) != std::ssize(b)) return false;
  return a.size() == 0 ||
         std::memcmp(&*a.begin(), &*b.begin(), static_cast<std::size_t>(std::ssize(a)) * sizeof(T)) == 0;
}

/// Calls again and again, each time until the process dies; the result of the last call, which comes to its end.
template <class Call>
auto after_deaths(const Call& call, int& deaths) {
  Memory memory;
  for (deaths = 0;; ++deaths) try {
      memory.live_again();
      return call([] { return true; }, &memory);
    } catch (const Killed&) {
      EXPECT_LT(deaths, 1000) << "the call does not come to its end";
      if (deaths >= 1000) throw;
    }
}

/// Calls again and again, each time told to stop at its second report.
template <class Call>
auto after_stops(const Call& call, int& stops) {
  Memory memory;
  memory.dies = false;
  for (stops = 0;; ++stops) {
    int reports = 0;
    bool stopped = false;
    auto result = call(
        [&] {
          stopped |= ++reports == 2;
          return !stopped;
        },
        &memory);
    if (!stopped) return result;
    if (stops >= 1000) {
      ADD_FAILURE() << "the call does not come to its end";
      return result;
    }
  }
}

class Resume : public OnEveryBackend {
 protected:
  /// call(go_on, checkpoints) with a function of no arguments that says whether to go on; `same` compares results.
  template <class Call, class Same>
  void expect_unbroken(const Call& call, const Same& same) const {
    const auto whole = call([] { return true; }, nullptr);
    int deaths = 0, stops = 0;
    same(after_deaths(call, deaths), whole);
    EXPECT_GT(deaths, 0);
    same(after_stops(call, stops), whole);
    EXPECT_GT(stops, 0);
  }
};
VIDA_ON_EVERY_BACKEND(Resume);

/// Lorenz-96 with 8 variables, all observed.
FilterProblem twin_problem(std::uint64_t seed, long cycles, double process_noise = 0.1) {
  constexpr int n = 8;
  FilterProblem problem{{.model = Lorenz96{.n = n},
                         .process_noise = scaled_identity(n, process_noise),
                         .observation_operator = scaled_identity(n, 1),
                         .observation_noise = scaled_identity(n, 1),
                         .initial_mean = Vector({n}, 1.0),
                         .initial_covariance = scaled_identity(n, 1)},
                        {},
                        seed};
  const TwinOptions twin{.cycles = cycles, .seed = seed};
  problem.data = simulate(Device::cpu(1), {&problem.system, 1}, {&twin, 1})[0];
  return problem;
}

TEST_P(Resume, OfLearnedGains) {
  const Device here = device();
  std::vector<FilterProblem> problems;
  for (const std::uint64_t seed : {1, 2, 3}) problems.push_back(twin_problem(seed, kOnShim ? 4 : 20));
  const Matrix initial = scaled_identity(8, 0.5);
  const std::vector<GainRun> runs = {{{0, 1}, initial, 1e-3}, {{1}, initial, 1e6}, {{2}, initial, 1e-2}};
  for (const std::string optimizer : {"gradient-descent", "adam"})
    expect_unbroken(
        [&](const auto& go_on, Checkpoints* checkpoints) {
          return learn_gain(
              here, problems, runs, {.optimizer = optimizer, .iterations = 5},
              [&](const GainProgress&) { return go_on(); }, checkpoints);
        },
        [&](const LearnGainResult& found, const LearnGainResult& whole) {
          for (std::size_t i = 0; i < runs.size(); ++i) {
            const LearnedGain &a = found.runs[i], &b = whole.runs[i];
            EXPECT_TRUE(same_bits(a.gain, b.gain)) << optimizer << i;
            EXPECT_TRUE(same_bits(a.cost, b.cost)) << optimizer << i;
            EXPECT_TRUE(same_bits(a.mse, b.mse)) << optimizer << i;
            EXPECT_TRUE(same_bits(a.kl_to_ekf, b.kl_to_ekf)) << optimizer << i;
            EXPECT_TRUE(same_bits(a.analysis_mean, b.analysis_mean)) << optimizer << i;
            EXPECT_EQ(a.iterations, b.iterations);
            EXPECT_EQ(a.converged, b.converged);
            EXPECT_EQ(a.flagged_at, b.flagged_at);
            EXPECT_FALSE(a.stopped);
          }
          for (std::size_t k = 0; k < problems.size(); ++k)
            EXPECT_TRUE(same_bits(found.ekf[k].analysis_mean, whole.ekf[k].analysis_mean)) << k;
        });
}

TEST_P(Resume, OfGroupsOfLearnedGains) {  // memory for one run at a time
  const Device here({.name = GetParam(), .threads = 2, .memory_limit = std::size_t{4} << 20});
  std::vector<FilterProblem> problems;
  for (const std::uint64_t seed : {1, 2}) problems.push_back(twin_problem(seed, kOnShim ? 3 : 20));
  const std::vector<GainRun> runs = {{{0}, scaled_identity(8, 0.5), 1e-3}, {{1}, scaled_identity(8, 0.4), 1e-3}};
  expect_unbroken(
      [&](const auto& go_on, Checkpoints* checkpoints) {
        return learn_gain(
            here, problems, runs, {.iterations = 3}, [&](const GainProgress&) { return go_on(); }, checkpoints);
      },
      [&](const LearnGainResult& found, const LearnGainResult& whole) {
        for (std::size_t i = 0; i < runs.size(); ++i)
          EXPECT_TRUE(same_bits(found.runs[i].gain, whole.runs[i].gain)) << i;
      });
}

TEST_P(Resume, OfEnsembles) {
  const Device here = device();
  EnsembleOptions options{.model = {.n = 8}, .members = 600, .steps = kOnShim ? 4 : 40, .snapshot_every = 2};
  options.lyapunov_exponents = 2;
  options.chunk = 256;
  if (!kOnShim) options.steps = 3000, options.snapshot_every = 700;  // the exponents speak every thousand steps
  for (const Precision precision : {Precision::float64, Precision::float32}) {
    options.precision = precision;
    expect_unbroken(
        [&](const auto& go_on, Checkpoints* checkpoints) {
          return integrate_ensemble(
              here, options, [&](double) { return go_on(); }, checkpoints);
        },
        [&](const EnsembleStatistics& found, const EnsembleStatistics& whole) {
          EXPECT_EQ(found.members, whole.members);
          EXPECT_EQ(found.finite_members, whole.finite_members);
          EXPECT_TRUE(same_bits(found.mean, whole.mean));
          EXPECT_TRUE(same_bits(found.variance, whole.variance));
          EXPECT_TRUE(same_bits(found.minimum, whole.minimum));
          EXPECT_TRUE(same_bits(found.maximum, whole.maximum));
          EXPECT_TRUE(same_bits(found.snapshot_time, whole.snapshot_time));
          EXPECT_TRUE(same_bits(found.snapshots, whole.snapshots));
          EXPECT_TRUE(same_bits(found.lyapunov, whole.lyapunov));
        });
  }
}

TEST_P(Resume, OfFilters) {
  const Device here = device();
  std::vector<FilterProblem> problems;
  for (const std::uint64_t seed : {1, 2}) problems.push_back(twin_problem(seed, kOnShim ? 66 : 200, 0));
  std::vector<AssimilationRun> runs;
  for (const std::string& method : kOnShim ? std::vector<std::string>{"etkf"}
                                           : std::vector<std::string>{"etkf", "ekf", "ienks", "particle", "enkf"})
    for (const long problem : {0, 1})
      runs.push_back({.problem = problem, .filter = {.method = method, .members = 6, .lag = 2}, .seed = 5});
  const AssimilationOptions options{.keep_means = true, .keep_ranks = true, .keep_members = true, .crps_every = 3};
  // memory for every run at once, and for some of them
  for (const std::size_t limit : {std::size_t{1} << 30, std::size_t{kOnShim ? 1 << 20 : 200 << 10}}) {
    const Device limited({.name = GetParam(), .threads = 2, .memory_limit = limit});
    expect_unbroken(
        [&](const auto& go_on, Checkpoints* checkpoints) {
          return assimilate(
              limited, problems, runs, options, [&](const AssimilationProgress&) { return go_on(); }, checkpoints);
        },
        [&](const std::vector<AssimilationResult>& found, const std::vector<AssimilationResult>& whole) {
          for (std::size_t i = 0; i < runs.size(); ++i) {
            const std::string what = runs[i].filter.method;
            EXPECT_TRUE(same_bits(found[i].scores, whole[i].scores)) << what;
            EXPECT_TRUE(same_bits(found[i].forecast_mean, whole[i].forecast_mean)) << what;
            EXPECT_TRUE(same_bits(found[i].analysis_mean, whole[i].analysis_mean)) << what;
            EXPECT_TRUE(same_bits(found[i].analysis_spread, whole[i].analysis_spread)) << what;
            EXPECT_TRUE(same_bits(found[i].ranks, whole[i].ranks)) << what;
            EXPECT_TRUE(same_bits(found[i].members, whole[i].members)) << what;
            EXPECT_TRUE(same_bits(found[i].covariance, whole[i].covariance)) << what;
            EXPECT_EQ(found[i].failed_at, whole[i].failed_at) << what;
          }
        });
  }
}

TEST_P(Resume, OfGaussians) {
  const auto target = oxygen_demand();
  const Device here = device();
  // for one chunk, and for more problems than one chunk holds
  for (const long problems : {1L, kOnShim ? 3L : 600L}) {
    Matrix y({problems, target->observations()});
    for (long i = 0; i < y.size(); ++i) y.data()[i] = 0.2 * static_cast<double>(i % 7);
    expect_unbroken(
        [&](const auto& go_on, Checkpoints* checkpoints) {
          return fit_gaussian(
              here, *target, y, {.expectation = GaussianExpectation::monte_carlo, .draws = 16, .steps = 200},
              [&](double) { return go_on(); }, checkpoints);
        },
        [&](const std::vector<GaussianFit>& found, const std::vector<GaussianFit>& whole) {
          ASSERT_EQ(found.size(), whole.size());
          for (std::size_t i = 0; i < found.size(); ++i) {
            EXPECT_TRUE(same_bits(found[i].mean, whole[i].mean)) << i;
            EXPECT_TRUE(same_bits(found[i].factor, whole[i].factor)) << i;
            EXPECT_EQ(found[i].elbo, whole[i].elbo) << i;
            EXPECT_EQ(found[i].elbo_error, whole[i].elbo_error) << i;
            EXPECT_TRUE(same_bits(found[i].losses, whole[i].losses)) << i;
          }
        });
  }
}

void expect_same_fit(const FlowFit& found, const FlowFit& whole) {
  EXPECT_TRUE(same_bits(found.parameters, whole.parameters));
  EXPECT_TRUE(same_bits(found.losses, whole.losses));
  EXPECT_TRUE(same_bits(found.validation, whole.validation));
  EXPECT_TRUE(same_bits(found.validated_after, whole.validated_after));
  EXPECT_EQ(found.step, whole.step);
  EXPECT_EQ(found.best_after, whole.best_after);
  EXPECT_EQ(found.stopped_after, whole.stopped_after);
  EXPECT_EQ(found.flagged_at, whole.flagged_at);
}

FlowTrainingOptions flow_options(long steps) {
  FlowTrainingOptions options;
  options.steps = steps;
  options.draws = 16;
  options.validate_every = 20;
  options.validation_draws = 32;
  return options;
}

TEST_P(Resume, OfFlows) {
  const auto target = oxygen_demand();
  const Device here({.name = GetParam(), .threads = 1});
  const long problems = kOnShim ? 2 : 5;  // one thread takes four at once
  Matrix y({problems, target->observations()});
  for (long i = 0; i < y.size(); ++i) y.data()[i] = 0.3 * static_cast<double>(i % 5);
  const FlowShape shape{.dimension = 2, .context = 0, .layers = 2, .hidden = 8};
  FlowTrainingOptions plain = flow_options(kOnShim ? 70 : 200), searching = plain, waiting = plain;
  searching.search = {1e-2, 1e-3};
  searching.search_steps = kOnShim ? 64 : 100;
  waiting.schedule = LearningSchedule::plateau;
  waiting.plateau_patience = 1;
  waiting.patience = 4;
  waiting.step = 0.05;
  for (const FlowTrainingOptions& options : {plain, searching, waiting})
    expect_unbroken(
        [&](const auto& go_on, Checkpoints* checkpoints) {
          return fit_flow(
              here, *target, y, shape, options, [&](const FlowTrainingStatus&) { return go_on(); }, checkpoints);
        },
        [&](const std::vector<FlowFit>& found, const std::vector<FlowFit>& whole) {
          ASSERT_EQ(found.size(), whole.size());
          for (std::size_t i = 0; i < found.size(); ++i) expect_same_fit(found[i], whole[i]);
        });
}

TEST_P(Resume, OfAmortisedFlows) {
  const auto target = oxygen_demand();
  const Device here = device(1);
  const FlowShape shape{.dimension = 2, .context = target->observations(), .layers = 2, .hidden = 8};
  expect_unbroken(
      [&](const auto& go_on, Checkpoints* checkpoints) {
        return fit_amortized_flow(
            here, *target, shape, flow_options(kOnShim ? 100 : 200), [&](const FlowTrainingStatus&) { return go_on(); },
            checkpoints);
      },
      expect_same_fit);
}

TEST_P(Resume, OfImages) {
  const Device here = device(1);
  std::vector<std::uint8_t> pixels, labels;
  for (int image = 0; image < 200; ++image) {
    for (int k = 0; k < 36; ++k) pixels.push_back(static_cast<std::uint8_t>((image * 7 + k * (image % 5 + 3)) % 256));
    labels.push_back(static_cast<std::uint8_t>(image % 5 % 3));
  }
  const ImageView images{pixels, labels, 6, 6};
  EpochOptions options{.epochs = kOnShim ? 2 : 5, .batch = 16, .validation = 40, .warm_up = 5, .shift = 1};
  const auto same = [](const EpochFit& found, const EpochFit& whole) {
    EXPECT_TRUE(same_bits(found.parameters, whole.parameters));
    EXPECT_TRUE(same_bits(found.losses, whole.losses));
    EXPECT_TRUE(same_bits(found.validation, whole.validation));
    EXPECT_TRUE(same_bits(found.validated_after, whole.validated_after));
    EXPECT_EQ(found.best_after, whole.best_after);
    EXPECT_EQ(found.steps, whole.steps);
    EXPECT_TRUE(found.finished);
  };
  const ClassifierShape classifier{.pixels = 36, .hidden = {8}, .classes = 3};
  expect_unbroken(
      [&](const auto& go_on, Checkpoints* checkpoints) {
        return fit_classifier(
            here, images, classifier, options, [&](const EpochStatus&) { return go_on(); }, checkpoints);
      },
      same);
  const InpaintingShape shape{.rows = 6,
                              .columns = 6,
                              .block = {2, 2, 2, 3},
                              .encoder = 8,
                              .features = 8,
                              .layers = 2,
                              .hidden = 8,
                              .components = 2};
  const PixelMap map = pixel_map_of(images, shape);
  expect_unbroken(
      [&](const auto& go_on, Checkpoints* checkpoints) {
        return fit_inpainting(
            here, images, map, shape, options, [&](const EpochStatus&) { return go_on(); }, checkpoints);
      },
      same);
  if (on_cuda()) return;  // it scores 65536 draws at once
  Inpainter inpainter(here, shape, map, fit_inpainting(here, images, map, shape, options).parameters, classifier,
                      fit_classifier(here, images, classifier, options).parameters, 1);
  expect_unbroken(
      [&](const auto& go_on, Checkpoints* checkpoints) {
        return inpainter.score(
            images, 40, [&](long, long) { return go_on(); }, checkpoints);
      },
      [](const InpaintingScores& found, const InpaintingScores& whole) {
        EXPECT_TRUE(same_bits(found.bits, whole.bits));
        EXPECT_TRUE(same_bits(found.mean, whole.mean));
        EXPECT_TRUE(same_bits(found.deviation, whole.deviation));
        EXPECT_TRUE(same_bits(found.rank, whole.rank));
        EXPECT_TRUE(same_bits(found.probability, whole.probability));
      });
}

TEST_P(Resume, RefusesTheStateOfAnotherCall) {
  const auto target = oxygen_demand();
  const Device here = device(1);
  const FlowShape shape{.dimension = 2, .context = target->observations(), .layers = 2, .hidden = 8};
  Memory memory;
  memory.dies = false;
  const auto fit = [&](const FlowShape& of) {
    fit_amortized_flow(
        here, *target, of, flow_options(64), [](const FlowTrainingStatus&) { return false; }, &memory);
  };
  fit(shape);
  ASSERT_FALSE(memory.state.empty());
  FlowShape wider = shape;
  wider.hidden = 16;
  EXPECT_THAT(message_of<InvalidArgument>([&] { fit(wider); }),
              ::testing::AllOf(::testing::HasSubstr("the state to go on from has "),
                               ::testing::HasSubstr(" values of values, expected ")));
}

TEST(Snapshots, HoldPartsUnderTheirNames) {
  Snapshot inner, whole;
  inner.put("a", std::vector<double>{1, 2});
  whole.put("a", std::vector<float>{3});
  whole.put_part("first", inner);
  whole.put_part("firstborn", inner);
  EXPECT_EQ(whole.part("first").entries(), inner.entries());
  EXPECT_TRUE(whole.part("second").empty());
  EXPECT_EQ(whole.entries().size(), 3u);
  EXPECT_EQ(message_of<InvalidArgument>([&] { whole.at("b"); }), "the state to go on from lacks b.");
}

struct Item {
  long count = 0;
  bool flag = false;
  std::vector<float> list;
  Matrix matrix;
  bool operator==(const Item&) const = default;
};

TEST(Archives, GiveBackWhatTheyTook) {
  std::vector<Item> items = {
      {1L << 52, true, {1, 2.5f}, scaled_identity(2, 3)}, {-7, false, {}, {}}, {0, true, {-0.f}, Matrix({0, 4})}};
  const auto name_state = [](Archive& archive, std::vector<Item>& list) {
    archive.each("count", list, &Item::count), archive.each("flag", list, &Item::flag);
    archive.each("list", list, &Item::list), archive.each("matrix", list, &Item::matrix);
  };
  const Snapshot taken = saved([&](Archive& archive) { name_state(archive, items); });
  std::vector<Item> found(3), fewer(2);
  Archive restoring = Archive::restoring(taken);
  name_state(restoring, found);
  EXPECT_EQ(found, items);
  EXPECT_EQ(message_of<InvalidArgument>([&] { name_state(restoring, fewer); }),
            "the state to go on from has 3 values of count, expected 2.");
  Snapshot torn = taken;
  torn.put("list", std::vector<float>{1, 2});  // the extents say three
  Archive from_torn = Archive::restoring(torn);
  EXPECT_EQ(message_of<InvalidArgument>([&] { name_state(from_torn, found); }),
            "the state to go on from has 2 values of list, expected 3.");
}

}  // namespace
}  // namespace vida
