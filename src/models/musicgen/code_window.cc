#include "models/musicgen/code_window.h"

#include <algorithm>

#include "base/format.h"
#include "base/status.h"

namespace grym {

absl::StatusOr<CodeWindow> CodeWindow::Start(std::shared_ptr<const CodeModel> model, const MusicgenShape& shape,
                                             std::vector<Row> rows, const CancelToken& cancel) {
  CodeWindow window(std::move(model), shape);
  std::vector<RowCondition> conditions;
  for (size_t i = 0; i < rows.size(); ++i) {
    conditions.push_back({rows[i].text, rows[i].melody, false});
    window.source_.push_back(i);
  }
  for (size_t i = 0; i < rows.size(); ++i) {
    window.other_half_.push_back(0);
    window.columns_ = std::max(window.columns_, shape.pattern.Columns(rows[i].record->frames));
    if (!rows[i].sampler->options().guided()) continue;
    window.other_half_.back() = conditions.size();
    conditions.push_back({rows[i].text, rows[i].melody, true});
    window.source_.push_back(i);
  }
  window.column_ = rows.front().record->columns;
  const auto books = static_cast<size_t>(shape.pattern.books);
  window.input_.resize(conditions.size() * books);
  window.logits_.resize(conditions.size() * books * static_cast<size_t>(shape.vocab));
  window.rows_ = std::move(rows);
  if (window.done()) return window;
  // The last column is never taken in.
  GRYM_ASSIGN_OR_RETURN(window.state_, window.model_->NewState(conditions, window.columns_ - 1, cancel));
  const auto known = static_cast<size_t>(window.column_);
  std::vector<int32_t> codes(conditions.size() * known * books);
  for (size_t i = 0; i < conditions.size(); ++i) {
    const WindowRecord& record = *window.rows_[window.source_[i]].record;
    FillColumns(shape.pattern, record.codes, record.frames, shape.pad, 0, window.column_, &codes[i * known * books]);
  }
  GRYM_RETURN_IF_ERROR(
      window.model_->Prefill(*window.state_, codes, window.column_, window.logits_.data(), cancel));
  return window;
}

absl::Status CodeWindow::Sample(const Row& row, size_t index) {
  WindowRecord& record = *row.record;
  const auto vocab = static_cast<size_t>(shape_.vocab), books = static_cast<size_t>(shape_.pattern.books);
  for (size_t book = 0; book < books; ++book) {
    const int64_t frame = shape_.pattern.FrameAt(static_cast<int64_t>(book), column_, record.frames);
    if (frame < 0) continue;
    int32_t& code = record.codes[book * static_cast<size_t>(record.frames) + static_cast<size_t>(frame)];
    if (code >= 0) continue;
    code = row.sampler->Draw(&logits_[(index * books + book) * vocab],
                             &logits_[(other_half_[index] * books + book) * vocab]);
    if (code >= 0) continue;
    return Error(absl::StatusCode::kInternal, "non_finite_result",
                 Formatted("musicgen: want finite logits, got others for column %d, book %d", column_, book));
  }
  record.columns = std::min(column_ + 1, shape_.pattern.Columns(record.frames));
  return absl::OkStatus();
}

absl::Status CodeWindow::Step() {
  for (size_t i = 0; i < rows_.size(); ++i) GRYM_RETURN_IF_ERROR(Sample(rows_[i], i));
  if (++column_ >= columns_) return absl::OkStatus();
  const auto books = static_cast<size_t>(shape_.pattern.books);
  for (size_t i = 0; i < source_.size(); ++i) {
    const WindowRecord& record = *rows_[source_[i]].record;
    FillColumns(shape_.pattern, record.codes, record.frames, shape_.pad, column_ - 1, 1, &input_[i * books]);
  }
  return model_->Step(*state_, input_, logits_.data());
}

}  // namespace grym
