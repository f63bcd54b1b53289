#include "io/settings.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "vida/error.hpp"

namespace vida::io {
namespace {

constexpr const char* kAll = "les";
constexpr const char* kGain = "le";

std::vector<Setting> make_table() {
  using enum Kind;
  using enum Scope;
  const auto text_of = [](const char* text) { return Value(std::string(text)); };
  const std::nullopt_t optional = std::nullopt;
  return {
      {"job", kAll, text, batch, text_of("learn-gain"), "what to do", {"learn-gain", "evaluate-gain", "ensemble"}},
      {"seed", kAll, integer, run, 0L, "of every random number; another seed, another data set", {}, 0},
      {"precision", kAll, text, batch, text_of("float64"), "of the arithmetic", {"float64", "float32"}},

      {"model.name", kAll, text, batch, text_of("lorenz96"), "dynamics", {"lorenz96"}},
      {"model.n", kAll, integer, batch, 40L, "variables on the ring", {}, 4},
      {"model.forcing", kAll, real, run, 8.0, "F"},
      {"model.dt", kAll, real, run, 0.05, "Runge-Kutta step in model time units", {}, 0, true},
      {"model.steps_per_cycle", kGain, integer, batch, 1L, "Runge-Kutta steps between observations", {}, 1},
      {"model.process_noise",
       kGain,
       numbers,
       run,
       0.1,
       "variance, list of variances, or \"file\" (Q in the file)",
       {"file"},
       0},

      {"observations.cycles", kGain, integer, batch, 1000L, "how many times the state is observed", {}, 1},
      {"observations.operator",
       kGain,
       text,
       batch,
       text_of("identity"),
       "every component, every K-th, a list, or H of the file",
       {"identity", "every:", "indices", "matrix"}},
      {"observations.indices", kGain, indices, batch, optional,
       "observed components, from 0, for operator \"indices\""},
      {"observations.noise",
       kGain,
       numbers,
       run,
       1.0,
       "variance, list of variances, or \"file\" (R in the file)",
       {"file"},
       0,
       true},
      {"observations.file", kGain, path, batch, optional,
       "NetCDF file with y [cycle, obs] to use instead of a simulation"},
      {"observations.spin_up",
       kGain,
       integer,
       run,
       0L,
       "cycles that the truth runs before the first observed one",
       {},
       0},

      {"filter.initial_mean",
       kGain,
       numbers,
       run,
       1.0,
       "of the filter: a number, a list, or \"file\" (m0 in the file)",
       {"file"}},
      {"filter.initial_variance",
       kGain,
       numbers,
       run,
       1.0,
       "of the filter: variance, list of variances, or \"file\" (C0)",
       {"file"},
       0,
       true},
      {"filter.forcing", kGain, real, run, optional, "the filter's own F, when it differs from the truth's"},
      {"filter.dt", kGain, real, run, optional, "the filter's own step, when it differs from the truth's", {}, 0, true},

      {"gain.structure",
       "l",
       text,
       batch,
       text_of("full"),
       "which entries of K are free",
       {"full", "diagonal", "banded:", "circulant"}},
      {"gain.initial", kGain, real, run, 0.4, "K_0 = initial * H'"},
      {"gain.file", kGain, path, batch, optional, "NetCDF file with K [state, obs], instead of initial * H'"},

      {"objective.expectation",
       kGain,
       text,
       batch,
       text_of("exact"),
       "of the log-likelihood, in closed form or sampled",
       {"exact", "monte-carlo"}},
      {"objective.samples", kGain, integer, batch, 10L, "draws per cycle of the Monte Carlo form", {}, 1},
      {"objective.chunk", kGain, integer, batch, 32L, "cycles whose cost terms are held in memory at once", {}, 1},
      {"objective.checkpoint_interval",
       kGain,
       integer,
       batch,
       0L,
       "keep covariances only every so many cycles and recompute the rest; 0 keeps all",
       {},
       0},

      {"optimizer.name",
       "l",
       text,
       batch,
       text_of("gradient-descent"),
       "plain descent on the sum, or Adam on the mean",
       {"gradient-descent", "adam"}},
      {"optimizer.step",
       "l",
       real,
       run,
       optional,
       "step size; 1e-5 for gradient descent and 0.02 for Adam if left out",
       {},
       0,
       true},
      {"optimizer.iterations", "l", integer, batch, 100L, "steps to take", {}, 0},

      {"test.seed", "l", integer, run, 42L, "of the held-out data", {}, 0},
      {"test.cycles", "l", integer, batch, 1000L, "of the held-out data; 0 leaves the check out", {}, 0},

      {"ensemble.members", "s", integer, batch, 4096L, "trajectories", {}, 1},
      {"ensemble.steps", "s", integer, batch, 1000L, "Runge-Kutta steps", {}, 1},
      {"ensemble.initial_mean", "s", real, batch, 8.0, "of every component of the initial states"},
      {"ensemble.initial_variance", "s", real, batch, 1.0, "of every component of the initial states", {}, 0},
      {"ensemble.file", "s", path, batch, optional, "NetCDF file with states [member, state] to start from"},
      {"ensemble.snapshot_every", "s", integer, batch, 0L, "steps between kept snapshots; 0 keeps none", {}, 0},
      {"ensemble.snapshot_members", "s", integer, batch, 16L, "members that the snapshots hold", {}, 1},
      {"ensemble.lyapunov_exponents",
       "s",
       integer,
       batch,
       0L,
       "leading Lyapunov exponents to compute; 0 for none",
       {},
       0},
      {"ensemble.chunk", "s", integer, batch, 0L, "members integrated at once; 0 lets the memory decide", {}, 0},
  };
}

/// Matches "every:3" against the choice "every:"; a plain choice must be equal.
bool matches(const std::string& choice, const std::string& text) {
  if (choice.back() != ':') return choice == text;
  if (text.size() <= choice.size() || text.compare(0, choice.size(), choice) != 0) return false;
  const std::string digits = text.substr(choice.size());
  return digits.size() < 9 && digits.find_first_not_of("0123456789") == digits.npos &&
         (choice != "every:" || std::stoi(digits) > 0);
}

bool is_choice(const Setting& setting, const std::string& text) {
  return std::any_of(setting.choices.begin(), setting.choices.end(),
                     [&](const std::string& choice) { return matches(choice, text); });
}

bool in_range(const Setting& setting, double value) {
  return std::isfinite(value) && (setting.above ? value > setting.minimum : value >= setting.minimum);
}

std::string range_text(const Setting& setting) {
  if (std::isinf(setting.minimum)) return "";
  return fmt::format("{} {}", setting.above ? " above" : " of at least", setting.minimum);
}

[[noreturn]] void refuse(const Setting& setting, const Value& value) {
  throw InvalidArgument(fmt::format("{} = {}: expected {}.", setting.key, to_toml(value), expectation(setting)));
}

long edit_distance(const std::string& a, const std::string& b) {
  std::vector<long> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0L);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    long diagonal = row[0]++;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const long above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row.back();
}

}  // namespace

const std::vector<Setting>& settings() {
  static const std::vector<Setting> table = make_table();
  return table;
}

const Setting* find_setting(const std::string& key) {
  for (const Setting& setting : settings())
    if (setting.key == key) return &setting;
  return nullptr;
}

const std::vector<std::string>& job_names() { return find_setting("job")->choices; }

char job_letter(const std::string& job) {
  if (job == "learn-gain") return 'l';
  if (job == "evaluate-gain") return 'e';
  return job == "ensemble" ? 's' : 0;
}

std::vector<const Setting*> settings_of(const std::string& job) {
  std::vector<const Setting*> chosen;
  for (const Setting& setting : settings())
    if (setting.jobs.find(job_letter(job)) != std::string::npos) chosen.push_back(&setting);
  return chosen;
}

std::string nearest(const std::string& word, const std::vector<std::string>& candidates) {
  std::string best;
  long least = std::max<long>(2, static_cast<long>(word.size()) / 3) + 1;
  for (const auto& candidate : candidates)
    if (const long distance = edit_distance(word, candidate); distance < least) {
      least = distance;
      best = candidate;
    }
  return best;
}

std::string expectation(const Setting& setting) {
  std::vector<std::string> choices;
  for (const auto& choice : setting.choices)
    choices.push_back(choice.back() == ':' ? fmt::format("\"{}{}\"", choice, choice == "banded:" ? "W" : "K")
                                           : fmt::format("\"{}\"", choice));
  switch (setting.kind) {
    case Kind::integer:
      return "a whole number" + range_text(setting);
    case Kind::real:
      return "a number" + range_text(setting);
    case Kind::path:
      return "the name of a file, as text";
    case Kind::indices:
      return "a list of components, from 0";
    case Kind::numbers:
      return fmt::format("a number{} or a list of such numbers{}", range_text(setting),
                         choices.empty() ? "" : ", or " + choices.front());
    case Kind::text:
      break;
  }
  return fmt::format("{}{}", choices.size() > 1 ? "one of " : "", fmt::join(choices, ", "));
}

std::string to_toml(const Value& value) {
  const auto real = [](double number) {
    if (std::isnan(number)) return std::string("nan");
    if (std::isinf(number)) return std::string(number < 0 ? "-inf" : "inf");
    const std::string text = fmt::format("{}", number);
    return text.find_first_of(".e") == text.npos ? text + ".0" : text;
  };
  const auto quoted = [](const std::string& text) {
    std::string result = "\"";
    for (char letter : text) {
      if (letter == '"' || letter == '\\') result += '\\';
      if (static_cast<unsigned char>(letter) < 0x20)
        result += fmt::format("\\u{:04x}", static_cast<int>(letter));
      else
        result += letter;
    }
    return result + "\"";
  };
  if (const auto* whole = std::get_if<long>(&value)) return std::to_string(*whole);
  if (const auto* number = std::get_if<double>(&value)) return real(*number);
  if (const auto* text = std::get_if<std::string>(&value)) return quoted(*text);
  std::string list = "[";
  for (const double number : std::get<std::vector<double>>(value))
    list += (list.size() > 1 ? ", " : "") + fmt::format("{}", number);
  return list + "]";
}

Value checked(const Setting& setting, const Value& value) {
  const auto* whole = std::get_if<long>(&value);
  const auto* real = std::get_if<double>(&value);
  const auto* text = std::get_if<std::string>(&value);
  const auto* list = std::get_if<std::vector<double>>(&value);
  const double number = whole ? static_cast<double>(*whole) : real ? *real : 0;
  switch (setting.kind) {
    case Kind::integer:
      if (!whole || !in_range(setting, number)) refuse(setting, value);
      return value;
    case Kind::real:
      if (!(whole || real) || !in_range(setting, number)) refuse(setting, value);
      return number;
    case Kind::path:
      if (!text || text->empty()) refuse(setting, value);
      return value;
    case Kind::text:
      if (!text || !is_choice(setting, *text)) {
        const std::string near = text ? nearest(*text, setting.choices) : "";
        throw InvalidArgument(fmt::format("{} = {}: expected {}.{}", setting.key, to_toml(value), expectation(setting),
                                          near.empty() || near.back() == ':' ? "" : " Did you mean \"" + near + "\"?"));
      }
      return value;
    case Kind::numbers:
      if (whole || real ? !in_range(setting, number) : text ? !is_choice(setting, *text) : list->empty())
        refuse(setting, value);
      if (list && !std::all_of(list->begin(), list->end(), [&](double item) { return in_range(setting, item); }))
        refuse(setting, value);
      return whole ? Value(number) : value;
    case Kind::indices:
      break;
  }
  if (!list || list->empty() ||
      !std::all_of(list->begin(), list->end(), [](double item) { return item >= 0 && item == std::floor(item); }))
    refuse(setting, value);
  return value;
}

}  // namespace vida::io
