#include <algorithm>
#include <functional>
#include <numeric>

#include "plan/passes.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kAlignment = 64;

struct Block {
  std::size_t bytes = 0;
  std::size_t first = 0, last = 0;  ///< calls, inclusive
  std::size_t offset = 0;
};

template <class T>
std::size_t index_of(std::vector<T>& list, const T& item) {
  const auto it = std::find(list.begin(), list.end(), item);
  if (it != list.end()) {
    return static_cast<std::size_t>(it - list.begin());
  }
  list.push_back(item);
  return list.size() - 1;
}

class MemoryPass {
 public:
  MemoryPass(const LaidOut& laid, const std::vector<GroupCall>& calls, const FlatLayout& flat, Plan& plan)
      : graph_(laid.graph), calls_(calls), flat_(flat), plan_(plan) {}

  Memory run() {
    for (std::size_t id = 0; id < graph_.nodes().size(); ++id) {
      if (leaf::is_leaf(*graph_.nodes()[id].op)) {
        memory_.places[{static_cast<int>(id), 0}] = place_leaf(graph_.nodes()[id]);
      }
    }
    place_flat_outputs();
    find_last_readers();
    make_blocks();
    pack();
    place_views();
    return std::move(memory_);
  }

 private:
  Place place_leaf(const Node& node) {
    if (node.op == &leaf::constant()) {
      return {Place::Zone::constant, index_of(plan_.constants, static_cast<float>(node.attrs.real("value")))};
    }
    const std::string& name = node.attrs.text("name");
    if (node.op == &leaf::scalar()) {
      return {Place::Zone::scalar, index_of(plan_.scalars, name)};
    }
    if (node.op == &leaf::input()) {
      plan_.inputs.push_back({name, node.outputs[0]});
      return {Place::Zone::input, plan_.inputs.size() - 1};
    }
    return {Place::Zone::parameters, static_cast<std::size_t>(flat_.tensor(name).offset)};
  }

  [[nodiscard]] Ref root(Ref ref) const { return lockstep::root(graph_, ref); }

  /// Gradients and state updates are written where they are summed.
  void place_flat_outputs() {
    for (const auto& [name, ref] : graph_.outputs()) {
      for (const std::string_view prefix : {kGradientPrefix, kStatePrefix}) {
        if (name.starts_with(prefix)) {
          const std::int64_t offset = flat_.tensor(name.substr(prefix.size())).offset;
          memory_.places[root(ref)] = {Place::Zone::gradients, static_cast<std::size_t>(offset), flat_.bucket_of(offset)};
        }
      }
    }
  }

  void find_last_readers() {
    for (std::size_t c = 0; c < calls_.size(); ++c) {
      for (const Ref ref : calls_[c].reads) {
        last_reader_[root(ref)] = c;
      }
    }
    for (const auto& [name, ref] : graph_.outputs()) {
      last_reader_[root(ref)] = calls_.size();  // kept to the end
    }
  }

  void make_blocks() {
    for (std::size_t c = 0; c < calls_.size(); ++c) {
      for (std::size_t o = 0; o < calls_[c].writes.size(); ++o) {
        const Ref ref = calls_[c].writes[o];
        memory_.tensor_bytes += graph_.type(ref).bytes();
        if (memory_.places.contains(ref)) {
          continue;
        }
        const auto last = last_reader_.find(ref);
        const std::size_t until = last == last_reader_.end() ? c : last->second;
        if (const auto shared = share(c, static_cast<int>(o))) {
          block_of_[ref] = *shared;
          blocks_[*shared].last = until;
        } else {
          block_of_[ref] = blocks_.size();
          blocks_.push_back({(graph_.type(ref).bytes() + kAlignment - 1) / kAlignment * kAlignment, c, until, 0});
        }
      }
    }
  }

  /// A chain may write over an operand that nobody reads after it.
  std::optional<std::size_t> share(std::size_t c, int output) {
    const GroupCall& call = calls_[c];
    if (!call.chain) {
      return std::nullopt;
    }
    for (std::size_t i = 0; i < call.reads.size(); ++i) {
      const Ref from = root(call.reads[i]);
      const auto block = block_of_.find(from);
      if (block != block_of_.end() && last_reader_[from] == c && blocks_[block->second].last == c &&
          graph_.type(from).bytes() == graph_.type(call.writes[static_cast<std::size_t>(output)]).bytes() &&
          call.chain->may_share(output, static_cast<int>(i))) {
        return block->second;
      }
    }
    return std::nullopt;
  }

  /// Large blocks first, each at the lowest place where nothing that lives at the same time lies.
  void pack() {
    std::vector<std::size_t> order(blocks_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, std::greater(), [&](std::size_t i) { return blocks_[i].bytes; });
    std::vector<std::size_t> placed;  // by offset
    for (const std::size_t i : order) {
      Block& block = blocks_[i];
      std::size_t offset = 0;
      for (const std::size_t j : placed) {
        const Block& other = blocks_[j];
        if (other.last < block.first || block.last < other.first) {
          continue;
        }
        if (offset + block.bytes <= other.offset) {
          break;
        }
        offset = std::max(offset, other.offset + other.bytes);
      }
      block.offset = offset;
      memory_.arena_bytes = std::max(memory_.arena_bytes, offset + block.bytes);
      placed.insert(std::ranges::upper_bound(placed, offset, {}, [&](std::size_t j) { return blocks_[j].offset; }), i);
    }
    for (const auto& [ref, block] : block_of_) {
      memory_.places[ref] = {Place::Zone::arena, blocks_[block].offset};
    }
  }

  void place_views() {
    for (int id = 0; id < static_cast<int>(graph_.nodes().size()); ++id) {
      if (graph_.node(id).op->view()) {
        memory_.places[{id, 0}] = memory_.places.at(root({id, 0}));
      }
    }
  }

  const Graph& graph_;
  const std::vector<GroupCall>& calls_;
  const FlatLayout& flat_;
  Plan& plan_;
  Memory memory_;
  std::map<Ref, std::size_t> last_reader_;
  std::map<Ref, std::size_t> block_of_;
  std::vector<Block> blocks_;
};

}  // namespace

Memory assign_memory(const LaidOut& laid, const std::vector<GroupCall>& calls, const FlatLayout& flat, Plan& plan) {
  return MemoryPass(laid, calls, flat, plan).run();
}

}  // namespace lockstep
