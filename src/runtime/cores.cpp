#include "runtime/cores.hpp"

#include <sched.h>

#include <span>

namespace lockstep {
namespace {

void set_affinity(std::span<const int> cores) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : cores) {
    CPU_SET(static_cast<std::size_t>(core), &set);
  }
  sched_setaffinity(0, sizeof set, &set);
}

}  // namespace

const std::vector<int>& process_cores() {
  static const std::vector<int> cores = [] {
    std::vector<int> found;
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
      for (int core = 0; core < CPU_SETSIZE; ++core) {
        if (CPU_ISSET(static_cast<std::size_t>(core), &set)) {
          found.push_back(core);
        }
      }
    }
    return found;
  }();
  return cores;
}

void pin_thread(int core) { set_affinity({&core, 1}); }

void use_all_cores() { set_affinity(process_cores()); }

}  // namespace lockstep
