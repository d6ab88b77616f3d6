// Standard MIDI Files written: format 1, a conductor track and one track for each of ours.
#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include "audio/byte_order.h"
#include "audio/midi_tempo_map.h"
#include "base/format.h"
#include "base/fs.h"
#include "base/status.h"
#include "grymsynth/midi.h"

namespace grym {
namespace {

absl::Status BadMidiValue(std::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "bad_midi", "midi: " + std::string(message));
}

bool TimeFits(double seconds) { return seconds >= 0 && seconds <= kMaxMidiSeconds; }  // false for NaN

absl::Status CheckNote(const Midi& midi, size_t index) {
  const MidiNote& note = midi.notes[index];
  const auto within = [&](const char* field, int value, int low, int high) -> absl::Status {
    if (value >= low && value <= high) return absl::OkStatus();
    return BadMidiValue(Formatted("notes[%d].%s: want %d to %d, got %d", index, field, low, high, value));
  };
  GRYM_RETURN_IF_ERROR(within("pitch", note.pitch, 0, 127));
  GRYM_RETURN_IF_ERROR(within("velocity", note.velocity, 1, 127));
  GRYM_RETURN_IF_ERROR(within("channel", note.channel, 0, 15));
  GRYM_RETURN_IF_ERROR(within("track", note.track, 0, static_cast<int>(midi.tracks.size()) - 1));
  if (!TimeFits(note.start_s))
    return BadMidiValue(
        Formatted("notes[%d].start_s: want 0 to %.0f, got %g", index, kMaxMidiSeconds, note.start_s));
  if (!TimeFits(note.duration_s) || !TimeFits(note.start_s + note.duration_s)) {
    return BadMidiValue(Formatted("notes[%d].duration_s: want an end of 0 to %.0f, got %g", index,
                                        kMaxMidiSeconds, note.duration_s));
  }
  return absl::OkStatus();
}

absl::Status CheckMidi(const Midi& midi) {
  if (midi.ticks_per_quarter < 1 || midi.ticks_per_quarter > 32767) {
    return BadMidiValue(Formatted("ticks_per_quarter: want 1 to 32767, got %d", midi.ticks_per_quarter));
  }
  if (midi.tracks.size() > static_cast<size_t>(kMaxMidiTracks) - 1) {
    return BadMidiValue(Formatted("tracks: want at most %d, got %d", kMaxMidiTracks - 1, midi.tracks.size()));
  }
  if (!TimeFits(midi.duration_s))
    return BadMidiValue(Formatted("duration_s: want 0 to %.0f, got %g", kMaxMidiSeconds, midi.duration_s));
  for (size_t i = 0; i < midi.tracks.size(); ++i) {
    const MidiTrack& track = midi.tracks[i];
    if (track.program < 0 || track.program > 127)
      return BadMidiValue(Formatted("tracks[%d].program: want 0 to 127, got %d", i, track.program));
    if (track.name.size() > kMaxMidiNameBytes) {
      return BadMidiValue(
          Formatted("tracks[%d].name: want at most %d bytes, got %d", i, kMaxMidiNameBytes, track.name.size()));
    }
  }
  for (size_t i = 0; i < midi.tempi.size(); ++i) {
    const MidiTempo& tempo = midi.tempi[i];
    if (!TimeFits(tempo.time_s))
      return BadMidiValue(
          Formatted("tempi[%d].time_s: want 0 to %.0f, got %g", i, kMaxMidiSeconds, tempo.time_s));
    // What 24 bits of microseconds a quarter hold.
    if (!(tempo.tempo_bpm >= 60e6 / 0xffffff && tempo.tempo_bpm <= 60e6)) {
      return BadMidiValue(Formatted("tempi[%d].tempo_bpm: want 3.58 to 60000000, got %g", i, tempo.tempo_bpm));
    }
  }
  for (size_t i = 0; i < midi.meters.size(); ++i) {
    const MidiMeter& meter = midi.meters[i];
    const bool power =
        meter.denominator >= 1 && meter.denominator <= 64 && (meter.denominator & (meter.denominator - 1)) == 0;
    if (!TimeFits(meter.time_s))
      return BadMidiValue(
          Formatted("meters[%d].time_s: want 0 to %.0f, got %g", i, kMaxMidiSeconds, meter.time_s));
    if (!power || meter.numerator < 1 || meter.numerator > 255) {
      return BadMidiValue(Formatted("meters[%d]: want 1-255 over 1, 2, 4 .. 64, got %d/%d", i, meter.numerator,
                                          meter.denominator));
    }
  }
  for (size_t i = 0; i < midi.notes.size(); ++i) GRYM_RETURN_IF_ERROR(CheckNote(midi, i));
  return absl::OkStatus();
}

// On one tick: words and numbers first, then what ends, then what begins.
struct MidiEvent {
  int64_t tick;
  int order;
  std::string bytes;
};

void PutVarying(std::string& to, int64_t value) {
  for (int shift = 21; shift > 0; shift -= 7) {
    if (value >> shift) to.push_back(static_cast<char>((value >> shift & 0x7f) | 0x80));
  }
  to.push_back(static_cast<char>(value & 0x7f));
}

std::string MetaEvent(int type, std::string_view body) {
  std::string event = "\xff";
  event.push_back(static_cast<char>(type));
  PutVarying(event, static_cast<int64_t>(body.size()));
  return event.append(body);
}

std::string ChannelEvent(int kind, int channel, int first, int second = -1) {
  std::string event(1, static_cast<char>(kind << 4 | channel));
  event.push_back(static_cast<char>(first));
  if (second >= 0) event.push_back(static_cast<char>(second));
  return event;
}

std::string TrackChunk(std::vector<MidiEvent> events, int64_t end_tick) {
  std::stable_sort(events.begin(), events.end(), [](const MidiEvent& a, const MidiEvent& b) {
    return std::tie(a.tick, a.order) < std::tie(b.tick, b.order);
  });
  constexpr int64_t kMaxDelta = (1 << 28) - 1;  // four bytes of seven bits
  std::string body;
  int64_t now = 0;
  const auto put = [&](int64_t tick, const std::string& bytes) {
    for (; tick - now > kMaxDelta; now += kMaxDelta) {  // an empty text event carries the time across
      PutVarying(body, kMaxDelta);
      body += MetaEvent(0x01, "");
    }
    PutVarying(body, tick - now);
    body += bytes;
    now = tick;
  };
  for (const MidiEvent& event : events) put(event.tick, event.bytes);
  put(std::max(end_tick, now), MetaEvent(0x2f, ""));
  std::string chunk = "MTrk";
  PutBigEndian(chunk, body.size(), 4);
  return chunk + body;
}

std::vector<MidiEvent> TempoEvents(const Midi& midi, MidiTempoMap& map) {
  std::vector<MidiTempo> tempi = midi.tempi;
  std::stable_sort(tempi.begin(), tempi.end(),
                   [](const MidiTempo& a, const MidiTempo& b) { return a.time_s < b.time_s; });
  std::vector<MidiEvent> events;
  for (const MidiTempo& tempo : tempi) {
    const int64_t tick = map.TickAt(tempo.time_s);
    const int64_t us_per_quarter = std::clamp<int64_t>(std::llround(60e6 / tempo.tempo_bpm), 1, 0xffffff);
    map.Add(tick, us_per_quarter);
    std::string body;
    PutBigEndian(body, static_cast<uint64_t>(us_per_quarter), 3);
    events.push_back({tick, 0, MetaEvent(0x51, body)});
  }
  return events;
}

std::vector<MidiEvent> MeterEvents(const Midi& midi, const MidiTempoMap& map) {
  std::vector<MidiEvent> events;
  for (const MidiMeter& meter : midi.meters) {
    int power = 0;
    while (1 << power < meter.denominator) ++power;
    std::string body;
    body.push_back(static_cast<char>(meter.numerator));
    body.push_back(static_cast<char>(power));
    body += "\x18\x08";  // 24 MIDI clocks a metronome click, 8 thirty-seconds a quarter
    events.push_back({map.TickAt(meter.time_s), 0, MetaEvent(0x58, body)});
  }
  return events;
}

}  // namespace

absl::StatusOr<std::string> SerializeMidi(const Midi& midi) {
  GRYM_RETURN_IF_ERROR(CheckMidi(midi));
  MidiTempoMap map(midi.ticks_per_quarter);
  std::vector<MidiEvent> conductor = TempoEvents(midi, map);
  for (MidiEvent& event : MeterEvents(midi, map)) conductor.push_back(std::move(event));

  std::vector<std::vector<MidiEvent>> tracks(midi.tracks.size());
  std::vector<uint32_t> channels(midi.tracks.size(), 0);  // a bit for each channel that the track plays on
  for (const MidiNote& note : midi.notes) {
    auto& events = tracks[static_cast<size_t>(note.track)];
    channels[static_cast<size_t>(note.track)] |= 1u << note.channel;
    const int64_t on = map.TickAt(note.start_s);
    const int64_t off = std::max(on + 1, map.TickAt(note.start_s + note.duration_s));  // a note lasts a tick at least
    events.push_back({on, 2, ChannelEvent(0x9, note.channel, note.pitch, note.velocity)});
    events.push_back({off, 1, ChannelEvent(0x8, note.channel, note.pitch, 64)});
  }
  std::string file = "MThd";
  PutBigEndian(file, 6, 4);
  PutBigEndian(file, 1, 2);
  PutBigEndian(file, tracks.size() + 1, 2);
  PutBigEndian(file, static_cast<uint64_t>(midi.ticks_per_quarter), 2);
  file += TrackChunk(std::move(conductor), map.TickAt(midi.duration_s));
  for (size_t i = 0; i < tracks.size(); ++i) {
    std::vector<MidiEvent> events;
    if (!midi.tracks[i].name.empty()) events.push_back({0, 0, MetaEvent(0x03, midi.tracks[i].name)});
    for (int channel = 0; channel < 16; ++channel) {
      const bool used = channels[i] >> channel & 1;
      if (used || (channels[i] == 0 && channel == 0))
        events.push_back({0, 0, ChannelEvent(0xc, channel, midi.tracks[i].program)});
    }
    events.insert(events.end(), std::make_move_iterator(tracks[i].begin()), std::make_move_iterator(tracks[i].end()));
    file += TrackChunk(std::move(events), 0);
  }
  if (static_cast<int64_t>(file.size()) > kMaxMidiBytes) {
    return Error(absl::StatusCode::kResourceExhausted, "midi_too_large",
                 Formatted("midi: want at most %d bytes, got %d", kMaxMidiBytes, file.size()));
  }
  return file;
}

absl::Status SaveMidi(const std::filesystem::path& path, const Midi& midi) {
  GRYM_ASSIGN_OR_RETURN(const std::string bytes, SerializeMidi(midi));
  return WriteFile(path, bytes);
}

}  // namespace grym
