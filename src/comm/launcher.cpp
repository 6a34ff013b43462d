#include "comm/launcher.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>

#include "lockstep/error.hpp"

namespace lockstep {

namespace {

std::optional<std::int64_t> number(const Environment& environment, std::string_view name) {
  const auto found = environment.find(name);
  if (found == environment.end())
    return std::nullopt;
  const std::string& text = found->second;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return value;
}

/// What MPI's own launchers say; Open MPI and its kin first, then MPICH, Intel MPI, MVAPICH and `srun --mpi=pmi2`.
std::optional<std::int64_t> mpi_workers(const Environment& environment) {
  for (const std::string_view name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE", "PALS_NRANKS"}) {
    if (const auto value = number(environment, name))
      return value;
  }
  return std::nullopt;
}

/// Tasks of the srun step this process belongs to. Slurm numbers the batch script and other steps of its own from 0xfffffff0 up.
std::int64_t srun_tasks(const Environment& environment) {
  const auto step = number(environment, "SLURM_STEP_ID");
  if (!step || *step < 0 || *step >= 0xfffffff0 || !environment.contains("SLURM_PROCID"))
    return 1;
  return number(environment, "SLURM_STEP_NUM_TASKS").value_or(1);
}

}  // namespace

Environment current_environment() {
  Environment variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (equals != std::string_view::npos)
      variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

std::string short_host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  const std::string_view full = name.data();
  return std::string(full.substr(0, full.find('.')));
}

bool started_by_mpi(const Environment& environment) {
  constexpr std::array kSigns{"PMIX_RANK", "PMIX_NAMESPACE", "PMI_RANK", "PMI_FD", "PMI_PORT", "PMI_CONTROL_PORT", "PALS_RANKID"};
  return mpi_workers(environment).has_value() || std::ranges::any_of(kSigns, [&](auto sign) { return environment.contains(sign); });
}

int intended_workers(const Environment& environment) {
  return static_cast<int>(std::max<std::int64_t>(1, mpi_workers(environment).value_or(srun_tasks(environment))));
}

void check_job_size(const Environment& environment, int size, std::string_view library) {
  const int workers = intended_workers(environment);
  if (size > 1 || workers <= 1)
    return;
  const std::string mpi = library.empty() ? "the MPI that lockstep was built with" : std::string(library);
  if (mpi_workers(environment)) {
    throw UsageError(
        fmt::format("{} processes were started, but each finds itself alone: mpirun or srun belongs to another MPI than {}.\n"
                    "  Start them with that MPI's own mpirun (load its module, or give the full path): mpirun -n {} lockstep ...",
                    workers, mpi, workers));
  }
  const bool pmix = environment.contains("PMIX_RANK");
  const std::string by_srun = pmix ? "" : fmt::format("srun --mpi=pmix -n {} lockstep ..., or inside the allocation: ", workers);
  throw UsageError(
      fmt::format("srun started {} processes, but each finds itself alone: srun{} did not connect them through {}.\n"
                  "  Start them with: {}mpirun -n {} lockstep ...\n"
                  "  (For independent runs give each its own srun -n 1, or use a job array.)",
                  workers, pmix ? " --mpi=pmix" : "", mpi, by_srun, workers));
}

}  // namespace lockstep
