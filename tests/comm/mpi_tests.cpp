// Tests that run as a job of several workers: mpirun -n P mpi_comm_tests. Also run alone, without a launcher.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <mutex>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "comm/communicator.hpp"
#include "comm/count_allocations.hpp"
#include "comm/exchange.hpp"
#include "comm/gradient_flow.hpp"
#include "comm/lane_tree.hpp"
#include "comm/tree_sum.hpp"

namespace lockstep {
namespace {

/// Ends the process when a test takes longer than 30 s, saying where; mpirun then ends the others.
class Watchdog {
 public:
  explicit Watchdog(int rank) : rank_(rank), thread_([this](std::stop_token stop) { watch(stop); }) {}

  void enter(std::string test) {
    const std::lock_guard lock(mutex_);
    test_ = std::move(test);
    since_ = std::chrono::steady_clock::now();
  }

 private:
  void watch(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      const std::lock_guard lock(mutex_);
      if (!test_.empty() && std::chrono::steady_clock::now() - since_ > std::chrono::seconds(30)) {
        fmt::print(stderr, "rank {}: hung in {}\n", rank_, test_);
        std::fflush(stderr);
        std::_Exit(1);
      }
    }
  }

  int rank_;
  std::mutex mutex_;
  std::string test_;
  std::chrono::steady_clock::time_point since_;
  std::jthread thread_;
};

/// What all tests share; made in main.
struct Job {
  std::unique_ptr<Communicator> communicator = connect_workers({.deadline = std::chrono::seconds(10)});
  std::unique_ptr<Communicator> verdicts = connect_workers({.deadline = std::chrono::seconds(25)});
  Watchdog watchdog{communicator->rank()};
};
Job* job = nullptr;

/// The ranks agree on the verdict before anyone goes on: a test fails on all or on none. Verdicts travel on a communicator of their own.
class Workers : public testing::Test {
 protected:
  void SetUp() override {
    const auto* const info = testing::UnitTest::GetInstance()->current_test_info();
    job->watchdog.enter(fmt::format("{}.{}", info->test_suite_name(), info->name()));
  }

  void TearDown() override {
    const std::byte mine{static_cast<unsigned char>(HasFailure() ? 1 : 0)};
    std::vector<std::byte> all(size);
    job->verdicts->all_gather({&mine, 1}, all, {.what = "agreeing on the verdict"});
    for (int r = 0; r < size && !HasFailure(); ++r) {
      if (all[r] != std::byte{0})
        ADD_FAILURE() << "rank " << r << " failed";
    }
    job->watchdog.enter("");
  }

  Communicator& comm = *job->communicator;
  int rank = comm.rank();
  int size = comm.size();
};

std::vector<std::byte> pattern(std::size_t bytes, int seed) {
  std::vector<std::byte> data(bytes);
  for (std::size_t i = 0; i < bytes; ++i)
    data[i] = static_cast<std::byte>((i * 31 + static_cast<std::size_t>(seed) * 17 + i / 251) & 0xff);
  return data;
}

/// Everyone sends to everyone else, all at once.
void send_all_around(Communicator& comm, std::size_t bytes) {
  std::vector<Request> requests;
  std::vector<std::vector<std::byte>> received(comm.size(), std::vector<std::byte>(bytes));
  const auto mine = pattern(bytes, comm.rank());
  for (int peer = 0; peer < comm.size(); ++peer) {
    if (peer == comm.rank())
      continue;
    requests.push_back(comm.receive(peer, 5, received[peer]));
    requests.push_back(comm.send(peer, 5, mine));
  }
  comm.wait(requests, {.what = "sending all around"});
  for (int peer = 0; peer < comm.size(); ++peer) {
    if (peer != comm.rank()) {
      EXPECT_EQ(received[peer], pattern(bytes, peer)) << bytes << " bytes from " << peer;
    }
  }
}

TEST_F(Workers, SendAndReceiveOddSizes) {
  for (const std::size_t bytes : {0, 1, 3, 4095, 4097, 70001, 1000003})
    send_all_around(comm, bytes);
}

TEST_F(Workers, LongMessagesAreCut) {
  const auto cutting = connect_workers({.longest_message = 1000});
  for (const std::size_t bytes : {0, 999, 1000, 1001, 12345})
    send_all_around(*cutting, bytes);
}

TEST_F(Workers, AllGatherKeepsRankOrder) {
  for (const std::size_t bytes : {1, 8, 4099}) {
    std::vector<std::byte> all(bytes * size);
    comm.all_gather(pattern(bytes, rank), all, {.what = "gathering"});
    for (int peer = 0; peer < size; ++peer)
      EXPECT_TRUE(std::ranges::equal(std::span(all).subspan(bytes * peer, bytes), pattern(bytes, peer)));
  }
  std::vector<std::byte> wrong(3 * size + 1);
  EXPECT_THROW(comm.all_gather(pattern(3, rank), wrong, {.what = "gathering"}), UsageError);
}

TEST_F(Workers, BroadcastFromEveryRoot) {
  for (int root = 0; root < size; ++root) {
    for (const std::size_t bytes : {0, 1, 100003}) {
      auto data = rank == root ? pattern(bytes, root) : std::vector<std::byte>(bytes);
      comm.broadcast(data, root, {.what = "broadcasting"});
      EXPECT_EQ(data, pattern(bytes, root));
    }
  }
  EXPECT_THROW(comm.broadcast({}, size, {.what = "broadcasting"}), UsageError);
}

TEST_F(Workers, BarrierWaitsForTheLast) {
  std::vector<Request> early;
  std::byte signal{};
  if (rank == 0 && size > 1)
    early.push_back(comm.receive(size - 1, 9, {&signal, 1}));
  if (rank == size - 1 && size > 1) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const std::byte one{1};
    Request request = comm.send(0, 9, {&one, 1});
    comm.wait({&request, 1}, {.what = "signalling"});
  }
  comm.barrier({.what = "meeting"});
  // The last worker's message was sent before it came to the barrier.
  Waiting waiting{.what = "seeing the signal"};
  for (int i = 0; i < 1000 && !comm.test(early, waiting); ++i) {
  }
  EXPECT_TRUE(early.empty() || signal == std::byte{1});
}

TEST_F(Workers, ASilentPeerIsNamedWithinTheDeadlineAndTheRestGoesOn) {
  if (size < 2)
    GTEST_SKIP() << "needs two workers";
  std::vector<std::byte> abandoned(100);
  if (rank == 0) {
    comm.deadline = std::chrono::seconds(1);
    Request request = comm.receive(1, 3, abandoned);
    const auto begin = std::chrono::steady_clock::now();
    try {
      comm.wait({&request, 1}, {.what = "summing bucket", .step = 1841, .index = 2, .of = 7});
      ADD_FAILURE() << "received from a worker that did not send";
    } catch (const WorkerLost& lost) {
      EXPECT_EQ(std::string(lost.what()),
                fmt::format("rank 0 ({}), step 1841: no answer from rank 1 ({}) for 1 s while summing bucket 3 of 7; "
                            "stopping the job.",
                            comm.host(0), comm.host(1)));
    }
    EXPECT_TRUE(request.empty());
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(8));
    comm.deadline = std::chrono::seconds(10);
  }
  comm.barrier({.what = "going on"});
  // The receive that was given up does not take the next message.
  if (rank == 1) {
    const auto data = pattern(100, 1);
    Request request = comm.send(0, 3, data);
    comm.wait({&request, 1}, {.what = "sending late"});
  } else if (rank == 0) {
    std::vector<std::byte> data(100);
    Request request = comm.receive(1, 3, data);
    comm.wait({&request, 1}, {.what = "receiving late"});
    EXPECT_EQ(data, pattern(100, 1));
    EXPECT_EQ(abandoned, std::vector<std::byte>(100));
  }
}

TEST_F(Workers, MessagesOfAnotherSizeAreAFaultOfTheProgram) {
  if (size < 2)
    GTEST_SKIP() << "needs two workers";
  for (const std::size_t expected : {8, 64}) {
    std::vector<std::byte> data(rank == 0 ? expected : 16);
    if (rank == 0) {
      Request request = comm.receive(1, 4, data);
      EXPECT_THROW(comm.wait({&request, 1}, {.what = "receiving"}), UsageError);
    } else if (rank == 1) {
      Request request = comm.send(0, 4, data);
      comm.wait({&request, 1}, {.what = "sending"});
    }
  }
  EXPECT_THROW((void)comm.send(size, 0, {}), UsageError);
  EXPECT_THROW((void)comm.send((rank + 1) % size, Communicator::kTags, {}), UsageError);
}

// ---- the ordered exchange ----

/// A flat array of tensors that start at multiples of 16, cut into atoms.
struct Flat {
  std::vector<Atom> atoms;
  std::int64_t size = 0;

  explicit Flat(const std::vector<std::int64_t>& tensors) {
    for (std::size_t t = 0; t < tensors.size(); ++t) {
      for (std::int64_t i = 0; i < tensors[t]; i += 1024)
        atoms.push_back({size + i, static_cast<std::int32_t>(std::min<std::int64_t>(1024, tensors[t] - i)), static_cast<std::int32_t>(t)});
      size += (tensors[t] + 15) / 16 * 16;
    }
  }
  [[nodiscard]] std::vector<Atom> of(std::vector<int> tensors) const {
    std::vector<Atom> chosen;
    for (const int t : tensors)
      std::ranges::copy_if(atoms, std::back_inserter(chosen), [t](const Atom& atom) { return atom.tensor == t; });
    return chosen;
  }
};

/// One worker's side of a step with two threads: every lane's gradient is keyed by (step, lane); the sums become the new `flat`.
struct Stepper {
  Communicator& comm;
  const Pieces& pieces;
  OrderedExchange& exchange;
  const std::vector<LaneRange>& runs;
  std::int64_t elements;
  int threads;
  std::vector<std::vector<float>> registers = {};

  static std::vector<float> gradient(std::int64_t elements, std::int64_t step, int lane) {
    std::mt19937 random(static_cast<unsigned>(step * 1000 + lane));
    std::vector<float> values(elements);
    for (float& value : values)
      value = static_cast<float>(static_cast<std::int32_t>(random())) * 0x1p-31f;
    return values;
  }

  std::vector<const float*> fold(const FoldPlan& plan, std::int64_t step) {
    registers.resize(plan.buffers(), std::vector<float>(elements));
    std::vector<float*> pointers;
    for (auto& r : registers)
      pointers.push_back(r.data());
    for (int lane = runs[comm.rank()].begin; lane < runs[comm.rank()].end; ++lane) {
      if (plan.target(lane) >= 0)
        std::ranges::copy(gradient(elements, step, lane), pointers[plan.target(lane)]);
      run_sums<float>(plan.ops(lane), pointers.data(), elements);
    }
    std::vector<const float*> partials;
    for (const int reg : plan.partials())
      partials.push_back(reg < 0 ? nullptr : pointers[reg]);
    return partials;
  }

  void wait(int bucket, OrderedExchange::Stage stage) {
    for (Backoff backoff; !exchange.poll(bucket, stage);)
      backoff.pause();
  }

  void run(const RestPlan& rest, std::int64_t step, std::span<const float* const> partials, float* flat, bool in_threads) {
    for (int b = 0; b < pieces.buckets(); ++b)
      exchange.begin(b, rest, step);
    for (int b = 0; b < pieces.buckets(); ++b)
      exchange.bucket_ready(b, partials);
    for (int b = pieces.buckets() - 1; b >= 0; --b) {
      wait(b, OrderedExchange::Stage::arrived);
      const auto update = [&, b](int t) {
        exchange.sum_piece(b, t, [&](const Atom& atom, const float* sum) { std::copy_n(sum, atom.count, flat + atom.offset); });
      };
      if (in_threads) {
        std::vector<std::jthread> team;
        for (int t = 0; t < threads; ++t)
          team.emplace_back(update, t);
      } else {
        for (int t = 0; t < threads; ++t)
          update(t);
      }
      exchange.publish(b, flat);
    }
    for (int b = 0; b < pieces.buckets(); ++b) {
      wait(b, OrderedExchange::Stage::sent);
      wait(b, OrderedExchange::Stage::published);
    }
  }
};

TEST_F(Workers, ExchangeGivesTheBitsOfTheTreeOnEveryWorker) {
  const Flat layout({5000, 3, 700, 1, 2500, 64});
  constexpr int kState = 2;  // in no bucket: must stay as it is
  for (const int lanes : {6, 8}) {
    const auto runs = deal_lanes(lanes, std::vector<int>(size, 2));
    const Pieces pieces(std::vector<int>(size, 2), {layout.of({4, 1}), layout.of({5, 0, 3})});
    OrderedExchange exchange(comm, pieces, partials_per_run(runs));
    Stepper stepper{comm, pieces, exchange, runs, layout.size, 2};
    std::vector<float> flat(layout.size, -7.0f);
    for (std::int64_t step = 0; step < 3; ++step) {
      std::vector<int> samples(lanes, 4);
      if (step > 0)
        samples[1] = samples[lanes - 1] = 0;
      if (step > 1)
        samples[0] = samples[2] = 0;
      const RestPlan rest(runs, samples);
      stepper.run(rest, step, stepper.fold(FoldPlan(runs[rank], samples), step), flat.data(), true);

      std::vector<std::vector<float>> gradients;
      for (int lane = 0; lane < lanes; ++lane)
        gradients.push_back(Stepper::gradient(layout.size, step, lane));
      int wrong = 0;
      for (const Atom& atom : layout.atoms) {
        for (std::int64_t i = atom.offset; i < atom.offset + atom.count; ++i) {
          std::vector<float> column;
          for (const auto& lane : gradients)
            column.push_back(lane[i]);
          wrong += flat[i] != (atom.tensor == kState ? -7.0f : test::tree_sum(column, samples)) ? 1 : 0;
        }
      }
      EXPECT_EQ(wrong, 0) << lanes << " lanes, step " << step;
    }
  }
}

TEST_F(Workers, ExchangeSendsWhatItSaysAndAllocatesNothing) {
  const Flat layout({size * 4096, size * 2048});
  const auto runs = deal_lanes(size, std::vector<int>(size, 2));
  const Pieces pieces(std::vector<int>(size, 2), {layout.of({0}), layout.of({1})});
  OrderedExchange exchange(comm, pieces, partials_per_run(runs));
  Stepper stepper{comm, pieces, exchange, runs, layout.size, 2};
  const std::vector<int> samples(size, 1);
  const RestPlan rest(runs, samples);
  const auto partials = stepper.fold(FoldPlan(runs[rank], samples), 0);
  std::vector<float> flat(layout.size);
  stepper.run(rest, 0, partials, flat.data(), false);
  stepper.run(rest, 1, partials, flat.data(), false);
  const long allocated = test::allocations().own;
  const std::int64_t sent = exchange.bytes_sent();
  stepper.run(rest, 2, partials, flat.data(), false);
  EXPECT_EQ(test::allocations().own - allocated, 0);
  // S·(P−1)/P·(1 + m/P) with m = P
  EXPECT_EQ(exchange.bytes_sent() - sent, layout.size * 4 * (size - 1) / size * 2);
}

/// A round: [first element of the sum + round, elements] of each atom of this thread; then of all atoms.
void add_up_atoms(GradientFlow& flow, int thread, int round) {
  const std::span<double> sums = flow.atom_sums(round);
  for (int b = 0; b < flow.buckets(); ++b) {
    while (!flow.arrived(flow.first() + b))
      flow.progress(thread);
    const Atom* const first = flow.pieces().atoms(b).data();
    const auto keep = [&](const Atom& atom, const float* sum) {
      const std::size_t place = 2 * (flow.first_atom(b) + static_cast<std::size_t>(&atom - first));
      sums[place] = static_cast<double>(sum[0]) + round;
      sums[place + 1] = atom.count;
    };
    flow.sum_piece(thread, flow.first() + b, keep);
  }
  flow.post_atom_sums(thread, round);
  while (!flow.atom_sums_ready(round))
    flow.progress(thread);
}

/// One thread's side of a step: its lanes' gradients, keyed by (step, lane), and the pieces that it owns; the sums become the parameters.
void flow_step(GradientFlow& flow, int thread, std::int64_t step, std::int64_t elements, std::span<const int> samples, int rounds) {
  const FoldPlan& fold = flow.fold(thread);
  const std::int64_t end = flow.first() + flow.buckets();
  const auto help = [&] {
    flow.progress(thread);
    if (const auto q = flow.claim(thread, end)) {
      const auto keep = [&](const Atom& atom, const float* sum) { std::copy_n(sum, atom.count, flow.parameters().begin() + atom.offset); };
      flow.sum_piece(thread, *q, keep);
      flow.updated(thread, *q);
    }
  };
  for (int lane = flow.run(thread).begin; lane < flow.run(thread).end; ++lane) {
    flow.lane_sums(lane)[0] = samples[lane] > 0 ? lane + 1 : 0;
    flow.lane_sums(lane)[1] = 0;
  }
  flow.post_sums(thread);
  for (int b = 0; b < flow.buckets(); ++b) {
    while (!flow.may_write(flow.first() + b))
      help();
    const Pieces::Range span = flow.pieces().span(b);
    std::vector<float*> registers;
    for (int r = 0; r < fold.buffers(); ++r)
      registers.push_back(flow.buffer(thread, r, b) + span.offset);
    for (int lane = flow.run(thread).begin; lane < flow.run(thread).end; ++lane) {
      if (samples[lane] == 0)
        continue;
      const auto gradient = Stepper::gradient(elements, step, lane);
      std::copy_n(gradient.begin() + span.offset, span.count, registers[fold.target(lane)]);
      run_sums<float>(fold.ops(lane), registers.data(), span.count);
    }
    flow.post(thread, flow.first() + b + 1);
    if (rounds == 0)
      help();
  }
  while (rounds > 0 && !flow.sums_ready())
    flow.progress(thread);
  for (int round = 0; round < rounds; ++round)
    add_up_atoms(flow, thread, round);
  const auto all_settled = [&] {
    for (std::int64_t q = flow.first(); q < end; ++q) {
      if (!flow.settled(q))
        return false;
    }
    return flow.sums_ready();
  };
  while (!all_settled())
    help();
}

TEST_F(Workers, GradientsFlowThroughARingToTheBitsOfTheTree) {
  const Flat layout({5000, 3, 700, 2500, 64});
  constexpr int kThreads = 2;
  for (const int way : {0, 1, 2, 3}) {
    const bool share = way % 2 == 0;
    const int rounds = way < 2 ? 0 : 2;
    for (const int lanes : {6, 13}) {
      const auto flow = GradientFlow::create(comm,
                                             {lanes,
                                              std::vector<int>(size, kThreads),
                                              ReduceMode::exact,
                                              {layout.of({0}), layout.of({1, 2}), layout.of({3, 4})},
                                              layout.size,
                                              rounds == 0 ? 1 : 3,
                                              rounds},
                                             share);
      EXPECT_STREQ(flow->kind(), size == 1 ? "alone" : share ? "shared memory" : "messages");
      for (std::int64_t step = 0; step < 4; ++step) {
        std::vector<int> samples(lanes, 4);
        if (step % 2 == 1)
          samples[1] = samples[lanes - 1] = 0;
        flow->begin_step(samples, step, rank == 0 && step > 1 ? (step == 3 ? Wish::stop : Wish::checkpoint) : Wish::nothing);
        {
          std::vector<std::jthread> team;
          for (int t = 0; t < kThreads; ++t)
            team.emplace_back([&, t] { flow_step(*flow, t, step, layout.size, samples, rounds); });
        }
        int wrong = 0;
        for (const Atom& atom : layout.atoms) {
          std::vector<std::vector<float>> gradients;
          for (int lane = 0; lane < lanes; ++lane)
            gradients.push_back(Stepper::gradient(layout.size, step, lane));
          for (std::int64_t i = atom.offset; i < atom.offset + atom.count; ++i) {
            std::vector<float> column;
            for (const auto& lane : gradients)
              column.push_back(lane[i]);
            wrong += flow->parameters()[i] != test::tree_sum(column, samples) ? 1 : 0;
          }
        }
        for (int round = 0; round < rounds; ++round) {
          const std::span<const double> sums = flow->atom_sums(round);
          std::size_t place = 0;
          for (int b = 0; b < flow->buckets(); ++b) {
            for (const Atom& atom : flow->pieces().atoms(b)) {
              wrong += sums[place++] != static_cast<double>(flow->parameters()[atom.offset]) + round ? 1 : 0;
              wrong += sums[place++] != atom.count ? 1 : 0;
            }
          }
        }
        EXPECT_EQ(wrong, 0) << flow->kind() << ", " << lanes << " lanes, step " << step;
        for (int lane = 0; lane < lanes; ++lane)
          EXPECT_EQ(flow->all_sums()[2 * lane], samples[lane] > 0 ? lane + 1 : 0);
        EXPECT_EQ(flow->wish(), step == 3 ? Wish::stop : step == 2 ? Wish::checkpoint : Wish::nothing);
        comm.barrier({.what = "looking at the parameters"});
      }
    }
  }
}

TEST_F(Workers, WhoDoesNotUpdateItsPieceOfASharedBucketIsNamed) {
  if (size < 2)
    GTEST_SKIP() << "needs two workers";
  const Flat layout({5000, 3000});
  const std::vector<int> samples(size, 1);
  const auto flow = GradientFlow::create(
      comm, {size, std::vector<int>(size, 1), ReduceMode::exact, {layout.of({0}), layout.of({1})}, layout.size, 2}, true);
  const auto named = [&](std::int64_t q) {
    try {
      flow->name_the_silent(q);
    } catch (const WorkerLost& lost) {
      return std::string(lost.what());
    }
    return std::string();
  };
  const auto update = [&] {
    while (const auto q = flow->claim(0, flow->buckets())) {
      flow->sum_piece(0, *q, [](const Atom&, const float*) {});
      flow->updated(0, *q);
    }
  };
  flow->begin_step(samples, 0, Wish::nothing);
  comm.barrier({.what = "beginning"});
  if (rank != 1)
    flow->post(0, flow->buckets());
  comm.barrier({.what = "posting"});
  if (rank == 0) {
    EXPECT_NE(named(0).find("no answer from rank 1 ("), std::string::npos);
  }
  comm.barrier({.what = "looking"});
  if (rank == 1)
    flow->post(0, flow->buckets());
  if (rank != 1)
    flow->post_sums(0);
  comm.barrier({.what = "posting"});
  if (rank == 0) {
    EXPECT_NE(named(-1).find("rank 1 ("), std::string::npos);
    EXPECT_NE(named(0).find("adding up the losses"), std::string::npos);
  }
  comm.barrier({.what = "looking"});
  if (rank == 1)
    flow->post_sums(0);
  else
    update();
  comm.barrier({.what = "updating"});
  if (rank == 0) {
    EXPECT_NE(named(1).find("no answer from rank 1 ("), std::string::npos) << "it has posted everything and updates nothing";
  }
  comm.barrier({.what = "looking"});
  update();
  comm.barrier({.what = "updating"});
  EXPECT_EQ(named(0), "");
}

TEST_F(Workers, PiecesCoverEveryBucketOnceAndEvenly) {
  const Flat layout({100000, 10, 20});
  std::vector<int> threads(size);
  std::iota(threads.begin(), threads.end(), 1);
  const Pieces pieces(threads, {layout.of({2, 0, 1})});
  const int all = std::accumulate(threads.begin(), threads.end(), 0);
  std::int64_t mine = 0;
  for (int t = 0; t < threads[rank]; ++t) {
    std::int64_t elements = 0;
    for (const Atom& atom : pieces.piece(0, rank, t))
      elements += atom.count;
    EXPECT_LE(std::abs(elements - 100030 / all), 1024);
    mine += elements;
  }
  std::vector<std::int64_t> elements(size);
  comm.all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(elements)), {.what = "counting"});
  EXPECT_EQ(std::accumulate(elements.begin(), elements.end(), std::int64_t{0}), 100030);
  for (int w = 0; w < size; ++w)
    EXPECT_EQ(pieces.ranges(0, w).size(), 1u);
}

}  // namespace
}  // namespace lockstep

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  lockstep::Job job;
  lockstep::job = &job;
  // Rank 0 reports; the others print what fails.
  if (job.communicator->rank() != 0)
    testing::GTEST_FLAG(brief) = true;
  return RUN_ALL_TESTS();
}
