// EnCodec at work: sound of any kind to codes, and codes to sound.
#pragma once
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "grymsynth/audio_codec.h"
#include "models/encodec/halves.h"

namespace grym {

// Samples that are read, mixed and resampled at once.
inline constexpr int64_t kCodecBlockSamples = 4 * kEncodecChunkSamples;

// Memory does not grow with the sound, apart from the sound and the codes themselves. After a run that failed or was
// cancelled every call answers FailedPrecondition (code "poisoned_session"); what is refused before it starts leaves
// the session as it is.
class EncodecCodec : public AudioCodec {
 public:
  explicit EncodecCodec(std::shared_ptr<const EncodecHalves> halves) : halves_(std::move(halves)) {}
  int rate_hz() const override { return halves_->rate_hz(); }
  int channels() const override { return halves_->channels(); }
  int64_t books() const override { return halves_->books(); }
  int64_t book_size() const override { return halves_->config().codebook_size; }
  // InvalidArgument (code "audio_too_short") for sound of no frames. NaN and infinite samples count as 0.
  absl::StatusOr<AudioCodes> Encode(const AudioBuffer& audio, const RunOptions& run) override;
  // Fewer books than the codec's are a coarser sound, equally many of each stream. InvalidArgument ("bad_codes") for
  // another frame rate, too.
  absl::StatusOr<AudioBuffer> Decode(const AudioCodes& codes, const RunOptions& run) override;

 private:
  absl::Status CheckCodes(const AudioCodes& codes) const;
  absl::StatusOr<AudioCodes> EncodeAll(const AudioBuffer& audio, const RunOptions& run) const;
  absl::StatusOr<AudioBuffer> DecodeAll(const AudioCodes& codes, const RunOptions& run) const;
  template <class T>
  absl::StatusOr<T> Kept(absl::StatusOr<T> result);  // remembers that it failed
  const std::shared_ptr<const EncodecHalves> halves_;
  bool poisoned_ = false;
};

}  // namespace grym
