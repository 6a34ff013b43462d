#include "comm/exchange.hpp"

#include <fmt/format.h>

namespace lockstep {

namespace {

constexpr std::int64_t kChunk = 1 << 16;  ///< elements of one message: 256 KiB
constexpr std::size_t kUnderWay = 4;      ///< messages to one worker at once

std::size_t index(OrderedExchange::Stage stage) { return static_cast<std::size_t>(stage); }

/// Sums are sent with even tags, results with odd ones.
int tag(int bucket, OrderedExchange::Stage stage) { return 2 * bucket + (stage == OrderedExchange::Stage::published ? 1 : 0); }

std::span<const std::byte> bytes(const float* data, std::int64_t count) {
  return std::as_bytes(std::span(data, static_cast<std::size_t>(count)));
}

std::span<std::byte> bytes(float* data, std::int64_t count) {
  return std::as_writable_bytes(std::span(data, static_cast<std::size_t>(count)));
}

}  // namespace

OrderedExchange::OrderedExchange(Communicator& communicator, const Pieces& pieces, std::span<const int> partials_per_worker)
    : communicator_(&communicator),
      pieces_(&pieces),
      me_(communicator.rank()),
      partials_(partials_per_worker.begin(), partials_per_worker.end()),
      buckets_(static_cast<std::size_t>(pieces.buckets())),
      outgoing_(static_cast<std::size_t>(communicator.size())) {
  const auto workers = static_cast<std::size_t>(communicator.size());
  if (buckets_.size() > Communicator::kTags / 2)
    throw UsageError(fmt::format("{} buckets are more than {}; make them larger", buckets_.size(), Communicator::kTags / 2));
  int others = 0;
  for (std::size_t w = 0; w < workers; ++w) {
    first_partial_.push_back(others);
    others += static_cast<int>(w) == me_ ? 0 : partials_[w];
  }
  // Plans only get smaller where lanes are empty.
  const auto sources = static_cast<std::size_t>(others + partials_[static_cast<std::size_t>(me_)]);
  piece_sums_.assign(static_cast<std::size_t>(pieces.threads(me_)), PieceSum(sources, pieces.longest_atom()));
  std::size_t floats = 0;
  for (int b = 0; b < pieces.buckets(); ++b) {
    find_places(at(b), b);
    floats += static_cast<std::size_t>(at(b).mine * others);
  }
  // How much waits at once depends on timing, so there is room for all of it.
  for (std::size_t w = 0; w < workers; ++w) {
    std::size_t most = 0;
    for (int b = 0; b < pieces.buckets(); ++b)
      most += chunks(b, me_) + chunks(b, static_cast<int>(w)) * static_cast<std::size_t>(partials_[static_cast<std::size_t>(me_)]);
    outgoing_[w].queue.reserve(most);
    outgoing_[w].under_way.reserve(kUnderWay);
  }
  memory_ = std::make_unique_for_overwrite<float[]>(floats);
  float* next = memory_.get();
  for (Bucket& bucket : buckets_) {
    bucket.received = next;
    next += bucket.mine * others;
  }
}

void OrderedExchange::find_places(Bucket& bucket, int number) const {
  const std::span<const Atom> atoms = pieces_->atoms(number);
  const std::span<const Pieces::Range> mine = pieces_->ranges(number, me_);
  bucket.places.assign(atoms.size(), 0);
  for (const Pieces::Range& range : mine) {
    for (std::size_t a = 0; a < atoms.size(); ++a) {
      if (atoms[a].offset >= range.offset && atoms[a].offset < range.offset + range.count)
        bucket.places[a] = bucket.mine + atoms[a].offset - range.offset;
    }
    bucket.mine += range.count;
  }
  bucket.partials.resize(static_cast<std::size_t>(partials_[static_cast<std::size_t>(me_)]));
}

std::size_t OrderedExchange::chunks(int bucket, int owner) const {
  std::int64_t count = 0;
  for (const Pieces::Range& range : pieces_->ranges(bucket, owner))
    count += (range.count + kChunk - 1) / kChunk;
  return static_cast<std::size_t>(count);
}

float* OrderedExchange::received(const Bucket& bucket, RestPlan::Source source) const {
  return bucket.received + (first_partial_[static_cast<std::size_t>(source.run)] + source.partial) * bucket.mine;
}

void OrderedExchange::receive_range(Bucket& bucket, int number, Stage stage, int from, float* to, std::int64_t count) {
  for (std::int64_t at = 0; at < count; at += kChunk)
    bucket.requests[index(stage)].push_back(communicator_->receive(from, tag(number, stage), bytes(to + at, std::min(kChunk, count - at))));
}

void OrderedExchange::expect(Bucket& bucket, int number, Stage stage, std::string_view what, std::int64_t step) {
  bucket.requests[index(stage)].clear();
  bucket.waiting[index(stage)] = {.what = what, .step = step, .index = number, .of = pieces_->buckets()};
}

void OrderedExchange::begin(int bucket, const RestPlan& plan, std::int64_t step) {
  Bucket& b = at(bucket);
  expect(b, bucket, Stage::arrived, "summing bucket", step);
  b.plan = &plan;
  for (const RestPlan::Source& source : plan.sources()) {
    if (source.run == me_)
      continue;
    float* to = received(b, source);
    for (const Pieces::Range& range : pieces_->ranges(bucket, me_)) {
      receive_range(b, bucket, Stage::arrived, source.run, to, range.count);
      to += range.count;
    }
  }
}

void OrderedExchange::send_ranges(int number, Stage stage, int to, int owner, const float* flat) {
  std::vector<Chunk>& queue = outgoing_[static_cast<std::size_t>(to)].queue;
  // Behind what goes to the same worker of this bucket and of later ones: chunks of one message must stay in their order.
  const auto place = std::ranges::find_if(queue, [number](const Chunk& chunk) { return chunk.bucket < number; }) - queue.begin();
  std::size_t last = queue.size();
  for (const Pieces::Range& range : pieces_->ranges(number, owner)) {
    for (std::int64_t at = 0; at < range.count; at += kChunk) {
      queue.push_back({number, stage, bytes(flat + range.offset + at, std::min(kChunk, range.count - at))});
      ++this->at(number).unsent[index(stage)];
    }
  }
  std::rotate(queue.begin() + place, queue.begin() + static_cast<std::ptrdiff_t>(last), queue.end());
}

/// Starts what may be under way to a worker, and forgets what has left.
void OrderedExchange::send_next(int to) {
  Outgoing& out = outgoing_[static_cast<std::size_t>(to)];
  std::erase_if(out.under_way, [&](std::pair<Request, Chunk>& each) {
    if (!communicator_->test({&each.first, 1}, out.waiting))
      return false;
    --at(each.second.bucket).unsent[index(each.second.stage)];
    return true;
  });
  while (!out.queue.empty() && out.under_way.size() < kUnderWay) {
    const Chunk chunk = out.queue.front();
    out.queue.erase(out.queue.begin());
    if (out.under_way.empty())
      out.waiting = at(chunk.bucket).waiting[index(chunk.stage)];
    out.under_way.emplace_back(communicator_->send(to, tag(chunk.bucket, chunk.stage), chunk.data), chunk);
    bytes_sent_ += static_cast<std::int64_t>(chunk.data.size());
  }
}

void OrderedExchange::bucket_ready(int bucket, std::span<const float* const> partials) {
  Bucket& b = at(bucket);
  expect(b, bucket, Stage::sent, "sending the sums of bucket", b.waiting[index(Stage::arrived)].step);
  std::copy_n(partials.begin(), std::min(partials.size(), b.partials.size()), b.partials.begin());
  const int workers = communicator_->size();
  // Every worker starts with the next one, so that they do not all send to the first at once.
  for (int k = 1; k < workers; ++k) {
    const int to = (me_ + k) % workers;
    for (const RestPlan::Source& source : b.plan->sources()) {
      if (source.run == me_)
        send_ranges(bucket, Stage::sent, to, to, b.partials[static_cast<std::size_t>(source.partial)]);
    }
  }
}

bool OrderedExchange::poll(int bucket, Stage stage) {
  Bucket& b = at(bucket);
  for (int w = 0; w < communicator_->size(); ++w)
    send_next(w);
  return communicator_->test(b.requests[index(stage)], b.waiting[index(stage)]) && b.unsent[index(stage)] == 0;
}

void OrderedExchange::publish(int bucket, float* flat) {
  Bucket& b = at(bucket);
  expect(b, bucket, Stage::published, "gathering bucket", b.waiting[index(Stage::arrived)].step);
  const int workers = communicator_->size();
  for (int k = 1; k < workers; ++k) {
    const int from = (me_ - k + workers) % workers;
    for (const Pieces::Range& range : pieces_->ranges(bucket, from))
      receive_range(b, bucket, Stage::published, from, flat + range.offset, range.count);
  }
  for (int k = 1; k < workers; ++k)
    send_ranges(bucket, Stage::published, (me_ + k) % workers, me_, flat);
}

}  // namespace lockstep
