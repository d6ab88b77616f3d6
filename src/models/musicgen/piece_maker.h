// Pieces of music of any length, made side by side step by step: windows of codes, and the sound of them.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "models/musicgen/code_window.h"
#include "models/musicgen/nets.h"
#include "models/musicgen/sound_track.h"

namespace grym {

struct PieceSettings {
  int64_t frames = 0;       // of the codes, the prompt's counted
  int64_t samples = 0;      // of the sound, at most frames * hop
  int64_t window = 1500;    // frames that the network sees at once
  int64_t stride = 900;     // so many of them are new in a later window; the rest is the end of the one before
  int64_t fade_frames = 0;  // crossfade between windows; 0: the codes simply go on
  int64_t most_steps = 0;   // of the network for this piece; the piece ends there. 0: no bound
  SamplingOptions sampling;
  int64_t seed = 0;
  std::shared_ptr<const TextStates> text;  // null: none
  std::optional<Melody> melody;
  std::vector<int32_t> prompt;  // [books, prompt_frames]: codes that the piece begins with
  int64_t prompt_frames = 0;
};

// How the windows of a piece follow one another. Source: audiocraft, MusicGen.generate with extend_stride: window i
// covers `window` frames from i * stride, and begins with what the one before made of them. Differs: with a crossfade
// it begins where the fade does.
struct WindowPlan {
  static WindowRecord First(const MusicgenShape& shape, const PieceSettings& settings);
  static WindowRecord Next(const MusicgenShape& shape, const PieceSettings& settings, const WindowRecord& before);
  // Frames that `most_steps` steps make for certain, all windows counted, and what crossfades may make twice.
  static int64_t FramesWithin(const MusicgenShape& shape, const PieceSettings& settings);
};

// One piece's state: what a file must hold to go on.
struct PieceState {
  std::array<uint64_t, 4> random{};
  std::vector<WindowRecord> windows;  // in their order; the last one may be unfinished
};

// Threads: one. After an error other than Cancelled it is of no use.
class PieceMaker {
 public:
  // `nets` must outlive it. Requires equal windows, strides and prompt lengths, melodies for all or
  // none, and no crossfade where there are several pieces; a piece of `most_steps` is shortened at once.
  PieceMaker(const MusicgenNets& nets, std::vector<PieceSettings> pieces);

  // One step of the network, the sound that follows from it counted in; where a window begins, all that is known is
  // taken in first. Cancelled before it begins, or between the pieces of what is taken in: the next call goes on.
  absl::Status Step(const CancelToken& cancel);
  bool done() const;  // all codes and all sound are there
  // Everything that was taken of the networks goes; Step is not called again, the rest answers as before.
  void LetGo();
  // Sound of piece i that became final since the last call, [channels, any].
  std::vector<std::vector<float>> TakeSamples(size_t i) { return tracks_[i].TakeSamples(); }

  double fraction() const;      // of all steps, about
  int64_t steps() const { return steps_; }            // of the network so far
  double network_s() const { return network_s_; }     // spent in them, sampling counted
  double sound_s() const { return sound_s_; }         // spent on the sound
  const PieceSettings& settings(size_t i) const { return pieces_[i]; }
  const PieceState& state(size_t i);
  int64_t released(size_t i) const { return tracks_[i].released(); }
  int64_t taken(size_t i) const { return tracks_[i].taken(); }
  std::optional<SoundMemory> sound(size_t i) const { return tracks_[i].Memory(); }
  const SeamMeter& seams(size_t i) const { return tracks_[i].seams(); }
  // Codes of the whole piece so far, [books, frames]; -1 where none are.
  std::vector<int32_t> Codes(size_t i) const;
  // Goes on from a state of one piece. Without a memory of its sound that is made again, and is there to be taken; the
  // network takes in the last window when it is next asked. DataLoss (code "bad_state") for windows that these settings
  // do not lead to, and for a memory that is not of their sound.
  absl::Status Restore(const PieceState& state, const std::optional<SoundMemory>& sound, const CancelToken& cancel);

 private:
  absl::Status BeginWindows(const CancelToken& cancel);
  absl::Status StartNetwork(const CancelToken& cancel);
  absl::Status TakeSound();
  absl::Status RestoreSound(const std::optional<SoundMemory>& sound, const CancelToken& cancel);
  bool Finished(size_t i) const;  // all codes of piece i are there
  bool WindowEnded(const WindowRecord& record) const;

  const MusicgenNets& nets_;
  std::vector<PieceSettings> pieces_;
  std::vector<CodeSampler> samplers_;
  std::vector<PieceState> states_;
  std::vector<SoundTrack> tracks_;
  std::optional<CodeWindow> window_;
  int64_t steps_ = 0;
  double network_s_ = 0, sound_s_ = 0;
};

}  // namespace grym
