// The tokenizer that tokenizer.json describes: added tokens, normalisers, pre-tokenizers, model, special tokens.
#pragma once
#include <memory>

#include "text/added_tokens.h"
#include "text/decoder.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"
#include "text/special_frame.h"
#include "text/subword_model.h"
#include "text/tokenizer.h"

namespace grym {

struct PipelineParts {
  AddedTokens added;  // not sealed yet
  Normalizers normalizers;
  PreTokenizers pre_tokenizers;
  std::unique_ptr<const SubwordModel> model;
  SpecialFrame frame;
  absl::StatusOr<Decoders> decoders = Decoders();  // an error is what Decode answers: encoding works without
};

// What the files beside a tokenizer say of its special tokens (tokenizer_config.json, special_tokens_map.json): the
// text of each, "" where nothing is said.
struct TokenNames {
  std::string bos, eos, pad, unk;
};

// InvalidArgument for added tokens whose id contradicts the model's, and for special tokens without a token.
absl::StatusOr<std::shared_ptr<const Tokenizer>> MakePipeline(PipelineParts parts, const TokenNames& names,
                                                              const std::string& where);

// InvalidArgument for text that is too long or no UTF-8.
absl::Status CheckText(std::string_view text);

}  // namespace grym
