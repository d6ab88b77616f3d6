// A step of the network's surroundings asks for no memory: sampling and the columns that are taken in.
#include <cstdlib>
#include <new>

#include "fake_nets.h"
#include "gtest/gtest.h"
#include "models/musicgen/code_window.h"

namespace {

thread_local bool t_watching = false;
thread_local int t_allocations = 0;

void* Counted(std::size_t bytes) {
  if (t_watching) ++t_allocations;
  void* const block = std::malloc(bytes > 0 ? bytes : 1);
  if (!block) throw std::bad_alloc();
  return block;
}

}  // namespace

void* operator new(std::size_t bytes) { return Counted(bytes); }
void* operator new[](std::size_t bytes) { return Counted(bytes); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete[](void* block, std::size_t) noexcept { std::free(block); }

namespace grym {
namespace {

TEST(MusicgenAllocationTest, AStepAsksForNone) {
  const testing::FakeNets nets(testing::FakeShape(2));
  const MusicgenShape& shape = nets.shape();
  SamplingOptions options = shape.defaults;
  options.top_p = 0.9;
  WindowRecord record;
  record.frames = 100;
  record.columns = 1;
  record.codes.assign(static_cast<size_t>(shape.pattern.books * record.frames), -1);
  CodeSampler sampler(shape.vocab, options, 1);
  auto model = nets.Network({}).value();
  auto window = CodeWindow::Start(model, shape, {{&record, &sampler, nullptr, {}}}, {});
  ASSERT_TRUE(window.ok()) << window.status();
  t_watching = true;
  absl::Status status;
  for (int i = 0; i < 50 && status.ok(); ++i) status = window->Step();
  t_watching = false;
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(t_allocations, 0);
  t_watching = true;
  ::operator delete(::operator new(1));
  t_watching = false;
  EXPECT_EQ(t_allocations, 1);  // that the count counts
}

}  // namespace
}  // namespace grym
