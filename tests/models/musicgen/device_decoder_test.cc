// MusicgenDeviceDecoder beside MusicgenDecoder, which decoder_test.cc compares with transformers. It takes any device,
// so all of it but the GPU's own kernels and the captured step is compared on the CPU.
#include "models/musicgen/device_decoder.h"

#include <ATen/record_function.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <thread>

#include "checkpoint/config_reader.h"
#include "gtest/gtest.h"
#include "models/musicgen/code_models.h"
#include "models/musicgen/decoder.h"
#include "runtime/memory_budget.h"
#include "runtime/torch_guard.h"
#include "support/peer.h"

namespace grym {
namespace {

constexpr const char* kTinyPresets[] = {"musicgen-tiny", "musicgen-stereo-tiny", "musicgen-melody-tiny"};
const c10::Device kCpuDevice(c10::DeviceType::CPU);
// More than the slots of the cache that a step attends to at first.
constexpr int64_t kManySteps = 300;

MusicgenConfig TinyConfig(const std::filesystem::path& folder) {
  MusicgenConfig config = ReadMusicgenConfig(ReadConfig(folder / "config.json").value(), "config.json").value();
  EXPECT_TRUE(ReadMusicgenGeneration(ReadConfig(folder / "generation_config.json").value(), "generation", config).ok());
  return config;
}

template <class Net>
std::shared_ptr<const Net> LoadedNet(const std::filesystem::path& folder, Precision precision = Precision::kFloat32,
                                     c10::Device device = kCpuDevice) {
  const auto set = TensorSet::Open(folder).value();
  std::vector<std::string> unread;
  auto net = TorchGuard("test", [&] {
    return Net::Load(set, TinyConfig(folder), {.precision = precision, .device = device}, "decoder.", &unread);
  });
  EXPECT_TRUE(net.ok()) << net.status();
  EXPECT_TRUE(unread.empty()) << unread[0];
  return net.ok() ? *net : nullptr;
}

struct Told {
  at::Tensor states;  // [rows, length, hidden]
  std::vector<int64_t> lengths;
  int64_t rows() const { return static_cast<int64_t>(lengths.size()); }
};

// Each row's is shorter than the one's before it; the last is told nothing.
Told SomethingTold(const MusicgenConfig& config, int64_t rows, int64_t length) {
  Told told{at::sin(at::arange(rows * length * config.hidden, at::kFloat)).view({rows, length, config.hidden}), {}};
  for (int64_t row = 0; row < rows; ++row)
    told.lengths.push_back(row > 0 && row == rows - 1 ? 0 : std::max<int64_t>(0, length - row));
  return told;
}

std::vector<int32_t> RandomCodes(int64_t count, int64_t below, uint32_t seed) {
  std::vector<int32_t> codes;
  for (uint32_t state = seed * 2654435761u + 1; count > 0; --count) {
    state = state * 1664525u + 1013904223u;
    codes.push_back(static_cast<int32_t>((state >> 8) % static_cast<uint32_t>(below)));
  }
  return codes;
}

// A decoder and its state, asked as tests want it.
template <class Net>
class Player {
 public:
  Player(std::shared_ptr<const Net> net, const Told& told, int64_t steps) : net_(std::move(net)) {
    auto state = TorchGuard("test", [&] { return net_->NewState(told.rows(), steps, told.states, told.lengths); });
    EXPECT_TRUE(state.ok()) << state.status();
    state_.emplace(*std::move(state));
  }
  at::Tensor Step(std::span<const int32_t> codes) {
    at::Tensor logits = Empty();
    const absl::Status status = TorchGuard("test", [&] {
      net_->Step(*state_, codes, logits.mutable_data_ptr<float>());
      return absl::OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status;
    return logits;
  }
  // codes [rows, steps, books].
  at::Tensor Prefill(const at::Tensor& codes) {
    at::Tensor logits = Empty();
    const at::Tensor whole = codes.contiguous();
    const absl::Status status = TorchGuard("test", [&] {
      return net_->Prefill(*state_, {whole.const_data_ptr<int32_t>(), static_cast<size_t>(whole.numel())},
                           whole.size(1), logits.mutable_data_ptr<float>());
    });
    EXPECT_TRUE(status.ok()) << status;
    return logits;
  }
  typename Net::State& state() { return *state_; }

 private:
  at::Tensor Empty() const {
    return at::empty({state_->rows(), net_->config().books, net_->config().vocab_size}, at::kFloat);
  }
  const std::shared_ptr<const Net> net_;
  std::optional<typename Net::State> state_;
};

double RelativeError(const at::Tensor& got, const at::Tensor& wanted) {
  return ((got - wanted).abs().max() / wanted.abs().max()).item<double>();
}

// Step by step and then in blocks, rows of several lengths and one that is told nothing. Answers the largest error.
double WorstOfSteps(const std::filesystem::path& folder, c10::Device device) {
  const auto reference = LoadedNet<MusicgenDecoder>(folder);
  const auto net = LoadedNet<MusicgenDeviceDecoder>(folder, Precision::kFloat32, device);
  const MusicgenConfig& config = net->config();
  double worst = 0;
  for (const int64_t length : {30, 0}) {
    Told told = SomethingTold(config, 3, std::max<int64_t>(length, 1));
    if (length == 0) told = {at::Tensor(), {0, 0, 0}};
    std::vector<int32_t> list = RandomCodes(3 * kManySteps * config.books, config.vocab_size + 1, 5);
    const at::Tensor codes = at::from_blob(list.data(), {3, kManySteps, config.books}, at::kInt);
    Player<MusicgenDecoder> wanted(reference, told, kManySteps);
    Player<MusicgenDeviceDecoder> stepped(net, told, kManySteps);
    at::Tensor last;
    for (int64_t step = 0; step < kManySteps; ++step) {
      const at::Tensor now = codes.select(1, step).contiguous();
      const std::span<const int32_t> given(now.const_data_ptr<int32_t>(), static_cast<size_t>(now.numel()));
      last = wanted.Step(given);
      worst = std::max(worst, RelativeError(stepped.Step(given), last));
    }
    EXPECT_EQ(stepped.state().steps_done(), kManySteps);
    for (const int64_t first : {1, 100, 299}) {
      Player<MusicgenDeviceDecoder> filled(net, told, kManySteps + 40);
      filled.Prefill(codes.narrow(1, 0, first));
      worst = std::max(worst, RelativeError(filled.Prefill(codes.narrow(1, first, kManySteps - first)), last));
    }
  }
  return worst;
}

TEST(MusicgenDeviceDecoderTest, LogitsAreTheCpuDecoders) {
  GRYM_NEED_PEER();
  for (const char* preset : kTinyPresets) {
    const double worst = WorstOfSteps(testing::PeerCheckpoint(preset), kCpuDevice);
    std::printf("%s: logits differ by %.1e of the largest at most\n", preset, worst);
    // The other one keeps keys and values in 16 bits: 1.9e-5 of the largest.
    EXPECT_LT(worst, 1e-4) << preset;
  }
}

// Every step's best codes go in with the next one. [steps * prompts * books]
template <class Net>
std::vector<int32_t> GreedyCodes(std::shared_ptr<const Net> net, const Told& told, bool guided) {
  const MusicgenConfig config = net->config();
  const int64_t prompts = guided ? told.rows() / 2 : told.rows();
  Player<Net> player(std::move(net), told, kManySteps);
  std::vector<int32_t> input(static_cast<size_t>(told.rows() * config.books), static_cast<int32_t>(config.pad_id)), all;
  for (int64_t step = 0; step < kManySteps; ++step) {
    at::Tensor scores = player.Step(input);
    if (guided) {
      const at::Tensor without = scores.narrow(0, prompts, prompts);
      scores = without + (scores.narrow(0, 0, prompts) - without) * 3.0;
    }
    const at::Tensor best = scores.argmax(2).to(at::kInt).contiguous();
    const std::span<const int32_t> codes(best.const_data_ptr<int32_t>(), static_cast<size_t>(best.numel()));
    all.insert(all.end(), codes.begin(), codes.end());
    for (size_t i = 0; i < input.size(); ++i) input[i] = codes[i % codes.size()];
  }
  return all;
}

int64_t ExpectSameGreedyCodes(const std::filesystem::path& folder, c10::Device device) {
  const auto reference = LoadedNet<MusicgenDecoder>(folder);
  const auto net = LoadedNet<MusicgenDeviceDecoder>(folder, Precision::kFloat32, device);
  int64_t compared = 0;
  for (const bool guided : {true, false}) {
    for (const int64_t prompts : {1, 2}) {
      Told told = SomethingTold(net->config(), guided ? 2 * prompts : prompts, 17);
      for (int64_t row = 0; row < told.rows(); ++row) {
        const bool null = row >= prompts;  // a melody model is told silence then
        told.lengths[static_cast<size_t>(row)] = null && !net->config().melody ? 0 : 17 - 5 * (row % prompts);
        if (null) told.states.select(0, row).zero_();
      }
      const std::vector<int32_t> codes = GreedyCodes(net, told, guided);
      EXPECT_EQ(codes, GreedyCodes(reference, told, guided)) << (guided ? "guided " : "unguided ") << prompts;
      compared += static_cast<int64_t>(codes.size());
    }
  }
  return compared;
}

TEST(MusicgenDeviceDecoderTest, GreedyCodesAreTheCpuDecoders) {
  GRYM_NEED_PEER();
  for (const char* preset : kTinyPresets) {
    const int64_t compared = ExpectSameGreedyCodes(testing::PeerCheckpoint(preset), kCpuDevice);
    std::printf("%s: %d greedy codes, all the same\n", preset, static_cast<int>(compared));
  }
}

TEST(MusicgenDeviceDecoderTest, AGpuMakesTheSame) {
  GRYM_NEED_PEER();
  if (!at::globalContext().hasCUDA()) GTEST_SKIP() << "NOT RUN: needs a LibTorch with CUDA and a GPU";
  const c10::Device gpu(c10::DeviceType::CUDA, 0);
  std::printf("steps are %s\n", DeviceGraph::Captures(gpu) ? "captured" : "not captured: no CUDA headers in this build");
  for (const char* preset : kTinyPresets) {
    const auto folder = testing::PeerCheckpoint(preset);
    const double worst = WorstOfSteps(folder, gpu);
    std::printf("%s: logits differ by %.1e of the largest at most\n", preset, worst);
    EXPECT_LT(worst, 1e-3) << preset;  // of the GPU's own exponentials and sums
    ExpectSameGreedyCodes(folder, gpu);
  }
}

// As MusicgenDecoderTest.LowerTiersStayClose. A GPU would compute in halves where they are asked for, the CPU does not.
TEST(MusicgenDeviceDecoderTest, LowerTiersStayClose) {
  GRYM_NEED_PEER();
  const auto folder = testing::PeerCheckpoint("musicgen-tiny");
  const auto exact = LoadedNet<MusicgenDecoder>(folder);
  const MusicgenConfig& config = exact->config();
  const Told told = SomethingTold(config, 2, 12);
  std::vector<int32_t> list = RandomCodes(2 * 60 * config.books, config.vocab_size, 9);
  const at::Tensor codes = at::from_blob(list.data(), {2, 60, config.books}, at::kInt);
  const at::Tensor wanted = Player<MusicgenDecoder>(exact, told, 60).Prefill(codes);
  for (const auto& [precision, error] : {std::pair{Precision::kFloat16, 1.2e-3}, {Precision::kBFloat16, 1.1e-2},
                                         {Precision::kInt8, 3.0e-2}, {Precision::kInt4, 0.1}}) {
    const auto net = LoadedNet<MusicgenDeviceDecoder>(folder, precision);
    const at::Tensor got = Player<MusicgenDeviceDecoder>(net, told, 60).Prefill(codes);
    const double relative = ((got - wanted).norm() / wanted.norm()).item<double>();
    std::printf("%s: relative logit error %.1e\n", PrecisionName(precision), relative);
    EXPECT_LT(relative, error) << PrecisionName(precision);
    EXPECT_GT(relative, 0) << PrecisionName(precision);
  }
}

// Of float16 and bfloat16 a GPU computes all but the sums along the layers in halves. So can the CPU's operators.
TEST(MusicgenDeviceDecoderTest, InHalvesAsOnAGpuItStaysClose) {
  GRYM_NEED_PEER();
  for (const char* preset : kTinyPresets) {
    const auto folder = testing::PeerCheckpoint(preset);
    const auto exact = LoadedNet<MusicgenDecoder>(folder);
    const MusicgenConfig& config = exact->config();
    const Told told = SomethingTold(config, 3, 12);
    std::vector<int32_t> list = RandomCodes(3 * 60 * config.books, config.vocab_size, 9);
    const at::Tensor codes = at::from_blob(list.data(), {3, 60, config.books}, at::kInt);
    const at::Tensor wanted = Player<MusicgenDecoder>(exact, told, 60).Prefill(codes);
    const auto set = TensorSet::Open(folder).value();
    for (const auto& [precision, type, error] : {std::tuple{Precision::kFloat16, at::kHalf, 2e-3},
                                                 {Precision::kBFloat16, at::kBFloat16, 2e-2}}) {
      const auto net = TorchGuard("test", [&] {
        return MusicgenDeviceDecoder::Load(set, config, {.precision = precision}, "decoder.", nullptr, type);
      });
      ASSERT_TRUE(net.ok()) << net.status();
      Player<MusicgenDeviceDecoder> player(*net, told, 60);
      player.Prefill(codes.narrow(1, 0, 59));
      const at::Tensor last = codes.select(1, 59).contiguous();
      const at::Tensor got = player.Step({last.const_data_ptr<int32_t>(), static_cast<size_t>(last.numel())});
      const double relative = ((got - wanted).norm() / wanted.norm()).item<double>();
      std::printf("%s in %s: relative logit error %.1e\n", preset, PrecisionName(precision), relative);
      EXPECT_LT(relative, error) << preset;
      EXPECT_GT(relative, 1e-5) << preset;
    }
  }
}

// Operators that `work` asks for, with the shapes of what they take.
std::vector<std::string> OperatorsOf(const std::function<void()>& work) {
  static thread_local std::vector<std::string> asked;
  asked.clear();
  const auto note = [](const at::RecordFunction& called) -> std::unique_ptr<at::ObserverContext> {
    std::string name = called.name();
    for (const c10::IValue& input : called.inputs()) {
      if (!input.isTensor() || !input.toTensor().defined()) continue;
      for (const int64_t side : input.toTensor().sizes()) name += " " + std::to_string(side);
      name += ";";
    }
    asked.push_back(std::move(name));
    return nullptr;
  };
  const auto handle = at::addThreadLocalCallback(at::RecordFunctionCallback(note).needsInputs(true));
  work();
  at::removeCallback(handle);
  return asked;
}

// What a captured step must keep to: the same operators on the same shapes, and none that waits for its result.
TEST(MusicgenDeviceDecoderTest, AStepIsTheSameWorkEachTime) {
  GRYM_NEED_PEER();
  for (const char* preset : kTinyPresets) {
    const auto net = LoadedNet<MusicgenDeviceDecoder>(testing::PeerCheckpoint(preset));
    const MusicgenConfig& config = net->config();
    const Told told = SomethingTold(config, 2, 10);
    const int64_t before = config.melody ? 10 : 0;
    Player<MusicgenDeviceDecoder> player(net, told, 400);
    std::vector<std::vector<std::string>> steps;
    for (int step = 0; step < 400; ++step) {
      const std::vector<int32_t> codes = RandomCodes(2 * config.books, config.vocab_size, static_cast<uint32_t>(step));
      steps.push_back(OperatorsOf([&] { player.Step(codes); }));
    }
    const auto& first = steps.front();
    EXPECT_GT(first.size(), 20u * static_cast<size_t>(config.layers));
    for (const std::string& name : first) {
      for (const char* waits : {"item", "_local_scalar_dense", "nonzero", "masked_select", "equal", "unique"})
        EXPECT_NE(name.substr(0, name.find(' ')), std::string("aten::") + waits);
    }
    int64_t changes = 0;
    for (size_t step = 1; step < steps.size(); ++step) {
      if (steps[step] == steps[step - 1]) continue;
      ++changes;
      EXPECT_EQ(static_cast<int64_t>(step) + before, 256) << preset;
    }
    EXPECT_EQ(changes, 1) << preset;
  }
}

TEST(MusicgenDeviceDecoderTest, BytesAreWhatTheBudgetCounts) {
  GRYM_NEED_PEER();
  for (const char* preset : kTinyPresets) {
    const auto folder = testing::PeerCheckpoint(preset);
    for (const Precision precision : {Precision::kFloat32, Precision::kFloat16, Precision::kBFloat16, Precision::kInt8,
                                      Precision::kInt4}) {
      SCOPED_TRACE(std::string(preset) + " " + PrecisionName(precision));
      const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 32);
      const BudgetScope scope(budget);
      using Net = MusicgenDeviceDecoder;
      const auto net = LoadedNet<Net>(folder, precision);
      const MusicgenConfig& config = net->config();
      EXPECT_EQ(budget->used_bytes(), Net::WeightBytes(config, precision));
      using Sizes = std::tuple<int64_t, int64_t, int64_t>;
      for (const auto& [rows, steps, length] : {Sizes{2, 300, 17}, Sizes{1, 5, 0}, Sizes{5, 33, 9}}) {
        Told told = SomethingTold(config, rows, std::max<int64_t>(length, 1));
        if (length == 0) told = {at::Tensor(), std::vector<int64_t>(static_cast<size_t>(rows), 0)};
        std::vector<int32_t> list = RandomCodes(rows * steps * config.books, config.vocab_size, 1);
        const at::Tensor codes = at::from_blob(list.data(), {rows, steps, config.books}, at::kInt);
        const std::span<const int32_t> given(list.data(), static_cast<size_t>(rows * config.books));
        const int64_t before = budget->used_bytes();
        budget->ResetPeak();
        Player<Net> player(net, told, steps);
        EXPECT_EQ(budget->used_bytes() - before, Net::StateBytes(config, precision, kCpuDevice, rows, steps, length));
        player.Prefill(codes.narrow(1, 0, steps - 4));
        const int64_t most = budget->peak_bytes() - budget->used_bytes();
        const int64_t planned = Net::WorkingBytes(config, precision, kCpuDevice, rows, steps, length);
        EXPECT_LE(most, planned) << rows;
        EXPECT_GE(3 * most + 4096, planned) << rows;  // a page of what a product of few rows takes
        at::Tensor kept = player.Step(given);
        const int64_t used = budget->used_bytes();
        budget->ResetPeak();
        kept = player.Step(given);
        const int64_t peak = budget->peak_bytes();
        for (int i = 0; i < 2; ++i) kept = player.Step(given);
        EXPECT_EQ(budget->used_bytes(), used) << "a step keeps nothing";
        EXPECT_EQ(budget->peak_bytes(), peak) << "nor does it take more than the one before";
      }
    }
  }
}

// As the pipeline asks them, with text, with chroma, and told nothing.
TEST(MusicgenDeviceDecoderTest, IsACodeModelLikeTheOther) {
  GRYM_NEED_PEER();
  for (const char* preset : kTinyPresets) {
    const auto folder = testing::PeerCheckpoint(preset);
    const auto reference = LoadedNet<MusicgenDecoder>(folder);
    const MusicgenConfig& config = reference->config();
    MusicgenShape shape;
    shape.melody = config.melody;
    shape.chroma.length = config.chroma_length;
    shape.chroma.classes = config.chroma_bins;
    const auto wanted = CodeModelOf(reference, shape);
    const auto got = CodeModelOf(LoadedNet<MusicgenDeviceDecoder>(folder), shape);
    TextStates text{7, config.text.d_model, {}};
    for (int64_t i = 0; i < text.tokens * text.width; ++i) text.values.push_back(std::sin(static_cast<float>(i)));
    const std::vector<uint8_t> melody(static_cast<size_t>(config.chroma_length), 5);
    RowCondition told{&text, {}, false}, other{&text, {}, true};
    if (config.melody) told.melody = melody;
    for (const std::vector<RowCondition>& rows : {std::vector{told, other}, std::vector{RowCondition{}}}) {
      const auto count = static_cast<int64_t>(rows.size());
      const std::vector<int32_t> codes = RandomCodes(count * 5 * config.books, config.vocab_size, 3);
      std::vector<std::vector<float>> logits;
      for (const auto& model : {wanted, got}) {
        std::vector<float>& made = logits.emplace_back(static_cast<size_t>(count * config.books * config.vocab_size));
        const absl::Status status = TorchGuard("test", [&]() -> absl::Status {
          auto state = model->NewState(rows, 6, {});
          if (!state.ok()) return state.status();
          const absl::Status filled = model->Prefill(**state, codes, 5, made.data(), {});
          if (!filled.ok()) return filled;
          return model->Step(**state, std::span(codes).first(static_cast<size_t>(count * config.books)), made.data());
        });
        EXPECT_TRUE(status.ok()) << status;
      }
      const auto as_tensor = [](std::vector<float>& list) {
        return at::from_blob(list.data(), {static_cast<int64_t>(list.size())}, at::kFloat);
      };
      EXPECT_LT(RelativeError(as_tensor(logits[1]), as_tensor(logits[0])), 1e-4) << preset;
    }
  }
}

TEST(MusicgenDeviceDecoderTest, IsCancelledWithinAStep) {
  GRYM_NEED_PEER();
  for (const char* preset : kTinyPresets) {
    const auto net = LoadedNet<MusicgenDeviceDecoder>(testing::PeerCheckpoint(preset));
    const MusicgenConfig& config = net->config();
    const Told told = SomethingTold(config, 2, 300);
    CancelToken cancelled;
    cancelled.Cancel();
    const auto state = TorchGuard(
        "test", [&] { return net->NewState(2, 10, told.states, told.lengths, cancelled); });
    EXPECT_EQ(state.status().code(), absl::StatusCode::kCancelled);
    Player<MusicgenDeviceDecoder> player(net, told, 4000);
    const std::vector<int32_t> codes = RandomCodes(2 * 4000 * config.books, config.vocab_size, 1);
    std::vector<float> logits(static_cast<size_t>(2 * config.books * config.vocab_size));
    CancelToken cancel;
    std::thread later([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      cancel.Cancel();
    });
    const auto status = TorchGuard(
        "test", [&] { return net->Prefill(player.state(), codes, 4000, logits.data(), cancel); });
    later.join();
    EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
    EXPECT_LT(player.state().steps_done(), 4000);
  }
}

TEST(MusicgenDeviceDecoderTest, MisuseIsAStatusUnderTheGuard) {
  GRYM_NEED_PEER();
  const auto folder = testing::PeerCheckpoint("musicgen-tiny");
  const auto net = LoadedNet<MusicgenDeviceDecoder>(folder);
  const at::Tensor states = at::zeros({2, 4, net->config().hidden});
  const auto refused = [&](int64_t rows, int64_t steps, const at::Tensor& given, std::vector<int64_t> lengths) {
    return ErrorCode(TorchGuard("test", [&] { return net->NewState(rows, steps, given, lengths); }).status());
  };
  EXPECT_EQ(refused(3, 5, states, {1, 1, 1}), "bad_conditioning");
  EXPECT_EQ(refused(2, 5, states, {1, 5}), "bad_conditioning");
  EXPECT_EQ(refused(2, 0, states, {1, 1}), "bad_conditioning");
  Player<MusicgenDeviceDecoder> player(net, {states, {4, 0}}, 1);
  std::vector<float> logits(static_cast<size_t>(2 * net->config().books * net->config().vocab_size));
  const auto step = [&](std::vector<int32_t> codes) {
    return TorchGuard("test", [&] {
      net->Step(player.state(), codes, logits.data());
      return absl::OkStatus();
    });
  };
  EXPECT_EQ(step({0, 0, 0, 0, 0, 0, 0, 65}).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(step({0, 0, 0, 0, 0, 0, 0, -1}).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(step({0, 0, 0, 0}).code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(step({0, 0, 0, 0, 0, 0, 0, 64}).ok());
  EXPECT_EQ(step({0, 0, 0, 0, 0, 0, 0, 64}).code(), absl::StatusCode::kInternal) << "no room left";
  const auto set = TensorSet::Open(folder).value();
  const auto copy = TorchGuard("test", [&] {
    return MusicgenDeviceDecoder::Load(set, net->config(), {.from_copy = true});
  });
  EXPECT_EQ(ErrorCode(copy.status()), "packed_for_cpu");
  MusicgenConfig wider = net->config();
  wider.ffn = 256;
  EXPECT_EQ(ErrorCode(TorchGuard("test", [&] { return MusicgenDeviceDecoder::Load(set, wider, {}); }).status()),
            "bad_weights");
}

}  // namespace
}  // namespace grym
