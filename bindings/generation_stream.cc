#include "generation_stream.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <limits>
#include <utility>

#include "grymsynth/audio_codec.h"

namespace grym::python {

static constexpr char kWhat[] = "generation stream";

PyAudio PyGeneration::Next(const py::object& progress) {
  const Turn turn(turns_, kWhat);
  // Kept where what a callback raised, or Ctrl-C, is told in its place: the next call gives it.
  if (!ready_) {
    Blocking(progress, [this](const RunOptions& run, Listener&) -> absl::StatusOr<bool> {
      absl::StatusOr<AudioBuffer> block = stream_->Next(run);
      if (!block.ok()) return block.status();
      ready_ = *std::move(block);
      return true;
    });
  }
  AudioBuffer block = *std::exchange(ready_, std::nullopt);
  if (block.empty()) throw py::stop_iteration();
  return PyAudio::Of(std::make_shared<AudioBuffer>(std::move(block)));
}

void PyGeneration::Save(const std::filesystem::path& path) {
  const Turn turn(turns_, kWhat);
  if (ready_ && !ready_->empty()) {
    Throw(absl::FailedPreconditionError("generation stream: a block is made and not taken, call next() before save()"));
  }
  ThrowUnlessOk(Unlocked([&] { return stream_->Save(path); }));
}

std::shared_ptr<GenerateAudioResult> PyGeneration::Finish() {
  const Turn turn(turns_, kWhat);
  auto result = std::make_shared<GenerateAudioResult>(ValueOrThrow(Unlocked([this] { return stream_->Finish(); })));
  result->warnings.insert(result->warnings.begin(), warnings_.begin(), warnings_.end());
  return result;
}

namespace {

// Which of `values` is `value`, the first in the order of rows.
std::string PlaceOf(const py::array& values, const py::object& value) {
  const py::object flat = values.attr("reshape")(-1);
  const auto index = flat.attr("__eq__")(value).attr("argmax")().cast<py::ssize_t>();
  const py::ssize_t frames = values.shape(1);
  return "book " + std::to_string(index / frames) + ", frame " + std::to_string(index % frames);
}

// Whole numbers of any width that an int32 holds: what was rounded or wrapped would be another sound.
py::array_t<int32_t, py::array::c_style> WholeCodes(const py::array& values) {
  const char kind = values.dtype().kind();
  if (kind != 'i' && kind != 'u') {
    ThrowBad("values: want whole numbers that an int32 holds, got " + std::string(py::str(values.dtype())));
  }
  if (values.size() > 0) {
    constexpr int64_t kLeast = std::numeric_limits<int32_t>::min(), kMost = std::numeric_limits<int32_t>::max();
    for (const char* end : {"min", "max"}) {
      const py::object value = values.attr(end)();
      const py::int_ whole(value);  // of Python, so that a uint64 is compared as it is
      if (py::int_(kLeast) <= whole && whole <= py::int_(kMost)) continue;
      const std::string came = py::str(py::object(whole));
      ThrowBad("values: want whole numbers that an int32 holds, got " + came + " in " + PlaceOf(values, value));
    }
  }
  return py::array_t<int32_t, py::array::c_style>(py::object(values.attr("astype")(py::dtype::of<int32_t>())));
}

std::shared_ptr<AudioCodes> CodesFrom(const py::object& given, double frame_rate_hz) {
  const auto array = py::array(py::module_::import("numpy").attr("asarray")(given));
  if (array.ndim() != 2) ThrowBad("values: want shape [books, frames], got " + std::to_string(array.ndim()) + " axes");
  const py::array_t<int32_t, py::array::c_style> values = WholeCodes(array);
  auto codes = std::make_shared<AudioCodes>();
  codes->books = values.shape(0);
  codes->frames = values.shape(1);
  codes->values.assign(values.data(), values.data() + values.size());
  codes->frame_rate_hz = frame_rate_hz;
  return codes;
}

}  // namespace

void BindGenerationStream(py::module_& m) {
  py::class_<PyGeneration, Generation_>(m, "GenerationStream", R"(Audio that is being made: an iterator of Audio blocks.

The work is done inside next(), so to pause is not to call it; a KeyboardInterrupt or a cancelled call loses nothing, and
the next one goes on. All blocks one after another are what generate makes of the request.)")
      .def("__iter__", [](const Generation_& self) { return self; })
      .def("__next__", [](PyGeneration& self) { return self.Next(py::none()); })
      .def("next", &PyGeneration::Next, py::kw_only(), py::arg("progress") = py::none(),
           "The next block; raises StopIteration after the last. progress: called with a Progress.")
      .def("save", [](PyGeneration& self, const py::object& path) { self.Save(PathOf(path)); }, py::arg("path"),
           "Writes what resume_stream needs to go on in another process. Raises UnimplementedError (code "
           "\"no_saved_state\") for a model that cannot.")
      .def("finish", &PyGeneration::Finish,
           "After the last block: a GenerateAudioResult without its audio. Raises FailedPreconditionError before.");
  py::class_<AudioCodes, std::shared_ptr<AudioCodes>>(m, "AudioCodes", R"(Audio as a neural codec's whole numbers.

Args:
  values: whole numbers that an int32 holds [books, frames], the coarsest book first.
  frame_rate_hz: of the frames, where known.)")
      .def(py::init(&CodesFrom), py::arg("values"), py::kw_only(), py::arg("frame_rate_hz") = 0.0)
      .def_property_readonly("values", [](const std::shared_ptr<AudioCodes>& self) -> py::object {
        py::array_t<int32_t> view({self->books, self->frames}, self->values.data(), py::cast(self));
        view.attr("setflags")(py::arg("write") = false);
        return view;
      }, "int32 [books, frames], read-only.")
      .def_readonly("books", &AudioCodes::books)
      .def_readonly("frames", &AudioCodes::frames)
      .def_readonly("frame_rate_hz", &AudioCodes::frame_rate_hz)
      .def("__repr__", [](const AudioCodes& codes) {
        return py::str("AudioCodes(books={}, frames={}, frame_rate_hz={})")
            .format(codes.books, codes.frames, codes.frame_rate_hz);
      });
}

}  // namespace grym::python
