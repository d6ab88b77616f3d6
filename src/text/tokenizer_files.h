// The readers of each published form of a tokenizer. All take bytes that were read already; `where` names their file.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "text/tokenizer.h"
#include "text/tokenizer_config.h"

namespace grym {

// tokenizer.json of Hugging Face's tokenizers, models BPE and Unigram. Its truncation and padding are not applied.
// `add_prefix_space` of the configuration, where it is said, is stronger than that of a ByteLevel pre-tokenizer.
absl::StatusOr<std::shared_ptr<const Tokenizer>> ReadTokenizerJson(std::string_view text, const std::string& where,
                                                                   const TokenizerConfig& config);

// RoBERTa's byte-level BPE from vocab.json and merges.txt, as transformers 5 builds it.
absl::StatusOr<std::shared_ptr<const Tokenizer>> ReadRobertaFiles(std::string_view vocabulary, std::string_view merges,
                                                                  const std::string& where,
                                                                  const TokenizerConfig& config);

// A SentencePiece unigram model, as transformers 5 makes T5's tokenizer of it: with "extra_ids" (100) sentinels
// behind the model's pieces. Unimplemented for BPE and for flags that T5 does not have.
absl::StatusOr<std::shared_ptr<const Tokenizer>> ReadSentencePiece(std::string_view bytes, const std::string& where,
                                                                   const TokenizerConfig& config);

// vocab.json of wav2vec2's letters.
absl::StatusOr<std::shared_ptr<const Tokenizer>> ReadCtcLetters(std::string_view vocabulary, const std::string& where,
                                                                const TokenizerConfig& config);

// {"token": id, ...} into a vocabulary that is not sealed yet.
class JsonScanner;
class Vocabulary;
absl::Status ReadVocabularyObject(JsonScanner& scanner, Vocabulary& vocabulary);

}  // namespace grym
