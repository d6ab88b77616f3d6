// The operation that writes a take where people find it: audio, stems, MIDI, and a sidecar to render it again.
#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>

#include "analysis/true_peak.h"
#include "audio/stream_header.h"
#include "base/file_set.h"
#include "base/format.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/plain_name.h"
#include "base/progress.h"
#include "base/status.h"
#include "base/utf8.h"
#include "grymsynth/midi.h"
#include "grymsynth/version.h"
#include "steps/operations.h"
#include "steps/step_values.h"

namespace grym {
namespace {

struct ExportPlan {
  std::filesystem::path folder;
  std::string name;  // stem of the files
  std::string file() const { return name + extension; }
  std::string sidecar() const { return name + ".json"; }
  std::string midi() const { return name + ".mid"; }
  std::filesystem::path stem(const std::string& part) const {
    return std::filesystem::path(name + "-stems") / (part + ".wav");
  }
  AudioContainer container = AudioContainer::kWav;
  std::string extension = ".wav";
  SaveOptions save;
  int rate_hz = 0;  // 0 keeps the take's
};

// What a name may have, so that the longest name made from it is one.
constexpr size_t kMostBaseBytes = kMostNameBytes - std::string_view("-stems").size();

// For whom gave none: the workflow's, or the recording's, made fit to be a file name.
std::string OwnName(const StepServices& services, const Json& take) {
  const std::filesystem::path recording = take.at("audioFile").text();
  const std::string ending = recording.empty() ? "" : "-enhanced";
  std::string base = !services.output_name.empty() ? services.output_name : recording.stem().string();
  for (char& c : base) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\') c = '_';
  }
  for (size_t at = 0; at < base.size();) {  // results are JSON, and so UTF-8
    const size_t length = Utf8Length(base, at);
    if (length == 0) base[at] = '_';
    at += std::max<size_t>(length, 1);
  }
  if (base.size() > kMostBaseBytes - ending.size()) {
    base.resize(kMostBaseBytes - ending.size() + 1);  // the byte too much tells where a character begins
    while ((static_cast<unsigned char>(base.back()) & 0xc0) == 0x80 && base.size() > 1) base.pop_back();
    base.pop_back();
  }
  return base.empty() ? "take" : base + ending;
}

// Before anything is written: something to write, and stems that are told apart and stay in their folder.
absl::Status CheckExported(const OperationCall& call, const Json& take) {
  const auto bad_input = [&](const std::string& what) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_input", call.step + ": " + what);
  };
  GRYM_ASSIGN_OR_RETURN(const std::filesystem::path audio, call.files->Find(take.at("audio")));
  GRYM_ASSIGN_OR_RETURN(const AudioFileInfo info, ProbeAudioFile(audio, TakeLimits()));
  if (info.frames == 0) return bad_input("want a take with audio, got 0 frames");
  std::set<std::string> names;
  for (const Json& stem : take.at("stems").items()) {
    const std::string& name = stem.at("name").text();
    if (!IsPlainName(name) || name.size() + std::string_view(".wav").size() > kMostNameBytes) {
      return bad_input("stem: want a plain name, got \"" + Printable(name, 64) + "\"");
    }
    if (!names.insert(name).second)
      return bad_input("stem \"" + Printable(name, 64) + "\": want it once, got it twice");
  }
  return absl::OkStatus();
}

absl::StatusOr<ExportPlan> PlanExport(const StepServices& services, const OperationCall& call, const Json& take) {
  ExportPlan plan;
  plan.folder = services.output_dir;
  if (const std::string& path = call.parameters.at("path").text(); !path.empty()) plan.folder = path;
  const std::string& format = call.parameters.at("format").text();
  if (format == "flac") plan.container = AudioContainer::kFlac;
  if (format == "ogg") plan.container = AudioContainer::kOggVorbis;
  if (!format.empty()) plan.extension = "." + format;
  plan.rate_hz = static_cast<int>(call.parameters.at("sampleRate").integer(0));
  const int64_t bits = call.parameters.at("bitDepth").integer(16);
  if (bits != 16 && bits != 24 && bits != 32) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_parameter",
                 call.step + ": bitDepth: want 16, 24 or 32, got " + std::to_string(bits));
  }
  plan.save.container = plan.container;
  plan.save.format = bits == 16 ? SampleFormat::kPcm16 : bits == 24 ? SampleFormat::kPcm24 : SampleFormat::kFloat32;

  plan.name = call.parameters.at("name").text();
  if (plan.name.empty()) plan.name = OwnName(services, take);
  if (!IsPlainName(plan.name) || plan.name.size() > kMostBaseBytes) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_parameter",
                 Formatted("%s: name: want a plain file name of at most %d bytes, got %d: \"%s\"", call.step,
                           kMostBaseBytes, plan.name.size(), Printable(plan.name)));
  }
  return plan;
}

// Text as the tags of every container can carry it: no control characters, whole UTF-8, no more than fits.
std::string TagText(std::string_view text) {
  constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD
  std::string tag;
  for (size_t at = 0; at < text.size();) {
    const size_t length = Utf8Length(text, at);
    const auto lead = static_cast<unsigned char>(text[at]);
    const bool control = (lead < 0x20 && lead != '\t' && lead != '\n' && lead != '\r') || lead == 0x7f;
    const std::string_view next = length == 0 ? kReplacement : control ? " " : text.substr(at, length);
    if (tag.size() + next.size() > static_cast<size_t>(kMaxTagBytes)) break;
    tag += next;
    at += std::max<size_t>(length, 1);
  }
  return tag;
}

AudioMetadata MetadataOf(const ExportPlan& plan, const Json& take) {
  AudioMetadata metadata;
  metadata.title = TagText(plan.name);
  metadata.prompt = TagText(take.at("request").at("prompt").text());
  metadata.seed = std::to_string(take.at("request").at("seed").integer());
  metadata.model = TagText(take.at("provenance").at("model").text());
  // The whole request goes into the sidecar. A part of its JSON would be of no use, so what does not fit is left out.
  Json parameters = take.at("request");
  parameters.erase("patterns");
  // Where the original lay on this machine is nobody's business who is sent the file; the sidecar keeps it.
  if (const std::string reference = parameters.at("referenceAudio").text(); !reference.empty()) {
    parameters["referenceAudio"] = std::filesystem::path(reference).filename().string();
  }
  const std::string text = parameters.Dump();
  if (text.size() <= static_cast<size_t>(kMaxTagBytes)) metadata.parameters = TagText(text);
  return metadata;
}

absl::StatusOr<AudioBuffer> ExportedAudio(const ExportPlan& plan, const OperationCall& call, const Json& reference,
                                          const RunOptions& run) {
  GRYM_ASSIGN_OR_RETURN(AudioBuffer audio, GetAudio(*call.files, reference, run.cancel));
  if (plan.rate_hz == 0 || plan.rate_hz == audio.rate_hz()) return audio;
  return Resample(audio, plan.rate_hz, ResampleQuality::kBest, RunOptions{run.cancel, {}});
}

double PeakDbtp(double linear) { return 20 * std::log10(std::max(linear, 1e-10)); }

void ScaleBy(double db, AudioBuffer& audio) {
  const auto gain = static_cast<float>(std::pow(10.0, db / 20));
  for (float& sample : audio.mutable_planar()) sample *= gain;
}

// What the export did to the take's level.
struct Lowering {
  double by_db = 0;
  double still_over_db = 0;  // above what the take keeps, in spite of it
  const char* cause = "";
};

// Writes the take. Integers end at full scale, so what passes it is turned down to fit. Another rate and a lossy coder
// move the peaks between the samples, so what was written is measured and turned down until it keeps what a take
// promises: -1 dBTP, or its own peak where that is higher.
absl::StatusOr<Lowering> WriteTake(const ExportPlan& plan, const OperationCall& call, const Json& take, FileSet& files,
                                   const RunOptions& run) {
  constexpr double kPromisedDbtp = -1, kRoundingDb = 0.005;  // a 16-bit step at full scale is 0.0003 dB
  constexpr int kMostPasses = 6;
  const RunOptions quiet{run.cancel, {}};
  const auto save = [&](const AudioBuffer& audio) {
    return files.Write(plan.file(), [&](const auto& path) { return SaveAudio(path, audio, plan.save, quiet); });
  };
  Lowering lowering;
  GRYM_ASSIGN_OR_RETURN(AudioBuffer audio, ExportedAudio(plan, call, take.at("audio"), run));
  const bool coded = plan.container == AudioContainer::kOggVorbis;
  if (!coded && plan.save.format != SampleFormat::kFloat32) {
    float peak = 0;
    for (const float sample : audio.planar()) peak = std::max(peak, std::abs(sample));
    if (peak > 1) lowering = {PeakDbtp(peak), 0, "it passes full scale, where integers end"};
  }
  ScaleBy(-lowering.by_db, audio);
  GRYM_RETURN_IF_ERROR(save(audio));
  const bool resampled = plan.rate_hz != 0 && plan.rate_hz != take.at("audio").at("rateHz").integer(0);
  if (!resampled && !coded) return lowering;
  double own_peak = 0;
  {
    GRYM_ASSIGN_OR_RETURN(const AudioBuffer made, GetAudio(*call.files, take.at("audio"), run.cancel));
    GRYM_ASSIGN_OR_RETURN(own_peak, MeasureTruePeak(made, quiet));
  }
  const double ceiling_dbtp = std::max(kPromisedDbtp, PeakDbtp(own_peak));
  const double fits_db = lowering.by_db;
  for (int pass = 0;; ++pass) {
    GRYM_ASSIGN_OR_RETURN(const AudioBuffer written, LoadAudio(files.staged(plan.file()), TakeLimits(), quiet));
    GRYM_ASSIGN_OR_RETURN(const double peak, MeasureTruePeak(written, quiet));
    lowering.still_over_db = std::max(0.0, PeakDbtp(peak) - ceiling_dbtp);
    if (lowering.still_over_db <= kRoundingDb) lowering.still_over_db = 0;
    if (lowering.still_over_db == 0 || pass == kMostPasses) return lowering;
    lowering.cause = coded ? "the coder moved the peaks above what the take keeps"
                           : "the rate moved the peaks above what the take keeps";
    // A coder does not answer in proportion: ask for more each time.
    lowering.by_db += lowering.still_over_db + kRoundingDb * pass;
    AudioBuffer lowered = audio;
    ScaleBy(fits_db - lowering.by_db, lowered);
    GRYM_RETURN_IF_ERROR(save(lowered));
  }
}

// Tells what the export did to the take, where people look for it: its stages and warnings.
void NoteLowering(const Lowering& lowering, Json& take) {
  if (lowering.by_db == 0) return;
  std::string text = Formatted("export: turned down by %.2f dB, since %s", lowering.by_db, lowering.cause);
  if (lowering.still_over_db > 0) text += Formatted("; they still are by %.2f dB", lowering.still_over_db);
  Json stage = Json::Object();
  stage["name"] = "export";
  stage["applied"] = true;
  stage["changeDb"] = -lowering.by_db;
  stage["text"] = text;
  if (!take.at("stages").is_array()) take["stages"] = Json::Array();
  take["stages"].push_back(std::move(stage));
  if (!take.at("warnings").is_array()) take["warnings"] = Json::Array();
  take["warnings"].push_back(text);
}

// Stems are not mastered and may pass full scale, so they are written as float whatever the take's format is.
absl::StatusOr<Json> WriteStems(const ExportPlan& plan, const OperationCall& call, const Json& take, FileSet& files,
                                const RunOptions& run) {
  SaveOptions save;
  save.container = AudioContainer::kWav;
  save.format = SampleFormat::kFloat32;
  Json stems = Json::Array();
  for (const Json& stem : take.at("stems").items()) {
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    GRYM_ASSIGN_OR_RETURN(const AudioBuffer audio, ExportedAudio(plan, call, stem.at("audio"), run));
    const std::filesystem::path name = plan.stem(stem.at("name").text());
    GRYM_RETURN_IF_ERROR(files.Write(
        name, [&](const auto& path) { return SaveAudio(path, audio, save, RunOptions{run.cancel, {}}); }));
    Json item = Json::Object();
    item["name"] = stem.at("name");
    item["path"] = (plan.folder / name).string();
    stems.push_back(std::move(item));
  }
  return stems;
}

// Enough to render the take again: the resolved request, the software, and what the original was; and, below the
// sidecar's folder, what was written beside the take.
Json SidecarOf(const Json& take, const ExportPlan& plan, const std::string& sha256, const FileSet& files) {
  Json sidecar = Json::Object();
  sidecar["schema"] = "grymsynth.sidecar/1";
  sidecar["software"] = SoftwareName();
  sidecar["file"] = plan.file();
  sidecar["sha256"] = sha256;
  Json beside = Json::Array();
  for (const std::filesystem::path& name : files.names()) {
    if (name != plan.file()) beside.push_back(name.generic_string());
  }
  sidecar["files"] = std::move(beside);
  for (const char* member : {"request", "provenance", "facts", "warnings", "attempts"}) {
    if (take.contains(member)) sidecar[member] = take.at(member);
  }
  return sidecar;
}

// What an earlier export of this name wrote beside its take and this one does not: its sidecar says so, and is believed
// for the names that an export gives alone.
std::vector<std::filesystem::path> ObsoleteFiles(const ExportPlan& plan, const FileSet& files) {
  std::vector<std::filesystem::path> obsolete;
  const auto text = ReadFile(plan.folder / plan.sidecar(), static_cast<int64_t>(ResultLimits().bytes));
  const auto before = text.ok() ? Json::Parse(*text, ResultLimits()) : text.status();
  if (!before.ok() || before->at("schema").text() != "grymsynth.sidecar/1") return obsolete;
  for (const Json& item : before->at("files").items()) {
    const std::filesystem::path name = item.text();
    if (name != plan.midi() && name != plan.stem(name.stem().string())) continue;
    if (std::find(files.names().begin(), files.names().end(), name) == files.names().end()) obsolete.push_back(name);
  }
  return obsolete;
}

}  // namespace

// All files appear together at the end, the sidecar last: until then, and after any failure, what stood there stands.
absl::StatusOr<Json> RunExport(const StepServices& services, const OperationCall& call, const RunOptions& run) {
  const Json* take = call.input("take");
  if (!take || !take->at("audio").is_object()) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_input",
                 call.step + ": want a take with audio, got " + (take ? take->type_name() : "nothing"));
  }
  GRYM_ASSIGN_OR_RETURN(ExportPlan plan, PlanExport(services, call, *take));
  plan.save.metadata = MetadataOf(plan, *take);
  GRYM_RETURN_IF_ERROR(CheckExported(call, *take));
  GRYM_ASSIGN_OR_RETURN(FileSet files, FileSet::Begin(plan.folder));
  GRYM_ASSIGN_OR_RETURN(const Lowering lowering, WriteTake(plan, call, *take, files, run));
  Json written = *take;
  NoteLowering(lowering, written);
  const std::filesystem::path audio = files.staged(plan.file());
  GRYM_ASSIGN_OR_RETURN(const std::string sha256, Sha256OfFile(audio, run.cancel));

  Json result = Json::Object();
  GRYM_ASSIGN_OR_RETURN(result["stems"], WriteStems(plan, call, *take, files, run));
  if (take->at("midi").is_object()) {
    GRYM_ASSIGN_OR_RETURN(const std::string midi, call.files->Read(take->at("midi"), int64_t{16} << 20));
    GRYM_RETURN_IF_ERROR(files.Write(plan.midi(), [&](const auto& path) { return WriteFile(path, midi); }));
    result["midi"] = (plan.folder / plan.midi()).string();
  }
  const RunOptions hearing = PartOf(run, 0.5, 1);
  GRYM_ASSIGN_OR_RETURN(result["features"],
                        HearThrough(*services.orchestrator, Capability::kAnalyze, {audio}, hearing));
  const std::string sidecar = SidecarOf(written, plan, sha256, files).Dump(2) + "\n";
  GRYM_RETURN_IF_ERROR(files.Write(plan.sidecar(), [&](const auto& path) { return WriteFile(path, sidecar); }));
  GRYM_RETURN_IF_ERROR(run.cancel.Check());
  GRYM_RETURN_IF_ERROR(files.Lock());
  GRYM_RETURN_IF_ERROR(files.Commit(ObsoleteFiles(plan, files)));

  Json paths = Json::Array();
  for (const std::filesystem::path& name : files.names()) paths.push_back((plan.folder / name).string());
  result["path"] = (plan.folder / plan.file()).string();
  result["sha256"] = sha256;
  result["files"] = std::move(paths);
  result["sidecar"] = (plan.folder / plan.sidecar()).string();
  result["audio"] = take->at("audio");
  result["take"] = std::move(written);
  return result;
}

}  // namespace grym
