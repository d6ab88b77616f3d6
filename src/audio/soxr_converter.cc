// soxr behind RateConverter: DFT and polyphase stages, in double precision for kBest.
#include <soxr.h>

#include <algorithm>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "audio/rate_converter.h"
#include "base/status.h"

namespace grym {
namespace {

// Without SIMD soxr's transforms share tables that grow with the largest one made, under a lock only where it was
// built with OpenMP, and even there without one the first time.
std::mutex& SoxrTables() {
  static std::mutex tables;
  return tables;
}

soxr_quality_spec_t SpecOf(ResampleQuality quality) {
  unsigned long recipe = SOXR_28_BITQ;
  if (quality == ResampleQuality::kMedium) recipe = SOXR_20_BITQ;
  if (quality == ResampleQuality::kFast) recipe = SOXR_16_BITQ;
  // The exact clock is for ratios that are no small fraction: the 32 bits of the other drift, by half a frame in a day.
  return soxr_quality_spec(recipe, SOXR_HI_PREC_CLOCK);
}

class SoxrConverter : public RateConverter {
 public:
  SoxrConverter(int channels, int from_rate_hz, int to_rate_hz, ResampleQuality quality)
      : channels_(channels), from_rate_hz_(from_rate_hz), to_rate_hz_(to_rate_hz), quality_(quality) {}
  ~SoxrConverter() override { soxr_delete(soxr_); }
  SoxrConverter(const SoxrConverter&) = delete;
  SoxrConverter& operator=(const SoxrConverter&) = delete;

  absl::Status Open() {
    const soxr_quality_spec_t quality = SpecOf(quality_);
    const soxr_io_spec_t planar = soxr_io_spec(SOXR_FLOAT32_S, SOXR_FLOAT32_S);
    soxr_runtime_spec_t runtime = soxr_runtime_spec(1);
    runtime.log2_large_dft_size = kLogLargeDft;
    const std::lock_guard lock(SoxrTables());
    soxr_error_t error = nullptr;
    soxr_ = soxr_create(from_rate_hz_, to_rate_hz_, static_cast<unsigned>(channels_), &error, &planar, &quality,
                        &runtime);
    if (!soxr_) {
      return Error(absl::StatusCode::kResourceExhausted, "out_of_memory", std::string("resampler: ") + error);
    }
    const std::string_view engine = soxr_engine(soxr_);
    shares_tables_ = engine.empty() || engine.back() != 's';  // "cr32s" and "cr64s" are the SIMD ones
    return absl::OkStatus();
  }

  absl::StatusOr<Step> Convert(const float* const* in, int64_t frames, bool last, float* const* out,
                               int64_t room) override {
    if (!soxr_) GRYM_RETURN_IF_ERROR(Open());
    // soxr keeps what it is given in a queue: a small step keeps that small.
    const int64_t given = std::min(frames, kStepFrames);
    const bool ends = last && frames == 0;
    size_t taken = 0, made = 0;
    std::unique_lock lock(SoxrTables(), std::defer_lock);
    if (shares_tables_) lock.lock();
    const soxr_error_t error =
        soxr_process(soxr_, ends ? nullptr : static_cast<soxr_in_t>(in), static_cast<size_t>(ends ? 0 : given), &taken,
                     const_cast<float**>(out), static_cast<size_t>(room), &made);
    if (error) {
      return Error(absl::StatusCode::kInternal, "resample_failed", std::string("resampler: ") + error);
    }
    return Step{static_cast<int64_t>(taken), static_cast<int64_t>(made)};
  }

  void Reset() override {
    soxr_delete(soxr_);
    soxr_ = nullptr;
  }

 private:
  static constexpr int64_t kStepFrames = 16384;
  static constexpr unsigned kLogLargeDft = 14;  // soxr's own 17 is no faster, and answers a stream later
  const int channels_, from_rate_hz_, to_rate_hz_;
  const ResampleQuality quality_;
  soxr_t soxr_ = nullptr;
  bool shares_tables_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RateConverter>> MakeSoxrConverter(int channels, int from_rate_hz, int to_rate_hz,
                                                                 ResampleQuality quality) {
  auto converter = std::make_unique<SoxrConverter>(channels, from_rate_hz, to_rate_hz, quality);
  GRYM_RETURN_IF_ERROR(converter->Open());
  return converter;
}

}  // namespace grym
