// The parts of EnCodec's networks: weights on one side, and what a signal that comes piece by piece leaves behind in
// them on the other.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "models/encodec/config.h"
#include "nn/panel_matrix.h"
#include "runtime/tensor.h"
#include "runtime/weights.h"

namespace grym {

// A convolution along time whose padding goes on with the signal's own frames, as transformers' EncodecConv1d. A
// dilated one is kept with zeros between its taps.
struct EncodecConv {
  PanelMatrix matrix;  // [out, span * in]
  int64_t in = 0, out = 0, span = 1, stride = 1;
  int64_t left = 0, right = 0;  // frames of padding; at the right the stride may ask for more
  EncodecPad pad = EncodecPad::kReflect;
};

// Its shape alone, which is all that a plan needs.
EncodecConv ShapeOfConv(const EncodecConfig& config, int64_t in, int64_t out, int64_t kernel, int64_t stride = 1,
                        int64_t dilation = 1);
// "<layer>.conv", weight-normed or plain, and its bias; kept in the reader's precision, as all below.
EncodecConv ReadEncodecConv(WeightReader& weights, const std::string& layer, const EncodecConfig& config, int64_t in,
                            int64_t out, int64_t kernel, int64_t stride = 1, int64_t dilation = 1);
int64_t EncodecConvBytes(const EncodecConv& shape, Precision precision);

// A transposed convolution of kernel 2 * ratio, as transformers' EncodecConvTranspose1d: `ratio` output frames are made
// of each pair of neighbouring input frames, as one product whose rows then lie in the order of time.
struct EncodecUpsample {
  PanelMatrix matrix;  // [ratio * out, 2 * in]
  int64_t in = 0, out = 0, ratio = 1;
  int64_t trimmed = 0;  // output frames that are cut at the left; ratio - trimmed of them at the right
};
EncodecUpsample ShapeOfUpsample(const EncodecConfig& config, size_t level);
EncodecUpsample ReadEncodecUpsample(WeightReader& weights, const std::string& layer, const EncodecConfig& config,
                                    size_t level);

// conv(elu(conv(elu(x)))) + shortcut(x).
struct EncodecResidual {
  EncodecConv wide, narrow;  // dim -> dim / compress over time, and back
  EncodecConv shortcut;      // not loaded: x itself
  bool has_shortcut = false;
};
EncodecResidual ShapeOfResidual(const EncodecConfig& config, int64_t dim, int64_t index);
EncodecResidual ReadEncodecResidual(WeightReader& weights, const std::string& layer, const EncodecConfig& config,
                                    int64_t dim, int64_t index);
int64_t EncodecResidualBytes(const EncodecResidual& shape, Precision precision);

// Frames [frames, channels] that came and are not done with. Its room is taken at once.
class FrameQueue {
 public:
  FrameQueue() = default;
  FrameQueue(int64_t channels, int64_t most) : channels_(channels), most_(most) {}
  // Room for `count` frames behind those that are there. Requires size() + count <= most.
  float* Append(int64_t count);
  float* front() { return data_.mutable_data_ptr<float>(); }
  float* at(int64_t frame) { return front() + frame * channels_; }
  int64_t size() const { return size_; }
  void Drop(int64_t count);      // the first ones
  void DropLast(int64_t count);
  std::span<float> kept();       // all that are there
  int64_t bytes() const;         // of its room

 private:
  at::Tensor data_;  // made by the first Append
  int64_t channels_ = 0, most_ = 0, size_ = 0;
};

// A convolution over a signal that comes piece by piece. Belongs to one thread, as all below.
class ConvStream {
 public:
  ConvStream() = default;
  // `most`: frames between two calls of Run.
  ConvStream(const EncodecConv& conv, int64_t most);
  // Where the next `count` frames of the input go.
  float* Append(int64_t count);
  // The signal is over: what follows it is put behind it. Nothing is appended after it.
  void End();
  int64_t ready() const;  // output frames that Run will make
  // Makes them all, [ready(), out], and forgets what is not needed any more.
  void Run(float* y, const PanelAfter& after = {});
  int64_t most_ready() const;  // that Run may ever make
  std::span<float> kept() { return queue_.kept(); }  // for what comes next
  int64_t bytes() const { return queue_.bytes(); }

 private:
  void PadFront();
  const EncodecConv* conv_ = nullptr;
  FrameQueue queue_;        // begins with room for the left padding
  int64_t most_ = 0, seen_ = 0;
  bool begun_ = false;      // the left padding is in place
};

// The same for a residual layer.
class ResidualStream {
 public:
  ResidualStream() = default;
  ResidualStream(const EncodecResidual& layer, int64_t most);
  float* Append(int64_t count);
  void Drop(int64_t count) { raw_.Drop(count); }  // the first frames that were appended since Flow
  void DropLast(int64_t count) { raw_.DropLast(count); }
  // Takes what was appended, and what `last` makes final, as far as it goes: frames that Run will make.
  int64_t Flow(bool last);
  // [the frames that Flow answered, dim], through an ELU where wanted.
  void Run(float* y, bool elu);
  int64_t most_ready() const { return wide_.most_ready(); }
  // Between two runs all else is done with.
  std::span<float> kept() { return raw_.kept(); }
  std::span<float> kept_within() { return wide_.kept(); }
  int64_t bytes() const;

 private:
  const EncodecResidual* layer_ = nullptr;
  FrameQueue raw_;       // x of the frames whose branch is not done
  int64_t flowed_ = 0;   // of them given to the branch
  ConvStream wide_;
  FrameQueue hidden_, skip_;  // between the convolutions; what the shortcut makes
};

}  // namespace grym
