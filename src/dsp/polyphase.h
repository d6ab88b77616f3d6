// Sample rate conversion of a mono stream for analysis: block by block, any rates, fixed memory.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace grym {

// Polyphase Kaiser-windowed sinc (Crochiere and Rabiner 1983): 24 zero crossings a side, stop band -90 dB, pass band to
// 0.91 of the lower Nyquist frequency. Output sample k is at the time of k / out_rate_hz: the delay is taken out.
// Ratios whose numerator exceeds 2048 have their phase rounded to 1/2048 of a sample. For audio that is kept, use
// Resample() of the audio room. Threads: one at a time.
class PolyphaseResampler {
 public:
  PolyphaseResampler(int in_rate_hz, int out_rate_hz);
  // From now on Push allocates nothing for up to `most_in` samples at a time, if `out` has room for MostOut(most_in).
  void Reserve(size_t most_in);
  size_t MostOut(size_t in) const;
  // How many samples after its own place in the input an output sample waits for.
  int lookahead() const { return identity_ ? 0 : taps_ / 2; }
  // Appends to `out`.
  void Push(std::span<const float> in, std::vector<float>& out);
  // What is still inside; ceil(frames in * out / in) samples in all.
  void Finish(std::vector<float>& out);

 private:
  void Drain(std::vector<float>& out, int64_t limit);
  int64_t up_, down_;         // ratio in lowest terms
  int phases_ = 1, taps_ = 0; // taps per phase, a multiple of 8
  bool identity_ = false;
  std::vector<float> table_;  // [phases, taps], each time-reversed to run along the input
  std::vector<float> buffer_; // input from sample `base_` on
  int64_t base_ = 0;          // index of buffer_[0] in the input
  int64_t pushed_ = 0, made_ = 0;
  int64_t place_ = 0, rest_ = 0;            // of the next output sample in the input, the rest in 1 / up_
  int64_t step_ = 0, step_rest_ = 0;        // from one to the next
};

}  // namespace grym
