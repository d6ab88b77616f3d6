#include "text/unigram.h"

#include <algorithm>
#include <limits>

#include "text/code_point.h"
#include "text/file_errors.h"
#include "text/limits.h"

namespace grym {
namespace {

// What an unknown character costs below the worst piece. Source: SentencePiece, unigram_model.cc, kUnkPenalty.
constexpr double kUnknownPenalty = 10;

// Best way to the end of a prefix: its score, where its last piece begins and which that is.
struct BestPath {
  double score = 0;
  int64_t begin = -1;
  int32_t id = 0;
};

class Unigram : public SubwordModel {
 public:
  explicit Unigram(UnigramParts parts) : parts_(std::move(parts)) {
    worst_ = *std::min_element(parts_.scores.begin(), parts_.scores.end());
    if (parts_.byte_fallback) byte_tokens_ = ByteTokens(parts_.vocabulary);
  }

  absl::Status Append(std::string_view word, std::vector<int32_t>& ids) const override {
    std::vector<BestPath> best(word.size() + 1);
    for (size_t at = 0; at < word.size(); at += CodePointAt(word, at).bytes)
      GRYM_RETURN_IF_ERROR(Extend(word, at, best));
    // Backwards, the pieces that the best path is made of; unknown ones in a row are one.
    std::vector<std::string_view> pieces;
    bool in_unknown = false;
    for (size_t end = word.size(); end > 0;) {
      const auto begin = static_cast<size_t>(best[end].begin);
      const bool unknown = parts_.unk_id == best[end].id;
      if (unknown && in_unknown) {
        pieces.back() = word.substr(begin, end - begin + pieces.back().size());
      } else {
        pieces.push_back(word.substr(begin, end - begin));
      }
      in_unknown = unknown;
      end = begin;
    }
    std::reverse(pieces.begin(), pieces.end());
    for (const std::string_view piece : pieces) AppendPiece(piece, ids);
    return absl::OkStatus();
  }

  const Vocabulary& vocabulary() const override { return parts_.vocabulary; }
  std::optional<int32_t> unk_id() const override { return parts_.unk_id; }
  std::string_view kind() const override { return "unigram"; }

 private:
  // All pieces that begin at `at`; the first of equal scores stays, as in the reference.
  absl::Status Extend(std::string_view word, size_t at, std::vector<BestPath>& best) const {
    const size_t one = CodePointAt(word, at).bytes;
    const double so_far = best[at].score;
    const auto offer = [&](size_t bytes, double score, int32_t id) {
      BestPath& path = best[at + bytes];
      if (path.begin < 0 || so_far + score > path.score)
        path = {so_far + score, static_cast<int64_t>(at), id};
    };
    bool known = false;
    parts_.vocabulary.trie().Prefixes(word, at, [&](size_t bytes, int32_t index) {
      if (bytes == 0) return;  // an empty piece leads nowhere
      offer(bytes, parts_.scores[static_cast<size_t>(index)], index);
      known |= bytes == one;
    });
    if (known) return absl::OkStatus();
    if (!parts_.unk_id) {
      return Error(absl::StatusCode::kInvalidArgument, "unknown_character",
                   Formatted("text: want characters that the vocabulary has, got \"%s\"", word.substr(at, one)));
    }
    offer(one, worst_ - kUnknownPenalty, *parts_.unk_id);
    return absl::OkStatus();
  }

  // By its text again: unknown characters in a row can be a piece that the path did not take.
  void AppendPiece(std::string_view piece, std::vector<int32_t>& ids) const {
    if (const auto id = parts_.vocabulary.Id(piece)) {
      ids.push_back(*id);
    } else if (!byte_tokens_.empty()) {
      for (const char c : piece) ids.push_back(byte_tokens_[static_cast<unsigned char>(c)]);
    } else {
      ids.push_back(*parts_.unk_id);  // only the unknown has no id of its own
    }
  }

  UnigramParts parts_;
  double worst_;
  std::vector<int32_t> byte_tokens_;
};

}  // namespace

std::vector<int32_t> ByteTokens(const Vocabulary& vocabulary) {
  std::vector<int32_t> ids;
  for (int byte = 0; byte < 256; ++byte) {
    const std::optional<int32_t> id = vocabulary.Id(Formatted("<0x%02X>", byte));
    if (!id) return {};
    ids.push_back(*id);
  }
  return ids;
}

absl::StatusOr<std::unique_ptr<const SubwordModel>> MakeUnigram(UnigramParts parts, const std::string& where) {
  if (parts.scores.size() != parts.vocabulary.size())
    return BadTokenizer(where, "want a score for each piece");
  if (parts.unk_id && (*parts.unk_id < 0 || static_cast<size_t>(*parts.unk_id) >= parts.scores.size())) {
    return BadTokenizer(where, Formatted("unk_id: want 0 to %d, got %d", parts.scores.size() - 1, *parts.unk_id));
  }
  for (size_t i = 0; i < parts.scores.size(); ++i) {
    if (parts.vocabulary.token_at(i).size() > kPieceBytes)
      return BadTokenizer(where, Formatted("piece %d: want at most %d bytes, got %d", i, kPieceBytes,
                                           parts.vocabulary.token_at(i).size()));
  }
  return std::make_unique<Unigram>(std::move(parts));
}

}  // namespace grym
