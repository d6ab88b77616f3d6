#include "models/musicgen/saved_piece.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/format.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/status.h"

namespace grym {
namespace {

static_assert(std::endian::native == std::endian::little, "codes and floats are written as they lie");
constexpr std::string_view kMagic = "GRYMPIEC";
constexpr uint32_t kVersion = 2;
constexpr size_t kHead = 16, kSum = 64;  // magic, version, length of the text; the digest
// Ten minutes of eight books, where the shortest stride and the longest crossfade make each frame thirty times, are
// 29 MB.
constexpr int64_t kMostFileBytes = int64_t{64} << 20;
constexpr size_t kMostWindows = 4096;
constexpr int64_t kMostFrames = 1 << 20;

absl::Status DamagedState(const std::string& text) {
  return Error(absl::StatusCode::kDataLoss, "bad_state", "musicgen/state: " + text);
}

std::string ClassLetters(const std::vector<uint8_t>& classes) {
  std::string text;
  for (const uint8_t c : classes) text += static_cast<char>('a' + c);
  return text;
}

absl::StatusOr<std::vector<uint8_t>> ClassesOf(const Json& json, int most) {
  std::vector<uint8_t> classes;
  for (const char letter : json.text()) {
    if (letter < 'a' || letter >= 'a' + most) return DamagedState("want letters of pitch classes in the melody");
    classes.push_back(static_cast<uint8_t>(letter - 'a'));
  }
  return classes;
}

std::string HexWord(uint64_t word) { return Formatted("%016x", word); }

absl::StatusOr<uint64_t> WordOf(const Json& json) {
  uint64_t word = 0;
  const std::string& text = json.text();
  const auto [stop, failed] = std::from_chars(text.data(), text.data() + text.size(), word, 16);
  if (text.size() != 16 || failed != std::errc() || stop != text.data() + text.size())
    return DamagedState("want 16 hex digits for each word of the generator");
  return word;
}

// A whole number of `json` in [least, most].
absl::StatusOr<int64_t> WholeOf(const Json& json, const char* name, int64_t least, int64_t most) {
  const Json& value = json.at(name);
  const int64_t number = value.integer(least - 1);
  if (!value.is_integer() || number < least || number > most)
    return DamagedState(Formatted("%s: want %d to %d, got %d", name, least, most, number));
  return number;
}

Json TextOf(const SavedPiece& piece) {
  Json json = Json::Object();
  json["fingerprint"] = piece.fingerprint;
  GenerateAudioRequest request = piece.request;
  request.reference_buffer.reset();
  json["request"] = RequestToJson(request);
  json["promptFrames"] = piece.prompt_frames;
  json["given"] = piece.given;
  json["warnings"] = Json::ArrayOf(piece.warnings);
  if (piece.melody) {
    json["melody"]["first"] = ClassLetters(piece.melody->first);
    json["melody"]["all"] = ClassLetters(piece.melody->all);
  }
  Json random = Json::Array();
  for (const uint64_t word : piece.state.random) random.push_back(HexWord(word));
  json["random"] = std::move(random);
  Json windows = Json::Array();
  for (const WindowRecord& record : piece.state.windows) {
    Json window = Json::Object();
    window["start"] = record.start;
    window["prompt"] = record.prompt;
    window["frames"] = record.frames;
    window["columns"] = record.columns;
    window["cut"] = record.cut;
    windows.push_back(std::move(window));
  }
  json["windows"] = std::move(windows);
  if (piece.sound) {
    json["sound"]["frames"] = piece.sound->frames;
    json["sound"]["codec"] = static_cast<int64_t>(piece.sound->codec.size());
    json["sound"]["seams"] = static_cast<int64_t>(piece.sound->seams.size());
  }
  return json;
}

template <class Value>
void AppendValues(const std::vector<Value>& values, std::string& bytes) {
  static_assert(sizeof(Value) == 4);
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * 4);
}

// Codes one after another, and floats behind them; how many there are is checked against the bytes that are left before
// any memory is taken.
class CodeBytes {
 public:
  explicit CodeBytes(std::string_view bytes) : bytes_(bytes) {}
  template <class Value = int32_t>
  absl::StatusOr<std::vector<Value>> Take(int64_t count) {
    const size_t wanted = static_cast<size_t>(count) * sizeof(Value);
    if (wanted > bytes_.size()) return DamagedState(Formatted("want %d bytes of codes, got %d", wanted, bytes_.size()));
    std::vector<Value> values(static_cast<size_t>(count));
    std::memcpy(values.data(), bytes_.data(), wanted);
    bytes_.remove_prefix(wanted);
    return values;
  }
  bool empty() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
};

absl::StatusOr<PieceState> StateOf(const Json& json, const MusicgenShape& shape, CodeBytes& codes) {
  PieceState state;
  if (json.at("random").size() != state.random.size()) return DamagedState("want four words of the generator");
  for (size_t i = 0; i < state.random.size(); ++i) {
    GRYM_ASSIGN_OR_RETURN(state.random[i], WordOf(json.at("random").at(i)));
  }
  if (json.at("windows").size() > kMostWindows) return DamagedState("want fewer windows");
  for (const Json& window : json.at("windows").items()) {
    WindowRecord record;
    GRYM_ASSIGN_OR_RETURN(record.start, WholeOf(window, "start", 0, kMostFrames));
    GRYM_ASSIGN_OR_RETURN(record.prompt, WholeOf(window, "prompt", 0, kMostFrames));
    GRYM_ASSIGN_OR_RETURN(record.frames, WholeOf(window, "frames", 1, kMostFrames));
    GRYM_ASSIGN_OR_RETURN(record.columns, WholeOf(window, "columns", 1, 2 * kMostFrames));
    GRYM_ASSIGN_OR_RETURN(record.cut, WholeOf(window, "cut", -1, kMostFrames));
    GRYM_ASSIGN_OR_RETURN(record.codes, codes.Take(shape.pattern.books * record.frames));
    state.windows.push_back(std::move(record));
  }
  return state;
}

// Magic, version, length and digest; answers the text and what follows it.
absl::StatusOr<std::pair<std::string_view, std::string_view>> PartsOf(std::string_view bytes) {
  if (bytes.size() < kHead + kSum || bytes.substr(0, kMagic.size()) != kMagic)
    return DamagedState("want a saved piece, got another file");
  uint32_t version = 0, length = 0;
  std::memcpy(&version, bytes.data() + 8, 4);
  std::memcpy(&length, bytes.data() + 12, 4);
  if (version > kVersion) {
    return Error(absl::StatusCode::kUnimplemented, "newer_state",
                 Formatted("musicgen/state: want version %d, got %d of a newer program", kVersion, version));
  }
  const std::string_view body = bytes.substr(0, bytes.size() - kSum);
  if (version < 1 || Sha256Hex(std::string(body)) != bytes.substr(body.size()))
    return DamagedState("want the digest of what was written, got another: the file is cut or changed");
  if (length > body.size() - kHead) return DamagedState("want the text within the file");
  return std::pair(body.substr(kHead, length), body.substr(kHead + length));
}

}  // namespace

absl::Status SavePiece(const std::filesystem::path& path, const SavedPiece& piece) {
  // A text that fills a request by itself may not come back from quotes.
  if (const absl::Status request = RequestFromJson(RequestToJson(piece.request)).status(); !request.ok()) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_request",
                 "musicgen/state: want a request that is read back from a file, got one that is not: " +
                     Printable(std::string(request.message()), 300));
  }
  const std::string text = TextOf(piece).Dump();
  const auto length = static_cast<uint32_t>(text.size());
  std::string bytes(kMagic);
  bytes.append(reinterpret_cast<const char*>(&kVersion), 4);
  bytes.append(reinterpret_cast<const char*>(&length), 4);
  bytes += text;
  AppendValues(piece.prompt, bytes);
  for (const WindowRecord& record : piece.state.windows) AppendValues(record.codes, bytes);
  if (piece.sound) {
    AppendValues(piece.sound->codec, bytes);
    AppendValues(piece.sound->seams, bytes);
  }
  bytes += Sha256Hex(bytes);
  return WriteFile(path, bytes);
}

absl::StatusOr<SavedPiece> LoadPiece(const std::filesystem::path& path, const std::string& fingerprint,
                                     const MusicgenShape& shape) {
  GRYM_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMostFileBytes));
  GRYM_ASSIGN_OR_RETURN(const auto parts, PartsOf(bytes));
  JsonLimits limits;
  limits.bytes = size_t{8} << 20;
  limits.string_bytes = size_t{2} << 20;  // the request's own text, its quotes escaped
  const auto parsed = Json::Parse(parts.first, limits);
  if (!parsed.ok()) return DamagedState("want a JSON text");
  const Json& json = *parsed;
  SavedPiece piece;
  piece.fingerprint = json.at("fingerprint").text();
  if (piece.fingerprint != fingerprint) {
    return Error(absl::StatusCode::kFailedPrecondition, "other_model",
                 Formatted("musicgen/state: want one of this checkpoint (%s), got that of another (%s)",
                           Printable(fingerprint, 12), Printable(piece.fingerprint, 12)));
  }
  auto request = RequestFromJson(json.at("request").text());
  if (!request.ok()) return DamagedState("want a request, got one that is refused");
  piece.request = *std::move(request);
  GRYM_ASSIGN_OR_RETURN(piece.prompt_frames, WholeOf(json, "promptFrames", 0, kMostFrames));
  GRYM_ASSIGN_OR_RETURN(piece.given, WholeOf(json, "given", 0, int64_t{1} << 40));
  for (const Json& warning : json.at("warnings").items()) piece.warnings.push_back(Printable(warning.text(), 1000));
  if (json.contains("melody")) {
    Melody melody;
    GRYM_ASSIGN_OR_RETURN(melody.first, ClassesOf(json.at("melody").at("first"), shape.chroma.classes));
    GRYM_ASSIGN_OR_RETURN(melody.all, ClassesOf(json.at("melody").at("all"), shape.chroma.classes));
    if (melody.first.empty()) return DamagedState("want a class at least in the melody");
    piece.melody = std::move(melody);
  }
  CodeBytes codes(parts.second);
  GRYM_ASSIGN_OR_RETURN(piece.prompt, codes.Take(shape.pattern.books * piece.prompt_frames));
  for (const int32_t code : piece.prompt) {
    if (code < 0 || code >= shape.vocab)
      return DamagedState(Formatted("want codes below %d, got %d", shape.vocab, code));
  }
  GRYM_ASSIGN_OR_RETURN(piece.state, StateOf(json, shape, codes));
  if (json.contains("sound")) {
    const Json& told = json.at("sound");
    SoundMemory sound;
    GRYM_ASSIGN_OR_RETURN(sound.frames, WholeOf(told, "frames", 1, kMostFrames));
    GRYM_ASSIGN_OR_RETURN(const int64_t codec, WholeOf(told, "codec", 0, kMostFileBytes));
    GRYM_ASSIGN_OR_RETURN(const int64_t seams, WholeOf(told, "seams", 0, kMostFileBytes));
    GRYM_ASSIGN_OR_RETURN(sound.codec, codes.Take<float>(codec));
    GRYM_ASSIGN_OR_RETURN(sound.seams, codes.Take<float>(seams));
    piece.sound = std::move(sound);
  }
  if (!codes.empty()) return DamagedState("want no bytes behind the codes and the sound");
  return piece;
}

}  // namespace grym
