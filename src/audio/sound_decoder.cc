#include "audio/sound_decoder.h"

#include <sndfile.h>

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "base/format.h"
#include "base/status.h"

namespace grym {
namespace {

// The file as libsndfile sees it: sf_open_virtual's callbacks over a SourceView.
struct VirtualFile {
  std::shared_ptr<const SourceFile> file;
  SourceView view;
  int64_t position = 0;
};

sf_count_t VirtualLength(void* user) { return static_cast<VirtualFile*>(user)->view.size(); }
sf_count_t VirtualTell(void* user) { return static_cast<VirtualFile*>(user)->position; }
sf_count_t VirtualWrite(const void*, sf_count_t, void*) { return 0; }

sf_count_t VirtualSeek(sf_count_t offset, int whence, void* user) {
  auto* virtual_file = static_cast<VirtualFile*>(user);
  const int64_t base = whence == SEEK_CUR ? virtual_file->position : whence == SEEK_END ? virtual_file->view.size() : 0;
  int64_t target = 0;
  if (__builtin_add_overflow(base, static_cast<int64_t>(offset), &target)) return -1;
  virtual_file->position = std::clamp<int64_t>(target, 0, virtual_file->view.size());
  return virtual_file->position;
}

sf_count_t VirtualRead(void* to, sf_count_t bytes, void* user) {
  auto* virtual_file = static_cast<VirtualFile*>(user);
  if (bytes <= 0) return 0;
  const size_t got =
      virtual_file->view.Read(*virtual_file->file, virtual_file->position, to, static_cast<size_t>(bytes));
  virtual_file->position += static_cast<int64_t>(got);
  return static_cast<sf_count_t>(got);
}

int MajorFormat(AudioContainer container) {
  switch (container) {
    case AudioContainer::kWav: return SF_FORMAT_WAV;
    case AudioContainer::kRf64: return SF_FORMAT_WAV;  // the header we hand on is RF64 only beyond 4 GiB
    case AudioContainer::kAiff: return SF_FORMAT_AIFF;
    case AudioContainer::kFlac: return SF_FORMAT_FLAC;
    case AudioContainer::kOggVorbis: return SF_FORMAT_OGG;
    case AudioContainer::kOggOpus: return SF_FORMAT_OGG;
    case AudioContainer::kMp3: return SF_FORMAT_MPEG;
  }
  return 0;
}

// libsndfile numbers this error, but only its words are public.
bool RanOutOfMemory(int error) {
  return std::string_view(sf_error_number(error)).find("malloc") != std::string_view::npos;
}

absl::Status NoMemoryToDecode(const SourceFile& file) {
  return Error(absl::StatusCode::kResourceExhausted, "out_of_memory", file.name() + ": no memory for its decoder");
}

class SndfileDecoder : public SoundDecoder {
 public:
  SndfileDecoder(std::shared_ptr<const SourceFile> file, const SourceView& view) : virtual_{std::move(file), view} {
    SF_VIRTUAL_IO callbacks{VirtualLength, VirtualSeek, VirtualRead, VirtualWrite, VirtualTell};
    sound_ = sf_open_virtual(&callbacks, SFM_READ, &info_, &virtual_);
  }
  ~SndfileDecoder() override {
    if (sound_) sf_close(sound_);
  }
  bool opened() const { return sound_ != nullptr; }
  const SF_INFO& info() const { return info_; }
  int64_t frames() const override {
    if (info_.frames == std::numeric_limits<sf_count_t>::max()) return -1;
    return std::max<int64_t>(0, info_.frames - virtual_.view.prefix_frames);
  }
  int rate_hz() const override { return info_.samplerate; }
  absl::StatusOr<int64_t> Read(float* interleaved, int64_t max_frames) override {
    while (skipped_ < virtual_.view.prefix_frames) {
      const int64_t wanted = std::min(max_frames, virtual_.view.prefix_frames - skipped_);
      GRYM_ASSIGN_OR_RETURN(const int64_t got, Decode(interleaved, wanted));
      if (got == 0) return 0;
      skipped_ += got;
    }
    return Decode(interleaved, max_frames);
  }

 private:
  absl::StatusOr<int64_t> Decode(float* interleaved, int64_t max_frames) {
    const sf_count_t got = sf_readf_float(sound_, interleaved, max_frames);
    const int error = sf_error(sound_);
    if (got < 0 || error != SF_ERR_NO_ERROR) {
      if (RanOutOfMemory(error)) return NoMemoryToDecode(*virtual_.file);
      return DamagedAudio(*virtual_.file, "decoding failed: " + Printable(sf_error_number(error)));
    }
    return got;
  }

  VirtualFile virtual_;
  SF_INFO info_{};
  SNDFILE* sound_ = nullptr;
  int64_t skipped_ = 0;
};

// Zero frames of audio: nothing for libsndfile to open.
class SilentDecoder : public SoundDecoder {
 public:
  explicit SilentDecoder(int rate_hz) : rate_hz_(rate_hz) {}
  int64_t frames() const override { return 0; }
  int rate_hz() const override { return rate_hz_; }
  absl::StatusOr<int64_t> Read(float*, int64_t) override { return 0; }

 private:
  int rate_hz_;
};

// One of the streams of a file, compared with what its header says.
absl::StatusOr<std::unique_ptr<SoundDecoder>> OpenView(std::shared_ptr<const SourceFile> file,
                                                       const AudioFileInfo& said, const SourceView& view) {
  auto decoder = std::make_unique<SndfileDecoder>(file, view);
  if (!decoder->opened()) {
    const int cause = sf_error(nullptr);
    if (RanOutOfMemory(cause)) return NoMemoryToDecode(*file);
    // For a stream that is no MP3 after all libsndfile says that the file does not exist, which would mislead.
    return DamagedAudio(*file, "the decoder refuses the stream" +
                                   (cause > SF_ERR_UNSUPPORTED_ENCODING && said.container != AudioContainer::kMp3
                                        ? ": " + Printable(sf_error_number(cause))
                                        : std::string()));
  }
  const SF_INFO& info = decoder->info();
  const int major = info.format & SF_FORMAT_TYPEMASK;
  const bool wav_kind = major == SF_FORMAT_RF64 || major == SF_FORMAT_WAVEX;
  if (major != MajorFormat(said.container) && !(wav_kind && MajorFormat(said.container) == SF_FORMAT_WAV)) {
    return DamagedAudio(*file, Formatted("the header says %s, the decoder sees another kind",
                                               AudioContainerName(said.container).data()));
  }
  const bool opus = said.container == AudioContainer::kOggOpus;  // its rate is the decoder's choice
  if (info.channels != said.channels || (!opus && info.samplerate != said.rate_hz)) {
    return DamagedAudio(*file,
                        Formatted("the header says %d channels at %d Hz, the decoder sees %d at %d Hz",
                                        said.channels, said.rate_hz, info.channels, info.samplerate));
  }
  return decoder;
}

// Streams that were joined in one file, one open at a time.
class JoinedDecoder : public SoundDecoder {
 public:
  JoinedDecoder(std::shared_ptr<const SourceFile> file, const StreamHeader& header)
      : file_(std::move(file)), said_(header.info), views_(header.views) {}
  // Opens each stream once, for its length.
  absl::Status Measure() {
    for (next_ = 0; next_ < views_.size();) {
      GRYM_RETURN_IF_ERROR(OpenNext());
      if (next_ > 1 && current_->rate_hz() != rate_hz_) {
        return UnsupportedAudio(*file_, Formatted("want streams of %d Hz, got %d Hz in stream %d of %d", rate_hz_,
                                                        current_->rate_hz(), next_, views_.size()));
      }
      rate_hz_ = current_->rate_hz();
      frames_ = frames_ < 0 || current_->frames() < 0 ? -1 : frames_ + current_->frames();
    }
    next_ = 0;
    return OpenNext();
  }
  int64_t frames() const override { return frames_; }
  int rate_hz() const override { return rate_hz_; }
  absl::StatusOr<int64_t> Read(float* interleaved, int64_t max_frames) override {
    while (true) {
      absl::StatusOr<int64_t> got = current_->Read(interleaved, max_frames);
      if (!got.ok()) return Placed(got.status());
      if (*got > 0 || next_ == views_.size()) return got;
      GRYM_RETURN_IF_ERROR(OpenNext());
    }
  }

 private:
  absl::Status OpenNext() {
    auto opened = OpenView(file_, said_, views_[next_++]);
    if (!opened.ok()) return Placed(opened.status());
    current_ = std::move(*opened);
    return absl::OkStatus();
  }
  absl::Status Placed(const absl::Status& status) const {
    return Annotate(status, Formatted("stream %d of %d", next_, views_.size()));
  }

  std::shared_ptr<const SourceFile> file_;
  const AudioFileInfo said_;
  const std::vector<SourceView> views_;
  size_t next_ = 0;
  std::unique_ptr<SoundDecoder> current_;
  int64_t frames_ = 0;
  int rate_hz_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SoundDecoder>> SoundDecoder::Open(std::shared_ptr<const SourceFile> file,
                                                                 const StreamHeader& header) {
  if (header.views.empty()) return std::make_unique<SilentDecoder>(header.info.rate_hz);
  if (header.views.size() == 1) return OpenView(std::move(file), header.info, header.views[0]);
  auto joined = std::make_unique<JoinedDecoder>(std::move(file), header);
  GRYM_RETURN_IF_ERROR(joined->Measure());
  return joined;
}

}  // namespace grym
