#include "models/musicgen/saved_piece.h"

#include <cstring>
#include <fstream>

#include "base/fs.h"
#include "base/hash.h"
#include "fake_nets.h"
#include "grymsynth/error.h"
#include "gtest/gtest.h"
#include "support/scratch.h"

namespace grym {
namespace {

using testing::FakeShape;
using testing::Scratch;

SavedPiece Piece() {
  SavedPiece piece;
  piece.fingerprint = "abc";
  piece.request.prompt = "a \"quoted\" waltz \xc3\xa4";
  piece.request.duration_s = 12.5;
  piece.request.seed = 77;
  piece.prompt_frames = 2;
  piece.prompt = {1, 2, 3, 4, 5, 6, 7, 8};
  piece.melody = Melody{{0, 11, 5}, {1, 2}, {}};
  piece.state.random = {1, 2, 3, 0xffffffffffffffffULL};
  WindowRecord record;
  record.start = 0;
  record.prompt = 2;
  record.frames = 3;
  record.columns = 4;
  record.codes = {1, 2, -1, 3, 4, -1, 5, 6, -1, 7, 8, -1};
  piece.state.windows = {record, record};
  piece.given = 4711;
  piece.sound = SoundMemory{2, {0.25f, -1, 3}, {7}};
  piece.warnings = {"one"};
  return piece;
}

std::string Bytes(const std::filesystem::path& path) { return ReadFile(path, 1 << 20).value(); }

TEST(SavedPieceTest, ComesBackAsItWas) {
  const Scratch scratch;
  const SavedPiece piece = Piece();
  ASSERT_TRUE(SavePiece(scratch / "a.piece", piece).ok());
  const auto loaded = LoadPiece(scratch / "a.piece", "abc", FakeShape());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(RequestToJson(loaded->request), RequestToJson(piece.request));
  EXPECT_EQ(loaded->prompt, piece.prompt);
  EXPECT_EQ(loaded->prompt_frames, 2);
  EXPECT_EQ(loaded->melody->first, piece.melody->first);
  EXPECT_EQ(loaded->melody->all, piece.melody->all);
  EXPECT_EQ(loaded->state.random, piece.state.random);
  ASSERT_EQ(loaded->state.windows.size(), 2u);
  EXPECT_EQ(loaded->state.windows[1].codes, piece.state.windows[1].codes);
  EXPECT_EQ(loaded->state.windows[1].columns, 4);
  EXPECT_EQ(loaded->state.windows[1].cut, -1);
  EXPECT_EQ(loaded->given, 4711);
  EXPECT_EQ(loaded->sound->frames, 2);
  EXPECT_EQ(loaded->sound->codec, piece.sound->codec);
  EXPECT_EQ(loaded->sound->seams, piece.sound->seams);
  EXPECT_EQ(loaded->warnings, piece.warnings);
}

// What programs before the sound's memory have written is as what is written without one, but for the number.
TEST(SavedPieceTest, ReadsVersionOne) {
  const Scratch scratch;
  SavedPiece piece = Piece();
  piece.sound.reset();
  ASSERT_TRUE(SavePiece(scratch / "a.piece", piece).ok());
  std::string bytes = Bytes(scratch / "a.piece");
  bytes.resize(bytes.size() - 64);
  for (const char version : {'\x01', '\x00', '\x03'}) {
    bytes[8] = version;
    ASSERT_TRUE(WriteFile(scratch / "b.piece", bytes + Sha256Hex(bytes)).ok());
    const auto loaded = LoadPiece(scratch / "b.piece", "abc", FakeShape());
    EXPECT_EQ(ErrorCode(loaded.status()), version == 1 ? "ok" : version == 0 ? "bad_state" : "newer_state");
    if (!loaded.ok()) continue;
    EXPECT_FALSE(loaded->sound.has_value());
    EXPECT_EQ(loaded->state.windows[1].codes, piece.state.windows[1].codes);
  }
}

TEST(SavedPieceTest, AnotherCheckpointsIsRefused) {
  const Scratch scratch;
  ASSERT_TRUE(SavePiece(scratch / "a.piece", Piece()).ok());
  const absl::Status status = LoadPiece(scratch / "a.piece", "def", FakeShape()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ErrorCode(status), "other_model");
}

// Every second byte changed, and cut before every other.
TEST(SavedPieceTest, DamageIsTold) {
  const Scratch scratch;
  ASSERT_TRUE(SavePiece(scratch / "a.piece", Piece()).ok());
  const std::string good = Bytes(scratch / "a.piece");
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x21);
    std::ofstream(scratch / "b.piece", std::ios::binary) << (at % 2 == 0 ? bytes : good.substr(0, at));
    const absl::Status status = LoadPiece(scratch / "b.piece", "abc", FakeShape()).status();
    const std::string code(ErrorCode(status));
    EXPECT_TRUE(code == "bad_state" || code == "newer_state") << at << " " << status;
  }
}

// With a digest that is right, so that the fields themselves are looked at.
absl::Status LoadedWith(const Scratch& scratch, const std::string& from, const std::string& to) {
  EXPECT_TRUE(SavePiece(scratch / "a.piece", Piece()).ok());
  std::string bytes = Bytes(scratch / "a.piece");
  bytes.resize(bytes.size() - 64);
  const size_t at = bytes.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  bytes.replace(at, from.size(), to);
  uint32_t length = 0;
  std::memcpy(&length, bytes.data() + 12, 4);
  length += static_cast<uint32_t>(to.size() - from.size());
  std::memcpy(bytes.data() + 12, &length, 4);
  bytes += Sha256Hex(bytes);
  EXPECT_TRUE(WriteFile(scratch / "b.piece", bytes).ok());
  return LoadPiece(scratch / "b.piece", "abc", FakeShape()).status();
}

TEST(SavedPieceTest, HostileFieldsAreRefused) {
  const Scratch scratch;
  EXPECT_TRUE(LoadedWith(scratch, "\"given\":4711", "\"given\":4712").ok());
  const std::pair<const char*, const char*> damages[] = {
      {"\"given\":4711", "\"given\":-1"},
      {"\"given\":4711", "\"given\":1e300"},
      {"\"promptFrames\":2", "\"promptFrames\":1000000"},
      {"\"codec\":3", "\"codec\":4"},
      {"\"codec\":3", "\"codec\":2"},
      {"\"codec\":3", "\"codec\":-3"},
      {"\"codec\":3", "\"codec\":60000000"},
      {"\"seams\":1", "\"seams\":\"x\""},
      {"\"frames\":2", "\"frames\":0"},
      {"\"sound\":{", "\"other\":{"},
      {"\"frames\":3", "\"frames\":900000"},
      {"\"frames\":3", "\"frames\":0"},
      {"\"frames\":3", "\"frames\":2"},
      {"\"columns\":4", "\"columns\":\"x\""},
      {"\"first\":\"alf\"", "\"first\":\"azf\""},
      {"\"first\":\"alf\"", "\"first\":\"\""},
      {"ffffffffffffffff", "fffffffffffffffg"},
      {"ffffffffffffffff\"", "ffffffffffffffff\",\"0000000000000001\""},
      {"\"request\":\"{", "\"request\":\"[{"},
      {"\\\"seed\\\":77", "\\\"sood\\\":77"},
      {"\"windows\":[{", "\"windows\":[{},{"},
      {"{", "{{"},
  };
  for (const auto& [from, to] : damages) {
    const absl::Status status = LoadedWith(scratch, from, to);
    EXPECT_EQ(ErrorCode(status), "bad_state") << to << " " << status;
    EXPECT_TRUE(absl::IsDataLoss(status)) << to;
  }
}

TEST(SavedPieceTest, WhatWouldNotComeBackIsNotSaved) {
  const Scratch scratch;
  SavedPiece piece = Piece();
  piece.request.prompt = std::string(600'000, '"');
  EXPECT_EQ(ErrorCode(SavePiece(scratch / "a.piece", piece)), "bad_request");
  EXPECT_FALSE(std::filesystem::exists(scratch / "a.piece"));
}

TEST(SavedPieceTest, ANewerVersionIsNamedAsSuch) {
  const Scratch scratch;
  ASSERT_TRUE(SavePiece(scratch / "a.piece", Piece()).ok());
  std::string bytes = Bytes(scratch / "a.piece");
  bytes[8] = 3;
  ASSERT_TRUE(WriteFile(scratch / "a.piece", bytes).ok());
  EXPECT_EQ(ErrorCode(LoadPiece(scratch / "a.piece", "abc", FakeShape()).status()), "newer_state");
}

TEST(SavedPieceTest, AFolderThatCannotBeWrittenIsToldAndNothingIsLeft) {
  const Scratch scratch;
  ASSERT_TRUE(WriteFile(scratch / "file", "x").ok());
  EXPECT_FALSE(SavePiece(scratch / "file" / "a.piece", Piece()).ok());
  EXPECT_TRUE(absl::IsNotFound(LoadPiece(scratch / "none.piece", "abc", FakeShape()).status()));
}

}  // namespace
}  // namespace grym
