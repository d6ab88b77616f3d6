#include "models/musicgen/conditioning.h"

#include <algorithm>
#include <string>

#include "base/format.h"
#include "base/status.h"

namespace grym {
namespace {

absl::Status BadConditioning(const std::string& text) {
  return Error(absl::StatusCode::kInvalidArgument, "bad_conditioning", "musicgen/decoder: " + text);
}

}  // namespace

MusicgenConditioning MusicgenConditioning::Of(std::span<const RowCondition> rows, const MusicgenShape& shape,
                                              int64_t hidden, const MusicgenProjections& projections) {
  const int64_t melody = shape.melody ? shape.chroma.length : 0;
  int64_t tokens = 1;
  for (const RowCondition& row : rows) tokens = std::max(tokens, row.text ? row.text->tokens : 1);
  MusicgenConditioning made;
  made.states = at::zeros({static_cast<int64_t>(rows.size()), melody + tokens, hidden}, at::kFloat);
  for (size_t r = 0; r < rows.size(); ++r) {
    const RowCondition& row = rows[r];
    const at::Tensor own = made.states.select(0, static_cast<int64_t>(r));
    const bool heard = row.text && !row.unconditional;
    if (heard) {
      at::Tensor states = at::empty({row.text->tokens, row.text->width}, at::kFloat);
      std::copy(row.text->values.begin(), row.text->values.end(), states.mutable_data_ptr<float>());
      own.narrow(0, melody, row.text->tokens).copy_(projections.Text(states));
    }
    if (melody > 0) {
      at::Tensor chroma = at::zeros({melody, shape.chroma.classes}, at::kFloat);
      for (int64_t f = 0; f < melody; ++f) {
        const bool told = !row.unconditional && !row.melody.empty();
        const int64_t c = told ? row.melody[static_cast<size_t>(f)] : 0;
        chroma.mutable_data_ptr<float>()[f * shape.chroma.classes + c] = 1;
      }
      own.narrow(0, 0, melody).copy_(projections.Chroma(chroma));
    }
    made.lengths.push_back(melody > 0 ? melody + (row.text ? row.text->tokens : 1) : heard ? row.text->tokens : 0);
  }
  return made;
}

absl::Status CheckConditioning(const MusicgenConfig& config, int64_t rows, int64_t most_steps,
                               const at::Tensor& conditioning, std::span<const int64_t> lengths) {
  const int64_t length = conditioning.defined() && conditioning.dim() == 3 ? conditioning.size(1) : 0;
  if (rows < 1 || most_steps < 1) {
    return BadConditioning(Formatted("want rows and steps, got %d and %d", rows, most_steps));
  }
  if (conditioning.defined() &&
      (conditioning.dim() != 3 || conditioning.size(0) != rows || conditioning.size(2) != config.hidden)) {
    return BadConditioning(Formatted("want conditioning [%d, length, %d], got %d numbers in %d dimensions", rows,
                                     config.hidden, conditioning.numel(), conditioning.dim()));
  }
  if (static_cast<int64_t>(lengths.size()) != rows) {
    return BadConditioning(Formatted("want %d lengths, got %d", rows, lengths.size()));
  }
  for (const int64_t real : lengths) {
    if (real < 0 || real > length) return BadConditioning(Formatted("want lengths up to %d, got %d", length, real));
  }
  return absl::OkStatus();
}

}  // namespace grym
