#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "io/netcdf.hpp"
#include "jobs/inverse_problem.hpp"
#include "jobs/job.hpp"

namespace vida::jobs {

/// Draws of q with the standard normal ones that made them.
struct ApproximateDraws {
  Matrix x;                         ///< [draw, d]
  Matrix z;                         ///< [draw, d], T^-1(x)
  std::vector<double> log_density;  ///< log q(x) [draw]
};

/// q of one problem, whatever its family.
class Approximation {
 public:
  virtual ~Approximation() = default;
  virtual ApproximateDraws draw(long count) = 0;
  /// log q at each of x [point, d].
  virtual std::vector<double> log_density(const Matrix& x) = 0;
};

/// What one problem is examined by, from draws of its q.
struct Examination {
  ImportanceReport importance;
  ImportanceMoments approximate;  ///< of q itself
  std::optional<PosteriorTruth> truth;
  Matrix draws;              ///< of q [draw, d], the first ones
  Matrix posterior;          ///< of the posterior [draw, d], resampled
  Matrix latent;             ///< T^-1 of those: standard normal where q is exact
  std::vector<double> tail;  ///< the largest weights over their mean, decreasing
  std::vector<double> smoothed_tail;
  std::vector<double> levels;  ///< of log q, above which lie 50 % and 95 % of q

  double log_evidence() const { return truth ? truth->log_evidence : importance.log_evidence.value; }
  const Vector& mean() const { return truth ? truth->mean : importance.moments.mean; }
};

/// log pi~(x) - log q(x) of `count` draws, and what follows from them. The posterior's draws are resampled ones of q.
Examination examine(const Device& device, const InverseProblems& problems, long index, Approximation& q, long count);

/// log pi~ and log q where the draws of both lie, for a picture of two dimensions.
struct DensityPicture {
  std::vector<double> first, second;  ///< coordinates
  std::vector<double> log_density;    ///< log pi~ [second, first]
  std::vector<double> log_q;          ///< [second, first]
};
DensityPicture density_picture(const Device& device, const InverseProblems& problems, long index,
                               const Examination& examined, Approximation& q);

/// The first problems and their q.
struct Examinations {
  std::vector<Examination> problems;
  std::vector<DensityPicture> pictures;  ///< of the first four, in two dimensions

  /// -log Z, the loss of the exact posterior, for `count` problems [problem]; NaN where it is not known.
  std::vector<double> exact_losses(std::size_t count) const;
  /// Mean log weight of the draws [examined].
  std::vector<double> elbos() const;
};

/// Examines problems 0 .. count - 1 by `draws` draws each; approximation(i) is the q of problem i.
Examinations examine_first(const Device& device, const InverseProblems& problems, long count, long draws,
                           const std::function<std::unique_ptr<Approximation>(long)>& approximation);

/// Examinations [examined, ...] and pictures [picture, ...] as variables of the result.
void put_examined(io::NetcdfWriter& file, const Examinations& examinations);

/// The same numbers for summary.json, one object each.
nlohmann::ordered_json examined_summary(const std::vector<Examination>& examined);

/// Rows "problem, ELBO, log Z, KL, k-hat, ESS, means" for people; `elbo` of each examined problem. Says how many of
/// `count` problems have no row.
std::string examined_table(const std::vector<Examination>& examined, const std::vector<double>& elbo, long count);

/// A line for each problem whose weights have no variance, starting with its number.
void note_heavy_tails(const std::vector<Examination>& examined, const std::string& advice, Outcome& outcome);

}  // namespace vida::jobs
