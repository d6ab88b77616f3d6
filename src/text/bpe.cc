#include "text/bpe.h"

#include <algorithm>
#include <array>
#include <bit>

#include "text/code_point.h"
#include "text/file_errors.h"
#include "text/limits.h"

namespace grym {
namespace {

// A collision every so often is chance; this many in a row are made on purpose, and another hash undoes them.
constexpr int kMostProbes = 128;

struct Symbol {
  int32_t id;
  int32_t previous, next;  // -1 at the ends
  bool gone = false;
};

// A pair that may be merged: `at` is its left symbol.
struct Candidate {
  int32_t rank, at, merged;
  // For a heap whose top is the lowest rank, then the leftmost.
  bool operator<(const Candidate& other) const { return rank != other.rank ? rank > other.rank : at > other.at; }
};

class Bpe : public SubwordModel {
 public:
  Bpe(BpeParts parts, MergeTable merges, std::optional<int32_t> unk_id)
      : parts_(std::move(parts)), merges_(std::move(merges)), unk_id_(unk_id) {
    if (parts_.byte_fallback) byte_tokens_ = ByteTokens(parts_.vocabulary);
    for (uint32_t c = 0; c < char_ids_.size(); ++c) {
      std::string text;
      AppendCodePoint(c, text);
      char_ids_[c] = parts_.vocabulary.Id(text).value_or(-1);
    }
  }

  absl::Status Append(std::string_view word, std::vector<int32_t>& ids) const override {
    if (parts_.ignore_merges) {
      if (const auto id = parts_.vocabulary.Id(word)) {
        ids.push_back(*id);
        return absl::OkStatus();
      }
    }
    std::vector<Symbol> symbols = Characters(word);
    MergeAll(symbols);
    for (const Symbol& symbol : symbols) {
      if (!symbol.gone) ids.push_back(symbol.id);
    }
    return absl::OkStatus();
  }

  const Vocabulary& vocabulary() const override { return parts_.vocabulary; }
  std::optional<int32_t> unk_id() const override { return unk_id_; }
  std::string_view kind() const override { return "bpe"; }

 private:
  std::vector<Symbol> Characters(std::string_view word) const {
    std::vector<Symbol> symbols;
    symbols.reserve(word.size());
    const auto add = [&](int32_t id) {
      const auto here = static_cast<int32_t>(symbols.size());
      symbols.push_back({id, here - 1, here + 1});
    };
    // The reference writes an unknown only when a known one follows, so bytes of a fallback come before it.
    int waiting = 0;
    for (size_t at = 0; at < word.size();) {
      const CodePoint c = CodePointAt(word, at);
      const std::string_view text = word.substr(at, c.bytes);
      at += c.bytes;
      const int32_t id = c.value < char_ids_.size() ? char_ids_[c.value] : parts_.vocabulary.Id(text).value_or(-1);
      if (id >= 0) {
        if (waiting > 0) add(*unk_id_);
        waiting = 0;
        add(id);
      } else if (!byte_tokens_.empty()) {
        for (const char byte : text) add(byte_tokens_[static_cast<unsigned char>(byte)]);
      } else if (unk_id_) {
        if (waiting > 0 && !parts_.fuse_unk) add(*unk_id_);
        waiting = 1;
      }
    }
    if (waiting > 0) add(*unk_id_);
    if (!symbols.empty()) symbols.back().next = -1;
    return symbols;
  }

  // Each merge adds two candidates at most: n log n for n characters.
  void MergeAll(std::vector<Symbol>& symbols) const {
    std::vector<Candidate> heap;
    heap.reserve(symbols.size());
    const auto candidate = [&](int32_t at, int32_t next) {
      const MergeTable::Merge* const merge =
          merges_.Find(symbols[static_cast<size_t>(at)].id, symbols[static_cast<size_t>(next)].id);
      if (merge) heap.push_back({merge->rank, at, merge->merged});
      return merge != nullptr;
    };
    for (int32_t at = 0; at + 1 < static_cast<int32_t>(symbols.size()); ++at) candidate(at, at + 1);
    std::make_heap(heap.begin(), heap.end());
    while (!heap.empty()) {
      std::pop_heap(heap.begin(), heap.end());
      const Candidate top = heap.back();
      heap.pop_back();
      Symbol& left = symbols[static_cast<size_t>(top.at)];
      if (left.gone || left.next < 0) continue;
      Symbol& right = symbols[static_cast<size_t>(left.next)];
      const MergeTable::Merge* const merge = merges_.Find(left.id, right.id);
      if (!merge || merge->merged != top.merged) continue;  // one of the two has been merged since
      left.id = merge->merged;
      left.next = right.next;
      right.gone = true;
      if (left.next >= 0) symbols[static_cast<size_t>(left.next)].previous = top.at;
      if (left.previous >= 0 && candidate(left.previous, top.at)) std::push_heap(heap.begin(), heap.end());
      if (left.next >= 0 && candidate(top.at, left.next)) std::push_heap(heap.begin(), heap.end());
    }
  }

  BpeParts parts_;
  MergeTable merges_;
  std::optional<int32_t> unk_id_;
  std::vector<int32_t> byte_tokens_;
  std::array<int32_t, 512> char_ids_{};  // the byte-level alphabet is among these
};

absl::StatusOr<int32_t> IdOf(const Vocabulary& vocabulary, std::string_view token, size_t rank,
                             const std::string& where) {
  const std::optional<int32_t> id = vocabulary.Id(token);
  if (!id) {
    return BadTokenizer(where, Formatted("merge %d: want tokens of the vocabulary, got \"%s\"", rank,
                                         Printable(token, 60)));
  }
  return *id;
}

}  // namespace

// Source: the finaliser of SplitMix64 (S. Vigna).
size_t MergeTable::Slot(int32_t left, int32_t right) const {
  uint64_t key = (static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right)) + seed_;
  key = (key ^ key >> 30) * 0xBF58476D1CE4E5B9;
  key = (key ^ key >> 27) * 0x94D049BB133111EB;
  return static_cast<size_t>(key ^ key >> 31) & mask_;
}

bool MergeTable::Put(const Merge& merge) {
  size_t at = Slot(merge.left, merge.right);
  for (int probe = 0; probe < kMostProbes; ++probe, at = (at + 1) & mask_) {
    const bool same = slots_[at].left == merge.left && slots_[at].right == merge.right;
    if (slots_[at].left >= 0 && !same) continue;
    slots_[at] = merge;
    return true;
  }
  return false;
}

absl::Status MergeTable::Build(const std::vector<Merge>& merges) {
  const size_t size = std::bit_ceil(merges.size() * 2 + 2);
  mask_ = size - 1;
  for (int attempt = 0; attempt < 16; ++attempt) {
    slots_.assign(size, Merge());
    if (std::all_of(merges.begin(), merges.end(), [this](const Merge& merge) { return Put(merge); }))
      return absl::OkStatus();
    seed_ += 0x9E3779B97F4A7C15;
  }
  return Error(absl::StatusCode::kInternal, "no_hash", "merges: no hash spreads them");
}

absl::StatusOr<std::unique_ptr<const SubwordModel>> MakeBpe(BpeParts parts, const std::string& where) {
  std::optional<int32_t> unk_id;
  if (parts.unk_token) {
    unk_id = parts.vocabulary.Id(*parts.unk_token);
    if (!unk_id)
      return BadTokenizer(where, Formatted("unk_token: want a token, got \"%s\"", Printable(*parts.unk_token, 60)));
  }
  if (parts.merges.size() > kTokenizerPieces)
    return TooLargeTokenizer(where, Formatted("want at most %d merges, got %d", kTokenizerPieces, parts.merges.size()));
  std::vector<MergeTable::Merge> merges(parts.merges.size());
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const auto& [left, right] = parts.merges[rank];
    MergeTable::Merge& merge = merges[rank];
    merge.rank = static_cast<int32_t>(rank);
    GRYM_ASSIGN_OR_RETURN(merge.left, IdOf(parts.vocabulary, left, rank, where));
    GRYM_ASSIGN_OR_RETURN(merge.right, IdOf(parts.vocabulary, right, rank, where));
    GRYM_ASSIGN_OR_RETURN(merge.merged, IdOf(parts.vocabulary, left + right, rank, where));
  }
  parts.merges = {};
  MergeTable table;
  GRYM_RETURN_IF_ERROR(table.Build(merges));
  return std::make_unique<Bpe>(std::move(parts), std::move(table), unk_id);
}

}  // namespace grym
