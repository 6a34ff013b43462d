#pragma once

#include <stdexcept>
#include <string>

namespace lockstep {

/// Exit codes of the program; 1 is left to faults that nobody foresaw.
enum class ExitCode : int {
  done = 0,
  usage = 2,
  data = 3,
  checkpoint = 4,
  worker_lost = 5,
  diverged = 6,
  preempted = 75,
};

/// A fault that the user can understand: what is wrong, where, and what to do. `code` becomes the exit code.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& what) : std::runtime_error(what), code_(code) {}
  [[nodiscard]] ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

/// Wrong options, or a model that cannot be built.
struct UsageError : Error {
  explicit UsageError(const std::string& what) : Error(ExitCode::usage, what) {}
};
/// An op was given operands whose shapes or dtypes do not fit; names the op and the shapes.
struct ShapeError : UsageError {
  using UsageError::UsageError;
};
/// A dataset that is missing, damaged or does not fit the model.
struct DataError : Error {
  explicit DataError(const std::string& what) : Error(ExitCode::data, what) {}
};
/// A checkpoint that is missing, damaged or belongs to another model.
struct CheckpointError : Error {
  explicit CheckpointError(const std::string& what) : Error(ExitCode::checkpoint, what) {}
};
/// The network failed, or another worker did not answer before the deadline.
struct WorkerLost : Error {
  explicit WorkerLost(const std::string& what) : Error(ExitCode::worker_lost, what) {}
};
/// The loss became NaN or infinite.
struct Diverged : Error {
  explicit Diverged(const std::string& what) : Error(ExitCode::diverged, what) {}
};

}  // namespace lockstep
