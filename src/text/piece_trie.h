// Strings to indices through a trie over bytes: whole strings, and all that begin at a place of a text. No hashing, so
// no file can make it slow.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace grym {

class PieceTrie {
 public:
  // Index i stands for pieces[i]; of equal pieces the last counts. The pieces are borrowed for good. False where the
  // trie would have more than 3,145,728 nodes (96 MiB), five times what the largest published vocabulary needs.
  bool Build(const std::vector<std::string_view>& pieces);

  // Index of the piece that is `text`, -1 where there is none.
  int32_t Find(std::string_view text) const;

  // Calls found(bytes, index) for every piece that text begins with at `at`, shortest first.
  template <class Found>
  void Prefixes(std::string_view text, size_t at, Found found) const {
    if (nodes_.empty()) return;
    uint32_t node = 0;
    for (size_t end = at;;) {
      const Node& here = nodes_[node];
      if (!here.tail.empty()) {  // one piece is left: the rest is compared at once
        if (text.substr(end, here.tail.size()) == here.tail) found(end + here.tail.size() - at, here.piece);
        return;
      }
      if (here.piece >= 0) found(end - at, here.piece);
      if (end == text.size()) return;
      node = Child(here, static_cast<unsigned char>(text[end++]));
      if (node == 0) return;
    }
  }

 private:
  struct Node {
    uint32_t first_child = 0;  // children lie in a row, in the order of their bytes
    int32_t piece = -1;
    std::string_view tail;     // what is left of the only piece below
    uint16_t children = 0;
    unsigned char label = 0;
  };
  uint32_t Child(const Node& node, unsigned char byte) const;
  std::vector<Node> nodes_;
  std::vector<uint32_t> root_;  // child of the root for each byte
};

}  // namespace grym
