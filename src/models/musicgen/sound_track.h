// The sound of one piece, made of its windows' codes as these come, and handed out as it becomes final.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "models/musicgen/code_window.h"
#include "models/musicgen/nets.h"
#include "models/musicgen/seam_meter.h"

namespace grym {

// What a track goes on from: numbers that the codec and the seams' measure keep of the `frames` frames they have heard.
struct SoundMemory {
  int64_t frames = 0;
  std::vector<float> codec, seams;
};

// Without a crossfade the codes of all windows are one row of frames to the codec, since each window goes on from codes
// of the one before. With one, the next window begins earlier, so that both have made the frames of the fade: its
// middle lies on the last beat that leaves room for it, where one is heard, and the gains keep the power whatever the
// two have in common. What it gives does not depend on when it is asked, so that a piece that is resumed is the same.
// Threads: one.
class SoundTrack {
 public:
  struct Options {
    int64_t frames = 0;         // of the whole piece
    int64_t samples = 0;        // that are given of it
    int64_t fade_frames = 0;    // 0: no crossfade
  };
  using NewSound = std::function<absl::StatusOr<std::unique_ptr<SoundStream>>()>;
  SoundTrack(const MusicgenShape& shape, const Options& options, NewSound new_sound);

  // Frames before a window's end that its cut may lie, at most.
  static int64_t MostBack(const MusicgenShape& shape, int64_t fade_frames);
  // Takes the whole frames of a window; after its last column, `record.cut` is settled where another window follows
  // and nothing has settled it before. Windows come in order, each any number of times.
  // Of no use after an error, also Cancelled.
  absl::Status Take(WindowRecord& record, const CancelToken& cancel);
  // What became final since the last call, [channels, any]; all of it comes to Options::samples.
  std::vector<std::vector<float>> TakeSamples();
  // Of a track without crossfades that is under way, once all that it made is taken; nothing else has one.
  std::optional<SoundMemory> Memory() const;
  // A fresh track's going on from there; windows are then taken from the first on, of which what was heard is passed
  // over. Requires frames > 0, and no more of them than are known. DataLoss (code "bad_state").
  absl::Status Recall(const SoundMemory& memory);
  void LetGo() { stream_.reset(); }  // of the codec's room; nothing is taken after it
  int64_t released() const { return released_; }
  int64_t taken() const { return released_ - static_cast<int64_t>(out_[0].size()); }
  bool done() const { return released_ >= options_.samples; }
  const SeamMeter& seams() const { return seams_; }

 private:
  absl::Status Begin(const WindowRecord& record, const CancelToken& cancel);
  absl::Status Push(const WindowRecord& record, int64_t until, const CancelToken& cancel);
  absl::Status EndWindow(WindowRecord& record, const CancelToken& cancel);
  absl::StatusOr<int64_t> ChooseCut(const WindowRecord& record, const CancelToken& cancel) const;
  void Arrive(const std::vector<float>& planar);
  void Mix();
  void Release(int64_t until);
  bool Last(const WindowRecord& record) const { return record.end() >= options_.frames; }
  int64_t BlockFrames() const;

  const MusicgenShape& shape_;
  const Options options_;
  const NewSound new_sound_;
  std::unique_ptr<SoundStream> stream_;
  int64_t window_start_ = -1;
  int64_t pushed_ = 0;        // frames of the piece
  int64_t floor_ = 0;         // samples before it are of the window before
  int64_t next_ = 0;          // the sample that the stream tells next
  int64_t limit_ = 0;         // samples from it on wait for the window's end
  int64_t pending_start_ = 0, released_ = 0;
  std::vector<std::vector<float>> pending_, fade_out_, out_;  // each [channels]
  std::vector<float> heard_;  // mono, the last seconds that were released: where beats are looked for
  SeamMeter seams_;
};

}  // namespace grym
