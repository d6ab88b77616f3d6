#include "models/musicgen/piece_maker.h"

#include <algorithm>
#include <chrono>

#include "base/format.h"
#include "base/status.h"

namespace grym {
namespace {

using PieceClock = std::chrono::steady_clock;

double SecondsOf(PieceClock::time_point start) {
  return std::chrono::duration<double>(PieceClock::now() - start).count();
}

WindowRecord WindowAt(const MusicgenShape& shape, const PieceSettings& settings, int64_t start, int64_t prompt) {
  WindowRecord record;
  record.start = start;
  record.prompt = prompt;
  record.frames = std::min(settings.window, settings.frames - start);
  record.columns = DelayPattern::KnownColumns(prompt);
  record.codes.assign(static_cast<size_t>(shape.pattern.books * record.frames), -1);
  return record;
}

absl::Status BadState(const std::string& text) {
  return Error(absl::StatusCode::kDataLoss, "bad_state", "musicgen/state: " + text);
}

// What a file says of a window against what the settings lead to.
absl::Status CheckWindow(const MusicgenShape& shape, const WindowRecord& wanted, const WindowRecord& got, bool last) {
  if (got.start != wanted.start || got.prompt != wanted.prompt || got.frames != wanted.frames ||
      got.codes.size() != wanted.codes.size()) {
    return BadState(Formatted("want a window of %d frames from %d, got %d from %d", wanted.frames, wanted.start,
                              got.frames, got.start));
  }
  const int64_t columns = shape.pattern.Columns(got.frames);
  if (got.columns < wanted.columns || got.columns > columns || (!last && got.columns != columns))
    return BadState(Formatted("want %d to %d columns, got %d", wanted.columns, columns, got.columns));
  for (int64_t book = 0; book < shape.pattern.books; ++book) {
    for (int64_t frame = 0; frame < got.frames; ++frame) {
      const auto at = static_cast<size_t>(book * got.frames + frame);
      const bool known = frame < got.prompt || frame + 1 + shape.pattern.Delay(book) < got.columns;
      if (known ? got.codes[at] < 0 || got.codes[at] >= shape.vocab : got.codes[at] != -1)
        return BadState(Formatted("want a code below %d, got %d in frame %d", shape.vocab, got.codes[at], frame));
      if (wanted.codes[at] >= 0 && wanted.codes[at] != got.codes[at])
        return BadState(Formatted("want what came before in frame %d, got another code", frame));
    }
  }
  return absl::OkStatus();
}

}  // namespace

WindowRecord WindowPlan::First(const MusicgenShape& shape, const PieceSettings& settings) {
  WindowRecord record = WindowAt(shape, settings, 0, settings.prompt_frames);
  for (int64_t book = 0; book < shape.pattern.books; ++book) {
    std::copy_n(settings.prompt.begin() + book * settings.prompt_frames, settings.prompt_frames,
                record.codes.begin() + book * record.frames);
  }
  return record;
}

WindowRecord WindowPlan::Next(const MusicgenShape& shape, const PieceSettings& settings, const WindowRecord& before) {
  const int64_t kept = std::min(settings.window - settings.stride, before.cut - before.start);
  WindowRecord record = WindowAt(shape, settings, before.cut - kept, kept);
  for (int64_t book = 0; book < shape.pattern.books; ++book) {
    std::copy_n(before.codes.begin() + book * before.frames + (record.start - before.start), kept,
                record.codes.begin() + book * record.frames);
  }
  return record;
}

int64_t WindowPlan::FramesWithin(const MusicgenShape& shape, const PieceSettings& settings) {
  PieceSettings cut = settings;
  int64_t left = settings.most_steps, start = 0, prompt = settings.prompt_frames, whole = 0;
  while (start + prompt < settings.frames) {
    const int64_t frames = std::min(settings.window, settings.frames - start);
    // Each new frame is a step, and the delay of the last book some more.
    const int64_t steps = frames - prompt + shape.pattern.MostDelay();
    // With a fade the next window begins within this one, and some steps of it may not come as far.
    if (steps > left) return std::max(whole, start + prompt + std::max<int64_t>(0, left - shape.pattern.MostDelay()));
    left -= steps;
    whole = start + frames;
    if (start + frames >= settings.frames) break;
    prompt = settings.window - settings.stride;
    start += std::max<int64_t>(1, frames - prompt - SoundTrack::MostBack(shape, settings.fade_frames));
  }
  return settings.frames;
}

PieceMaker::PieceMaker(const MusicgenNets& nets, std::vector<PieceSettings> pieces)
    : nets_(nets), pieces_(std::move(pieces)) {
  const MusicgenShape& shape = nets.shape();
  for (PieceSettings& piece : pieces_) {
    if (piece.most_steps > 0) {
      piece.frames = std::min(piece.frames, std::max(piece.prompt_frames + 1, WindowPlan::FramesWithin(shape, piece)));
      piece.samples = std::min(piece.samples, piece.frames * shape.hop);
    }
    samplers_.emplace_back(shape.vocab, piece.sampling, piece.seed);
    tracks_.emplace_back(shape, SoundTrack::Options{piece.frames, piece.samples, piece.fade_frames},
                         [&nets] { return nets.NewSound({}); });
  }
  states_.resize(pieces_.size());
}

bool PieceMaker::WindowEnded(const WindowRecord& record) const {
  return record.columns >= nets_.shape().pattern.Columns(record.frames);
}

bool PieceMaker::Finished(size_t i) const {
  if (states_[i].windows.empty()) return false;
  const WindowRecord& last = states_[i].windows.back();
  return last.end() >= pieces_[i].frames && WindowEnded(last);
}

bool PieceMaker::done() const {
  for (size_t i = 0; i < pieces_.size(); ++i) {
    if (!Finished(i) || !tracks_[i].done()) return false;
  }
  return true;
}

double PieceMaker::fraction() const {
  double made = 0, all = 0;
  for (size_t i = 0; i < pieces_.size(); ++i) {
    all += static_cast<double>(pieces_[i].frames - pieces_[i].prompt_frames);
    if (states_[i].windows.empty()) continue;
    const WindowRecord& last = states_[i].windows.back();
    const int64_t frames = last.start + nets_.shape().pattern.WholeFrames(last.columns, last.frames);
    made += static_cast<double>(std::max<int64_t>(0, frames - pieces_[i].prompt_frames));
  }
  return all > 0 ? std::min(1.0, made / all) : 1;
}

// New windows for all pieces whose last one ended.
absl::Status PieceMaker::BeginWindows(const CancelToken& cancel) {
  const MusicgenShape& shape = nets_.shape();
  for (size_t i = 0; i < pieces_.size(); ++i) {
    std::vector<WindowRecord>& windows = states_[i].windows;
    if (Finished(i)) continue;
    if (windows.empty()) windows.push_back(WindowPlan::First(shape, pieces_[i]));
    else if (WindowEnded(windows.back())) windows.push_back(WindowPlan::Next(shape, pieces_[i], windows.back()));
  }
  return StartNetwork(cancel);
}

absl::Status PieceMaker::StartNetwork(const CancelToken& cancel) {
  window_.reset();  // its caches go before new ones come
  const MusicgenShape& shape = nets_.shape();
  std::vector<CodeWindow::Row> rows;
  for (size_t i = 0; i < pieces_.size(); ++i) {
    if (Finished(i)) continue;
    WindowRecord& record = states_[i].windows.back();
    std::vector<uint8_t> melody;
    if (pieces_[i].melody) {
      melody = pieces_[i].melody->Window(static_cast<double>(record.start) / shape.frame_rate_hz(), shape.chroma);
    }
    rows.push_back({&record, &samplers_[i], pieces_[i].text.get(), std::move(melody)});
  }
  if (rows.empty()) return absl::OkStatus();
  GRYM_ASSIGN_OR_RETURN(std::shared_ptr<const CodeModel> model, nets_.Network(cancel));
  GRYM_ASSIGN_OR_RETURN(CodeWindow window, CodeWindow::Start(std::move(model), shape, std::move(rows), cancel));
  window_.emplace(std::move(window));
  return absl::OkStatus();
}

absl::Status PieceMaker::Step(const CancelToken& cancel) {
  GRYM_RETURN_IF_ERROR(cancel.Check());
  const PieceClock::time_point start = PieceClock::now();
  if (!window_ || window_->done()) {
    bool all = true;
    for (size_t i = 0; i < pieces_.size(); ++i) all &= Finished(i);
    // Only the sound of a piece that was resumed at its very end is left.
    if (all) return TakeSound();
    GRYM_RETURN_IF_ERROR(BeginWindows(cancel));
  }
  if (!window_->done()) {
    GRYM_RETURN_IF_ERROR(window_->Step());
    ++steps_;
  }
  network_s_ += SecondsOf(start);
  return TakeSound();
}

absl::Status PieceMaker::TakeSound() {
  const PieceClock::time_point start = PieceClock::now();
  for (size_t i = 0; i < pieces_.size(); ++i) {
    if (tracks_[i].done() && Finished(i)) continue;
    // Not to be cancelled in between: codes that were pushed are not pushed again, and a block is a second at most.
    GRYM_RETURN_IF_ERROR(tracks_[i].Take(states_[i].windows.back(), {}));
  }
  sound_s_ += SecondsOf(start);
  return absl::OkStatus();
}

void PieceMaker::LetGo() {
  window_.reset();
  for (SoundTrack& track : tracks_) track.LetGo();
}

const PieceState& PieceMaker::state(size_t i) {
  states_[i].random = samplers_[i].random().state();
  return states_[i];
}

std::vector<int32_t> PieceMaker::Codes(size_t i) const {
  const int64_t books = nets_.shape().pattern.books, frames = pieces_[i].frames;
  std::vector<int32_t> codes(static_cast<size_t>(books * frames), -1);
  for (const WindowRecord& record : states_[i].windows) {
    for (int64_t book = 0; book < books; ++book) {
      std::copy_n(record.codes.begin() + book * record.frames, record.frames,
                  codes.begin() + book * frames + record.start);
    }
  }
  return codes;
}

// The windows are in place. Those whose sound was heard are taken without their codes being pushed.
absl::Status PieceMaker::RestoreSound(const std::optional<SoundMemory>& sound, const CancelToken& cancel) {
  std::vector<WindowRecord>& windows = states_[0].windows;
  if (sound) {
    const WindowRecord* const last = windows.empty() ? nullptr : &windows.back();
    const DelayPattern& pattern = nets_.shape().pattern;
    const int64_t known =
        last ? last->start + std::max(last->prompt, pattern.WholeFrames(last->columns, last->frames)) : 0;
    if (sound->frames < 1 || sound->frames > known)
      return BadState(Formatted("want the sound of up to %d frames, got that of %d", known, sound->frames));
    GRYM_RETURN_IF_ERROR(tracks_[0].Recall(*sound));
  }
  for (WindowRecord& record : windows) {
    GRYM_RETURN_IF_ERROR(cancel.Check());
    GRYM_RETURN_IF_ERROR(tracks_[0].Take(record, cancel));
  }
  return absl::OkStatus();
}

absl::Status PieceMaker::Restore(const PieceState& state, const std::optional<SoundMemory>& sound,
                                 const CancelToken& cancel) {
  const MusicgenShape& shape = nets_.shape();
  const auto random = Random::FromState(state.random);
  if (!random) return BadState("want a generator's state, got zeros");
  samplers_[0].SetRandom(*random);
  std::vector<WindowRecord>& windows = states_[0].windows;
  windows.clear();
  for (size_t i = 0; i < state.windows.size(); ++i) {
    if (Finished(0)) return BadState(Formatted("want %d windows, got %d", i, state.windows.size()));
    const WindowRecord wanted =
        i == 0 ? WindowPlan::First(shape, pieces_[0]) : WindowPlan::Next(shape, pieces_[0], windows.back());
    WindowRecord got = state.windows[i];
    GRYM_RETURN_IF_ERROR(CheckWindow(shape, wanted, got, i + 1 == state.windows.size()));
    const bool ended = WindowEnded(got) && got.end() < pieces_[0].frames;
    const int64_t latest = got.end() - pieces_[0].fade_frames;
    const int64_t back = SoundTrack::MostBack(shape, pieces_[0].fade_frames);
    const int64_t earliest = std::max(got.start + got.prompt + 1, got.end() - back);
    if (ended ? got.cut > latest || got.cut < earliest : got.cut != -1) {
      return BadState(Formatted("want a window that goes on within its %d frames, got %d", got.frames, got.cut));
    }
    if (ended && WindowPlan::Next(shape, pieces_[0], got).start <= got.start)
      return BadState(Formatted("want a window that the next one lies behind, got a cut at %d", got.cut));
    windows.push_back(std::move(got));
  }
  GRYM_RETURN_IF_ERROR(RestoreSound(sound, cancel));
  if (!windows.empty() && !WindowEnded(windows.back())) return StartNetwork(cancel);
  return absl::OkStatus();
}

}  // namespace grym
