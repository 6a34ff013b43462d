#pragma once

#include <bit>
#include <cstdint>

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

/// Who owns what: every bucket's atoms, sorted by offset, are cut into one piece for each thread of the job, of as many elements each as
/// whole atoms allow. Piece number (threads of the workers before w) + t belongs to worker w, thread t: it sums and updates it.
class Pieces {
 public:
  /// Elements offset … offset + count − 1 of the flat array.
  struct Range {
    std::int64_t offset = 0;
    std::int64_t count = 0;
    bool operator==(const Range&) const = default;
  };
  /// Atoms of one worker that lie closer than this travel as one range. What is between them must be padding that nobody reads: tensors
  /// start at multiples of this.
  static constexpr std::int64_t kPadding = 16;

  Pieces(std::span<const int> threads_per_worker, std::vector<std::vector<Atom>> buckets);

  [[nodiscard]] int buckets() const { return static_cast<int>(buckets_.size()); }
  [[nodiscard]] int workers() const { return static_cast<int>(first_piece_.size()) - 1; }
  [[nodiscard]] int threads(int worker) const { return first_piece_[index(worker) + 1] - first_piece_[index(worker)]; }
  /// Threads of the workers before this one.
  [[nodiscard]] int first_thread(int worker) const { return first_piece_[index(worker)]; }
  [[nodiscard]] std::span<const Atom> atoms(int bucket) const { return buckets_[index(bucket)].atoms; }
  [[nodiscard]] std::span<const Atom> piece(int bucket, int worker, int thread) const;
  /// What a worker owns in a bucket: its pieces together, merged across padding.
  [[nodiscard]] std::span<const Range> ranges(int bucket, int worker) const { return buckets_[index(bucket)].ranges[index(worker)]; }
  /// From the first to the last element of a bucket.
  [[nodiscard]] Range span(int bucket) const { return buckets_[index(bucket)].span; }
  [[nodiscard]] std::size_t longest_atom() const { return longest_atom_; }

 private:
  struct Bucket {
    std::vector<Atom> atoms;
    Range span;
    std::vector<std::size_t> cuts;           ///< of all pieces of the job, in atoms
    std::vector<std::vector<Range>> ranges;  ///< [worker]
  };
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }

  std::vector<int> first_piece_;  ///< [worker + 1]
  std::vector<Bucket> buckets_;
  std::size_t longest_atom_ = 0;
};

/// Evaluates the rest of the tree for the atoms of a piece; what one thread needs for that.
class PieceSum {
 public:
  /// For plans of at most so many sources.
  PieceSum(std::size_t sources, std::size_t longest_atom)
      : longest_atom_(longest_atom), registers_(sources + std::bit_width(sources)), scratch_(std::bit_width(sources) * longest_atom) {}

  /// Calls consume(atom, sum) for each atom, where sum[i] belongs to element atom.offset + i; address(source, atom) is where the numbers
  /// of the plan's source lie.
  template <class Address, class Consume>
  void run(const RestPlan& plan, std::span<const Atom> atoms, const Address& address, const Consume& consume) {
    const std::size_t sources = plan.sources().size();
    for (std::size_t i = 0; i < static_cast<std::size_t>(plan.scratch()); ++i)
      registers_[sources + i] = scratch_.data() + i * longest_atom_;
    for (const Atom& atom : atoms) {
      for (std::size_t i = 0; i < sources; ++i)
        registers_[i] = const_cast<float*>(address(i, atom));  // programs only read their sources
      run_sums<float>(plan.ops(), registers_.data(), static_cast<std::size_t>(atom.count));
      consume(atom, static_cast<const float*>(registers_[static_cast<std::size_t>(plan.results()[0])]));
    }
  }

 private:
  std::size_t longest_atom_;
  std::vector<float*> registers_;
  std::vector<float> scratch_;
};

/// Completes a flat array of which every worker has filled in its pieces. Every worker must call it; between steps.
void gather_pieces(Communicator& communicator, const Pieces& pieces, std::span<float> flat);

}  // namespace lockstep
