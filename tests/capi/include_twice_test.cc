// The C header is C++ too.
#include "grymsynth.h"
#include "grymsynth.h"  // NOLINT: on purpose

int main() { return grym_version()[0] == '0' ? 0 : 1; }
