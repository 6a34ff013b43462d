#include "comm/launcher.hpp"

#include <gtest/gtest.h>

#include <string>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

std::string refusal(const Environment& environment, int size) {
  try {
    check_job_size(environment, size, "Open MPI v4.1.4");
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(Launcher, NoLauncherIsOneWorkerWithoutMpi) {
  EXPECT_FALSE(started_by_mpi({}));
  EXPECT_EQ(intended_workers({}), 1);
  EXPECT_EQ(refusal({}, 1), "");
  EXPECT_FALSE(started_by_mpi({{"PMIX_MCA_gds", "hash"}, {"OMPI_MCA_btl", "self,vader"}}));
}

TEST(Launcher, MpirunConnectsItsProcesses) {
  const Environment open_mpi = {{"OMPI_COMM_WORLD_SIZE", "4"}, {"OMPI_COMM_WORLD_RANK", "1"}, {"PMIX_RANK", "1"}};
  EXPECT_TRUE(started_by_mpi(open_mpi));
  EXPECT_EQ(intended_workers(open_mpi), 4);
  EXPECT_EQ(refusal(open_mpi, 4), "");
  const Environment mpich = {{"PMI_SIZE", "3"}, {"PMI_RANK", "0"}, {"PMI_FD", "9"}};
  EXPECT_TRUE(started_by_mpi(mpich));
  EXPECT_EQ(intended_workers(mpich), 3);
}

TEST(Launcher, MpirunOfAnotherMpiIsRefused) {
  const std::string message = refusal({{"PMI_SIZE", "3"}, {"PMI_RANK", "0"}}, 1);
  EXPECT_NE(message.find("3 processes were started"), std::string::npos) << message;
  EXPECT_NE(message.find("another MPI than Open MPI v4.1.4"), std::string::npos) << message;
  EXPECT_NE(message.find("mpirun -n 3 lockstep"), std::string::npos) << message;
}

TEST(Launcher, SrunWithoutAPluginIsRefusedWithTheLineToUse) {
  const Environment plain = {
      {"SLURM_NTASKS", "8"}, {"SLURM_STEP_ID", "0"}, {"SLURM_PROCID", "5"}, {"SLURM_STEP_NUM_TASKS", "8"}, {"SLURM_JOB_ID", "17"}};
  EXPECT_FALSE(started_by_mpi(plain));
  const std::string message = refusal(plain, 1);
  EXPECT_NE(message.find("srun started 8 processes"), std::string::npos) << message;
  EXPECT_NE(message.find("srun --mpi=pmix -n 8 lockstep"), std::string::npos) << message;
  EXPECT_NE(message.find("mpirun -n 8 lockstep"), std::string::npos) << message;
}

TEST(Launcher, SrunWithPmixThatMpiDoesNotSpeakPointsToMpirun) {
  const Environment pmix = {{"SLURM_STEP_ID", "1"}, {"SLURM_PROCID", "0"}, {"SLURM_STEP_NUM_TASKS", "2"}, {"PMIX_RANK", "0"}};
  EXPECT_TRUE(started_by_mpi(pmix));
  EXPECT_EQ(refusal(pmix, 2), "");
  const std::string message = refusal(pmix, 1);
  EXPECT_NE(message.find("mpirun -n 2 lockstep"), std::string::npos) << message;
  EXPECT_EQ(message.find("-n 2 lockstep ..., or"), std::string::npos) << message;
}

TEST(Launcher, AShellInAnAllocationIsOneWorker) {
  const Environment sbatch = {{"SLURM_NTASKS", "8"}, {"SLURM_PROCID", "0"}, {"SLURM_JOB_ID", "17"}};
  EXPECT_EQ(refusal(sbatch, 1), "");
  EXPECT_FALSE(started_by_mpi(sbatch));
  for (const char* step : {"4294967291", "4294967290", "batch"})
    EXPECT_EQ(refusal({{"SLURM_NTASKS", "8"}, {"SLURM_PROCID", "0"}, {"SLURM_STEP_ID", step}, {"SLURM_STEP_NUM_TASKS", "8"}}, 1), "")
        << step;
  const Environment bash_by_srun = {{"SLURM_NTASKS", "8"}, {"SLURM_STEP_ID", "0"}, {"SLURM_PROCID", "0"}, {"SLURM_STEP_NUM_TASKS", "1"}};
  EXPECT_EQ(refusal(bash_by_srun, 1), "");
}

TEST(Launcher, MpirunsCountComesBeforeTheDaemonsSrunStep) {
  const Environment one = {{"OMPI_COMM_WORLD_SIZE", "1"}, {"SLURM_STEP_ID", "0"}, {"SLURM_PROCID", "1"}, {"SLURM_STEP_NUM_TASKS", "2"}};
  EXPECT_EQ(intended_workers(one), 1);
  EXPECT_EQ(refusal(one, 1), "");
}

}  // namespace
}  // namespace lockstep
