// Memory that runs out: malloc and its kin, and operator new, replaced for the whole process.
#pragma once
#include <cstdint>

namespace grym::testing {

// Whether this platform lets a program replace malloc for the libraries it is linked with (glibc does).
bool MallocCanFail();

// From now on allocations are counted, over all threads, and number `nth` (1 is the next) fails, and all after it if
// `for_good`. 0: none fails. Everything that C++ allocates counts, and what SQLite and libsamplerate ask
// malloc for. What glibc, soxr, libsndfile and its codecs ask for does not: soxr 0.1.3, libsndfile 1.2, libvorbis and
// libogg follow a null pointer, and the promise is about our own code.
void FailAllocation(int64_t nth, bool for_good);
// Ends it; returns the number of allocations counted, and tells how many were refused.
int64_t StopFailing(int64_t* refused);

// Blocks that are allocated and not yet freed, in the whole process, whoever asked for them.
int64_t LiveBlocks();

}  // namespace grym::testing
