// Audio and audio files.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "face.h"

namespace grym::python {
namespace {

template <class T>
struct Choice {
  const char* name;
  T value;
};
constexpr Choice<SampleFormat> kFormats[] = {
    {"pcm16", SampleFormat::kPcm16}, {"pcm24", SampleFormat::kPcm24}, {"float32", SampleFormat::kFloat32}};
constexpr Choice<AudioContainer> kContainers[] = {
    {"wav", AudioContainer::kWav}, {"flac", AudioContainer::kFlac}, {"ogg", AudioContainer::kOggVorbis}};
constexpr Choice<ResampleQuality> kQualities[] = {
    {"best", ResampleQuality::kBest}, {"medium", ResampleQuality::kMedium}, {"fast", ResampleQuality::kFast},
    {"libsamplerate", ResampleQuality::kLibsamplerate}};

template <class T, size_t N>
T Chosen(const Choice<T> (&choices)[N], const std::string& name, const char* what) {
  std::string names;
  for (const Choice<T>& choice : choices) {
    if (name == choice.name) return choice.value;
    names += std::string(" ") + choice.name;
  }
  ThrowBad(std::string(what) + ": want one of" + names + ", got " + Quoted(name));
}

AudioMetadata MetadataFrom(const py::dict& given) {
  AudioMetadata metadata;
  const std::pair<const char*, std::string*> fields[] = {
      {"title", &metadata.title},     {"prompt", &metadata.prompt},         {"seed", &metadata.seed},
      {"model", &metadata.model},     {"licence", &metadata.licence},       {"parameters", &metadata.parameters},
      {"software", &metadata.software}};
  for (const auto& [key, value] : given) {
    const std::string name = py::str(key);
    bool known = false;
    for (const auto& [field, text] : fields) {
      if (name != field) continue;
      *text = py::str(value);
      known = true;
    }
    if (!known) {
      ThrowBad("metadata: want title, prompt, seed, model, licence, parameters, software, got \"" + name + "\"");
    }
  }
  return metadata;
}

py::dict MetadataDict(const AudioMetadata& metadata) {
  py::dict dict;
  dict["title"] = metadata.title;
  dict["prompt"] = metadata.prompt;
  dict["seed"] = metadata.seed;
  dict["model"] = metadata.model;
  dict["licence"] = metadata.licence;
  dict["parameters"] = metadata.parameters;
  dict["software"] = metadata.software;
  return dict;
}

void Save(const PyAudio& audio, const py::object& path, const py::object& container, const std::string& format,
          bool dither, uint64_t dither_seed, double ogg_quality, const py::object& metadata) {
  SaveOptions options;
  if (!container.is_none()) options.container = Chosen(kContainers, container.cast<std::string>(), "container");
  options.format = Chosen(kFormats, format, "format");
  options.dither = dither;
  options.dither_seed = dither_seed;
  options.ogg_quality = ogg_quality;
  if (!metadata.is_none()) options.metadata = MetadataFrom(metadata.cast<py::dict>());
  const std::filesystem::path target = PathOf(path);
  const auto buffer = audio.Buffer();
  ThrowUnlessOk(Unlocked([&] { return SaveAudio(target, *buffer, options); }));
}

PyAudio Owned(absl::StatusOr<AudioBuffer> made) {
  return PyAudio::Of(std::make_shared<AudioBuffer>(ValueOrThrow(std::move(made))));
}

py::ssize_t Frames(const PyAudio& audio) {
  return audio.samples.attr("shape").cast<py::tuple>()[1].cast<py::ssize_t>();
}
py::ssize_t Channels(const PyAudio& audio) {
  return audio.samples.attr("shape").cast<py::tuple>()[0].cast<py::ssize_t>();
}

void BindAudioClass(py::module_& m) {
  py::class_<PyAudio>(m, "Audio", R"(`samples`, float32 of shape (channels, frames), full scale at +-1, and `rate_hz`.

Audio(samples, rate_hz) keeps the array it is given, without a copy; a 1-D array is mono. Another dtype or layout
raises InvalidArgumentError: a shape is never guessed. Objects with __dlpack__ (torch tensors) are taken without a
copy too. Calls and jobs read `samples` in place: do not write into them until the call
has returned or the job is done.)")
      .def(py::init([](const py::object& samples, int rate_hz) { return PyAudio::FromArray(samples, rate_hz); }),
           py::arg("samples"), py::arg("rate_hz"))
      .def_readonly("samples", &PyAudio::samples, "numpy float32, shape (channels, frames); a view, not a copy.")
      .def_readonly("rate_hz", &PyAudio::rate_hz)
      .def_property_readonly("channels", &Channels)
      .def_property_readonly("frames", &Frames, "Per channel.")
      .def_property_readonly("duration_s",
                             [](const PyAudio& audio) { return static_cast<double>(Frames(audio)) / audio.rate_hz; })
      .def("save", &Save, py::arg("path"), py::kw_only(), py::arg("container") = py::none(),
           py::arg("format") = "pcm16", py::arg("dither") = true, py::arg("dither_seed") = 0,
           py::arg("ogg_quality") = 0.6, py::arg("metadata") = py::none(),
           R"(Writes WAV, FLAC or OGG, whole or not at all.

Args:
  path: where; its extension chooses the container unless `container` ("wav", "flac", "ogg") does.
  format: "pcm16", "pcm24" or "float32". 16 and 24 bit are dithered; the same seed gives the same bytes.
  metadata: texts by name: title, prompt, seed, model, licence, parameters, software.)")
      .def("resample", [](const PyAudio& audio, int rate_hz, const std::string& quality) {
        const auto buffer = audio.Buffer();
        const ResampleQuality chosen = Chosen(kQualities, quality, "quality");
        return Owned(Unlocked([&] { return Resample(*buffer, rate_hz, chosen); }));
      }, py::arg("rate_hz"), py::arg("quality") = "best", "A copy at another rate: \"best\", \"medium\", \"fast\" (soxr's), or \"libsamplerate\" (its best, slower).")
      .def("mix_channels", [](const PyAudio& audio, int channels) {
        const auto buffer = audio.Buffer();
        return Owned(Unlocked([&] { return MixChannels(*buffer, channels); }));
      }, py::arg("channels"), "A copy with so many channels. Mono to stereo copies, stereo to mono is the mean.")
      .def("__array__", [](const PyAudio& audio, const py::object& dtype, const py::object& copy) -> py::object {
        const py::module_ numpy = py::module_::import("numpy");
        if (!copy.is_none() && copy.cast<bool>()) return numpy.attr("array")(audio.samples, dtype);
        return numpy.attr("asarray")(audio.samples, dtype);
      }, py::arg("dtype") = py::none(), py::arg("copy") = py::none())
      .def("__dlpack__", [](const PyAudio& audio, const py::kwargs& how) {
        return audio.samples.attr("__dlpack__")(**how);
      })
      .def("__dlpack_device__", [](const PyAudio& audio) { return audio.samples.attr("__dlpack_device__")(); })
      .def("__reduce__", [](const PyAudio& audio) {
        return py::make_tuple(py::type::of<PyAudio>(), py::make_tuple(audio.samples, audio.rate_hz));
      })
      .def("__repr__", [](const PyAudio& audio) {
        return py::str("Audio(channels={}, frames={}, rate_hz={})")
            .format(Channels(audio), Frames(audio), audio.rate_hz);
      })
      .def("_repr_html_", [](const py::object& self) { return Html("audio", self); });
}

}  // namespace

void BindAudio(py::module_& m) {
  // pybind11 looks numpy up for the first array, and gives up the interpreter's lock on the way: a thread that makes it
  // while the interpreter ends would be ended inside a destructor, and the process with it. So it is looked up here.
  py::dtype::of<float>();
  BindAudioClass(m);
  py::class_<AudioFileInfo>(m, "AudioFileInfo", "What the header of an audio file says.")
      .def_property_readonly("container",
                             [](const AudioFileInfo& info) { return std::string(AudioContainerName(info.container)); })
      .def_readonly("encoding", &AudioFileInfo::encoding)
      .def_readonly("channels", &AudioFileInfo::channels)
      .def_readonly("rate_hz", &AudioFileInfo::rate_hz)
      .def_readonly("frames", &AudioFileInfo::frames, "Per channel; -1 when only decoding can tell.")
      .def_property_readonly("metadata", [](const AudioFileInfo& info) { return MetadataDict(info.metadata); });
  m.def("load", [](const py::object& path) {
    const std::filesystem::path source = PathOf(path);
    return Owned(Unlocked([&] { return LoadAudio(source); }));
  }, py::arg("path"), R"(Reads a file whole: WAV, RF64, AIFF, FLAC, OGG (Vorbis, Opus) or MP3, told apart by content.

Returns: Audio.
Raises: NotFoundError; DataLossError for a damaged file; InvalidArgumentError for what is no audio file;
  ResourceExhaustedError beyond 1 GiB decoded.)");
  m.def("probe", [](const py::object& path) {
    const std::filesystem::path source = PathOf(path);
    return ValueOrThrow(Unlocked([&] { return ProbeAudioFile(source); }));
  }, py::arg("path"), "Reads the header of an audio file and its metadata.");
}

}  // namespace grym::python
