// A switch in user space with limited rate and delay, for kernels without netem:  wire RATE DELAY INTERFACE...
//
// RATE (1gbit, 100mbit, none) holds for each interface and direction, DELAY (50us, 1ms) one way. Interface number i leads to the host whose
// hardware address ends in i. Frames pass packet sockets with virtio headers, so a TCP segment of up to 64 KiB passes in one piece with its
// checksum still to be made, as it does on a bridge; its time on the wire is that of the packets it would be cut into. A frame goes on
// to the receiver while it still arrives from the sender, or waits in the receiver's queue; what does not fit into 4 MiB there is dropped.

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace {

using Nanoseconds = std::int64_t;
constexpr std::size_t kBuffer = 4 << 20;  // bytes that a port of a switch holds
constexpr std::size_t kLargest = 70'000;

/// virtio_net_hdr, whose own header file is no C++.
struct VirtioHeader {
  std::uint8_t flags, gso_type;
  std::uint16_t header_length;
  std::uint16_t segment;  ///< bytes of data in each packet that the frame is to be cut into; 0: it is one packet
  std::uint16_t checksum_start, checksum_offset;
};
constexpr std::size_t kHeader = sizeof(VirtioHeader);
constexpr std::size_t kPacketHeaders = 66;  // Ethernet, IP, TCP with time stamps: again in each packet of a long segment

struct Frame {
  Nanoseconds due;
  std::vector<unsigned char> bytes;
};

struct Port {
  int socket = -1;
  Nanoseconds up_free = 0;    // when the link from the host is free
  Nanoseconds down_free = 0;  // when the link to the host is free
  std::deque<Frame> queue;    // to the host, the next one first
  std::size_t queued = 0;     // bytes
};

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

Nanoseconds now() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

double number(const std::string& text, const std::vector<std::pair<std::string, double>>& units) {
  std::size_t end = 0;
  const double value = std::stod(text, &end);
  for (const auto& [unit, factor] : units) {
    if (text.substr(end) == unit) {
      return value * factor;
    }
  }
  std::fprintf(stderr, "wire: cannot read '%s'\n", text.c_str());
  std::exit(2);
}

Port open_port(const char* interface) {
  Port port;
  port.socket = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  const int buffer = 32 << 20;
  if (port.socket < 0 || setsockopt(port.socket, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) != 0 ||
      setsockopt(port.socket, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) != 0) {
    die("wire: packet socket");
  }
  setsockopt(port.socket, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
  setsockopt(port.socket, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof buffer);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = __builtin_bswap16(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(if_nametoindex(interface));
  if (bind(port.socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    die(interface);
  }
  return port;
}

class Switch {
 public:
  Switch(double ns_per_byte, Nanoseconds delay, std::vector<Port> ports)
      : ns_per_byte_(ns_per_byte), delay_(delay), ports_(std::move(ports)) {}

  [[noreturn]] void run() {
    std::vector<pollfd> polled;
    for (const Port& port : ports_) {
      polled.push_back({port.socket, POLLIN, 0});
    }
    while (true) {
      const Nanoseconds wait = deliver();
      const timespec timeout{wait / 1'000'000'000, wait % 1'000'000'000};
      if (ppoll(polled.data(), polled.size(), wait < 0 ? nullptr : &timeout, nullptr) < 0 && errno != EINTR) {
        die("wire: poll");
      }
      for (std::size_t from = 0; from < ports_.size(); ++from) {
        receive(from);
      }
    }
  }

 private:
  /// Sends what is due; how long until the next frame is, −1 where none waits.
  Nanoseconds deliver() {
    Nanoseconds next = -1;
    for (Port& port : ports_) {
      while (!port.queue.empty()) {
        const Frame& frame = port.queue.front();
        if (const Nanoseconds left = frame.due - now(); left > 0) {
          next = next < 0 ? left : std::min(next, left);
          break;
        }
        if (write(port.socket, frame.bytes.data(), frame.bytes.size()) < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
          constexpr Nanoseconds kSoon = 50'000;
          next = next < 0 ? kSoon : std::min(next, kSoon);
          break;
        }
        port.queued -= frame.bytes.size() - kHeader;
        port.queue.pop_front();
      }
    }
    return next;
  }

  void receive(std::size_t from) {
    constexpr int kAtOnce = 16;  // then the others have their turn
    for (int i = 0; i < kAtOnce; ++i) {
      const ssize_t size = read(ports_[from].socket, buffer_.data(), buffer_.size());
      if (size < static_cast<ssize_t>(kHeader + ETH_HLEN)) {
        return;
      }
      const unsigned char* ethernet = buffer_.data() + kHeader;
      const bool to_all = (ethernet[0] & 1U) != 0;
      for (std::size_t to = 0; to < ports_.size(); ++to) {
        if (to != from && (to_all || to == ethernet[5])) {
          pass(ports_[from], ports_[to], static_cast<std::size_t>(size));
        }
      }
    }
  }

  void pass(Port& from, Port& to, std::size_t size) {
    VirtioHeader header{};
    std::memcpy(&header, buffer_.data(), kHeader);
    const std::size_t length = size - kHeader;
    const std::size_t packets = header.segment == 0 ? 1 : (length - kPacketHeaders + header.segment - 1) / header.segment;
    const auto on_wire = static_cast<Nanoseconds>(ns_per_byte_ * static_cast<double>(length + (packets - 1) * kPacketHeaders));
    if (to.queued + length > kBuffer) {
      return;
    }
    const Nanoseconds up = std::max(now(), from.up_free);
    const Nanoseconds begin = std::max(up, to.down_free);
    to.queued += length;
    from.up_free = up + on_wire;
    to.down_free = begin + on_wire;
    to.queue.push_back({begin + on_wire + delay_, {buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(size)}});
  }

  double ns_per_byte_;
  Nanoseconds delay_;
  std::vector<Port> ports_;
  std::array<unsigned char, kLargest> buffer_{};
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: wire RATE DELAY INTERFACE...\n");
    return 2;
  }
  const std::string rate = argv[1];
  const double bits = rate == "none" ? 0 : number(rate, {{"kbit", 1e3}, {"mbit", 1e6}, {"gbit", 1e9}, {"bit", 1}});
  const double delay = number(argv[2], {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"", 1e9}});
  std::vector<Port> ports;
  for (int i = 3; i < argc; ++i) {
    ports.push_back(open_port(argv[i]));
  }
  prctl(PR_SET_TIMERSLACK, 1UL);
  const sched_param priority{1};
  sched_setscheduler(0, SCHED_FIFO, &priority);  // a switch does not wait for the hosts' programs; where it is not allowed, as it may
  Switch(bits > 0 ? 8e9 / bits : 0, static_cast<Nanoseconds>(delay), std::move(ports)).run();
}
