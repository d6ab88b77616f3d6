// What runs short of memory, and what it works upon.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "grymsynth.h"

namespace grym::testing {

// Counts a failed expectation and tells it.
void Complain(const std::string& what);
int Complaints();

// A call under test. `call` runs short of memory; the others do not.
struct Walk {
  std::string name;
  std::function<grym_status()> call;    // leaves what it made in a variable
  std::function<std::string()> result;  // describes and releases what it made
  std::function<std::string()> state = [] { return std::string(); };  // of what the call works upon
  int64_t stride = 1;  // above the first 40, for calls that take long or repeat another's
  int64_t cached = 0;  // blocks that a call cut short may leave in a cache beyond what an undisturbed one does
};

// What all walks share.
struct Bench {
  std::filesystem::path folder;
  std::string wav, flac, store;
  grym_engine* engine = nullptr;
  grym_audio* audio = nullptr;
  grym_features* features = nullptr;
  grym_patterns* patterns = nullptr;
  grym_memory* memory = nullptr;
  std::string patterns_json;

  Bench();
  ~Bench();
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;
  static void Want(grym_status status);
  std::string StoreState();  // counts, and whether rows and index agree
  // Temporary folders of the library that no later start would know for a dead owner's.
  std::string LostFolders() const;
};

// The words of what a call made, with the handle given back.
std::string Take(grym_text*& text);
std::string Describe(grym_audio*& audio);
std::string Describe(grym_features*& features);
std::string Describe(grym_patterns*& patterns);
std::string Describe(grym_result*& result);

void AddAudioWalks(Bench& bench, std::vector<Walk>& walks);
void AddTextWalks(Bench& bench, std::vector<Walk>& walks);
void AddMemoryWalks(Bench& bench, std::vector<Walk>& walks);
void AddHearingWalks(Bench& bench, std::vector<Walk>& walks);
void AddMakingWalks(Bench& bench, std::vector<Walk>& walks);
void AddWorkflowWalks(Bench& bench, std::vector<Walk>& walks);

}  // namespace grym::testing
