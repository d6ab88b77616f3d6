#include "models/musicgen/code_models.h"

#include <utility>

#include "base/status.h"
#include "models/musicgen/conditioning.h"

namespace grym {
namespace {

template <class Net>
class NativeCodeModel : public CodeModel {
 public:
  NativeCodeModel(std::shared_ptr<const Net> net, const MusicgenShape& shape) : net_(std::move(net)), shape_(shape) {}

  absl::StatusOr<std::unique_ptr<State>> NewState(std::span<const RowCondition> rows, int64_t most_steps,
                                                  const CancelToken& cancel) const override {
    const auto told = MusicgenConditioning::Of(rows, shape_, net_->config().hidden, net_->projections());
    GRYM_ASSIGN_OR_RETURN(typename Net::State state, net_->NewState(static_cast<int64_t>(rows.size()), most_steps,
                                                                    told.states, told.lengths, cancel));
    return std::make_unique<Held>(std::move(state));
  }
  absl::Status Step(State& state, std::span<const int32_t> codes, float* logits) const override {
    net_->Step(static_cast<Held&>(state).state, codes, logits);
    return absl::OkStatus();
  }
  absl::Status Prefill(State& state, std::span<const int32_t> codes, int64_t steps, float* logits,
                       const CancelToken& cancel) const override {
    return net_->Prefill(static_cast<Held&>(state).state, codes, steps, logits, cancel);
  }

 private:
  struct Held : State {
    explicit Held(typename Net::State made) : state(std::move(made)) {}
    typename Net::State state;
  };
  const std::shared_ptr<const Net> net_;
  const MusicgenShape shape_;
};

}  // namespace

std::shared_ptr<const CodeModel> CodeModelOf(std::shared_ptr<const MusicgenDecoder> net, const MusicgenShape& shape) {
  return std::make_shared<const NativeCodeModel<MusicgenDecoder>>(std::move(net), shape);
}

std::shared_ptr<const CodeModel> CodeModelOf(std::shared_ptr<const MusicgenDeviceDecoder> net,
                                             const MusicgenShape& shape) {
  return std::make_shared<const NativeCodeModel<MusicgenDeviceDecoder>>(std::move(net), shape);
}

}  // namespace grym
