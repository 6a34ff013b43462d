#pragma once

#include <array>

#include "comm/pieces.hpp"

namespace lockstep {

/// The ordered exchange: sums flat arrays of floats over all workers along the tree over lanes (reduce-scatter), and hands what the owners
/// made of the sums back to everyone (all-gather), bucket by bucket, by messages.
///
/// The owner of a piece gets every worker's partials of it and evaluates the rest of the tree. On the wire a worker receives
/// S·(P−1)/P·(1 + m/P) bytes a step (S: bytes of the array, P: workers, m: partials of all workers): (m − F)·S/P for the sums and S·(P−1)/P
/// for the results.
///
/// A step takes every bucket, in any order, through begin, bucket_ready, arrived, sum_piece by every thread, publish, published and sent.
/// Buckets are independent of each other: one may be in its next step already. All but sum_piece need one lock held by the caller;
/// sum_piece may run on all threads at once. Messages move only while somebody polls; they are cut into chunks, of which few are under way
/// to each worker at once, those of the last bucket first: it holds the first layers, which the next step reads first.
/// Nothing is allocated once the first step of every plan is through.
class OrderedExchange {
 public:
  /// What can be waited for. arrived: all partials of my pieces are here. sent: my partials have left and may be overwritten as far as
  /// sum_piece does not need them. published: everyone's results are here and mine have left.
  enum class Stage : std::uint8_t { arrived, sent, published };

  /// `partials_per_worker`: the most each worker will have. All arguments are the same on every worker. Throws UsageError if there are too
  /// many buckets. `communicator` and `pieces` must outlive the exchange, which may be destroyed when no bucket is
  /// under way, or when the job ends.
  OrderedExchange(Communicator& communicator, const Pieces& pieces, std::span<const int> partials_per_worker);

  /// Bytes that this worker has sent in its life.
  [[nodiscard]] std::int64_t bytes_sent() const { return bytes_sent_; }

  /// Starts to receive the partials of a bucket. `plan` over all workers' runs, the same on every worker, must live until the sums are
  /// done. Requires that the bucket is not under way, and that the plan names no more partials than the constructor was told.
  void begin(int bucket, const RestPlan& plan, std::int64_t step);
  /// Sends my partials of a bucket: partials[f] is the base of flat array f, of which only this bucket's elements are read; an absent
  /// partial's is not used. They must stay unchanged until `sent` is done and every thread has summed its piece.
  void bucket_ready(int bucket, std::span<const float* const> partials);
  /// True once the stage is done; also moves all messages along. Throws WorkerLost as Communicator::test does.
  bool poll(int bucket, Stage stage);
  /// Evaluates the tree for each atom of piece (me, thread) and calls consume(const Atom&, const float* sum), where sum[i] belongs to flat
  /// element atom.offset + i and is valid during the call. Requires `arrived`. Reads the partials only, so it may be called again.
  template <class Consume>
  void sum_piece(int bucket, int thread, Consume&& consume);
  /// Sends my pieces of a bucket in `flat` to everyone and receives theirs into it. Requires all my threads to be done with updating them,
  /// and this worker's lanes with reading the bucket's elements of `flat`.
  void publish(int bucket, float* flat);

 private:
  struct Bucket {
    const RestPlan* plan = nullptr;
    std::vector<std::int64_t> places;              ///< of this worker's atoms (others': 0) in a received partial
    std::int64_t mine = 0;                         ///< elements of this worker's ranges
    float* received = nullptr;                     ///< [others' partials, mine]
    std::vector<const float*> partials;            ///< this worker's own
    std::array<std::vector<Request>, 3> requests;  ///< receives
    std::array<Waiting, 3> waiting;
    std::array<int, 3> unsent{};  ///< chunks that have not left
  };
  struct Chunk {
    int bucket;
    Stage stage;
    std::span<const std::byte> data;
  };
  struct Outgoing {  ///< to one worker
    std::vector<Chunk> queue;
    std::vector<std::pair<Request, Chunk>> under_way;
    Waiting waiting;
  };

  [[nodiscard]] Bucket& at(int bucket) { return buckets_[static_cast<std::size_t>(bucket)]; }
  [[nodiscard]] const Bucket& at(int bucket) const { return buckets_[static_cast<std::size_t>(bucket)]; }
  void find_places(Bucket& bucket, int number) const;
  [[nodiscard]] std::size_t chunks(int bucket, int owner) const;  ///< of what a worker owns
  void expect(Bucket& bucket, int number, Stage stage, std::string_view what, std::int64_t step);
  [[nodiscard]] float* received(const Bucket& bucket, RestPlan::Source source) const;
  void receive_range(Bucket& bucket, int number, Stage stage, int from, float* to, std::int64_t count);
  void send_ranges(int number, Stage stage, int to, int owner, const float* flat);
  void send_next(int to);

  Communicator* communicator_;
  const Pieces* pieces_;
  int me_;
  std::vector<int> partials_;       ///< [worker]
  std::vector<int> first_partial_;  ///< [worker]: place among the others' partials
  std::vector<Bucket> buckets_;
  std::unique_ptr<float[]> memory_;
  std::vector<PieceSum> piece_sums_;  ///< [thread]
  std::vector<Outgoing> outgoing_;    ///< [worker]
  std::int64_t bytes_sent_ = 0;
};

template <class Consume>
void OrderedExchange::sum_piece(int bucket, int thread, Consume&& consume) {
  const Bucket& b = at(bucket);
  const Atom* const first = pieces_->atoms(bucket).data();
  const auto address = [&](std::size_t i, const Atom& atom) {
    const RestPlan::Source& source = b.plan->sources()[i];
    return source.run == me_ ? b.partials[static_cast<std::size_t>(source.partial)] + atom.offset
                             : received(b, source) + b.places[static_cast<std::size_t>(&atom - first)];
  };
  piece_sums_[static_cast<std::size_t>(thread)].run(*b.plan, pieces_->piece(bucket, me_, thread), address, consume);
}

}  // namespace lockstep
