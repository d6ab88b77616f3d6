// Standard MIDI Files read (MIDI Manufacturers Association, RP-001 v1.0).
#include <algorithm>
#include <array>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "audio/byte_order.h"
#include "audio/midi_tempo_map.h"
#include "base/format.h"
#include "base/fs.h"
#include "base/status.h"
#include "grymsynth/midi.h"

namespace grym {
namespace {

absl::Status BadMidi(size_t offset, std::string_view message) {
  return Error(absl::StatusCode::kDataLoss, "damaged_midi",
               Formatted("midi: byte %d: %s", offset, std::string(message)));
}

absl::Status MidiLimit(std::string_view message) {
  return Error(absl::StatusCode::kResourceExhausted, "midi_too_large", "midi: " + std::string(message));
}

struct OpenNote {
  int64_t tick;
  int velocity;
};

struct TickNote {
  int64_t on, off;
  int pitch, velocity, channel, track;
};

class MidiParser {
 public:
  explicit MidiParser(std::string_view bytes) : bytes_(bytes) {}
  absl::StatusOr<Midi> Parse();

 private:
  absl::Status Header();
  absl::Status Track(size_t end);
  absl::Status Event(size_t end, int64_t tick);
  absl::Status Channel(size_t end, int64_t tick, int status);
  absl::Status Meta(size_t end, int64_t tick);
  absl::Status TakeMeta(int type, std::string_view body, size_t at, int64_t tick);
  absl::StatusOr<int64_t> Varying(size_t end);
  absl::StatusOr<int> DataByte(size_t end);
  void CloseNote(int channel, int pitch, int64_t tick);
  void CloseAll(int64_t tick);
  absl::StatusOr<Midi> Finish();

  std::string_view bytes_;
  size_t at_ = 0;
  int format_ = 0, declared_tracks_ = 0;
  int64_t events_ = 0;
  int64_t last_tick_ = 0;
  Midi midi_;
  std::vector<TickNote> notes_;
  std::vector<std::pair<int64_t, int64_t>> tempi_;     // tick, microseconds a quarter
  std::vector<std::tuple<int64_t, int, int>> meters_;  // tick, numerator, denominator
  // Of the track at hand.
  MidiTrack track_;
  bool has_program_ = false, has_notes_ = false, ended_ = false;
  int running_ = 0;
  std::array<std::vector<OpenNote>, 16 * 128> open_;  // first on, first off
};

absl::StatusOr<int64_t> MidiParser::Varying(size_t end) {
  int64_t value = 0;
  for (int i = 0; i < 4; ++i) {
    if (at_ >= end) return BadMidi(at_, "cut off within a number of varying length");
    const auto byte = static_cast<uint8_t>(bytes_[at_++]);
    value = value << 7 | (byte & 0x7f);
    if (byte < 0x80) return value;
  }
  return BadMidi(at_ - 1, "a number of varying length with more than four bytes");
}

absl::StatusOr<int> MidiParser::DataByte(size_t end) {
  if (at_ >= end) return BadMidi(at_, "cut off within an event");
  const auto byte = static_cast<uint8_t>(bytes_[at_]);
  if (byte >= 0x80) return BadMidi(at_, Formatted("want a data byte below 128, got %d", byte));
  ++at_;
  return int{byte};
}

void MidiParser::CloseNote(int channel, int pitch, int64_t tick) {
  auto& waiting = open_[static_cast<size_t>(channel * 128 + pitch)];
  if (waiting.empty()) return;  // an off without an on is harmless and common
  const OpenNote note = waiting.front();
  waiting.erase(waiting.begin());
  notes_.push_back({note.tick, tick, pitch, note.velocity, channel, static_cast<int>(midi_.tracks.size())});
}

void MidiParser::CloseAll(int64_t tick) {
  for (size_t key = 0; key < open_.size(); ++key) {
    for (const OpenNote& note : open_[key]) {
      notes_.push_back({note.tick, tick, static_cast<int>(key % 128), note.velocity, static_cast<int>(key / 128),
                        static_cast<int>(midi_.tracks.size())});
    }
    open_[key].clear();
  }
}

absl::Status MidiParser::Channel(size_t end, int64_t tick, int status) {
  const int kind = status >> 4, channel = status & 15;
  GRYM_ASSIGN_OR_RETURN(const int first, DataByte(end));
  int second = 0;
  if (kind != 0xc && kind != 0xd) {
    GRYM_ASSIGN_OR_RETURN(second, DataByte(end));
  }
  if (kind == 0x9 && second > 0) {
    constexpr size_t kMaxOpen = 128;  // of one pitch: music has one or two, and closing looks at all of them
    auto& waiting = open_[static_cast<size_t>(channel * 128 + first)];
    if (waiting.size() == kMaxOpen)
      return BadMidi(at_, Formatted("more than %d notes of pitch %d sound at once", kMaxOpen, first));
    waiting.push_back({tick, second});
    has_notes_ = true;
  } else if (kind == 0x8 || kind == 0x9) {
    CloseNote(channel, first, tick);
  } else if (kind == 0xc && !has_program_) {
    track_.program = first;
    has_program_ = true;
  }
  return absl::OkStatus();
}

absl::Status MidiParser::TakeMeta(int type, std::string_view body, size_t at, int64_t tick) {
  if (type == 0x2f) {
    ended_ = true;
  } else if (type == 0x03 && track_.name.empty()) {
    track_.name = Printable(body, kMaxMidiNameBytes);
  } else if (type == 0x51) {
    if (body.size() != 3) return BadMidi(at, Formatted("tempo: want 3 bytes, got %d", body.size()));
    const auto us_per_quarter = static_cast<int64_t>(BigEndian(body, 0, 3));
    if (us_per_quarter == 0) return BadMidi(at, "tempo: want more than 0 microseconds a quarter, got 0");
    tempi_.emplace_back(tick, us_per_quarter);
  } else if (type == 0x58) {
    if (body.size() < 2) return BadMidi(at, Formatted("time signature: want 4 bytes, got %d", body.size()));
    const int numerator = static_cast<uint8_t>(body[0]), power = static_cast<uint8_t>(body[1]);
    if (numerator == 0 || power > 6)
      return BadMidi(at, Formatted("time signature: want 1-255 over 1-64, got %d over 2^%d", numerator, power));
    meters_.emplace_back(tick, numerator, 1 << power);
  }
  return absl::OkStatus();
}

absl::Status MidiParser::Meta(size_t end, int64_t tick) {
  GRYM_ASSIGN_OR_RETURN(const int type, DataByte(end));
  GRYM_ASSIGN_OR_RETURN(const int64_t length, Varying(end));
  if (static_cast<size_t>(length) > end - at_) {
    return BadMidi(at_, Formatted("a meta event says %d bytes, its track has %d left", length, end - at_));
  }
  const size_t body = at_;
  at_ += static_cast<size_t>(length);
  return TakeMeta(type, bytes_.substr(body, static_cast<size_t>(length)), body, tick);
}

absl::Status MidiParser::Event(size_t end, int64_t tick) {
  if (++events_ > kMaxMidiEvents) return MidiLimit(Formatted("want at most %d events, got more", kMaxMidiEvents));
  if (at_ >= end) return BadMidi(at_, "cut off before an event");
  int status = static_cast<uint8_t>(bytes_[at_]);
  if (status < 0x80) {
    if (running_ == 0) return BadMidi(at_, Formatted("want a status byte, got %d", status));
    return Channel(end, tick, running_);
  }
  ++at_;
  if (status < 0xf0) {
    running_ = status;
    return Channel(end, tick, status);
  }
  // The specification ends running status here; many files go on with it, and no good file is hurt by allowing it.
  if (status == 0xff) return Meta(end, tick);
  if (status != 0xf0 && status != 0xf7)
    return BadMidi(at_ - 1, Formatted("want an event of a file, got status %d", status));
  GRYM_ASSIGN_OR_RETURN(const int64_t length, Varying(end));
  if (static_cast<size_t>(length) > end - at_) {
    return BadMidi(at_, Formatted("a system event says %d bytes, its track has %d left", length, end - at_));
  }
  at_ += static_cast<size_t>(length);
  return absl::OkStatus();
}

absl::Status MidiParser::Track(size_t end) {
  track_ = MidiTrack();
  has_program_ = has_notes_ = ended_ = false;
  running_ = 0;
  int64_t tick = 0;
  while (at_ < end && !ended_) {
    GRYM_ASSIGN_OR_RETURN(const int64_t delta, Varying(end));
    tick += delta;
    GRYM_RETURN_IF_ERROR(Event(end, tick));
  }
  at_ = end;
  CloseAll(tick);
  last_tick_ = std::max(last_tick_, tick);
  return absl::OkStatus();
}

absl::Status MidiParser::Header() {
  if (bytes_.substr(0, 4) != "MThd") {
    return Error(absl::StatusCode::kInvalidArgument, "not_midi",
                 "midi: want a file that starts with \"MThd\", got \"" + Printable(bytes_.substr(0, 4)) + "\"");
  }
  if (bytes_.size() < 14) return BadMidi(bytes_.size(), "cut off within the header");
  const uint64_t length = BigEndian(bytes_, 4, 4);
  if (length < 6 || length > bytes_.size() - 8)
    return BadMidi(4, Formatted("header: want 6 bytes, got %d", length));
  format_ = static_cast<int>(BigEndian(bytes_, 8, 2));
  declared_tracks_ = static_cast<int>(BigEndian(bytes_, 10, 2));
  const auto division = static_cast<int>(BigEndian(bytes_, 12, 2));
  if (format_ > 1) {
    return Error(absl::StatusCode::kUnimplemented, "unsupported_midi",
                 Formatted("midi: byte 8: want format 0 or 1, got %d", format_));
  }
  if (declared_tracks_ > kMaxMidiTracks)
    return MidiLimit(Formatted("want at most %d tracks, got %d", kMaxMidiTracks, declared_tracks_));
  if (declared_tracks_ == 0 || (format_ == 0 && declared_tracks_ != 1)) {
    return BadMidi(10, Formatted("format %d with %d tracks", format_, declared_tracks_));
  }
  if (division & 0x8000)
    return Error(absl::StatusCode::kUnimplemented, "unsupported_midi",
                 "midi: byte 12: want ticks per quarter, got SMPTE time code");
  if (division == 0) return BadMidi(12, "want 1 or more ticks per quarter, got 0");
  midi_.ticks_per_quarter = division;
  at_ = 8 + length;
  return absl::OkStatus();
}

absl::StatusOr<Midi> MidiParser::Parse() {
  if (static_cast<int64_t>(bytes_.size()) > kMaxMidiBytes)
    return MidiLimit(Formatted("want at most %d bytes, got %d", kMaxMidiBytes, bytes_.size()));
  GRYM_RETURN_IF_ERROR(Header());
  for (int found = 0; found < declared_tracks_;) {
    if (bytes_.size() - at_ < 8)
      return BadMidi(bytes_.size(),
                     Formatted("cut off: the header says %d tracks, got %d", declared_tracks_, found));
    const std::string_view id = bytes_.substr(at_, 4);
    const uint64_t length = BigEndian(bytes_, at_ + 4, 4);
    at_ += 8;
    if (length > bytes_.size() - at_) {
      return BadMidi(at_ - 4, Formatted("cut off: a chunk says %d bytes, the file has %d left", length,
                                              bytes_.size() - at_));
    }
    if (id != "MTrk") {  // chunks of other kinds are to be skipped
      at_ += length;
      continue;
    }
    GRYM_RETURN_IF_ERROR(Track(at_ + length));
    // The conductor track of format 1 holds tempi and metres, not music.
    const bool conductor = format_ == 1 && found == 0 && !has_notes_ && !has_program_ && track_.name.empty();
    if (!conductor) midi_.tracks.push_back(track_);
    ++found;
  }
  return Finish();
}

absl::StatusOr<Midi> MidiParser::Finish() {
  std::stable_sort(tempi_.begin(), tempi_.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::stable_sort(meters_.begin(), meters_.end(),
                   [](const auto& a, const auto& b) { return std::get<0>(a) < std::get<0>(b); });
  MidiTempoMap map(midi_.ticks_per_quarter);
  for (const auto& [tick, us_per_quarter] : tempi_) {
    map.Add(tick, us_per_quarter);
    const MidiTempo tempo{map.SecondsAt(tick), 60e6 / static_cast<double>(us_per_quarter)};
    if (!midi_.tempi.empty() && midi_.tempi.back().time_s == tempo.time_s) midi_.tempi.pop_back();
    midi_.tempi.push_back(tempo);
  }
  for (const auto& [tick, numerator, denominator] : meters_)
    midi_.meters.push_back({map.SecondsAt(tick), numerator, denominator});
  midi_.duration_s = map.SecondsAt(last_tick_);
  if (midi_.duration_s > kMaxMidiSeconds)
    return MidiLimit(Formatted("want at most %.0f s, got %.0f s", kMaxMidiSeconds, midi_.duration_s));
  midi_.notes.reserve(notes_.size());
  for (const TickNote& note : notes_) {
    const double start_s = map.SecondsAt(note.on);
    midi_.notes.push_back(
        {start_s, map.SecondsAt(note.off) - start_s, note.pitch, note.velocity, note.channel, note.track});
  }
  std::stable_sort(midi_.notes.begin(), midi_.notes.end(), [](const MidiNote& a, const MidiNote& b) {
    return std::tie(a.start_s, a.pitch, a.track, a.channel) < std::tie(b.start_s, b.pitch, b.track, b.channel);
  });
  return std::move(midi_);
}

}  // namespace

absl::StatusOr<Midi> ParseMidi(std::string_view bytes) { return MidiParser(bytes).Parse(); }

absl::StatusOr<Midi> LoadMidi(const std::filesystem::path& path) {
  GRYM_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxMidiBytes));
  absl::StatusOr<Midi> midi = ParseMidi(bytes);
  if (!midi.ok()) return Annotate(midi.status(), "\"" + Printable(path.string()) + "\"");
  return midi;
}

}  // namespace grym
