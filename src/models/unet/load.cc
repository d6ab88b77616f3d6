#include <algorithm>
#include <iterator>
#include <utility>

#include "base/status.h"
#include "models/unet/net.h"
#include "runtime/packed.h"

namespace grym {

int64_t Unet::WeightsBytes(const TensorSet& set, const UnetConfig& config, const WeightOptions& options) {
  return UnitBytesOf(set, config, options).sum();
}

void Unet::ReadAround(WeightReader& weights, WeightReader& convolutions) {
  compute_type_ = weights.compute_type();
  device_ = weights.options().device;
  const int64_t first = config_.channels[0];
  conv_in_ = ReadConv2d(convolutions, "conv_in", config_.in_channels, first, config_.conv_in_kernel, 1,
                        config_.conv_in_kernel / 2);
  time1_ = ReadLinear(weights, "time_embedding.linear_1", first, config_.time_dim);
  time2_ = ReadLinear(weights, "time_embedding.linear_2", config_.time_dim, config_.time_dim);
  if (config_.class_dim > 0) class_ = ReadLinear(weights, "class_embedding", config_.class_dim, config_.time_dim);
  norm_out_ = ReadGroupNorm(weights, "conv_norm_out", first, config_.norm_groups, config_.norm_epsilon);
  conv_out_ = ReadConv2d(convolutions, "conv_out", first, config_.out_channels, config_.conv_out_kernel, 1,
                         config_.conv_out_kernel / 2);
}

absl::StatusOr<std::shared_ptr<const Unet>> Unet::Load(const TensorSet& set, const UnetConfig& config,
                                                       const WeightOptions& options) {
  WeightReader weights(set, "unet", options);
  WeightReader convolutions(set, "unet",
                            {BesideMatrices(options.precision, options.device), options.device, options.cancel});
  std::shared_ptr<Unet> unet(new Unet(config));
  unet->ReadAround(weights, convolutions);
  UnetUnitReader reader{weights, convolutions, config};
  for (const UnetUnit& unit : unet->units_) {
    unet->weights_.push_back(reader.Unit(unit));
    if (unit.kind == UnetUnit::Kind::kResnet) unet->shifts_.push_back(reader.Shift(unit));
  }
  GRYM_RETURN_IF_ERROR(weights.status());
  GRYM_RETURN_IF_ERROR(convolutions.status());
  const std::vector<std::string> others = convolutions.Unread();
  for (const std::string& name : weights.Unread()) {
    if (std::find(others.begin(), others.end(), name) != others.end()) unet->unread_.push_back(name);
  }
  return std::shared_ptr<const Unet>(std::move(unet));
}

absl::StatusOr<std::shared_ptr<const Unet>> Unet::LoadStreamed(std::shared_ptr<const TensorSet> set,
                                                               const UnetConfig& config,
                                                               const WeightOptions& options) {
  std::shared_ptr<Unet> unet(new Unet(config));
  WeightReader weights(*set, "unet", options);
  unet->ReadAround(weights, weights);
  GRYM_RETURN_IF_ERROR(weights.status());
  std::vector<UnetUnit> resnets;
  std::copy_if(unet->units_.begin(), unet->units_.end(), std::back_inserter(resnets),
               [](const UnetUnit& unit) { return unit.kind == UnetUnit::Kind::kResnet; });
  // Of `units` what `part` reads, each by a reader of its own: any thread may.
  const auto streamed = [&](auto part, std::vector<UnetUnit> units) {
    using Layer = decltype(part(std::declval<UnetUnitReader&>(), units.front()));
    const auto count = static_cast<int64_t>(units.size());
    return std::make_unique<const StreamedLayers<Layer>>(
        count, options.device,
        [set, config, options, part, units = std::move(units)](int64_t index,
                                                               const CancelToken& cancel) -> absl::StatusOr<Layer> {
          WeightReader reader(*set, "unet", {options.precision, options.device, cancel, /*pinned=*/true});
          UnetUnitReader unit_reader{reader, reader, config};
          Layer layer = part(unit_reader, units[static_cast<size_t>(index)]);
          GRYM_RETURN_IF_ERROR(reader.status());
          return layer;
        });
  };
  unet->streamed_ = streamed([](UnetUnitReader& reader, const UnetUnit& unit) { return reader.Unit(unit); },
                             unet->units_);
  unet->streamed_shifts_ = streamed([](UnetUnitReader& reader, const UnetUnit& unit) { return reader.Shift(unit); },
                                    std::move(resnets));
  return std::shared_ptr<const Unet>(std::move(unet));
}

}  // namespace grym
