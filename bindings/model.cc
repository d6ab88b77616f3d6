// Models and routes.
#include "grymsynth/model.h"

#include <pybind11/stl.h>

#include "face.h"
#include "grymsynth/model_orchestrator.h"

namespace grym::python {
namespace {

const char* TypeName(ParamType type) {
  switch (type) {
    case ParamType::kBool: return "bool";
    case ParamType::kInt: return "int";
    case ParamType::kFloat: return "float";
    case ParamType::kString: return "string";
    case ParamType::kChoice: return "choice";
  }
  return "string";
}

}  // namespace

void BindModel(py::module_& m) {
  py::class_<ParamSpec>(m, "ParamSpec", "A parameter of a model's own.")
      .def_readonly("name", &ParamSpec::name)
      .def_property_readonly("type", [](const ParamSpec& param) { return std::string(TypeName(param.type)); })
      .def_readonly("unit", &ParamSpec::unit)
      .def_readonly("minimum", &ParamSpec::minimum)
      .def_readonly("maximum", &ParamSpec::maximum)
      .def_readonly("choices", &ParamSpec::choices)
      .def_readonly("default_value", &ParamSpec::default_value)
      .def_readonly("text", &ParamSpec::text);
  py::class_<ModelInfo>(m, "ModelInfo")
      .def_readonly("id", &ModelInfo::id)
      .def_readonly("version", &ModelInfo::version)
      .def_readonly("name", &ModelInfo::name)
      .def_readonly("description", &ModelInfo::description)
      .def_readonly("licence", &ModelInfo::licence)
      .def_property_readonly("capabilities", [](const ModelInfo& info) {
        std::vector<std::string> names;
        for (const Capability capability : info.capabilities) names.emplace_back(CapabilityName(capability));
        return names;
      })
      .def_readonly("params", &ModelInfo::params)
      .def_readonly("request_fields", &ModelInfo::request_fields)
      .def_readonly("rate_hz", &ModelInfo::rate_hz)
      .def_readonly("channels", &ModelInfo::channels)
      .def_readonly("device", &ModelInfo::device)
      .def_readonly("weights_bytes", &ModelInfo::weights_bytes)
      .def_readonly("seconds_per_audio_second", &ModelInfo::seconds_per_audio_second)
      .def("__repr__", [](const ModelInfo& info) {
        return py::str("ModelInfo(id={!r}, version={!r})").format(info.id, info.version);
      });
  py::class_<ChainLink>(m, "ChainLink")
      .def_readonly("model", &ChainLink::model)
      .def_property_readonly("capability",
                             [](const ChainLink& link) { return std::string(CapabilityName(link.capability)); })
      .def_property_readonly("seconds", [](const ChainLink& link) { return link.need.seconds; })
      .def_property_readonly("peak_bytes", [](const ChainLink& link) { return link.need.peak_bytes; })
      .def_property_readonly("weights_bytes", [](const ChainLink& link) { return link.need.weights_bytes; })
      .def_readonly("rate_hz", &ChainLink::rate_hz)
      .def_readonly("channels", &ChainLink::channels);
  py::class_<ModelChain>(m, "ModelChain", "Who would do a task, and why.")
      .def_readonly("links", &ModelChain::links)
      .def_readonly("reason", &ModelChain::reason)
      .def_readonly("rejected", &ModelChain::rejected);
}

}  // namespace grym::python
