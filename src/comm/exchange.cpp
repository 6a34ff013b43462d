#include "comm/exchange.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace lockstep {

namespace {

constexpr std::array kStages = {OrderedExchange::Stage::arrived, OrderedExchange::Stage::sent, OrderedExchange::Stage::published};

std::size_t index(OrderedExchange::Stage stage) { return static_cast<std::size_t>(stage); }

/// Sums are sent with even tags, results with odd ones.
int tag(int bucket, OrderedExchange::Stage stage) { return 2 * bucket + (stage == OrderedExchange::Stage::published ? 1 : 0); }

/// Borders of `pieces` runs of atoms: each at the atom nearest to its fair place.
std::vector<std::size_t> cut_evenly(std::span<const Atom> atoms, int pieces) {
  const std::int64_t all =
      std::accumulate(atoms.begin(), atoms.end(), std::int64_t{0}, [](auto sum, const Atom& a) { return sum + a.count; });
  std::vector<std::size_t> cuts = {0};
  std::int64_t before = 0;  // elements of atoms 0 … i−1
  std::size_t i = 0;
  for (int piece = 1; piece < pieces; ++piece) {
    const std::int64_t fair = all * piece / pieces;
    while (i < atoms.size() && before + atoms[i].count / 2 < fair)
      before += atoms[i++].count;
    cuts.push_back(i);
  }
  cuts.push_back(atoms.size());
  return cuts;
}

std::vector<OrderedExchange::Range> merge(std::span<const Atom> atoms) {
  std::vector<OrderedExchange::Range> ranges;
  for (const Atom& atom : atoms) {
    if (!ranges.empty() && atom.offset - (ranges.back().offset + ranges.back().count) < OrderedExchange::kPadding)
      ranges.back().count = atom.offset + atom.count - ranges.back().offset;
    else
      ranges.push_back({atom.offset, atom.count});
  }
  return ranges;
}

std::span<const std::byte> bytes(const float* data, std::int64_t count) {
  return std::as_bytes(std::span(data, static_cast<std::size_t>(count)));
}

std::span<std::byte> bytes(float* data, std::int64_t count) {
  return std::as_writable_bytes(std::span(data, static_cast<std::size_t>(count)));
}

}  // namespace

OrderedExchange::OrderedExchange(Communicator& communicator, std::span<const int> threads_per_worker,
                                 std::span<const int> partials_per_worker, std::vector<std::vector<Atom>> buckets)
    : communicator_(&communicator), me_(communicator.rank()), partials_(partials_per_worker.begin(), partials_per_worker.end()) {
  const auto workers = static_cast<std::size_t>(communicator.size());
  if (threads_per_worker.size() != workers || partials_per_worker.size() != workers)
    throw UsageError(fmt::format("the exchange among {} workers was given the threads of {} and the partials of {}", workers,
                                 threads_per_worker.size(), partials_per_worker.size()));
  if (buckets.size() > Communicator::kTags / 2)
    throw UsageError(fmt::format("{} buckets are more than {}; make them larger", buckets.size(), Communicator::kTags / 2));
  first_piece_ = {0};
  int others = 0;
  for (std::size_t w = 0; w < workers; ++w) {
    first_piece_.push_back(first_piece_.back() + threads_per_worker[w]);
    first_partial_.push_back(others);
    others += static_cast<int>(w) == me_ ? 0 : partials_[w];
  }
  desks_.resize(static_cast<std::size_t>(threads_per_worker[static_cast<std::size_t>(me_)]));

  std::size_t floats = 0;
  for (std::vector<Atom>& atoms : buckets) {
    buckets_.emplace_back().atoms = std::move(atoms);
    deal(buckets_.back());
    floats += static_cast<std::size_t>(buckets_.back().mine * others);
    for (const Atom& atom : buckets_.back().atoms)
      longest_atom_ = std::max(longest_atom_, static_cast<std::size_t>(atom.count));
  }
  memory_ = std::make_unique_for_overwrite<float[]>(floats);
  float* next = memory_.get();
  for (Bucket& bucket : buckets_) {
    bucket.received = next;
    next += bucket.mine * others;
  }
}

void OrderedExchange::deal(Bucket& bucket) const {
  std::ranges::sort(bucket.atoms, {}, &Atom::offset);
  bucket.cuts = cut_evenly(bucket.atoms, first_piece_.back());
  std::size_t others_ranges = 0;
  for (std::size_t w = 0; w + 1 < first_piece_.size(); ++w) {
    const std::size_t begin = bucket.cuts[static_cast<std::size_t>(first_piece_[w])];
    const std::size_t end = bucket.cuts[static_cast<std::size_t>(first_piece_[w + 1])];
    bucket.ranges.push_back(merge(std::span(bucket.atoms).subspan(begin, end - begin)));
    others_ranges += static_cast<int>(w) == me_ ? 0 : bucket.ranges[w].size();
  }
  const std::vector<Range>& mine = bucket.ranges[static_cast<std::size_t>(me_)];
  bucket.places.assign(bucket.atoms.size(), 0);
  std::size_t atom = bucket.cuts[static_cast<std::size_t>(first_piece_[static_cast<std::size_t>(me_)])];
  for (const Range& range : mine) {
    for (; atom < bucket.atoms.size() && bucket.atoms[atom].offset < range.offset + range.count; ++atom)
      bucket.places[atom] = bucket.mine + bucket.atoms[atom].offset - range.offset;
    bucket.mine += range.count;
  }
  const auto own_partials = static_cast<std::size_t>(partials_[static_cast<std::size_t>(me_)]);
  const auto all_partials = static_cast<std::size_t>(std::accumulate(partials_.begin(), partials_.end(), 0));
  bucket.partials.resize(own_partials);
  bucket.requests[index(Stage::arrived)].reserve((all_partials - own_partials) * mine.size());
  bucket.requests[index(Stage::sent)].reserve(own_partials * others_ranges);
  bucket.requests[index(Stage::published)].reserve(others_ranges + (partials_.size() - 1) * mine.size());
}

std::span<const Atom> OrderedExchange::piece(int bucket, int thread) const {
  const Bucket& b = at(bucket);
  const auto number = static_cast<std::size_t>(first_piece_[static_cast<std::size_t>(me_)] + thread);
  return {b.atoms.data() + b.cuts[number], b.cuts[number + 1] - b.cuts[number]};
}

std::span<const OrderedExchange::Range> OrderedExchange::ranges(int bucket, int worker) const {
  return at(bucket).ranges[static_cast<std::size_t>(worker)];
}

float* OrderedExchange::received(const Bucket& bucket, RestPlan::Source source) const {
  return bucket.received + (first_partial_[static_cast<std::size_t>(source.worker)] + source.partial) * bucket.mine;
}

void OrderedExchange::expect(Bucket& bucket, int number, Stage stage, std::string_view what) {
  std::vector<Request>& requests = bucket.requests[index(stage)];
  if (std::ranges::any_of(requests, [](const Request& r) { return !r.empty(); }))
    throw UsageError(fmt::format("{} {} of {} was started again before it was finished", what, number + 1, buckets()));
  requests.clear();
  bucket.waiting[index(stage)] = {.what = what, .step = step_, .index = number, .of = buckets()};
}

void OrderedExchange::begin_step(const RestPlan& plan, std::int64_t step) {
  for (const RestPlan::Source& source : plan.sources()) {
    if (source.worker >= static_cast<int>(partials_.size()) || source.partial >= partials_[static_cast<std::size_t>(source.worker)])
      throw UsageError(fmt::format("the exchange has no room for partial {} of worker {}", source.partial, source.worker));
  }
  plan_ = &plan;
  step_ = step;
  for (Desk& desk : desks_) {
    const auto scratch = static_cast<std::size_t>(plan.scratch());
    desk.registers.resize(std::max(desk.registers.size(), plan.sources().size() + scratch));
    desk.scratch.resize(std::max(desk.scratch.size(), scratch * longest_atom_));
  }
  for (int number = 0; number < buckets(); ++number) {
    Bucket& bucket = at(number);
    expect(bucket, number, Stage::arrived, "summing bucket");
    for (const RestPlan::Source& source : plan.sources()) {
      if (source.worker == me_)
        continue;
      float* to = received(bucket, source);
      for (const Range& range : ranges(number, me_)) {
        bucket.requests[index(Stage::arrived)].push_back(
            communicator_->receive(source.worker, tag(number, Stage::arrived), bytes(to, range.count)));
        to += range.count;
      }
    }
  }
}

void OrderedExchange::send_ranges(Bucket& bucket, int number, Stage stage, int to, int owner, const float* flat) {
  for (const Range& range : ranges(number, owner)) {
    const auto data = bytes(flat + range.offset, range.count);
    bucket.requests[index(stage)].push_back(communicator_->send(to, tag(number, stage), data));
    bytes_sent_ += static_cast<std::int64_t>(data.size());
  }
}

void OrderedExchange::bucket_ready(int bucket, std::span<const float* const> partials) {
  Bucket& b = at(bucket);
  expect(b, bucket, Stage::sent, "sending the sums of bucket");
  std::copy_n(partials.begin(), std::min(partials.size(), b.partials.size()), b.partials.begin());
  const int workers = communicator_->size();
  // Every worker starts with the next one, so that they do not all send to the first at once.
  for (int k = 1; k < workers; ++k) {
    const int to = (me_ + k) % workers;
    for (const RestPlan::Source& source : plan_->sources()) {
      if (source.worker == me_)
        send_ranges(b, bucket, Stage::sent, to, to, b.partials[static_cast<std::size_t>(source.partial)]);
    }
  }
}

bool OrderedExchange::poll(int bucket, Stage stage) {
  Bucket& b = at(bucket);
  return communicator_->test(b.requests[index(stage)], b.waiting[index(stage)]);
}

void OrderedExchange::wait(int bucket, Stage stage) {
  for (Backoff backoff; !poll(bucket, stage);)
    backoff.pause();
}

void OrderedExchange::publish(int bucket, float* flat) {
  Bucket& b = at(bucket);
  expect(b, bucket, Stage::published, "gathering bucket");
  const int workers = communicator_->size();
  for (int k = 1; k < workers; ++k) {
    const int from = (me_ - k + workers) % workers;
    for (const Range& range : ranges(bucket, from))
      b.requests[index(Stage::published)].push_back(
          communicator_->receive(from, tag(bucket, Stage::published), bytes(flat + range.offset, range.count)));
  }
  for (int k = 1; k < workers; ++k)
    send_ranges(b, bucket, Stage::published, (me_ + k) % workers, me_, flat);
}

void OrderedExchange::finish() {
  for (int bucket = 0; bucket < buckets(); ++bucket) {
    for (const Stage stage : kStages)
      wait(bucket, stage);
  }
}

}  // namespace lockstep
