#include "text/piece_trie.h"

#include <algorithm>

namespace grym {
namespace {

constexpr size_t kMostNodes = size_t{3} << 20;

// Sorted pieces that share their first `depth` bytes, and the node for them.
struct PieceRange {
  uint32_t begin, end, depth;
};

// A piece's place and its first eight bytes, which decide most comparisons without looking at the piece.
struct SortKey {
  uint64_t head;
  uint32_t index;
};

uint64_t HeadOf(std::string_view piece) {
  uint64_t head = 0;
  for (size_t i = 0; i < 8; ++i) head = head << 8 | (i < piece.size() ? static_cast<unsigned char>(piece[i]) : 0u);
  return head;
}

// Indices in the order of their pieces, equal ones by index.
std::vector<uint32_t> SortedOrder(const std::vector<std::string_view>& pieces) {
  std::vector<SortKey> keys(pieces.size());
  for (size_t i = 0; i < keys.size(); ++i) keys[i] = {HeadOf(pieces[i]), static_cast<uint32_t>(i)};
  std::sort(keys.begin(), keys.end(), [&](const SortKey& a, const SortKey& b) {
    if (a.head != b.head) return a.head < b.head;
    const int difference = pieces[a.index].compare(pieces[b.index]);
    return difference != 0 ? difference < 0 : a.index < b.index;
  });
  std::vector<uint32_t> order(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) order[i] = keys[i].index;
  return order;
}

}  // namespace

bool PieceTrie::Build(const std::vector<std::string_view>& pieces) {
  const std::vector<uint32_t> order = SortedOrder(pieces);
  duplicate_ = -1;
  nodes_.assign(1, Node());
  // Breadth first: ranges[i] belongs to nodes_[i].
  std::vector<PieceRange> ranges{{0, static_cast<uint32_t>(order.size()), 0}};
  for (size_t i = 0; i < ranges.size(); ++i) {
    auto [at, end, depth] = ranges[i];
    for (; at < end && pieces[order[at]].size() == depth; ++at) {
      if (nodes_[i].piece >= 0) duplicate_ = static_cast<int32_t>(order[at]);
      nodes_[i].piece = static_cast<int32_t>(order[at]);
    }
    if (end - at == 1 && nodes_[i].piece < 0 && i > 0) {
      nodes_[i].piece = static_cast<int32_t>(order[at]);
      nodes_[i].tail = pieces[order[at]].substr(depth);
      continue;
    }
    nodes_[i].first_child = static_cast<uint32_t>(nodes_.size());
    while (at < end) {
      const char label = pieces[order[at]][depth];
      uint32_t next = at;
      while (next < end && pieces[order[next]][depth] == label) ++next;
      if (nodes_.size() >= kMostNodes) return false;
      nodes_.emplace_back().label = static_cast<unsigned char>(label);
      ranges.push_back({at, next, depth + 1});
      at = next;
    }
    nodes_[i].children = static_cast<uint16_t>(nodes_.size() - nodes_[i].first_child);
  }
  nodes_.shrink_to_fit();
  root_.assign(256, 0);
  for (uint32_t k = 0; k < nodes_[0].children; ++k) root_[nodes_[nodes_[0].first_child + k].label] = 1 + k;
  return true;
}

uint32_t PieceTrie::Child(const Node& node, unsigned char byte) const {
  if (&node == nodes_.data()) return root_[byte];
  const Node* const first = nodes_.data() + node.first_child;
  const Node* const end = first + node.children;
  const Node* const found =
      std::lower_bound(first, end, byte, [](const Node& child, unsigned char wanted) { return child.label < wanted; });
  return found != end && found->label == byte ? static_cast<uint32_t>(found - nodes_.data()) : 0;
}

int32_t PieceTrie::Find(std::string_view text) const {
  int32_t index = -1;
  Prefixes(text, 0, [&](size_t bytes, int32_t piece) {
    if (bytes == text.size()) index = piece;
  });
  return index;
}

}  // namespace grym
