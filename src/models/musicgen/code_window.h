// One window of the network's steps, for some sequences side by side.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "models/musicgen/nets.h"

namespace grym {

// Frames [start, start + frames) of a piece, of which the first `prompt` were there before.
struct WindowRecord {
  int64_t start = 0, prompt = 0, frames = 0;
  int64_t columns = 0;         // of the delay pattern that are known
  std::vector<int32_t> codes;  // [books, frames]; -1: not made yet
  int64_t cut = -1;            // where the next window's own frames begin, in frames of the piece; -1: not told yet

  int64_t end() const { return start + frames; }
};

// Threads: one.
class CodeWindow {
 public:
  struct Row {
    WindowRecord* record;  // borrowed, as all here; equally many columns are known of all rows
    CodeSampler* sampler;
    const TextStates* text;  // nullptr: none
    std::vector<uint8_t> melody;
  };
  // Takes in what is known. Cancelled; errors of the model; the records are as they were.
  static absl::StatusOr<CodeWindow> Start(std::shared_ptr<const CodeModel> model, const MusicgenShape& shape,
                                          std::vector<Row> rows, const CancelToken& cancel);

  bool done() const { return column_ >= columns_; }
  // One column more of every record. Internal (code "non_finite_result") with the column where the network answers no
  // numbers. Of no use after an error.
  absl::Status Step();

 private:
  CodeWindow(std::shared_ptr<const CodeModel> model, const MusicgenShape& shape)
      : model_(std::move(model)), shape_(shape) {}
  absl::Status Sample(const Row& row, size_t index);

  std::shared_ptr<const CodeModel> model_;  // before the state, which ends first
  const MusicgenShape& shape_;
  std::unique_ptr<CodeModel::State> state_;
  std::vector<Row> rows_;
  std::vector<size_t> other_half_;  // row of the network for each row's unconditional half; 0: not guided
  std::vector<size_t> source_;      // the row whose codes a row of the network takes
  int64_t column_ = 0, columns_ = 0;
  std::vector<int32_t> input_;
  std::vector<float> logits_;  // [rows, books, vocab]
};

}  // namespace grym
