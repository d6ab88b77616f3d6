#include <algorithm>

#include "text/added_tokens.h"
#include "text/code_point.h"
#include "text/file_errors.h"
#include "text/json_scanner.h"
#include "text/pipeline.h"
#include "text/tokenizer_files.h"
#include "text/unicode_class.h"

namespace grym {
namespace {

// Spaces as Python's str.strip takes them: White_Space and the four separators of ASCII.
bool IsPythonSpace(uint32_t c) { return (c >= 0x1C && c <= 0x1F) || UnicodeClass::Of(c).is_space(); }

std::string_view PythonStrip(std::string_view text, bool left, bool right) {
  while (left && !text.empty() && IsPythonSpace(CodePointAt(text, 0).value))
    text.remove_prefix(CodePointAt(text, 0).bytes);
  while (right && !text.empty()) {
    const size_t last = PreviousCodePoint(text, text.size());
    if (!IsPythonSpace(CodePointAt(text, last).value)) break;
    text = text.substr(0, last);
  }
  return text;
}

struct LetterParts {
  Vocabulary vocabulary;
  AddedTokens added;      // the special tokens, and all of several characters
  std::string delimiter;  // stands for a space
  std::string space;      // what it becomes when decoded
  SpecialIds special;
};

// One token a character. Source: transformers 5.23, Wav2Vec2CTCTokenizer.
class CtcLetters : public Tokenizer {
 public:
  explicit CtcLetters(LetterParts parts) : parts_(std::move(parts)) {
    delimiter_id_ = IdOf(parts_.delimiter);
    size_ = static_cast<int32_t>(parts_.vocabulary.size());
    for (const AddedToken& token : parts_.added.tokens())
      size_ += parts_.vocabulary.Token(token.id).has_value() ? 0 : 1;
  }

  absl::StatusOr<std::vector<int32_t>> Encode(std::string_view text, const EncodeOptions&) const override {
    GRYM_RETURN_IF_ERROR(CheckText(text));
    std::vector<int32_t> ids;
    const std::vector<TextSpan> spans = parts_.added.Split(text, false);
    for (size_t i = 0; i < spans.size(); ++i) {
      if (spans[i].id >= 0) {
        ids.push_back(spans[i].id);
        continue;
      }
      const AddedToken* const before = i > 0 ? parts_.added.WithId(spans[i - 1].id) : nullptr;
      const AddedToken* const after = i + 1 < spans.size() ? parts_.added.WithId(spans[i + 1].id) : nullptr;
      const std::string_view letters = PythonStrip(spans[i].text, before && Strips(*before), after && Strips(*after));
      for (size_t at = 0; at < letters.size();) {
        const size_t bytes = CodePointAt(letters, at).bytes;
        ids.push_back(letters[at] == ' ' ? delimiter_id_ : IdOf(letters.substr(at, bytes)));
        at += bytes;
      }
    }
    return ids;
  }

  absl::StatusOr<std::string> Decode(std::span<const int32_t> ids, const DecodeOptions& options) const override {
    std::string text;
    std::optional<int32_t> last;
    for (const int32_t id : ids) {
      const AddedToken* const added = parts_.added.WithId(id);
      const std::optional<std::string_view> token =
          parts_.vocabulary.Token(id) || !added ? parts_.vocabulary.Token(id) : std::string_view(added->content);
      if (!token) {
        return Error(absl::StatusCode::kInvalidArgument, "bad_token_id",
                     Formatted("ids: want ids of the vocabulary's %d tokens, got %d", size_, id));
      }
      const bool repeated = last == id;
      last = id;
      if (repeated || id == parts_.special.pad) continue;
      if (*token == parts_.delimiter) {
        text += parts_.space;
      } else if (!options.skip_special_tokens || !added || !added->special) {
        text.append(*token);
      }
    }
    return std::string(PythonStrip(text, true, true));
  }

  std::string_view kind() const override { return "ctc_letters"; }
  int32_t vocabulary_size() const override { return size_; }
  std::optional<int32_t> TokenId(std::string_view token) const override {
    const AddedToken* const added = parts_.added.WithContent(token);
    return added ? added->id : parts_.vocabulary.Id(token);
  }
  const SpecialIds& special_ids() const override { return parts_.special; }

 private:
  // The vocabulary's own tokens of several characters take the white space around them along: the reference's rstrip
  // and lstrip. Those behind the vocabulary do not.
  bool Strips(const AddedToken& token) const {
    return CodePointAt(token.content, 0).bytes < token.content.size() && parts_.vocabulary.Token(token.id);
  }
  int32_t IdOf(std::string_view letter) const { return TokenId(letter).value_or(*parts_.special.unk); }

  LetterParts parts_;
  int32_t delimiter_id_;
  int32_t size_;
};

// Special tokens that the vocabulary lacks stand behind it, in this order.
absl::Status AddLetterTokens(const TokenizerConfig& config, const std::string& where, LetterParts& parts) {
  auto next = parts.vocabulary.max_id() + 1;
  const auto add = [&](const std::string& content, bool special) -> absl::Status {
    if (parts.added.WithContent(content)) return absl::OkStatus();
    AddedToken token;
    token.content = content;
    token.special = special;
    const std::optional<int32_t> known = parts.vocabulary.Id(content);
    token.id = known ? *known : next++;
    return parts.added.Add(std::move(token), where);
  };
  SpecialIds& special_ids = parts.special;
  std::optional<int32_t>* const ids[] = {&special_ids.bos, &special_ids.eos, &special_ids.unk, &special_ids.pad};
  static constexpr std::pair<const char*, const char*> kRoles[] = {
      {"bos", "<s>"}, {"eos", "</s>"}, {"unk", "<unk>"}, {"pad", "<pad>"}};
  for (size_t i = 0; i < std::size(ids); ++i) {
    const std::string content = config.TokenOr(kRoles[i].first, kRoles[i].second);
    GRYM_RETURN_IF_ERROR(add(content, true));
    *ids[i] = parts.added.WithContent(content)->id;
  }
  GRYM_RETURN_IF_ERROR(add(parts.delimiter, true));
  for (size_t i = 0; i < parts.vocabulary.size(); ++i) {
    const std::string_view token = parts.vocabulary.token_at(i);
    if (!token.empty() && CodePointAt(token, 0).bytes < token.size())
      GRYM_RETURN_IF_ERROR(add(std::string(token), false));
  }
  return parts.added.Seal({}, where);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Tokenizer>> ReadCtcLetters(std::string_view vocabulary, const std::string& where,
                                                                const TokenizerConfig& config) {
  for (const char* name : {"target_lang", "do_lower_case"}) {
    if (!config.at(name).is_null() && !(config.at(name).is_bool() && !config.at(name).boolean()))
      return UnsupportedTokenizer("tokenizer_config.json", name);
  }
  LetterParts parts;
  JsonScanner scanner(vocabulary, where);
  if (scanner.Next() == '{') {
    GRYM_RETURN_IF_ERROR(scanner.Object([&](const std::string& token) -> absl::Status {
      if (scanner.Next() == '{') return UnsupportedTokenizer(where, "a vocabulary for each language");
      GRYM_ASSIGN_OR_RETURN(const int64_t id, scanner.Integer());
      return parts.vocabulary.Add(token, id, where);
    }));
  } else {
    return scanner.Fail("an object");
  }
  GRYM_RETURN_IF_ERROR(scanner.End());
  GRYM_RETURN_IF_ERROR(parts.vocabulary.Seal(where, true));
  parts.delimiter = config.TokenOr("word_delimiter", "|");
  const Json& space = config.at("replace_word_delimiter_char");
  parts.space = space.is_string() ? space.text() : " ";
  GRYM_RETURN_IF_ERROR(AddLetterTokens(config, where, parts));
  return std::make_shared<CtcLetters>(std::move(parts));
}

}  // namespace grym
