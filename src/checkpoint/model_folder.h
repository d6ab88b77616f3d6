// What kind of published model a folder or a file is, and where its parts lie. Nothing of it is run.
#pragma once
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"

namespace grym {

enum class PathKind {
  kFolder,
  kSafetensors,
  kTensorIndex,    // {"weight_map": ...}
  kConfig,         // of one model: {"model_type": ...} or {"_class_name": ...}
  kPipelineIndex,  // model_index.json: {"_class_name": "...Pipeline", component: [library, class]}
  kTokenizer,      // tokenizer.json
  kSentencePiece,  // spiece.model
};
const char* PathKindName(PathKind kind);  // "a tokenizer.json"

// By content, whatever the name says. Looks at no more than the members of the outermost JSON object: what it says is
// what to try. FailedPrecondition (code "pickle_refused"); InvalidArgument ("unknown_content") for anything else;
// errors as of MappedFile::Open.
absl::StatusOr<PathKind> TellKind(const std::filesystem::path& path);

// "wav2vec2", "clap", "clap_text_model", "t5", "encodec", "musicgen", "musicgen_melody", "hifigan", "unet", "vae",
// "AudioLDMPipeline": what grymsynth has code for, sorted.
std::vector<std::string> KnownFamilies();
// The family of a config.json or model_index.json: by model_type, else _class_name, else the first known one of
// architectures. Unimplemented (code "unknown_family") with what it says and what is known; `where` starts the message.
absl::StatusOr<std::string> FamilyOf(const Json& config, std::string_view where);

struct ModelComponent {
  std::string name;        // "unet"
  std::string library;     // "diffusers" or "transformers"
  std::string class_name;  // "UNet2DConditionModel"
  std::string family;      // one of KnownFamilies(), or "" for a scheduler or tokenizer
  std::filesystem::path folder;
};

// Paths of what is there.
struct TokenizerFiles {
  std::optional<std::filesystem::path> tokenizer_json, config, vocabulary, merges, sentence_piece, special_tokens;
};
TokenizerFiles FindTokenizerFiles(const std::filesystem::path& folder);

// Threads: const methods may run together.
class ModelFolder {
 public:
  // `path` is a folder with a config.json or a model_index.json, one of these two files, or the weights beside a
  // config.json. Errors as of TellKind and ReadConfig, and: NotFound (code "no_config"); Unimplemented
  // ("unknown_family"); InvalidArgument ("bad_model_index") with the component, ("not_a_model") for a tokenizer.
  static absl::StatusOr<ModelFolder> Open(const std::filesystem::path& path);

  const std::string& family() const { return family_; }
  const std::filesystem::path& folder() const { return folder_; }
  const std::filesystem::path& config_path() const { return config_path_; }
  const Json& config() const { return config_; }  // of config_path()
  const std::vector<std::string>& architectures() const { return architectures_; }
  // For TensorSet::Open: the folder, or the file that was given. A pipeline has none of its own.
  const std::filesystem::path& weights() const { return weights_; }
  std::span<const ModelComponent> components() const { return components_; }  // of a pipeline, by name
  const ModelComponent* Component(std::string_view name) const;               // nullptr when there is none
  const TokenizerFiles& tokenizer() const { return tokenizer_; }
  const std::optional<std::filesystem::path>& preprocessor() const {
    return preprocessor_;
  }                                                                                       // preprocessor_config.json
  const std::optional<std::filesystem::path>& generation() const { return generation_; }  // generation_config.json
  // Custom code that is there and was not looked at, sorted: "config.json: auto_map", "modeling_x.py".
  const std::vector<std::string>& ignored() const { return ignored_; }

 private:
  ModelFolder() = default;
  absl::Status ReadPipeline();
  absl::Status ReadComponent(const std::string& name, const Json& entry);
  void ListCustomCode(const std::filesystem::path& folder, const std::string& prefix, const Json& config);

  std::string family_;
  std::filesystem::path folder_, config_path_, weights_;
  Json config_;
  std::vector<std::string> architectures_, ignored_;
  std::vector<ModelComponent> components_;
  TokenizerFiles tokenizer_;
  std::optional<std::filesystem::path> preprocessor_, generation_;
};

}  // namespace grym
