// What libFuzzer calls; LOCKSTEP_FUZZ_TARGET in the environment names the target.
#include <cstdio>
#include <cstdlib>

#include "fuzz/target.hpp"

namespace {

const lockstep::fuzz::Target& chosen() {
  const char* const name = std::getenv("LOCKSTEP_FUZZ_TARGET");
  const lockstep::fuzz::Target* const found = lockstep::fuzz::target_named(name == nullptr ? "" : name);
  if (found == nullptr) {
    std::fputs("LOCKSTEP_FUZZ_TARGET must name one of:", stderr);
    for (const lockstep::fuzz::Target& target : lockstep::fuzz::targets()) {
      std::fprintf(stderr, " %s", std::string(target.name).c_str());
    }
    std::fputs("\n", stderr);
    std::exit(2);
  }
  return *found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const lockstep::fuzz::Target& target = chosen();
  std::string what;
  if (!lockstep::fuzz::survives(target, {data, size}, what)) {
    std::fprintf(stderr, "an exception that is not ours to throw: %s\n", what.c_str());
    std::abort();
  }
  return 0;
}
