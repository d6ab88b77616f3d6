#include "models/musicgen/delay_pattern.h"

namespace grym {

std::vector<int32_t> Delayed(const DelayPattern& pattern, std::span<const int32_t> codes, int64_t frames,
                             int32_t pad) {
  const int64_t columns = pattern.Columns(frames);
  std::vector<int32_t> out(static_cast<size_t>(pattern.books * columns), pad);
  for (int64_t book = 0; book < pattern.books; ++book) {
    for (int64_t frame = 0; frame < frames; ++frame) {
      out[static_cast<size_t>(book * columns + 1 + frame + pattern.Delay(book))] =
          codes[static_cast<size_t>(book * frames + frame)];
    }
  }
  return out;
}

std::vector<int32_t> Undelayed(const DelayPattern& pattern, std::span<const int32_t> columns, int64_t frames) {
  const int64_t stride = pattern.Columns(frames);
  std::vector<int32_t> out(static_cast<size_t>(pattern.books * frames));
  for (int64_t book = 0; book < pattern.books; ++book) {
    for (int64_t frame = 0; frame < frames; ++frame) {
      out[static_cast<size_t>(book * frames + frame)] =
          columns[static_cast<size_t>(book * stride + 1 + frame + pattern.Delay(book))];
    }
  }
  return out;
}

void FillColumns(const DelayPattern& pattern, std::span<const int32_t> codes, int64_t frames, int32_t pad,
                 int64_t first, int64_t count, int32_t* out) {
  for (int64_t column = first; column < first + count; ++column) {
    for (int64_t book = 0; book < pattern.books; ++book) {
      const int64_t frame = pattern.FrameAt(book, column, frames);
      *out++ = frame < 0 ? pad : codes[static_cast<size_t>(book * frames + frame)];
    }
  }
}

}  // namespace grym
