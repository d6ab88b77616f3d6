#include "text/pipeline.h"

#include "base/utf8.h"
#include "text/byte_level.h"
#include "text/file_errors.h"
#include "text/limits.h"

namespace grym {
namespace {

class Pipeline : public Tokenizer {
 public:
  Pipeline(PipelineParts parts, SpecialIds special) : parts_(std::move(parts)), special_(special) {
    size_ = static_cast<int32_t>(model().size());
    for (const AddedToken& token : parts_.added.tokens()) size_ += model().Token(token.id).has_value() ? 0 : 1;
  }

  absl::StatusOr<std::vector<int32_t>> Encode(std::string_view text, const EncodeOptions& options) const override {
    GRYM_RETURN_IF_ERROR(CheckText(text));
    std::vector<int32_t> ids;
    if (options.special_tokens) ids = parts_.frame.before;
    for (const TextSpan& span : parts_.added.Split(text, false)) {
      if (span.id >= 0) {
        ids.push_back(span.id);
        continue;
      }
      GRYM_ASSIGN_OR_RETURN(const std::string normal, Normalize(parts_.normalizers, span.text));
      bool at_start = span.text.data() == text.data();
      for (const TextSpan& part : parts_.added.Split(normal, true)) {
        if (part.id >= 0) {
          ids.push_back(part.id);
        } else {
          GRYM_RETURN_IF_ERROR(AppendWords(part.text, at_start, ids));
        }
        at_start = false;
      }
    }
    if (options.special_tokens) ids.insert(ids.end(), parts_.frame.after.begin(), parts_.frame.after.end());
    return ids;
  }

  absl::StatusOr<std::string> Decode(std::span<const int32_t> ids, const DecodeOptions& options) const override {
    GRYM_RETURN_IF_ERROR(parts_.decoders.status());
    std::vector<std::string> tokens;
    for (const int32_t id : ids) {
      const AddedToken* const added = parts_.added.WithId(id);
      if (added && added->special && options.skip_special_tokens) continue;
      const std::optional<std::string_view> token = added ? std::string_view(added->content) : model().Token(id);
      if (!token) {
        return Error(absl::StatusCode::kInvalidArgument, "bad_token_id",
                     Formatted("ids: want ids of the vocabulary's %d tokens, got %d", size_, id));
      }
      tokens.emplace_back(*token);
    }
    for (const auto& step : *parts_.decoders) step->Apply(tokens);
    return Join(tokens, parts_.decoders->empty() ? " " : "");
  }

  std::string_view kind() const override { return parts_.model->kind(); }
  int32_t vocabulary_size() const override { return size_; }
  std::optional<int32_t> TokenId(std::string_view token) const override {
    const AddedToken* const added = parts_.added.WithContent(token);
    return added ? added->id : model().Id(token);
  }
  const SpecialIds& special_ids() const override { return special_; }

 private:
  const Vocabulary& model() const { return parts_.model->vocabulary(); }

  absl::Status AppendWords(std::string_view text, bool at_start, std::vector<int32_t>& ids) const {
    TextPieces words{{std::string(text)}, at_start};
    for (const auto& step : parts_.pre_tokenizers) {
      step->Apply(words);
      size_t bytes = 0;
      for (const std::string& word : words.pieces) bytes += word.size();
      GRYM_RETURN_IF_ERROR(CheckGrowth(bytes, text.size()));
    }
    for (const std::string& word : words.pieces) GRYM_RETURN_IF_ERROR(parts_.model->Append(word, ids));
    return absl::OkStatus();
  }

  PipelineParts parts_;
  SpecialIds special_;
  int32_t size_ = 0;
};

// By its name beside the tokenizer, else by the name that all families use.
std::optional<int32_t> SpecialId(const PipelineParts& parts, const std::string& name, std::string_view usual) {
  const std::string_view token = name.empty() ? usual : std::string_view(name);
  const AddedToken* const added = parts.added.WithContent(token);
  return added ? added->id : parts.model->vocabulary().Id(token);
}

}  // namespace

absl::Status CheckText(std::string_view text) {
  if (text.size() > kTokenizerTextBytes) {
    return Error(absl::StatusCode::kInvalidArgument, "text_too_long",
                 Formatted("text: want at most %d bytes, got %d", kTokenizerTextBytes, text.size()));
  }
  for (size_t at = 0; at < text.size();) {
    const size_t length = Utf8Length(text, at);
    if (length == 0)
      return Error(absl::StatusCode::kInvalidArgument, "bad_utf8",
                   Formatted("text: want UTF-8, got other at byte %d", at));
    at += length;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Tokenizer>> MakePipeline(PipelineParts parts, const TokenNames& names,
                                                              const std::string& where) {
  GRYM_RETURN_IF_ERROR(parts.added.Seal(parts.normalizers, where));
  const Vocabulary& vocabulary = parts.model->vocabulary();
  for (const AddedToken& token : parts.added.tokens()) {
    const std::optional<int32_t> known = vocabulary.Id(token.content);
    if (known && *known != token.id) {
      return BadTokenizer(where, Formatted("added token \"%s\": want the vocabulary's id %d, got %d",
                                           Printable(token.content, 60), *known, token.id));
    }
    if (!known && vocabulary.Token(token.id)) {
      return BadTokenizer(where, Formatted("added token \"%s\": its id %d is that of \"%s\"",
                                           Printable(token.content, 60), token.id,
                                           Printable(*vocabulary.Token(token.id), 60)));
    }
  }
  for (const auto* ids : {&parts.frame.before, &parts.frame.after}) {
    for (const int32_t id : *ids) {
      if (!vocabulary.Token(id) && !parts.added.WithId(id))
        return BadTokenizer(where, Formatted("post_processor: want ids of tokens, got %d", id));
    }
  }
  SpecialIds special{SpecialId(parts, names.bos, "<s>"), SpecialId(parts, names.eos, "</s>"),
                     SpecialId(parts, names.pad, "<pad>"), SpecialId(parts, names.unk, "<unk>")};
  if (!special.unk) special.unk = parts.model->unk_id();
  return std::make_shared<Pipeline>(std::move(parts), special);
}

}  // namespace grym
