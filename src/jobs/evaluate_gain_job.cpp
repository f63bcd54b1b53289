#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "jobs/job.hpp"
#include "jobs/problem.hpp"
#include "jobs/results.hpp"

namespace vida::jobs {
namespace {

double norm(const Matrix& matrix) {
  return std::sqrt(std::inner_product(matrix.begin(), matrix.end(), matrix.begin(), 0.0));
}

double distance(const Matrix& a, const Matrix& b) {
  Matrix difference = a;
  for (long i = 0; i < a.size(); ++i) difference.data()[i] -= b.data()[i];
  return norm(difference);
}

/// What is known about each gain, in the order of the runs.
struct Evaluation {
  std::vector<GainValue> values;
  std::vector<FilterResult> filtered, ekf;
  double seconds = 0;

  bool finite(std::size_t run) const { return std::isfinite(values[run].cost); }
};

Evaluation evaluate(const Device& device, const Plan& plan) {
  std::vector<FilterProblem> problems;
  std::vector<Matrix> gains;
  std::vector<long> which;
  for (const Run& run : plan.runs) {
    which.push_back(run.problems[0]);
    problems.push_back(plan.problems[static_cast<std::size_t>(run.problems[0])]);
    gains.push_back(run.gain);
  }
  GainObjective objective(device, plan.problems, objective_options(plan.config));
  Evaluation result;
  const auto& ekf = objective.track_ekf();
  for (const long problem : which) result.ekf.push_back(ekf[static_cast<std::size_t>(problem)]);
  const auto start = std::chrono::steady_clock::now();
  result.values = objective.evaluate(which, gains, true);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  result.filtered = fixed_gain_filter(device, problems, gains, precision_of(plan.config));
  return result;
}

/// Writes one variable [run, ...], or without the axis when there is no batch.
class ResultFile {
 public:
  ResultFile(io::NetcdfWriter& file, bool batched, std::size_t runs) : file_(file), batched_(batched), runs_(runs) {}

  template <class Part>
  void matrices(const std::string& name, std::vector<std::string> dims, const Part& part,
                const io::Description& description) {
    if (!batched_) return file_.put(name, dims, part(std::size_t{0}), description);
    dims.insert(dims.begin(), "run");
    std::vector<Matrix> items;
    for (std::size_t i = 0; i < runs_; ++i) items.push_back(part(i));
    file_.put(name, dims, stack(std::span<const Matrix>(items)), description);
  }

  template <class Part>
  void rows(const std::string& name, const std::string& dim, const Part& part, const io::Description& description) {
    std::vector<std::vector<double>> items;
    for (std::size_t i = 0; i < runs_; ++i) items.push_back(part(i));
    const Matrix all = stack(std::span<const std::vector<double>>(items));
    if (batched_) return file_.put(name, {"run", dim}, all, description);
    file_.put(name, {dim}, {all.extent(1)}, std::span<const double>(all.data(), static_cast<std::size_t>(all.size())),
              description);
  }

  template <class Part>
  void numbers(const std::string& name, const Part& part, const io::Description& description) {
    std::vector<double> items;
    for (std::size_t i = 0; i < runs_; ++i) items.push_back(part(i));
    if (batched_)
      return file_.put(name, {"run"}, {static_cast<long>(runs_)}, std::span<const double>(items), description);
    file_.put(name, {}, {}, std::span<const double>(items), description);
  }

 private:
  io::NetcdfWriter& file_;
  bool batched_;
  std::size_t runs_;
};

void write_netcdf(const std::filesystem::path& path, const Device& device, const Plan& plan, const Evaluation& e) {
  io::NetcdfWriter file(path);
  describe(file, plan.config, device, "Fixed-gain filter on Lorenz-96");
  const FilterProblem& first = plan.first();
  if (plan.batched) put_index(file, "run", static_cast<long>(plan.runs.size()), "run of the batch");
  put_index(file, "cycle", first.data.y.extent(0), "cycle");
  put_index(file, "state", first.system.n(), "component of the state");
  put_index(file, "obs", first.system.p(), "observation");
  put_time(file, "time", "cycle", first, plan.config.integer("observations.spin_up"));
  ResultFile out(file, plan.batched, plan.runs.size());
  const std::string time = "time";
  out.numbers("cost", [&](auto i) { return e.values[i].cost; }, {"sum over cycles of kl - loglik", "nat"});
  out.rows("kl", "cycle", [&](auto i) { return e.values[i].kl; }, {"KL(analysis || forecast)", "nat", time});
  out.rows("loglik", "cycle", [&](auto i) { return e.values[i].loglik; },
           {"expected log-likelihood of y", "nat", time});
  out.matrices("K", {"state", "obs"}, [&](auto i) { return plan.runs[i].gain; }, {"gain"});
  out.matrices("gradient", {"state", "obs"}, [&](auto i) { return e.values[i].gradient; }, {"d cost / d K", "nat"});
  out.matrices("analysis_mean", {"cycle", "state"}, [&](auto i) { return e.values[i].analysis_mean; },
               {"analysis mean of the fixed gain", "1", time});
  out.matrices("analysis_cov_last", {"state", "state2"}, [&](auto i) { return e.values[i].analysis_cov_last; },
               {"analysis covariance of the last cycle"});
  out.matrices("ekf_mean", {"cycle", "state"}, [&](auto i) { return e.ekf[i].analysis_mean; },
               {"analysis mean of the EKF", "1", time});
  out.matrices("ekf_cov_last", {"state", "state2"}, [&](auto i) { return e.ekf[i].analysis_cov_last; },
               {"analysis covariance of the EKF, last cycle"});
  out.matrices("ekf_gain_steady", {"state", "obs"}, [&](auto i) { return e.ekf[i].gain_steady; },
               {"mean gain of the EKF over the last 50 cycles"});
  out.numbers("mse", [&](auto i) { return e.filtered[i].mse; }, {"mean squared error against the truth"});
  out.numbers("mse_ekf", [&](auto i) { return e.ekf[i].mse; }, {"mean squared error of the EKF"});
  out.numbers("kl_to_ekf", [&](auto i) { return e.values[i].kl_to_reference; },
              {"KL(analysis || analysis of the EKF), mean over cycles", "nat"});
  out.numbers("chi_square", [&](auto i) { return e.filtered[i].chi_square; }, {"innovation chi-square over p"});
  file.close();
}

nlohmann::ordered_json scores(const Plan& plan, const Evaluation& e, std::size_t i) {
  const GainValue& value = e.values[i];
  nlohmann::ordered_json json;
  json["cost"] = number(value.cost);
  json["kl"] = number(std::accumulate(value.kl.begin(), value.kl.end(), 0.0));
  json["loglik"] = number(std::accumulate(value.loglik.begin(), value.loglik.end(), 0.0));
  json["gradient_norm"] = number(norm(value.gradient));
  json["mse"] = number(e.filtered[i].mse);
  json["mse_ekf"] = number(e.ekf[i].mse);
  json["kl_to_ekf"] = number(value.kl_to_reference);
  json["gain_distance_to_steady"] = number(distance(plan.runs[i].gain, e.ekf[i].gain_steady));
  json["chi_square"] = number(e.filtered[i].chi_square);
  json["converged"] = e.finite(i);
  return json;
}

std::string table(const nlohmann::ordered_json& summary) {
  const auto line = [](const nlohmann::ordered_json& run) {
    std::string text;
    for (const char* key : {"cost", "kl", "loglik", "gradient_norm", "mse", "mse_ekf", "kl_to_ekf"})
      text += run[key].is_number() ? fmt::format("{:>15.6g}", run[key].get<double>()) : fmt::format("{:>15}", "-");
    return text + "\n";
  };
  std::string text;
  for (const char* name : {"cost", "KL", "log-likelihood", "|gradient|", "MSE", "EKF MSE", "KL to EKF"})
    text += fmt::format("{:>15}", name);
  text += "\n";
  if (!summary.contains("runs")) return text + line(summary);
  for (const auto& run : summary["runs"]) text += line(run);
  return text;
}

}  // namespace

Outcome evaluate_gain_job(const Device& device, const io::Config& config, io::OutputFolder& folder, const Monitor&,
                          JobCheckpoint&) {
  const Plan plan = make_plan(device, config);
  const Evaluation evaluation = evaluate(device, plan);
  Outcome outcome;
  for (std::size_t i = 0; i < plan.runs.size(); ++i) {
    if (evaluation.finite(i)) continue;
    ++outcome.flagged;
    outcome.notes.push_back(
        fmt::format("run {}: the cost is not finite with this gain (a covariance is not positive definite, "
                    "or the filter left the attractor).",
                    i));
  }
  outcome.usable = outcome.flagged < static_cast<long>(plan.runs.size());
  if (!outcome.usable) return outcome;
  if (plan.first().data.truth.empty())
    outcome.notes.push_back("the observations come without a truth: scores that need it are left out.");

  auto summary = summary_header(plan.config, device);
  summary["seconds"] = evaluation.seconds;
  if (!plan.batched) summary.update(scores(plan, evaluation, 0));
  for (std::size_t i = 0; plan.batched && i < plan.runs.size(); ++i) {
    auto run = scores(plan, evaluation, i);
    for (const io::Axis& axis : plan.config.axes())
      run[axis.key] = nlohmann::ordered_json::parse(io::to_toml(plan.runs[i].settings.at(axis.key)));
    summary["runs"].push_back(std::move(run));
  }
  outcome.table = table(summary);
  write_netcdf(folder.pending("result.nc"), device, plan, evaluation);
  write_summary(folder, plan.config, outcome, std::move(summary));
  return outcome;
}

}  // namespace vida::jobs
