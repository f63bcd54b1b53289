// What an examination leaves in files and on the screen.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "jobs/examination.hpp"
#include "jobs/results.hpp"

namespace vida::jobs {
namespace {

/// One variable of several examinations, which grow together.
class Column {
 public:
  template <class Range>
  void add(const Range& values) {
    values_.insert(values_.end(), values.begin(), values.end());
  }
  void add(double value) { values_.push_back(value); }
  /// Nothing is written where nothing was added.
  void put(io::NetcdfWriter& file, const char* name, const std::vector<std::string>& dims,
           const std::vector<long>& extents, const io::Description& what) const {
    if (!values_.empty()) file.put(name, dims, extents, std::span<const double>(values_), what);
  }

 private:
  std::vector<double> values_;
};

void put_pictures(io::NetcdfWriter& file, const std::vector<DensityPicture>& pictures) {
  if (pictures.empty()) return;
  Column first, second, density, log_q;
  for (const DensityPicture& picture : pictures) {
    first.add(picture.first);
    second.add(picture.second);
    density.add(picture.log_density);
    log_q.add(picture.log_q);
  }
  const long count = std::ssize(pictures), points = std::ssize(pictures.front().first);
  first.put(file, "grid_first", {"picture", "first"}, {count, points}, {"first component of the unknown"});
  second.put(file, "grid_second", {"picture", "second"}, {count, points}, {"second component of the unknown"});
  density.put(file, "log_density", {"picture", "second", "first"}, {count, points, points}, {"log pi~", "nat"});
  log_q.put(file, "log_q", {"picture", "second", "first"}, {count, points, points}, {"log q", "nat"});
}

std::string vector_text(const Vector& values) {
  std::string text;
  for (long k = 0; k < std::min(values.size(), 3L); ++k) text += fmt::format("{:>9.4f}", values[k]);
  return values.size() > 3 ? text + " ..." : text;
}

}  // namespace

void put_examined(io::NetcdfWriter& file, const Examinations& examinations) {
  const auto& examined = examinations.problems;
  if (examined.empty()) return;
  Column k_hat, effective, elbo, elbo_error, evidence, evidence_error, mean, covariance, q_mean, q_covariance;
  Column draws, latent, tail, smoothed, levels, true_evidence, true_mean, true_covariance;
  for (const Examination& one : examined) {
    k_hat.add(one.importance.k_hat);
    effective.add(one.importance.effective_draws);
    elbo.add(one.importance.elbo.value);
    elbo_error.add(one.importance.elbo.standard_error);
    evidence.add(one.importance.log_evidence.value);
    evidence_error.add(one.importance.log_evidence.standard_error);
    mean.add(one.importance.moments.mean);
    covariance.add(one.importance.moments.covariance);
    q_mean.add(one.approximate.mean);
    q_covariance.add(one.approximate.covariance);
    draws.add(one.draws);
    latent.add(one.latent);
    tail.add(one.tail);
    smoothed.add(one.smoothed_tail);
    levels.add(one.levels);
    if (!one.truth) continue;
    true_evidence.add(one.truth->log_evidence);
    true_mean.add(one.truth->mean);
    true_covariance.add(one.truth->covariance);
  }
  const Examination& first = examined.front();
  const long seen = std::ssize(examined), d = first.approximate.mean.size();
  const std::string dim = "examined";
  k_hat.put(file, "k_hat", {dim}, {seen}, {"Pareto shape of the importance weights"});
  effective.put(file, "effective_draws", {dim}, {seen}, {"effective number of importance draws"});
  elbo.put(file, "elbo_of_draws", {dim}, {seen}, {"mean log weight of the importance draws", "nat"});
  elbo_error.put(file, "elbo_of_draws_error", {dim}, {seen}, {"standard error of elbo_of_draws", "nat"});
  evidence.put(file, "log_evidence", {dim}, {seen}, {"log Z by importance sampling", "nat"});
  evidence_error.put(file, "log_evidence_error", {dim}, {seen}, {"standard error of log_evidence", "nat"});
  mean.put(file, "corrected_mean", {dim, "state"}, {seen, d}, {"posterior mean by importance sampling"});
  covariance.put(file, "corrected_covariance", {dim, "state", "state2"}, {seen, d, d},
                 {"posterior covariance by importance sampling"});
  q_mean.put(file, "q_mean", {dim, "state"}, {seen, d}, {"mean of q"});
  q_covariance.put(file, "q_covariance", {dim, "state", "state2"}, {seen, d, d}, {"covariance of q"});
  draws.put(file, "draws", {dim, "draw", "state"}, {seen, first.draws.extent(0), d}, {"draws of q"});
  latent.put(file, "latent", {dim, "latent_draw", "state"}, {seen, first.latent.extent(0), d},
             {"T^-1 of draws of the posterior; standard normal where q is exact"});
  const long ranks = std::ssize(first.tail);
  tail.put(file, "largest_weights", {dim, "weight"}, {seen, ranks}, {"largest importance weights over their mean"});
  smoothed.put(file, "smoothed_weights", {dim, "weight"}, {seen, ranks}, {"the same after Pareto smoothing"});
  levels.put(file, "log_q_levels", {dim, "level"}, {seen, 2}, {"log q above which lie 50 % and 95 % of q", "nat"});
  true_evidence.put(file, "true_log_evidence", {dim}, {seen}, {"log Z, exact", "nat"});
  true_mean.put(file, "true_mean", {dim, "state"}, {seen, d}, {"posterior mean, exact"});
  true_covariance.put(file, "true_covariance", {dim, "state", "state2"}, {seen, d, d}, {"posterior covariance, exact"});
  put_pictures(file, examinations.pictures);
}

nlohmann::ordered_json examined_summary(const std::vector<Examination>& examined) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& one : examined) {
    const ImportanceReport& importance = one.importance;
    nlohmann::ordered_json entry;
    entry["elbo_of_draws"] = number(importance.elbo.value);
    entry["elbo_of_draws_error"] = number(importance.elbo.standard_error);
    entry["k_hat"] = number(importance.k_hat);
    entry["effective_draws"] = number(importance.effective_draws);
    entry["log_evidence"] = number(importance.log_evidence.value);
    entry["q_mean"] = one.approximate.mean;
    entry["corrected_mean"] = importance.moments.mean;
    if (one.truth) {
      entry["true_log_evidence"] = number(one.truth->log_evidence);
      entry["true_mean"] = one.truth->mean;
      entry["kl"] = number(one.truth->log_evidence - importance.elbo.value);
    }
    list.push_back(entry);
  }
  return list;
}

std::string examined_table(const std::vector<Examination>& examined, const std::vector<double>& elbo, long count) {
  std::string text = fmt::format("{:>7} {:>11} {:>11} {:>9} {:>7} {:>10}  {}\n", "problem", "ELBO", "log Z", "KL",
                                 "k-hat", "ESS", "mean of q | of the posterior");
  for (std::size_t i = 0; i < examined.size(); ++i) {
    const Examination& one = examined[i];
    text += fmt::format("{:>7} {:>11.6f} {:>11.6f} {:>9.5f} {:>7.2f} {:>10.0f} {} |{}\n", i, elbo[i],
                        one.log_evidence(), one.log_evidence() - elbo[i], one.importance.k_hat,
                        one.importance.effective_draws, vector_text(one.approximate.mean), vector_text(one.mean()));
  }
  if (const long rest = count - std::ssize(examined); rest > 0)
    text += fmt::format("and {} more problems in result.nc\n", rest);
  return text;
}

void note_heavy_tails(const std::vector<Examination>& examined, const std::string& advice, Outcome& outcome) {
  for (std::size_t i = 0; i < examined.size(); ++i)
    if (examined[i].importance.k_hat > 0.7)
      outcome.notes.push_back(
          fmt::format("problem {}: k-hat is {:.2f}, above 0.7: {}, and the importance-corrected "
                      "numbers are not to be trusted.",
                      i, examined[i].importance.k_hat, advice));
}

}  // namespace vida::jobs
