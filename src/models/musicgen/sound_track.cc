#include "models/musicgen/sound_track.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "analysis/analyze.h"
#include "audio/block_source.h"
#include "base/format.h"
#include "base/status.h"

namespace grym {
namespace {

// A codec's block costs some frames of context at either side, so larger ones are cheaper; the first is what a listener
// waits for.
constexpr double kFirstBlock_s = 0.5, kBlock_s = 1;
// Before a fade the codec hears so much of what was there, for its states to have settled.
constexpr double kContext_s = 2;
// A beat further back is not worth the frames that are made twice.
constexpr double kSearch_s = 2;
constexpr double kHeard_s = 12;
constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

void EraseFront(std::vector<float>& values, int64_t count) {
  values.erase(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count));
}

// In [0, 1]; what is opposed counts as having nothing in common.
double CorrelationOf(const std::vector<std::vector<float>>& a, const std::vector<std::vector<float>>& b) {
  double aa = 0, bb = 0, ab = 0;
  for (size_t c = 0; c < a.size(); ++c) {
    for (size_t i = 0; i < a[c].size(); ++i) {
      aa += static_cast<double>(a[c][i]) * a[c][i];
      bb += static_cast<double>(b[c][i]) * b[c][i];
      ab += static_cast<double>(a[c][i]) * b[c][i];
    }
  }
  return aa > 0 && bb > 0 ? std::clamp(ab / std::sqrt(aa * bb), 0.0, 1.0) : 0;
}

}  // namespace

SoundTrack::SoundTrack(const MusicgenShape& shape, const Options& options, NewSound new_sound)
    : shape_(shape), options_(options), new_sound_(std::move(new_sound)) {
  const auto channels = static_cast<size_t>(shape.pattern.channels);
  pending_.resize(channels);
  fade_out_.resize(channels);
  out_.resize(channels);
}

int64_t SoundTrack::MostBack(const MusicgenShape& shape, int64_t fade_frames) {
  return fade_frames > 0 ? fade_frames + static_cast<int64_t>(kSearch_s * shape.frame_rate_hz()) : 0;
}

int64_t SoundTrack::BlockFrames() const {
  const double frames = shape_.frame_rate_hz() * (pushed_ == 0 ? kFirstBlock_s : kBlock_s);
  return std::max<int64_t>(1, static_cast<int64_t>(frames));
}

absl::Status SoundTrack::Take(WindowRecord& record, const CancelToken& cancel) {
  if (record.start != window_start_) GRYM_RETURN_IF_ERROR(Begin(record, cancel));
  const bool ended = record.columns >= shape_.pattern.Columns(record.frames);
  const int64_t whole = record.start + shape_.pattern.WholeFrames(record.columns, record.frames);
  while (whole - pushed_ >= BlockFrames()) {
    GRYM_RETURN_IF_ERROR(Push(record, pushed_ + BlockFrames(), cancel));
  }
  return ended ? EndWindow(record, cancel) : absl::OkStatus();
}

absl::Status SoundTrack::Begin(const WindowRecord& record, const CancelToken& cancel) {
  const bool fades = options_.fade_frames > 0 && window_start_ >= 0;
  window_start_ = record.start;
  if (!stream_ || fades) {
    stream_.reset();  // its room goes before the new one's comes
    GRYM_ASSIGN_OR_RETURN(stream_, new_sound_());
    const int64_t own = record.start + (fades ? record.prompt : 0);
    const auto context = static_cast<int64_t>(kContext_s * shape_.frame_rate_hz());
    const int64_t from = fades ? std::max(record.start, own - context) : record.start;
    floor_ = own * shape_.hop;
    next_ = from * shape_.hop;
    pending_start_ = floor_;
    pushed_ = from;
    // The codec has room for a block at once.
    while (pushed_ < own) GRYM_RETURN_IF_ERROR(Push(record, std::min(own, pushed_ + BlockFrames()), cancel));
  }
  const int64_t back = MostBack(shape_, options_.fade_frames);
  limit_ = back > 0 && !Last(record) ? (record.end() - back) * shape_.hop : kNoLimit;
  // Without a fade, where the second window's own frames begin is where a seam may be heard.
  if (!fades && record.start > 0) seams_.AddSeam((record.start + record.prompt) * shape_.hop);
  return absl::OkStatus();
}

std::optional<SoundMemory> SoundTrack::Memory() const {
  if (!stream_ || pushed_ == 0 || options_.fade_frames > 0 || taken() < released_) return std::nullopt;
  return SoundMemory{pushed_, stream_->Memory(), seams_.Memory()};
}

absl::Status SoundTrack::Recall(const SoundMemory& memory) {
  const auto bad = [](const std::string& text) {
    return Error(absl::StatusCode::kDataLoss, "bad_state", "musicgen/state: " + text);
  };
  if (options_.fade_frames > 0) return bad("want no sound of a piece with crossfades, got some");
  GRYM_ASSIGN_OR_RETURN(stream_, new_sound_());
  const absl::StatusOr<int64_t> made = stream_->Recall(memory.frames, memory.codec);
  if (!made.ok()) return bad(std::string(made.status().message()));
  pushed_ = memory.frames;
  next_ = pending_start_ = *made;
  released_ = std::min(next_, options_.samples);
  if (seams_.Recall(released_, memory.seams)) return absl::OkStatus();
  return bad(Formatted("want what %d samples leave to the measure of seams, got %d numbers", released_,
                       memory.seams.size()));
}

absl::Status SoundTrack::Push(const WindowRecord& record, int64_t until, const CancelToken& cancel) {
  GRYM_RETURN_IF_ERROR(cancel.Check());
  const int64_t count = until - pushed_;
  std::vector<int32_t> codes(static_cast<size_t>(shape_.pattern.books * count));
  for (int64_t book = 0; book < shape_.pattern.books; ++book) {
    const int32_t* const row = record.codes.data() + book * record.frames + (pushed_ - record.start);
    std::copy_n(row, count, codes.begin() + book * count);
  }
  GRYM_ASSIGN_OR_RETURN(const std::vector<float> made, stream_->Push(codes, count));
  pushed_ = until;
  Arrive(made);
  return absl::OkStatus();
}

absl::Status SoundTrack::EndWindow(WindowRecord& record, const CancelToken& cancel) {
  const bool last = Last(record);
  if (!stream_) return absl::OkStatus();  // it ended before
  if (pushed_ < record.end()) GRYM_RETURN_IF_ERROR(Push(record, record.end(), cancel));
  if (!last && options_.fade_frames == 0) {
    record.cut = record.end();
    return absl::OkStatus();
  }
  GRYM_ASSIGN_OR_RETURN(const std::vector<float> rest, stream_->Finish());
  stream_.reset();
  Arrive(rest);
  if (last) {
    Release(kNoLimit);
    return absl::OkStatus();
  }
  if (record.cut < 0) {
    GRYM_ASSIGN_OR_RETURN(record.cut, ChooseCut(record, cancel));
  }
  const int64_t cut = record.cut * shape_.hop, fade = options_.fade_frames * shape_.hop;
  Release(cut);
  for (size_t c = 0; c < pending_.size(); ++c) {
    pending_[c].resize(static_cast<size_t>(fade), 0.0f);
    fade_out_[c] = std::move(pending_[c]);
    pending_[c].clear();
  }
  seams_.AddSeam(cut + fade / 2);
  return absl::OkStatus();
}

// Where the next window's own frames begin: half a fade before the last beat that leaves room for the other half.
absl::StatusOr<int64_t> SoundTrack::ChooseCut(const WindowRecord& record, const CancelToken& cancel) const {
  const int64_t latest = record.end() - options_.fade_frames;
  std::vector<float> sound = heard_;
  for (size_t i = 0; i < pending_[0].size(); ++i) {
    float sum = 0;
    for (const std::vector<float>& channel : pending_) sum += channel[i];
    sound.push_back(sum / static_cast<float>(pending_.size()));
  }
  const double end_s = static_cast<double>(record.end() * shape_.hop) / shape_.rate_hz;
  const double start_s = end_s - static_cast<double>(sound.size()) / shape_.rate_hz;
  GRYM_ASSIGN_OR_RETURN(const AudioBuffer buffer, AudioBuffer::FromPlanar(std::move(sound), 1, shape_.rate_hz));
  GRYM_ASSIGN_OR_RETURN(const std::unique_ptr<BlockSource> source, OpenInput(AudioInput(buffer)));
  RunOptions run;
  run.cancel = cancel;
  GRYM_ASSIGN_OR_RETURN(const AudioFeatures features, AnalyzeSource(*source, run, 1, {AnalysisPart::kRhythm}));
  const int64_t earliest = record.end() - MostBack(shape_, options_.fade_frames);
  for (auto beat = features.beats_s.rbegin(); beat != features.beats_s.rend(); ++beat) {
    const double middle = (start_s + *beat) * shape_.frame_rate_hz();
    const auto cut = static_cast<int64_t>(std::llround(middle - static_cast<double>(options_.fade_frames) / 2));
    if (cut > latest) continue;
    return cut >= earliest ? cut : latest;
  }
  return latest;
}

void SoundTrack::Arrive(const std::vector<float>& planar) {
  const auto channels = static_cast<int64_t>(pending_.size());
  const auto count = static_cast<int64_t>(planar.size()) / channels;
  const int64_t skipped = std::clamp<int64_t>(floor_ - next_, 0, count);
  for (int64_t c = 0; c < channels; ++c) {
    const auto first = planar.begin() + static_cast<std::ptrdiff_t>(c * count);
    pending_[static_cast<size_t>(c)].insert(pending_[static_cast<size_t>(c)].end(),
                                            first + static_cast<std::ptrdiff_t>(skipped),
                                            first + static_cast<std::ptrdiff_t>(count));
  }
  next_ += count;
  Mix();
  if (fade_out_[0].empty()) Release(limit_);
}

// The fade, once all of it is there: gains a and b with a^2 + b^2 + 2 r a b = 1 for signals of correlation r.
void SoundTrack::Mix() {
  const size_t length = fade_out_[0].size();
  if (length == 0 || pending_[0].size() < length) return;
  std::vector<std::vector<float>> fade_in;
  for (const std::vector<float>& channel : pending_)
    fade_in.emplace_back(channel.begin(), channel.begin() + static_cast<std::ptrdiff_t>(length));
  const double r = CorrelationOf(fade_out_, fade_in);
  for (size_t i = 0; i < length; ++i) {
    const double phase = (static_cast<double>(i) + 0.5) / static_cast<double>(length) * 1.5707963267948966;
    const double up = std::sin(phase) * std::sin(phase), down = 1 - up;
    const double norm = std::sqrt(up * up + down * down + 2 * r * up * down);
    for (size_t c = 0; c < pending_.size(); ++c) {
      pending_[c][i] = static_cast<float>((up * pending_[c][i] + down * fade_out_[c][i]) / norm);
    }
  }
  for (std::vector<float>& channel : fade_out_) channel.clear();
}

void SoundTrack::Release(int64_t until) {
  const auto there = static_cast<int64_t>(pending_[0].size());
  const int64_t count = std::clamp<int64_t>(until - pending_start_, 0, there);
  const int64_t given = std::clamp<int64_t>(options_.samples - released_, 0, count);
  std::vector<float> mono(static_cast<size_t>(given), 0.0f);
  for (size_t c = 0; c < pending_.size(); ++c) {
    const auto first = pending_[c].begin();
    out_[c].insert(out_[c].end(), first, first + static_cast<std::ptrdiff_t>(given));
    for (size_t i = 0; i < mono.size(); ++i) mono[i] += pending_[c][i] / static_cast<float>(pending_.size());
    EraseFront(pending_[c], count);
  }
  pending_start_ += count;
  released_ += given;
  seams_.Push(mono);
  if (options_.fade_frames == 0) return;
  heard_.insert(heard_.end(), mono.begin(), mono.end());
  const auto kept = static_cast<int64_t>(kHeard_s * shape_.rate_hz);
  if (static_cast<int64_t>(heard_.size()) > kept) EraseFront(heard_, static_cast<int64_t>(heard_.size()) - kept);
}

std::vector<std::vector<float>> SoundTrack::TakeSamples() {
  std::vector<std::vector<float>> taken(out_.size());
  std::swap(taken, out_);
  return taken;
}

}  // namespace grym
