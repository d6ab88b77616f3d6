#include "audio/riff_tags.h"

#include <algorithm>
#include <array>
#include <utility>

#include "audio/byte_order.h"
#include "audio/stream_header.h"
#include "base/status.h"

namespace grym {
namespace {

// The ids are those of the Microsoft RIFF specification (1991). The prompt is what a reader should see as the comment.
using InfoField = std::pair<const char*, std::string AudioMetadata::*>;
constexpr std::array<InfoField, 7> kInfoFields = {{{"INAM", &AudioMetadata::title},
                                                   {"ICMT", &AudioMetadata::prompt},
                                                   {"IKEY", &AudioMetadata::seed},
                                                   {"IART", &AudioMetadata::model},
                                                   {"ICOP", &AudioMetadata::licence},
                                                   {"ISBJ", &AudioMetadata::parameters},
                                                   {"ISFT", &AudioMetadata::software}}};
constexpr std::array<InfoField, 7> kIxmlFields = {{{"TITLE", &AudioMetadata::title},
                                                   {"PROMPT", &AudioMetadata::prompt},
                                                   {"SEED", &AudioMetadata::seed},
                                                   {"MODEL", &AudioMetadata::model},
                                                   {"LICENCE", &AudioMetadata::licence},
                                                   {"PARAMETERS", &AudioMetadata::parameters},
                                                   {"SOFTWARE", &AudioMetadata::software}}};
constexpr std::string_view kOwnElement = "GRYMSYNTH";

std::string Chunk(std::string_view id, std::string_view body) {
  std::string chunk(id);
  PutLittleEndian(chunk, body.size(), 4);
  chunk += body;
  if (body.size() % 2) chunk.push_back('\0');
  return chunk;
}

// At most `bytes`, never cut within a UTF-8 sequence, filled up with NUL.
std::string Fixed(std::string_view text, size_t bytes) {
  size_t length = std::min(text.size(), bytes);
  while (length < text.size() && length > 0 && (static_cast<uint8_t>(text[length]) & 0xc0) == 0x80) --length;
  std::string fixed(text.substr(0, length));
  fixed.resize(bytes, '\0');
  return fixed;
}

std::string XmlEscaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '\r': escaped += "&#13;"; break;  // a parser would turn a bare one into a line feed
      default: escaped.push_back(c);
    }
  }
  return escaped;
}

std::string XmlUnescaped(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, char>, 8> kEntities = {{{"&amp;", '&'},
                                                                                  {"&lt;", '<'},
                                                                                  {"&gt;", '>'},
                                                                                  {"&quot;", '"'},
                                                                                  {"&apos;", '\''},
                                                                                  {"&#13;", '\r'},
                                                                                  {"&#10;", '\n'},
                                                                                  {"&#9;", '\t'}}};
  std::string plain;
  while (!text.empty()) {
    size_t taken = 0;
    for (const auto& [entity, character] : kEntities) {
      if (text.front() != '&' || text.substr(0, entity.size()) != entity) continue;
      plain.push_back(character);
      taken = entity.size();
      break;
    }
    if (taken == 0) {
      plain.push_back(text.front());
      taken = 1;
    }
    text.remove_prefix(taken);
  }
  return plain;
}

// Text between <name> and </name>; false if there is none.
bool XmlElement(std::string_view xml, std::string_view name, std::string_view& content) {
  const std::string open = "<" + std::string(name) + ">", close = "</" + std::string(name) + ">";
  const size_t begin = xml.find(open);
  if (begin == std::string_view::npos) return false;
  const size_t end = xml.find(close, begin);
  if (end == std::string_view::npos) return false;
  content = xml.substr(begin + open.size(), end - begin - open.size());
  return true;
}

}  // namespace

std::string BextChunk(const AudioMetadata& metadata, std::string_view coding_history) {
  std::string body = Fixed(metadata.prompt.empty() ? metadata.title : metadata.prompt, 256);
  body += Fixed(metadata.software, 32);                                     // Originator
  body += Fixed(metadata.seed.empty() ? "" : "seed " + metadata.seed, 32);  // OriginatorReference
  // The date of origination stays empty, for the same request must give the same bytes.
  body += std::string(10 + 8, '\0');
  PutLittleEndian(body, 0, 8);          // time reference
  PutLittleEndian(body, 1, 2);          // version
  body += std::string(64 + 190, '\0');  // no UMID; reserved
  body += coding_history;
  return Chunk("bext", body);
}

std::string InfoChunk(const AudioMetadata& metadata) {
  std::string body = "INFO";
  for (const auto& [id, field] : kInfoFields) {
    const std::string& text = metadata.*field;
    if (!text.empty()) body += Chunk(id, text + '\0');
  }
  return Chunk("LIST", body);
}

std::string IxmlChunk(const AudioMetadata& metadata) {
  std::string xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<BWFXML>\n<IXML_VERSION>1.61</IXML_VERSION>\n";
  xml += "<PROJECT>" + XmlEscaped(metadata.title) + "</PROJECT>\n<NOTE>" + XmlEscaped(metadata.prompt) +
         "</NOTE>\n<USER>\n<";
  xml += std::string(kOwnElement) + ">\n";
  for (const auto& [name, field] : kIxmlFields) {
    xml += "<" + std::string(name) + ">" + XmlEscaped(metadata.*field) + "</" + name + ">\n";
  }
  xml += "</" + std::string(kOwnElement) + ">\n</USER>\n</BWFXML>\n";
  return Chunk("iXML", xml);
}

void ReadInfoBody(std::string_view body, AudioMetadata& metadata) {
  // A stranger's comment is no prompt and his artist no model: only the words that mean the same everywhere.
  for (size_t at = 4; at + 8 <= body.size();) {
    const size_t length = LittleEndian(body, at + 4, 4);
    if (length > body.size() - at - 8) return;
    std::string_view text = body.substr(at + 8, length);
    text = text.substr(0, text.find('\0'));
    for (const auto& [id, field] : kInfoFields) {
      const bool common =
          field == &AudioMetadata::title || field == &AudioMetadata::licence || field == &AudioMetadata::software;
      if (common && body.substr(at, 4) == id && static_cast<int64_t>(text.size()) <= kMaxTagBytes &&
          (metadata.*field).empty()) {
        metadata.*field = std::string(text);
      }
    }
    at += 8 + length + length % 2;
  }
}

void ReadIxmlBody(std::string_view body, AudioMetadata& metadata) {
  std::string_view own, content;
  if (!XmlElement(body, kOwnElement, own)) return;
  for (const auto& [name, field] : kIxmlFields) {
    if (!XmlElement(own, name, content)) continue;
    std::string text = XmlUnescaped(content);
    if (static_cast<int64_t>(text.size()) <= kMaxTagBytes) metadata.*field = std::move(text);
  }
}

}  // namespace grym
