// Standard MIDI Files.
#include "grymsynth/midi.h"

#include <pybind11/stl.h>

#include "face.h"

namespace grym::python {

void BindMidi(py::module_& m) {
  py::class_<MidiNote>(m, "MidiNote")
      .def(py::init([](double start_s, double duration_s, int pitch, int velocity, int channel, int track) {
        return MidiNote{start_s, duration_s, pitch, velocity, channel, track};
      }), py::kw_only(), py::arg("start_s"), py::arg("duration_s"), py::arg("pitch"), py::arg("velocity") = 64,
           py::arg("channel") = 0, py::arg("track") = 0)
      .def_readwrite("start_s", &MidiNote::start_s)
      .def_readwrite("duration_s", &MidiNote::duration_s)
      .def_readwrite("pitch", &MidiNote::pitch, "[0, 127], 60 = middle C.")
      .def_readwrite("velocity", &MidiNote::velocity, "[1, 127].")
      .def_readwrite("channel", &MidiNote::channel, "[0, 15]; 9 is percussion.")
      .def_readwrite("track", &MidiNote::track, "Index into Midi.tracks.")
      .def("__repr__", [](const MidiNote& note) {
        return py::str("MidiNote(start_s={:.3f}, duration_s={:.3f}, pitch={}, velocity={}, channel={}, track={})")
            .format(note.start_s, note.duration_s, note.pitch, note.velocity, note.channel, note.track);
      });
  py::class_<MidiTrack>(m, "MidiTrack")
      .def(py::init([](std::string name, int program) { return MidiTrack{std::move(name), program}; }), py::kw_only(),
           py::arg("name") = "", py::arg("program") = 0)
      .def_readwrite("name", &MidiTrack::name)
      .def_readwrite("program", &MidiTrack::program, "General MIDI program, [0, 127].");
  py::class_<MidiTempo>(m, "MidiTempo")
      .def(py::init([](double time_s, double tempo_bpm) { return MidiTempo{time_s, tempo_bpm}; }), py::kw_only(),
           py::arg("time_s"), py::arg("tempo_bpm"))
      .def_readwrite("time_s", &MidiTempo::time_s)
      .def_readwrite("tempo_bpm", &MidiTempo::tempo_bpm);
  py::class_<MidiMeter>(m, "MidiMeter")
      .def(py::init([](double time_s, int numerator, int denominator) {
        return MidiMeter{time_s, numerator, denominator};
      }), py::kw_only(), py::arg("time_s"), py::arg("numerator"), py::arg("denominator"))
      .def_readwrite("time_s", &MidiMeter::time_s)
      .def_readwrite("numerator", &MidiMeter::numerator)
      .def_readwrite("denominator", &MidiMeter::denominator);
  py::class_<Midi, std::shared_ptr<Midi>>(m, "Midi", "A piece: notes sorted by start, then pitch.")
      .def(py::init([](std::vector<MidiNote> notes, std::vector<MidiTrack> tracks, std::vector<MidiTempo> tempi,
                       std::vector<MidiMeter> meters) {
        Midi midi;
        midi.notes = std::move(notes);
        midi.tracks = std::move(tracks);
        midi.tempi = std::move(tempi);
        midi.meters = std::move(meters);
        return midi;
      }), py::kw_only(), py::arg("notes") = std::vector<MidiNote>(), py::arg("tracks") = std::vector<MidiTrack>(),
           py::arg("tempi") = std::vector<MidiTempo>(), py::arg("meters") = std::vector<MidiMeter>())
      .def_readonly("ticks_per_quarter", &Midi::ticks_per_quarter)
      .def_readwrite("tracks", &Midi::tracks)
      .def_readwrite("notes", &Midi::notes)
      .def_readwrite("tempi", &Midi::tempi)
      .def_readwrite("meters", &Midi::meters)
      .def_readonly("duration_s", &Midi::duration_s)
      .def("save", [](const Midi& midi, const py::object& path) {
        const std::filesystem::path target = PathOf(path);
        ThrowUnlessOk(Unlocked([&] { return SaveMidi(target, midi); }));
      }, py::arg("path"), "Writes a format 1 file, whole or not at all.")
      .def("to_bytes", [](const Midi& midi) {
        return py::bytes(ValueOrThrow(Unlocked([&] { return SerializeMidi(midi); })));
      }, "The file's bytes.")
      .def("__repr__", [](const Midi& midi) {
        return py::str("Midi(tracks={}, notes={}, duration_s={:.3f})")
            .format(midi.tracks.size(), midi.notes.size(), midi.duration_s);
      });
  m.def("load_midi", [](const py::object& path) {
    const std::filesystem::path source = PathOf(path);
    return ValueOrThrow(Unlocked([&] { return LoadMidi(source); }));
  }, py::arg("path"),
     "Reads a Standard MIDI File of format 0 or 1. Raises DataLossError with the byte of what is wrong.");
}

}  // namespace grym::python
