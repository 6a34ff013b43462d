// LD_PRELOAD: while the file that SURVIVAL_FULL names exists, there is no room on the disk for checkpoints.
#include <dlfcn.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>

extern "C" ssize_t write(int file, const void* bytes, size_t count) {
  using Write = ssize_t (*)(int, const void*, size_t);
  static const auto real = reinterpret_cast<Write>(dlsym(RTLD_NEXT, "write"));
  static const char* const sign = std::getenv("SURVIVAL_FULL");
  if (sign != nullptr && access(sign, F_OK) == 0) {
    std::array<char, 4096> path{};
    const ssize_t length = readlink(("/proc/self/fd/" + std::to_string(file)).c_str(), path.data(), path.size());
    if (length > 0 && std::string_view(path.data(), static_cast<size_t>(length)).find("/checkpoints/") != std::string_view::npos) {
      errno = ENOSPC;
      return -1;
    }
  }
  return real(file, bytes, count);
}
