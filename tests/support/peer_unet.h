// A checkpoint's network, loaded as the models do it, or streamed.
#pragma once
#include <gtest/gtest.h>

#include "checkpoint/config_reader.h"
#include "models/unet/net.h"
#include "runtime/torch_guard.h"

namespace grym::testing {

inline std::shared_ptr<const Unet> LoadUnet(const std::filesystem::path& checkpoint,
                                            Precision precision = Precision::kFloat32, bool streamed = false,
                                            c10::Device device = c10::Device(c10::DeviceType::CPU)) {
  const auto json = ReadConfig(checkpoint / "unet" / "config.json");
  EXPECT_TRUE(json.ok()) << json.status();
  if (!json.ok()) return nullptr;
  const auto config = ReadUnetConfig(*json, "unet/config.json");
  EXPECT_TRUE(config.ok()) << config.status();
  auto opened = TensorSet::Open(checkpoint / "unet");
  EXPECT_TRUE(opened.ok()) << opened.status();
  if (!config.ok() || !opened.ok()) return nullptr;
  const auto set = std::make_shared<const TensorSet>(*std::move(opened));
  WeightOptions options;
  options.precision = precision;
  options.device = device;
  const auto unet = TorchGuard("unet", [&] {
    return streamed ? Unet::LoadStreamed(set, *config, options) : Unet::Load(*set, *config, options);
  });
  EXPECT_TRUE(unet.ok()) << unet.status();
  return unet.ok() ? *unet : nullptr;
}

}  // namespace grym::testing
