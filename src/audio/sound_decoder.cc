#include "audio/sound_decoder.h"

#include <sndfile.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_format.h"
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
  int64_t frames() const override { return info_.frames == std::numeric_limits<sf_count_t>::max() ? -1 : info_.frames; }
  int rate_hz() const override { return info_.samplerate; }
  absl::StatusOr<int64_t> Read(float* interleaved, int64_t max_frames) override {
    const sf_count_t got = sf_readf_float(sound_, interleaved, max_frames);
    const int error = sf_error(sound_);
    if (got < 0 || error != SF_ERR_NO_ERROR) {
      return DamagedAudio(*virtual_.file, "decoding failed: " + Printable(sf_error_number(error)));
    }
    return got;
  }

 private:
  VirtualFile virtual_;
  SF_INFO info_{};
  SNDFILE* sound_ = nullptr;
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

}  // namespace

absl::StatusOr<std::unique_ptr<SoundDecoder>> SoundDecoder::Open(std::shared_ptr<const SourceFile> file,
                                                                 const StreamHeader& header) {
  if (header.view.size() == 0) return std::make_unique<SilentDecoder>(header.info.rate_hz);
  auto decoder = std::make_unique<SndfileDecoder>(file, header.view);
  if (!decoder->opened()) {
    // For a stream that is no MP3 after all libsndfile says that the file does not exist, which would mislead.
    const int cause = sf_error(nullptr);
    return DamagedAudio(*file, "the decoder refuses the stream" +
                                   (cause > SF_ERR_UNSUPPORTED_ENCODING && header.info.container != AudioContainer::kMp3
                                        ? ": " + Printable(sf_error_number(cause))
                                        : std::string()));
  }
  const SF_INFO& info = decoder->info();
  const int major = info.format & SF_FORMAT_TYPEMASK;
  const bool wav_kind = major == SF_FORMAT_RF64 || major == SF_FORMAT_WAVEX;
  if (major != MajorFormat(header.info.container) &&
      !(wav_kind && MajorFormat(header.info.container) == SF_FORMAT_WAV)) {
    return DamagedAudio(*file, absl::StrFormat("the header says %s, the decoder sees another kind",
                                               AudioContainerName(header.info.container).data()));
  }
  const bool opus = header.info.container == AudioContainer::kOggOpus;  // its rate is the decoder's choice
  if (info.channels != header.info.channels || (!opus && info.samplerate != header.info.rate_hz)) {
    return DamagedAudio(*file,
                        absl::StrFormat("the header says %d channels at %d Hz, the decoder sees %d at %d Hz",
                                        header.info.channels, header.info.rate_hz, info.channels, info.samplerate));
  }
  return decoder;
}

}  // namespace grym
