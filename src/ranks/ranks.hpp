#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace vida::ranks {

/// What the ranks tell each other while they work on one batch.
class Board {
 public:
  virtual ~Board() = default;
  /// A number that no rank has had yet, from 0 on. Does not wait for another rank.
  virtual long next() = 0;
  /// Units of work that are done, by all ranks together; adds `more` first.
  virtual long done(long more = 0) = 0;
  /// Asks every rank to stop, and whether one did.
  virtual void stop() = 0;
  virtual bool stopped() = 0;

  /// To the first rank, without waiting for it. An empty message says that the rank has left.
  virtual void send(long number, std::span<const std::byte> message) = 0;
  struct Message {
    long number = 0;
    std::vector<std::byte> bytes;
  };
  /// On the first rank: one that has arrived, in the order in which its rank sent it.
  virtual std::optional<Message> arrived() = 0;
};

/// The processes that work on one job, this one among them. All of them call what is marked "together".
class Ranks {
 public:
  virtual ~Ranks() = default;
  virtual int rank() const = 0;  ///< of this process, 0 to size() - 1
  virtual int size() const = 0;
  bool first() const { return rank() == 0; }  ///< who reads the terminal, writes files and speaks
  bool alone() const { return size() == 1; }

  /// Together: a new board, which goes when all have left it.
  virtual std::unique_ptr<Board> board() = 0;
  /// Together: the texts of all ranks, on all of them.
  virtual std::vector<std::string> gathered(const std::string& text) = 0;
  /// Ends all ranks at once with this exit code.
  virtual void abort(int code) = 0;
};

/// Name of this machine.
std::string host_name();

/// The ranks that mpirun or srun started, or this process alone. Throws InvalidArgument when a launcher started several
/// processes and this build has no MPI.
std::unique_ptr<Ranks> of_this_launch();

/// A process alone.
std::unique_ptr<Ranks> sole();

/// Whether the build holds MPI, and which.
std::string mpi_description();

}  // namespace vida::ranks
