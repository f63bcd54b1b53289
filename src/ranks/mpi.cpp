#include <fmt/format.h>
#include <mpi.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <list>
#include <numeric>

#include "ranks/launch.hpp"
#include "ranks/ranks.hpp"

namespace vida::ranks {
namespace {

constexpr int kTag = 1;

/// Three numbers in the memory of the first rank, read and changed from everywhere. MPI itself ends the job when one of
/// its calls fails.
class MpiBoard final : public Board {
 public:
  explicit MpiBoard(MPI_Comm world) {
    MPI_Comm_dup(world, &communicator_);  // messages of another board are not taken for this one's
    int rank = 0;
    MPI_Comm_rank(communicator_, &rank);
    long* memory = nullptr;
    MPI_Win_allocate(rank == 0 ? kNumbers * static_cast<MPI_Aint>(sizeof(long)) : 0, sizeof(long), MPI_INFO_NULL,
                     communicator_, static_cast<void*>(&memory), &window_);
    MPI_Win_lock_all(0, window_);
    if (rank == 0) {
      std::fill_n(memory, kNumbers, 0L);
      MPI_Win_sync(window_);
    }
    MPI_Barrier(communicator_);
  }
  ~MpiBoard() override {
    if (std::uncaught_exceptions() > exceptions_)
      return;  // the others do not come here: the job is about to be aborted
    for (Sending& one : sending_) MPI_Wait(&one.request, MPI_STATUS_IGNORE);
    MPI_Win_unlock_all(window_);
    MPI_Win_free(&window_);
    MPI_Comm_free(&communicator_);
  }
  MpiBoard(const MpiBoard&) = delete;
  MpiBoard& operator=(const MpiBoard&) = delete;

  long next() override { return added(kNext, 1); }
  long done(long more) override { return added(kDone, more) + more; }
  void stop() override { added(kStop, 1); }
  bool stopped() override { return added(kStop, 0) > 0; }

  void send(long number, std::span<const std::byte> message) override {
    sending_.remove_if([](Sending& one) {
      int over = 0;
      MPI_Test(&one.request, &over, MPI_STATUS_IGNORE);
      return over != 0;
    });
    Sending& one = sending_.emplace_back();
    one.bytes.resize(sizeof(number) + message.size());
    std::memcpy(one.bytes.data(), &number, sizeof(number));
    std::copy(message.begin(), message.end(), one.bytes.begin() + sizeof(number));
    MPI_Isend(one.bytes.data(), static_cast<int>(one.bytes.size()), MPI_BYTE, 0, kTag, communicator_, &one.request);
  }

  std::optional<Message> arrived() override {
    int is_there = 0;
    MPI_Status status;
    MPI_Iprobe(MPI_ANY_SOURCE, kTag, communicator_, &is_there, &status);
    if (!is_there) return {};
    int size = 0;
    MPI_Get_count(&status, MPI_BYTE, &size);
    Message message;
    message.bytes.resize(static_cast<std::size_t>(size));
    MPI_Recv(message.bytes.data(), size, MPI_BYTE, status.MPI_SOURCE, kTag, communicator_, MPI_STATUS_IGNORE);
    std::memcpy(&message.number, message.bytes.data(), sizeof(message.number));
    message.bytes.erase(message.bytes.begin(), message.bytes.begin() + sizeof(message.number));
    return message;
  }

 private:
  enum Number { kNext, kDone, kStop, kNumbers };
  struct Sending {
    std::vector<std::byte> bytes;
    MPI_Request request = MPI_REQUEST_NULL;
  };

  /// The number before `more` was added to it.
  long added(Number number, long more) {
    long before = 0;
    MPI_Fetch_and_op(&more, &before, MPI_LONG, 0, number, more ? MPI_SUM : MPI_NO_OP, window_);
    MPI_Win_flush(0, window_);
    return before;
  }

  int exceptions_ = std::uncaught_exceptions();
  MPI_Comm communicator_ = MPI_COMM_NULL;
  MPI_Win window_ = MPI_WIN_NULL;
  std::list<Sending> sending_;
};

class MpiRanks final : public Ranks {
 public:
  MpiRanks() {
    int level = 0;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &level);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
  }
  ~MpiRanks() override { MPI_Finalize(); }
  MpiRanks(const MpiRanks&) = delete;
  MpiRanks& operator=(const MpiRanks&) = delete;

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  std::unique_ptr<Board> board() override { return std::make_unique<MpiBoard>(MPI_COMM_WORLD); }

  std::vector<std::string> gathered(const std::string& text) override {
    const int length = static_cast<int>(text.size());
    std::vector<int> lengths(static_cast<std::size_t>(size_)), places(lengths.size());
    MPI_Allgather(&length, 1, MPI_INT, lengths.data(), 1, MPI_INT, MPI_COMM_WORLD);
    std::exclusive_scan(lengths.begin(), lengths.end(), places.begin(), 0);
    std::string all(static_cast<std::size_t>(places.back() + lengths.back()), '\0');
    MPI_Allgatherv(text.data(), length, MPI_CHAR, all.data(), lengths.data(), places.data(), MPI_CHAR, MPI_COMM_WORLD);
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < lengths.size(); ++i)
      texts.push_back(all.substr(static_cast<std::size_t>(places[i]), static_cast<std::size_t>(lengths[i])));
    return texts;
  }

  void abort(int code) override {
    MPI_Abort(MPI_COMM_WORLD, code);
    std::_Exit(code);
  }

 private:
  int rank_ = 0, size_ = 1;
};

}  // namespace

std::unique_ptr<Ranks> of_this_launch() { return launched() ? std::make_unique<MpiRanks>() : sole(); }

std::string mpi_description() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  const std::string whole(text.data(), static_cast<std::size_t>(length));
  return whole.substr(0, whole.find_first_of(",\n"));
}

}  // namespace vida::ranks
