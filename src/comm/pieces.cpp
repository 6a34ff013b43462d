#include "comm/pieces.hpp"

#include <numeric>

#include "runtime/aligned.hpp"

namespace lockstep {
namespace {

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

std::vector<Pieces::Range> merge(std::span<const Atom> atoms) {
  std::vector<Pieces::Range> ranges;
  for (const Atom& atom : atoms) {
    if (!ranges.empty() && atom.offset - (ranges.back().offset + ranges.back().count) < Pieces::kPadding)
      ranges.back().count = atom.offset + atom.count - ranges.back().offset;
    else
      ranges.push_back({atom.offset, atom.count});
  }
  return ranges;
}

}  // namespace

Pieces::Pieces(std::span<const int> threads_per_worker, std::vector<std::vector<Atom>> buckets) : first_piece_{0} {
  for (const int threads : threads_per_worker)
    first_piece_.push_back(first_piece_.back() + threads);
  for (std::vector<Atom>& atoms : buckets) {
    Bucket& bucket = buckets_.emplace_back();
    bucket.atoms = std::move(atoms);
    std::ranges::sort(bucket.atoms, {}, &Atom::offset);
    bucket.cuts = cut_evenly(bucket.atoms, first_piece_.back());
    for (int w = 0; w < workers(); ++w) {
      const std::size_t begin = bucket.cuts[index(first_piece_[index(w)])];
      const std::size_t end = bucket.cuts[index(first_piece_[index(w + 1)])];
      bucket.ranges.push_back(merge(std::span(bucket.atoms).subspan(begin, end - begin)));
    }
    if (const auto& all = bucket.atoms; !all.empty())
      bucket.span = {all.front().offset, all.back().offset + all.back().count - all.front().offset};
    for (const Atom& atom : bucket.atoms)
      longest_atom_ = std::max(longest_atom_, static_cast<std::size_t>(atom.count));
  }
}

std::span<const Atom> Pieces::piece(int bucket, int worker, int thread) const {
  const Bucket& b = buckets_[index(bucket)];
  const std::size_t number = index(first_piece_[index(worker)] + thread);
  return {b.atoms.data() + b.cuts[number], b.cuts[number + 1] - b.cuts[number]};
}

void gather_pieces(Communicator& communicator, const Pieces& pieces, std::span<float> flat) {
  if (communicator.size() == 1)
    return;
  const auto for_each_range = [&](int worker, const auto& visit) {
    for (int b = 0; b < pieces.buckets(); ++b) {
      for (const Pieces::Range& range : pieces.ranges(b, worker))
        visit(flat.begin() + range.offset, range.count);
    }
  };
  std::size_t most = 0;
  for (int w = 0; w < pieces.workers(); ++w) {
    std::size_t mine = 0;
    for_each_range(w, [&](auto, std::int64_t count) { mine += static_cast<std::size_t>(count); });
    most = std::max(most, mine);
  }
  const AlignedFloats mine(most), all(most * static_cast<std::size_t>(pieces.workers()));  // huge pages: they are new each time
  float* to = mine.data();
  for_each_range(communicator.rank(), [&](auto begin, std::int64_t count) { to = std::copy_n(begin, count, to); });
  communicator.all_gather(std::as_bytes(mine.span()), std::as_writable_bytes(all.span()), {.what = "gathering optimizer state"});
  for (int w = 0; w < pieces.workers(); ++w) {
    const float* from = all.data() + most * static_cast<std::size_t>(w);
    for_each_range(w, [&](auto begin, std::int64_t count) {
      std::copy_n(from, count, begin);
      from += count;
    });
  }
}

}  // namespace lockstep
