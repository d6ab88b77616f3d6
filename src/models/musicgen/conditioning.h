// What a MusicGen decoder is told beside codes, as a tensor.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "models/musicgen/layers.h"
#include "models/musicgen/nets.h"

namespace grym {

// [rows, length, hidden] float32 on the CPU, and how much of it counts for each row. A melody model hears its chroma
// first, without a melody that of class 0 throughout, and then the text, zeros where the row is told none. Source:
// transformers 5.23, MusicgenMelodyForConditionalGeneration._prepare_encoder_hidden_states_kwargs_for_generation.
struct MusicgenConditioning {
  at::Tensor states;
  std::vector<int64_t> lengths;
  static MusicgenConditioning Of(std::span<const RowCondition> rows, const MusicgenShape& shape, int64_t hidden,
                                 const MusicgenProjections& projections);
};

// InvalidArgument (code "bad_conditioning") unless `conditioning` is [rows, length, hidden] or undefined, which is of
// length 0, and each of `lengths` is one of it.
absl::Status CheckConditioning(const MusicgenConfig& config, int64_t rows, int64_t most_steps,
                               const at::Tensor& conditioning, std::span<const int64_t> lengths);

}  // namespace grym
