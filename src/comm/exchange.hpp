#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "comm/communicator.hpp"
#include "comm/lane_tree.hpp"

namespace lockstep {

/// The unit that pieces are made of: `count` elements of one tensor, `offset` counted in the flat array.
struct Atom {
  std::int64_t offset = 0;
  std::int32_t count = 0;
  std::int32_t tensor = 0;
  bool operator==(const Atom&) const = default;
};

/// The ordered exchange: sums flat arrays of floats over all workers along the tree over lanes (reduce-scatter), and hands what the owners
/// made of the sums back to everyone (all-gather), bucket by bucket.
///
/// A bucket's atoms, sorted by offset, are cut into one piece for each thread of the job, of as many elements each as whole atoms allow;
/// piece number (threads of the workers before w) + t belongs to worker w, thread t. The owner gets every worker's partials of its
/// piece and evaluates the rest of the tree. On the wire a worker receives S·(P−1)/P·(1 + m/P) bytes a step (S: bytes of the array, P:
/// workers, m: partials of all workers): (m − F)·S/P for the sums and S·(P−1)/P for the results. With one worker nothing is sent or copied.
///
/// A step: begin_step; for each bucket bucket_ready, wait(arrived), sum_piece by every thread, publish; finish. All but sum_piece, piece
/// and ranges need one lock held by the caller; sum_piece may run on all threads at once. Waiting with the lock held keeps other
/// threads from bucket_ready: where that can happen, poll instead. Large messages move only while somebody polls.
/// Nothing is allocated once the first step of every plan is through.
class OrderedExchange {
 public:
  /// What can be waited for. arrived: all partials of my pieces are here. sent: my partials have left and may be overwritten as far as
  /// sum_piece does not need them. published: everyone's results are here and mine have left.
  enum class Stage : std::uint8_t { arrived, sent, published };

  /// Elements offset … offset + count − 1 of the flat array.
  struct Range {
    std::int64_t offset = 0;
    std::int64_t count = 0;
    bool operator==(const Range&) const = default;
  };
  /// Atoms of one worker that lie closer than this travel as one range. What is between them must be padding that nobody reads: tensors
  /// start at multiples of this.
  static constexpr std::int64_t kPadding = 16;

  /// `partials_per_worker`: the most each worker will have. All arguments are the same on every worker. Throws UsageError if there are not
  /// size() of both, or too many buckets. `communicator` must outlive the exchange, which may be destroyed after finish() only, or when the
  /// job ends.
  OrderedExchange(Communicator& communicator, std::span<const int> threads_per_worker, std::span<const int> partials_per_worker,
                  std::vector<std::vector<Atom>> buckets);

  [[nodiscard]] int buckets() const { return static_cast<int>(buckets_.size()); }
  /// The atoms that thread `thread` of this worker owns in a bucket.
  [[nodiscard]] std::span<const Atom> piece(int bucket, int thread) const;
  /// What a worker owns in a bucket and sends as one message each: its pieces together, merged across padding.
  [[nodiscard]] std::span<const Range> ranges(int bucket, int worker) const;
  /// Bytes that this worker has sent in its life.
  [[nodiscard]] std::int64_t bytes_sent() const { return bytes_sent_; }

  /// Starts to receive the partials of all buckets. `plan` must live until finish() and be the same on every worker.
  /// Throws UsageError if a step is under way or the plan names more partials than the constructor was told.
  void begin_step(const RestPlan& plan, std::int64_t step);
  /// Sends my partials of a bucket: partials[f] is the base of flat array f, of which only this bucket's elements are read; an absent
  /// partial's is not used. They must stay unchanged until `sent` is done and every thread has summed its piece.
  void bucket_ready(int bucket, std::span<const float* const> partials);
  /// True once the stage is done; also moves all messages along. Throws WorkerLost as Communicator::test does.
  bool poll(int bucket, Stage stage);
  void wait(int bucket, Stage stage);
  /// Evaluates the tree for each atom of piece (me, thread) and calls consume(const Atom&, const float* sum), where sum[i] belongs to flat
  /// element atom.offset + i and is valid during the call. Requires `arrived`. Reads the partials only, so it may be called again.
  template <class Consume>
  void sum_piece(int bucket, int thread, Consume&& consume);
  /// Sends my pieces of a bucket in `flat` to everyone and receives theirs into it. Requires all my threads to be done with updating them,
  /// and this worker's lanes with reading the bucket's elements of `flat`. May be used for any flat array, also between steps.
  void publish(int bucket, float* flat);
  /// Waits for every stage of every bucket.
  void finish();

 private:
  struct Bucket {
    std::vector<Atom> atoms;
    std::vector<std::size_t> cuts;           ///< of all pieces of the job, in atoms
    std::vector<std::vector<Range>> ranges;  ///< [worker]
    std::vector<std::int64_t> places;        ///< of this worker's atoms (others': 0) in a received partial
    std::int64_t mine = 0;                   ///< elements of this worker's ranges
    float* received = nullptr;               ///< [others' partials, mine]
    std::vector<const float*> partials;      ///< this worker's own
    std::array<std::vector<Request>, 3> requests;
    std::array<Waiting, 3> waiting;
  };
  struct Desk {  ///< one thread's
    std::vector<float*> registers;
    std::vector<float> scratch;
  };

  [[nodiscard]] Bucket& at(int bucket) { return buckets_[static_cast<std::size_t>(bucket)]; }
  [[nodiscard]] const Bucket& at(int bucket) const { return buckets_[static_cast<std::size_t>(bucket)]; }
  void deal(Bucket& bucket) const;
  void expect(Bucket& bucket, int number, Stage stage, std::string_view what);
  [[nodiscard]] float* received(const Bucket& bucket, RestPlan::Source source) const;
  void send_ranges(Bucket& bucket, int number, Stage stage, int to, int owner, const float* flat);

  Communicator* communicator_;
  int me_;
  std::vector<int> first_piece_;    ///< [worker + 1]
  std::vector<int> partials_;       ///< [worker]
  std::vector<int> first_partial_;  ///< [worker]: place among the others' partials
  std::vector<Bucket> buckets_;
  std::unique_ptr<float[]> memory_;
  std::size_t longest_atom_ = 0;
  std::vector<Desk> desks_;
  const RestPlan* plan_ = nullptr;
  std::int64_t step_ = -1;
  std::int64_t bytes_sent_ = 0;
};

template <class Consume>
void OrderedExchange::sum_piece(int bucket, int thread, Consume&& consume) {
  const Bucket& b = at(bucket);
  Desk& desk = desks_[static_cast<std::size_t>(thread)];
  const auto sources = plan_->sources();
  const std::span<const Atom> atoms = piece(bucket, thread);
  const std::int64_t* place = b.places.data() + (atoms.data() - b.atoms.data());
  for (const Atom& atom : atoms) {
    for (std::size_t i = 0; i < sources.size(); ++i) {
      // Programs only read their sources.
      desk.registers[i] = sources[i].worker == me_
                              ? const_cast<float*>(b.partials[static_cast<std::size_t>(sources[i].partial)]) + atom.offset
                              : received(b, sources[i]) + *place;
    }
    for (std::size_t i = 0; i < static_cast<std::size_t>(plan_->scratch()); ++i)
      desk.registers[sources.size() + i] = desk.scratch.data() + i * longest_atom_;
    run_sums<float>(plan_->ops(), desk.registers.data(), static_cast<std::size_t>(atom.count));
    consume(atom, static_cast<const float*>(desk.registers[static_cast<std::size_t>(plan_->result())]));
    ++place;
  }
}

}  // namespace lockstep
