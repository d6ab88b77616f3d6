// Text to token ids and back, as the reference libraries do it, read from the files that models are published with.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace grym {

struct EncodeOptions {
  bool special_tokens = true;  // what the model's post-processing adds: <s> ... </s> of RoBERTa, </s> of T5
};

struct DecodeOptions {
  bool skip_special_tokens = false;  // leaves special tokens out of the text
};

// Ids of the tokens that have a role, where the tokenizer has them.
struct SpecialIds {
  std::optional<int32_t> bos, eos, pad, unk;
};

// Threads: immutable, any number of threads may call at once.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Ids of a text: no padding and no truncation, also where the file asks for them (both are the model's business).
  // InvalidArgument: text that is not UTF-8 ("bad_utf8"), of more than 1 MiB ("text_too_long"), that normalising grows
  // to more than 8 times its length ("text_grows"), with a character that the vocabulary lacks where the tokenizer has
  // no token for the unknown ("unknown_character").
  virtual absl::StatusOr<std::vector<int32_t>> Encode(std::string_view text_utf8,
                                                      const EncodeOptions& options = {}) const = 0;

  // Text of ids, always UTF-8: bytes that make none become U+FFFD. Letters of CTC are collapsed: repeats once, the
  // blank (padding) left out, the delimiter as a space. InvalidArgument ("bad_token_id") for an id without a token.
  // Unimplemented for a decoder that we do not have.
  virtual absl::StatusOr<std::string> Decode(std::span<const int32_t> ids, const DecodeOptions& options = {}) const = 0;

  virtual std::string_view kind() const = 0;  // "bpe", "unigram" or "ctc_letters"
  virtual int32_t vocabulary_size() const = 0;  // tokens with an id, those added to the model's own among them
  virtual std::optional<int32_t> TokenId(std::string_view token) const = 0;
  virtual const SpecialIds& special_ids() const = 0;
};

// From a folder: tokenizer.json, else vocab.json with merges.txt (byte-level BPE of RoBERTa), else spiece.model (T5),
// else vocab.json alone (CTC letters of wav2vec2); tokenizer_config.json and special_tokens_map.json beside them are
// heeded. From a file, told apart by content: tokenizer.json, vocab.json (with merges.txt beside it where there is
// one), a SentencePiece model.
// NotFound ("file_not_found", "no_tokenizer"); DataLoss ("damaged_tokenizer") for what is cut or no JSON;
// InvalidArgument ("bad_tokenizer") for what is well-formed and wrong; ResourceExhausted beyond the limits of
// text/limits.h; Unimplemented ("unsupported_tokenizer") with the name of a step that we do not have. Each message
// names the file and the place in it.
absl::StatusOr<std::shared_ptr<const Tokenizer>> OpenTokenizer(const std::filesystem::path& file_or_folder);

}  // namespace grym
