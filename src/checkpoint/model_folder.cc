#include "checkpoint/model_folder.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/format.h"
#include "base/status.h"
#include "checkpoint/config_reader.h"
#include "checkpoint/content.h"
#include "checkpoint/inside.h"
#include "checkpoint/mapped_file.h"

namespace grym {
namespace {

using ModelPath = std::filesystem::path;

constexpr int64_t kMostJsonFileBytes = int64_t{64} << 20;  // a tokenizer's limit, the largest of ours
constexpr size_t kMostComponents = 64;

struct FamilyName {
  const char* said;  // model_type, class name or architecture
  const char* family;
};
// Source: the published configs; "hifigan" is what SpeechT5HifiGan wrote before transformers 4.24.
constexpr FamilyName kModelTypes[] = {{"wav2vec2", "wav2vec2"},
                                      {"clap", "clap"},
                                      {"clap_text_model", "clap_text_model"},
                                      {"t5", "t5"},
                                      {"encodec", "encodec"},
                                      {"musicgen", "musicgen"},
                                      {"hifigan", "hifigan"},
                                      {"musicgen_melody", "musicgen_melody"},
                                      {"speecht5_hifigan", "hifigan"}};
constexpr FamilyName kClasses[] = {{"UNet2DConditionModel", "unet"},
                                   {"AutoencoderKL", "vae"},
                                   {"AudioLDMPipeline", "AudioLDMPipeline"},
                                   {"SpeechT5HifiGan", "hifigan"},
                                   {"ClapTextModelWithProjection", "clap_text_model"},
                                   {"ClapTextModel", "clap_text_model"},
                                   {"ClapModel", "clap"},
                                   {"T5EncoderModel", "t5"},
                                   {"T5ForConditionalGeneration", "t5"},
                                   {"EncodecModel", "encodec"},
                                   {"MusicgenForConditionalGeneration", "musicgen"},
                                   {"MusicgenMelodyForConditionalGeneration", "musicgen_melody"},
                                   {"Wav2Vec2Model", "wav2vec2"},
                                   {"Wav2Vec2ForCTC", "wav2vec2"},
                                   {"Wav2Vec2ForPreTraining", "wav2vec2"}};

std::string FamilyIn(std::span<const FamilyName> table, std::string_view said) {
  for (const FamilyName& known : table) {
    if (said == known.said) return known.family;
  }
  return "";
}

// The members of the outermost object of a JSON text and their values where these are text, both as they are written.
// Takes no memory for the rest, so that a tokenizer of 64 MiB is told at once; of a broken text it sees what it sees.
std::map<std::string, std::string, std::less<>> OutermostMembers(std::string_view text) {
  std::map<std::string, std::string, std::less<>> members;
  int depth = 0;
  std::string key;
  bool value_next = false;
  for (size_t i = 0; i < text.size() && members.size() < 1000; ++i) {
    const char c = text[i];
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (c == ':' && depth == 1) value_next = true;
    if (c == ',' && depth == 1) value_next = false;
    if (c != '"') continue;
    const size_t begin = ++i;
    while (i < text.size() && text[i] != '"') i += text[i] == '\\' ? 2 : 1;
    if (depth != 1 || i > text.size()) continue;
    const std::string_view string = text.substr(begin, std::min<size_t>(i - begin, 256));
    if (value_next) {
      members[key] = std::string(string);
    } else {
      key = std::string(string);
      members.emplace(key, "");
    }
  }
  return members;
}

bool EndsWithPipeline(std::string_view name) { return name.ends_with("Pipeline"); }

absl::StatusOr<PathKind> TellJsonKind(const ModelPath& path, std::string_view text) {
  const auto members = OutermostMembers(text);
  if (members.contains("weight_map")) return PathKind::kTensorIndex;
  if (const auto name = members.find("_class_name"); name != members.end())
    return EndsWithPipeline(name->second) ? PathKind::kPipelineIndex : PathKind::kConfig;
  if (members.contains("model_type") || members.contains("architectures")) return PathKind::kConfig;
  if (members.contains("model") && (members.contains("added_tokens") || members.contains("pre_tokenizer")))
    return PathKind::kTokenizer;
  return Error(absl::StatusCode::kInvalidArgument, "unknown_content",
               QuotedPath(path) +
                   ": JSON, but no index (weight_map), config (model_type, _class_name, architectures) "
                   "or tokenizer (model, added_tokens)");
}

std::optional<ModelPath> FileIn(const ModelPath& folder, const char* name) {
  std::error_code ignored;
  if (std::filesystem::is_regular_file(folder / name, ignored)) return folder / name;
  return std::nullopt;
}

absl::Status BadModelIndex(const ModelPath& index, const std::string& component, const std::string& what) {
  return Error(absl::StatusCode::kInvalidArgument, "bad_model_index",
               QuotedPath(index) + ": component " + QuotedName(component) + ": " + what);
}

ModelPath FolderOf(const ModelPath& file) { return file.has_parent_path() ? file.parent_path() : ModelPath("."); }

// The config that says what `path` is.
absl::StatusOr<ModelPath> ConfigFor(const ModelPath& path, PathKind kind) {
  if (kind == PathKind::kConfig || kind == PathKind::kPipelineIndex) return path;
  if (kind == PathKind::kTokenizer || kind == PathKind::kSentencePiece) {
    return Error(absl::StatusCode::kInvalidArgument, "not_a_model",
                 QuotedPath(path) + ": want a model, got " + PathKindName(kind));
  }
  const ModelPath folder = kind == PathKind::kFolder ? path : FolderOf(path);
  const bool weights = kind != PathKind::kFolder;
  if (const auto index = FileIn(folder, "model_index.json"); index && !weights) return *index;
  if (const auto config = FileIn(folder, "config.json")) return *config;
  return Error(absl::StatusCode::kNotFound, "no_config",
               QuotedPath(folder) + ": want config.json" + (weights ? " beside the weights" : " or model_index.json") +
                   ", got neither");
}

}  // namespace

const char* PathKindName(PathKind kind) {
  static constexpr const char* kNames[] = {
      "a folder",           "a safetensors file", "an index of safetensors files", "a config",
      "a model_index.json", "a tokenizer.json",   "a SentencePiece model"};
  return kNames[static_cast<size_t>(kind)];
}

absl::StatusOr<PathKind> TellKind(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return PathKind::kFolder;
  GRYM_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path, INT64_MAX));
  GRYM_RETURN_IF_ERROR(file.CheckLength());
  const FileContent content = TellContent(file.bytes());
  if (content == FileContent::kSafetensors) return PathKind::kSafetensors;
  if (content == FileContent::kSentencePiece) return PathKind::kSentencePiece;
  if (content == FileContent::kPickle) {
    return Error(absl::StatusCode::kFailedPrecondition, "pickle_refused",
                 file.name() +
                     ": a pickle, which may run code when it is opened. Convert its folder once: python -m "
                     "grymsynth.convert " +
                     QuotedPath(FolderOf(path)));
  }
  if (content == FileContent::kJsonObject) {
    const auto bytes = file.bytes().first(static_cast<size_t>(std::min(file.size(), kMostJsonFileBytes)));
    return TellJsonKind(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  return Error(absl::StatusCode::kInvalidArgument, "unknown_content",
               Formatted("%s: want a folder, safetensors, JSON or a SentencePiece model, got %s of %d bytes",
                         file.name(), ContentName(content), file.size()));
}

std::vector<std::string> KnownFamilies() {
  std::vector<std::string> names;
  for (const FamilyName& known : kModelTypes) names.push_back(known.family);
  for (const FamilyName& known : kClasses) names.push_back(known.family);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

absl::StatusOr<std::string> FamilyOf(const Json& config, std::string_view where) {
  const std::string &type = config.at("model_type").text(), &class_name = config.at("_class_name").text();
  std::string family = FamilyIn(kModelTypes, type);
  if (family.empty() && type.empty()) family = FamilyIn(kClasses, class_name);
  if (family.empty() && type.empty() && class_name.empty()) {
    for (const Json& name : config.at("architectures").items()) {
      if (family.empty()) family = FamilyIn(kClasses, name.text());
    }
  }
  if (!family.empty()) return family;
  const std::string got = !type.empty()         ? "model_type " + QuotedName(type)
                          : !class_name.empty() ? "_class_name " + QuotedName(class_name)
                                                : "none that is known";
  return Error(absl::StatusCode::kUnimplemented, "unknown_family",
               std::string(where) + ": want a model of " + Join(KnownFamilies(), ", ") + "; got " + got);
}

TokenizerFiles FindTokenizerFiles(const std::filesystem::path& folder) {
  TokenizerFiles files;
  files.tokenizer_json = FileIn(folder, "tokenizer.json");
  files.config = FileIn(folder, "tokenizer_config.json");
  files.vocabulary = FileIn(folder, "vocab.json");
  files.merges = FileIn(folder, "merges.txt");
  files.sentence_piece = FileIn(folder, "spiece.model");
  files.special_tokens = FileIn(folder, "special_tokens_map.json");
  return files;
}

absl::StatusOr<ModelFolder> ModelFolder::Open(const std::filesystem::path& path) {
  GRYM_ASSIGN_OR_RETURN(const PathKind kind, TellKind(path));
  ModelFolder model;
  GRYM_ASSIGN_OR_RETURN(model.config_path_, ConfigFor(path, kind));
  model.folder_ = FolderOf(model.config_path_);
  const bool weights = kind == PathKind::kSafetensors || kind == PathKind::kTensorIndex;
  model.weights_ = weights ? path : model.folder_;
  GRYM_ASSIGN_OR_RETURN(model.config_, ReadConfig(model.config_path_));
  GRYM_ASSIGN_OR_RETURN(model.family_, FamilyOf(model.config_, QuotedPath(model.config_path_)));
  for (const Json& name : model.config_.at("architectures").items()) model.architectures_.push_back(name.text());
  model.ListCustomCode(model.folder_, "", model.config_);
  model.tokenizer_ = FindTokenizerFiles(model.folder_);
  model.preprocessor_ = FileIn(model.folder_, "preprocessor_config.json");
  model.generation_ = FileIn(model.folder_, "generation_config.json");
  if (EndsWithPipeline(model.family_)) {
    model.weights_.clear();
    GRYM_RETURN_IF_ERROR(model.ReadPipeline());
  }
  std::sort(model.ignored_.begin(), model.ignored_.end());
  return model;
}

void ModelFolder::ListCustomCode(const std::filesystem::path& folder, const std::string& prefix, const Json& config) {
  if (config.contains("auto_map")) ignored_.push_back(prefix + "config.json: auto_map");
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (at->path().extension() == ".py") ignored_.push_back(prefix + Printable(at->path().filename().string()));
  }
}

absl::Status ModelFolder::ReadPipeline() {
  for (const auto& [name, entry] : config_.members()) {
    if (name.starts_with('_') || !entry.is_array()) continue;  // settings of the pipeline itself
    if (components_.size() >= kMostComponents)
      return BadModelIndex(config_path_, name, Formatted("want at most %d components", kMostComponents));
    GRYM_RETURN_IF_ERROR(ReadComponent(name, entry));
  }
  return absl::OkStatus();
}

absl::Status ModelFolder::ReadComponent(const std::string& name, const Json& entry) {
  if (entry.size() != 2) return BadModelIndex(config_path_, name, "want [library, class]");
  if (entry.at(0).is_null() && entry.at(1).is_null())
    return absl::OkStatus();  // how a part that is left out is written
  if (!entry.at(0).is_string() || !entry.at(1).is_string())
    return BadModelIndex(config_path_, name, "want [library, class] as text");
  ModelComponent component{name, entry.at(0).text(), entry.at(1).text(), "", {}};
  if (component.library != "diffusers" && component.library != "transformers") {
    ignored_.push_back("model_index.json: " + Printable(name) + " of " + QuotedName(component.library));
    return absl::OkStatus();
  }
  const absl::StatusOr<ModelPath> inner = FolderInside(folder_, name);
  if (!inner.ok()) return BadModelIndex(config_path_, name, std::string(inner.status().message()));
  component.folder = *inner;
  component.family = FamilyIn(kClasses, component.class_name);
  if (!component.family.empty()) {
    GRYM_ASSIGN_OR_RETURN(const Json config, ReadConfig(component.folder / "config.json"));
    GRYM_ASSIGN_OR_RETURN(const std::string said, FamilyOf(config, QuotedPath(component.folder / "config.json")));
    if (said != component.family)
      return BadModelIndex(config_path_, name, "want " + component.family + ", its config.json is of " + said);
    ListCustomCode(component.folder, Printable(name) + "/", config);
  }
  components_.push_back(std::move(component));
  return absl::OkStatus();
}

const ModelComponent* ModelFolder::Component(std::string_view name) const {
  for (const ModelComponent& component : components_) {
    if (component.name == name) return &component;
  }
  return nullptr;
}

}  // namespace grym
