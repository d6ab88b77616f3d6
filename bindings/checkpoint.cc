// A look into published model files: tensors and tokenizers.
#include "grymsynth/checkpoint.h"

#include <pybind11/stl.h>

#include "face.h"
#include "grymsynth/tokenizer.h"

namespace grym::python {

void BindCheckpoint(py::module_& m) {
  py::class_<TensorSummary>(m, "TensorSummary", "One tensor of a checkpoint.")
      .def_readonly("dtype", &TensorSummary::dtype)
      .def_readonly("shape", &TensorSummary::shape)
      .def_readonly("bytes", &TensorSummary::bytes)
      .def_readonly("sum", &TensorSummary::sum)
      .def_readonly("absolute_sum", &TensorSummary::absolute_sum);
  m.def("summarize_tensors", [](const py::object& path, const py::object& progress) {
    const std::filesystem::path file = PathOf(path);
    return Blocking(progress, [&](const RunOptions& run, Listener&) { return SummarizeTensors(file, run); });
  }, py::arg("path"), py::kw_only(), py::arg("progress") = py::none(),
        "TensorSummary by name, of a safetensors file, the index of a sharded one, or a folder.");
  py::class_<Tokenizer, std::shared_ptr<Tokenizer>>(m, "Tokenizer", R"(Text to token ids and back, as transformers does it.

Args:
  path: a folder, a tokenizer.json, a vocab.json (with merges.txt beside it where there is one), or a SentencePiece model.
Raises: NotFoundError, DataLossError (code "damaged_tokenizer"), InvalidArgumentError (code "bad_tokenizer"),
  UnimplementedError (code "unsupported_tokenizer") with the step that we do not have.)")
      .def(py::init([](const py::object& path) {
        const std::filesystem::path file = PathOf(path);
        return std::const_pointer_cast<Tokenizer>(ValueOrThrow(Unlocked([&] { return OpenTokenizer(file); })));
      }), py::arg("path"))
      .def("encode", [](const Tokenizer& self, const std::string& text, bool special_tokens) {
        return ValueOrThrow(Unlocked([&] { return self.Encode(text, {special_tokens}); }));
      }, py::arg("text"), py::kw_only(), py::arg("special_tokens") = true,
           "Ids, without padding and truncation. Text of at most 1 MiB of UTF-8.")
      .def("decode", [](const Tokenizer& self, const std::vector<int32_t>& ids, bool skip_special_tokens) {
        return ValueOrThrow(Unlocked([&] { return self.Decode(ids, {skip_special_tokens}); }));
      }, py::arg("ids"), py::kw_only(), py::arg("skip_special_tokens") = false,
           "Text of ids; letters of CTC are collapsed.")
      .def_property_readonly("kind", [](const Tokenizer& self) { return std::string(self.kind()); })
      .def_property_readonly("vocabulary_size", &Tokenizer::vocabulary_size)
      .def("token_id", &Tokenizer::TokenId, py::arg("token"), "None for a token that there is not.");
}

}  // namespace grym::python
