// Numbers as text, the same in every locale: strtod, printf and std::to_string follow the host program's LC_NUMERIC,
// and a library that reads "0,5" for "0.5" makes other bytes from the same request.
#pragma once
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

namespace grym {

// A finite number at the start of `text`, and in `rest` what follows it; nothing where none begins.
inline std::optional<double> LeadingNumber(std::string_view text, std::string_view* rest) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, failed] = std::from_chars(text.data(), end, value);
  if (failed != std::errc() || !(value - value == 0)) return std::nullopt;
  *rest = std::string_view(stop, static_cast<size_t>(end - stop));
  return value;
}

// All of `text` as a finite number; nothing for anything else, a space included.
inline std::optional<double> ParseNumber(std::string_view text) {
  std::string_view rest;
  const std::optional<double> value = LeadingNumber(text, &rest);
  return rest.empty() ? value : std::nullopt;
}

// Six significant digits at most, as printf's "%.6g" writes them in the C locale.
inline std::string ShortNumber(double value) {
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof text, value, std::chars_format::general, 6).ptr);
}

}  // namespace grym
