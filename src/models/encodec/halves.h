// The two halves of a codec, each under a lease of its own: of an EnCodec folder, or within a model that holds more.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "models/encodec/config.h"
#include "models/encodec/decoder.h"
#include "models/encodec/encoder.h"
#include "runtime/component.h"
#include "runtime/memory_plan.h"
#include "runtime/model_context.h"

namespace grym {

// What a plan is made for: seconds of sound to code, frames of codes to decode; 0 for none.
struct EncodecWork {
  double encode_s = 0;
  int64_t decode_frames = 0;
};

// Threads: immutable; sessions of any thread share the halves, each of which is read when it is first wanted.
class EncodecHalves {
 public:
  struct Source {
    std::string id;               // of the model
    const void* owner = nullptr;  // its reclaimer's
    ModelContext context;
    EncodecConfig config;
    // Sounds that are coded side by side, each by the whole codec: 2 for left and right of a codec for one channel.
    // Their books take turns: book 0 of each, then book 1 of each.
    int64_t streams = 1;
    int64_t books = 0;  // of each stream, the first of the codec's; 0: all of them
    Precision encoder_precision = Precision::kFloat32, decoder_precision = Precision::kFloat32;
    const Component<EncodecEncoder>* encoder = nullptr;  // borrowed, as `decoder`
    const Component<EncodecDecoder>* decoder = nullptr;
  };
  explicit EncodecHalves(Source source);

  const EncodecConfig& config() const { return source_.config; }
  int rate_hz() const { return static_cast<int>(source_.config.sampling_rate); }
  int channels() const { return static_cast<int>(source_.streams * source_.config.audio_channels); }
  int64_t streams() const { return source_.streams; }
  int64_t books() const { return source_.streams * source_.books; }  // of all streams

  // Both halves are kept where the budget holds them; else the one that is not wanted goes.
  MemoryPlan PlanFor(const EncodecWork& work) const;
  // A half, and the lease that it works under; the lease outlives it. ResourceExhausted (code "over_budget") before
  // anything is allocated.
  template <class Net>
  struct Half {
    MemoryLease lease;
    std::shared_ptr<const Net> net;
  };
  absl::StatusOr<Half<EncodecEncoder>> Encoder(double audio_s, const RunOptions& run) const;
  absl::StatusOr<Half<EncodecDecoder>> Decoder(int64_t frames, const RunOptions& run) const;

 private:
  template <class Net>
  absl::StatusOr<Half<Net>> HalfFor(const EncodecWork& work, const Component<Net>& component,
                                    const RunOptions& run) const;
  Source source_;
};

// Names of the halves in plans and options, and how many samples `audio_s` seconds are, one at least.
inline constexpr char kEncodecEncoderPart[] = "encoder", kEncodecDecoderPart[] = "decoder";
int64_t EncodecSamplesIn(const EncodecConfig& config, double audio_s);

}  // namespace grym
