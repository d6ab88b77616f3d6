// The LSTM between EnCodec's convolutions: several layers and a residual around all of them.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "models/encodec/config.h"
#include "models/encodec/layers.h"
#include "nn/panel_matrix.h"
#include "runtime/weights.h"

namespace grym {

// "<layer>.lstm.weight_ih_l<n>" and so on. Undefined layers where the reader has a problem.
std::vector<LstmLayer> ReadEncodecLstm(WeightReader& weights, const std::string& layer, const EncodecConfig& config);
int64_t EncodecLstmBytes(const EncodecConfig& config, Precision precision);

// It over a signal that comes piece by piece. Belongs to one thread; `layers` must outlive it.
class LstmStream {
 public:
  LstmStream() = default;
  LstmStream(const std::vector<LstmLayer>& layers, int64_t count, int64_t units, int64_t most);
  // x [frames, units] -> y = elu(lstm(x) + x), frames at most `most`.
  void Run(const float* x, int64_t frames, float* y);
  std::vector<at::Tensor>& states() { return states_; }  // of each layer; none before the first run
  int64_t bytes() const;

 private:
  const std::vector<LstmLayer>* layers_ = nullptr;
  int64_t count_ = 0, units_ = 0;
  FrameQueue hidden_, gates_;
  std::vector<at::Tensor> states_;
};

}  // namespace grym
