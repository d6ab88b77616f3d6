// How the books of one frame of sound lie on the network's steps: each one step later than the book before it.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace grym {

// A column is what the network takes in one step: one code of every book. Column 0 is padding alone; frame f of book b
// lies in column 1 + f + Delay(b). With two channels the books of left and right alternate, a pair has one delay.
// Source: Copet et al., "Simple and Controllable Music Generation", 2023, section 2.2; transformers 5.23,
// build_delay_pattern_mask and apply_delay_pattern_mask. Differs: below MostDelay() frames the reference leaves the
// pattern out; such a sound, three frames, is asked of nobody here.
struct DelayPattern {
  int64_t books = 4;
  int channels = 1;

  int64_t Delay(int64_t book) const { return channels == 2 ? book / 2 : book; }
  int64_t MostDelay() const { return books / channels - 1; }
  // Of a sound of `frames`: the last column holds the last book's last frame.
  int64_t Columns(int64_t frames) const { return frames + MostDelay() + 1; }
  // Columns that need no prediction where the first `prompt` frames are given: what comes next is the first book's
  // frame `prompt`.
  static int64_t KnownColumns(int64_t prompt) { return prompt + 1; }
  // Frame of `book` in `column`; -1: padding.
  int64_t FrameAt(int64_t book, int64_t column, int64_t frames) const {
    const int64_t frame = column - 1 - Delay(book);
    return frame >= 0 && frame < frames ? frame : -1;
  }
  // Frames that are whole once columns [0, columns) are known.
  int64_t WholeFrames(int64_t columns, int64_t frames) const {
    const int64_t whole = columns - 1 - MostDelay();
    return whole < 0 ? 0 : whole < frames ? whole : frames;
  }
};

// codes [books, frames] -> [books, Columns(frames)], with `pad` where no frame lies. A code of -1, which is still to be
// predicted, stays -1.
std::vector<int32_t> Delayed(const DelayPattern& pattern, std::span<const int32_t> codes, int64_t frames, int32_t pad);
// Back again: [books, Columns(frames)] -> [books, frames].
std::vector<int32_t> Undelayed(const DelayPattern& pattern, std::span<const int32_t> columns, int64_t frames);
// Columns [first, first + count) as the network takes them, [count, books].
void FillColumns(const DelayPattern& pattern, std::span<const int32_t> codes, int64_t frames, int32_t pad,
                 int64_t first, int64_t count, int32_t* out);

}  // namespace grym
