#include "models/encodec/lstm.h"

#include "runtime/memory_budget.h"

namespace grym {

std::vector<LstmLayer> ReadEncodecLstm(WeightReader& weights, const std::string& layer, const EncodecConfig& config) {
  const int64_t units = config.channels(0);
  std::vector<LstmLayer> layers(static_cast<size_t>(config.num_lstm_layers));
  for (size_t i = 0; i < layers.size(); ++i) {
    const std::string at = layer + ".lstm.", number = "_l" + std::to_string(i);
    at::Tensor bias = weights.Exact(at + "bias_ih" + number, {4 * units});
    const at::Tensor second = weights.Exact(at + "bias_hh" + number, {4 * units});
    if (bias.defined() && second.defined()) bias = bias + second;
    layers[i].PackInput(weights.Exact(at + "weight_ih" + number, {4 * units, units}), bias,
                        weights.options().precision);
    layers[i].PackRecurrent(weights.Exact(at + "weight_hh" + number, {4 * units, units}), weights.options().precision);
  }
  return layers;
}

int64_t EncodecLstmBytes(const EncodecConfig& config, Precision precision) {
  return config.num_lstm_layers * LstmLayer::BytesKept(config.channels(0), config.channels(0), precision);
}

LstmStream::LstmStream(const std::vector<LstmLayer>& layers, int64_t count, int64_t units, int64_t most)
    : layers_(&layers), count_(count), units_(units), hidden_(units, most),
      gates_(4 * LstmLayer::PaddedUnits(units), most) {}

void LstmStream::Run(const float* x, int64_t frames, float* y) {
  if (frames == 0) return;
  if (states_.empty()) {
    for (const LstmLayer& layer : *layers_) states_.push_back(layer.NewState());
    hidden_.Append(0);
    gates_.Append(0);
  }
  float* const hidden = hidden_.front();
  for (size_t i = 0; i < layers_->size(); ++i) {
    (*layers_)[i].Run(i == 0 ? x : hidden, units_, frames, gates_.front(), hidden, states_[i]);
  }
  const int64_t size = frames * units_;
  for (int64_t i = 0; i < size; ++i) y[i] = hidden[i] + x[i];
  EluInto(y, y, size);
}

int64_t LstmStream::bytes() const {
  return hidden_.bytes() + gates_.bytes() + count_ * AllocatedBytes(3 * LstmLayer::PaddedUnits(units_) * 4);
}

}  // namespace grym
