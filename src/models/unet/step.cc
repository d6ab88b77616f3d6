#include "models/unet/step.h"

#include "base/status.h"

namespace grym {

absl::StatusOr<at::Tensor> UnetStep::operator()(const at::Tensor& latents, int64_t step, const CancelToken& cancel) {
  if (!captures_) {
    GRYM_ASSIGN_OR_RETURN(const at::Tensor answer, unet_(latents, conditions_, step, cancel));
    return answer.to(at::kFloat);
  }
  GRYM_RETURN_IF_ERROR(cancel.Check());
  if (!latents_.defined() || latents_.sizes() != latents.sizes()) {
    graph_.Reset();
    latents_ = at::empty_like(latents);
    std::vector<int64_t> shape = latents.sizes().vec();
    shape[1] = unet_.config().out_channels;
    answer_ = at::empty(shape, latents.options().dtype(at::kFloat));
    now_.shifts.clear();
    for (const at::Tensor& shift : conditions_.shifts) now_.shifts.push_back(at::empty_like(shift.narrow(0, 0, 1)));
  }
  latents_.copy_(latents);
  for (size_t i = 0; i < now_.shifts.size(); ++i) now_.shifts[i].copy_(conditions_.shifts[i].narrow(0, step, 1));
  absl::Status status;
  graph_.Run([&] {
    const absl::StatusOr<at::Tensor> answer = unet_(latents_, now_, 0);
    status = answer.status();
    if (answer.ok()) answer_.copy_(*answer);
  });
  GRYM_RETURN_IF_ERROR(status);
  return answer_.clone();  // a solver keeps what it was given before
}

}  // namespace grym
