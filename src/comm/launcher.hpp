#pragma once

#include <map>
#include <string>
#include <string_view>

namespace lockstep {

/// Environment variables by name.
using Environment = std::map<std::string, std::string, std::less<>>;

/// Those of this process.
[[nodiscard]] Environment current_environment();

/// The name of this machine up to the first dot.
[[nodiscard]] std::string short_host_name();

/// Whether an MPI launcher, or srun with a PMI plugin, started this process, so that MPI_Init will find the other workers.
[[nodiscard]] bool started_by_mpi(const Environment& environment);

/// How many processes the launcher meant the job to have; 1 where there was none. mpirun's own count comes first: under Slurm it starts its
/// daemons by srun, whose variables every worker inherits. A shell in an allocation (sbatch's script, salloc) is one process, whatever
/// SLURM_NTASKS says.
[[nodiscard]] int intended_workers(const Environment& environment);

/// Throws UsageError, with the line to start the job by, when the launcher meant several workers and this process found itself alone:
/// each of them would train the whole model by itself and write to the same folder. `library` names the MPI this program is built with.
void check_job_size(const Environment& environment, int size, std::string_view library = "");

}  // namespace lockstep
