#include "text/added_tokens.h"

#include <algorithm>

#include "text/code_point.h"
#include "text/file_errors.h"
#include "text/limits.h"
#include "text/unicode_class.h"

namespace grym {
namespace {

bool WordCharacterAt(std::string_view text, size_t at) {
  return at < text.size() && UnicodeClass::Of(CodePointAt(text, at).value).is_word();
}

}  // namespace

absl::Status AddedTokens::Add(AddedToken token, const std::string& where) {
  if (token.content.empty() || token.content.size() > kPieceBytes) {
    return BadTokenizer(where, Formatted("added token %d: want 1 to %d bytes, got %d", token.id, kPieceBytes,
                                         token.content.size()));
  }
  if (token.id < 0 || token.id >= kTokenizerIds) {
    return BadTokenizer(where, Formatted("added token \"%s\": want an id of 0 to %d, got %d",
                                         Printable(token.content, 60), kTokenizerIds - 1, token.id));
  }
  if (tokens_.size() >= kTokenizerPieces)
    return TooLargeTokenizer(where, Formatted("want at most %d added tokens", kTokenizerPieces));
  tokens_.push_back(std::move(token));
  return absl::OkStatus();
}

absl::Status AddedTokens::Seal(const Normalizers& normalizers, const std::string& where) {
  std::stable_sort(tokens_.begin(), tokens_.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  for (size_t i = 0; i < tokens_.size(); ++i) {
    if (i > 0 && tokens_[i].id == tokens_[i - 1].id)
      return BadTokenizer(where,
                          Formatted("added tokens: want an id of its own for each, got %d twice", tokens_[i].id));
    Matcher& matcher = tokens_[i].normalized ? after_ : before_;
    std::string pattern = tokens_[i].content;
    if (tokens_[i].normalized) {
      GRYM_ASSIGN_OR_RETURN(pattern, Normalize(normalizers, tokens_[i].content));
      if (pattern.empty()) continue;  // nothing to look for
    }
    matcher.patterns.push_back(std::move(pattern));
    matcher.tokens.push_back(i);
  }
  for (Matcher* matcher : {&before_, &after_}) {
    if (!matcher->trie.Build({matcher->patterns.begin(), matcher->patterns.end()}))
      return TooLargeTokenizer(where, "want shorter added tokens");
  }
  return absl::OkStatus();
}

std::vector<TextSpan> AddedTokens::Split(std::string_view text, bool normalized) const {
  const Matcher& matcher = normalized ? after_ : before_;
  std::vector<TextSpan> spans;
  size_t done = 0;  // what lies before it is in a span
  for (size_t at = 0; !matcher.patterns.empty() && at < text.size();) {
    size_t bytes = 0;
    int32_t pattern = -1;
    matcher.trie.Prefixes(text, at, [&](size_t found, int32_t index) { bytes = found, pattern = index; });
    if (pattern < 0) {
      ++at;  // patterns begin where characters begin, and continuation bytes begin none
      continue;
    }
    const AddedToken& token = tokens_[matcher.tokens[static_cast<size_t>(pattern)]];
    size_t begin = at, end = at + bytes;
    at = end;
    if (token.single_word &&
        (WordCharacterAt(text, end) || (begin > 0 && WordCharacterAt(text, PreviousCodePoint(text, begin)))))
      continue;
    if (token.lstrip) begin = done + StripSpace(text.substr(done, begin - done), false, true).size();
    if (token.rstrip) end = text.size() - StripSpace(text.substr(end), true, false).size();
    if (begin > done) spans.push_back({text.substr(done, begin - done), -1});
    spans.push_back({text.substr(begin, end - begin), token.id});
    done = end;
    at = std::max(at, end);
  }
  if (done < text.size()) spans.push_back({text.substr(done), -1});
  return spans;
}

const AddedToken* AddedTokens::WithId(int32_t id) const {
  const auto found = std::lower_bound(tokens_.begin(), tokens_.end(), id,
                                      [](const AddedToken& token, int32_t wanted) { return token.id < wanted; });
  return found != tokens_.end() && found->id == id ? &*found : nullptr;
}

const AddedToken* AddedTokens::WithContent(std::string_view content) const {
  const auto found = std::find_if(tokens_.begin(), tokens_.end(), [&](const auto& t) { return t.content == content; });
  return found == tokens_.end() ? nullptr : &*found;
}

}  // namespace grym
