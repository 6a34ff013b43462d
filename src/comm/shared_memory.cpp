#include "comm/shared_memory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace lockstep {
namespace {

/// How the others find the first worker's memory.
struct Ticket {
  std::int64_t process = -1;
  std::int64_t file = -1;
  std::uint64_t secret = 0;  ///< also stands at the start of the memory
};

std::unique_ptr<SharedMemory> map(int file, std::size_t bytes) {
  struct stat status {};
  if (file < 0 || fstat(file, &status) != 0 || static_cast<std::size_t>(status.st_size) != bytes)
    return nullptr;
  void* const mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED)
    return nullptr;
  madvise(mapped, bytes, MADV_HUGEPAGE);  // only advice
  return std::make_unique<SharedMemory>(static_cast<std::byte*>(mapped), bytes);
}

bool one_host(const Communicator& communicator) {
  for (int r = 1; r < communicator.size(); ++r) {
    if (communicator.host(r) != communicator.host(0))
      return false;
  }
  return true;
}

}  // namespace

SharedMemory::~SharedMemory() { munmap(mapped_, bytes_); }

std::unique_ptr<SharedMemory> SharedMemory::create(Communicator& communicator, std::size_t bytes) {
  if (!one_host(communicator))
    return nullptr;
  const std::size_t size = kHeader + bytes;
  Ticket ticket;
  std::unique_ptr<SharedMemory> memory;
  int file = -1;
  if (communicator.rank() == 0) {
    file = memfd_create("lockstep", MFD_CLOEXEC);
    if (file >= 0 && ftruncate(file, static_cast<off_t>(size)) == 0 && getrandom(&ticket.secret, sizeof ticket.secret, 0) > 0)
      memory = map(file, size);
    if (memory)
      std::memcpy(memory->mapped_, &ticket.secret, sizeof ticket.secret);
    ticket.process = getpid();
    ticket.file = file;
  }
  communicator.broadcast(std::as_writable_bytes(std::span(&ticket, 1)), 0, {.what = "sharing memory"});
  if (communicator.rank() != 0) {
    file = open(fmt::format("/proc/{}/fd/{}", ticket.process, ticket.file).c_str(), O_RDWR | O_CLOEXEC);
    memory = map(file, size);
    if (memory && std::memcmp(memory->mapped_, &ticket.secret, sizeof ticket.secret) != 0)
      memory.reset();
  }
  const std::byte mine{static_cast<unsigned char>(memory ? 1 : 0)};
  std::vector<std::byte> all(static_cast<std::size_t>(communicator.size()));
  communicator.all_gather({&mine, 1}, all, {.what = "sharing memory"});
  if (file >= 0)
    close(file);
  if (std::ranges::count(all, std::byte{0}) > 0)
    return nullptr;
  return memory;
}

}  // namespace lockstep
