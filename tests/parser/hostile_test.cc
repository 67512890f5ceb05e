// What damaged and hostile input may cost: it parses or is refused, the same in every split, within the
// limits.
#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <random>

#include "parser/parse_fragment.h"
#include "tests/parser/mkv_builder.h"
#include "tests/parser/read_log.h"

namespace {

// Every allocation of this test program goes through here, so that the largest in a stretch of code can be
// told.
std::atomic<std::size_t> largest_allocation{0};

void* Allocate(std::size_t size) {
  std::size_t seen = largest_allocation.load();
  while (seen < size && !largest_allocation.compare_exchange_weak(seen, size)) {
  }
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}

}  // namespace

// Not inlined: the compiler would take a pair of which it sees through only one half for a mismatched one.
[[gnu::noinline]] void* operator new(std::size_t size) { return Allocate(size); }
[[gnu::noinline]] void* operator new[](std::size_t size) { return Allocate(size); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace millrace::testing {
namespace {

// A document with every construct that the readers know.
Bytes SmallDocument(SizeForm segment, SizeForm cluster) {
  MkvBuilder mkv;
  mkv.Header(segment).Tracks().Tags({{kFragmentNumberTag, "1"}, {kProducerTimestampTag, "1.5"}});
  mkv.StartCluster(1000, cluster).Simple(1, 0, true, "key frame").Group(1, 40, "delta", 40, true);
  mkv.SimpleRaw(2, 0, 0x82, Bytes{2, 3, 1, 'a', 'a', 'a', 'b', 'c', 'c'});
  mkv.SimpleRaw(2, 60, 0x86, Bytes{2, 0x83, 0xBD, 'a', 'a', 'a', 'b', 'c', 'c'});
  AppendText(mkv.out(), ElementId::kVoid, "void");
  mkv.EndCluster().Tags({{"door", "open"}});
  return mkv.Take();
}

const SizeForm kForms[] = {SizeForm::kKnown, SizeForm::kUnknown1, SizeForm::kUnknown8};

TEST(Hostile, CutAtEveryByte) {
  for (const SizeForm form : kForms) {
    const Bytes whole = SmallDocument(form, form);
    const std::size_t frames = ReadWhole(whole).lines.size();
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const ReadLog log = ReadEveryWay(ByteSpan(whole).first(size));
      ASSERT_LE(log.lines.size(), frames);
      if (form == SizeForm::kKnown && size > 60) {
        ASSERT_EQ(log.error, "corruption") << "cut at " << size;
      }
    }
  }
}

TEST(Hostile, EveryBitFlipped) {
  for (const SizeForm form : kForms) {
    Bytes bytes = SmallDocument(form, form);
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      for (int bit = 0; bit < 8; ++bit) {
        bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ (1 << bit));
        ReadEveryWay(bytes);
        ASSERT_FALSE(HasFailure()) << "byte " << at << ", bit " << bit;
        bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ (1 << bit));
      }
    }
  }
}

TEST(Hostile, RandomBytesAfterAHeader) {
  constexpr std::uint32_t kSeed = 77;
  std::mt19937 random(kSeed);
  for (int round = 0; round < 2000; ++round) {
    MkvBuilder mkv;
    mkv.Header().Tracks().StartCluster(0, SizeForm::kUnknown1).Simple(1, 0, true, "x");
    // Of bytes that mean something, so that it goes deeper than the first one.
    constexpr std::uint8_t kBytes[] = {0xA3, 0xA0, 0xA1, 0x81, 0x82, 0x84, 0x88, 0x9B,
                                       0xFB, 0xE7, 0xEC, 0xFF, 0x40, 0x1F, 0x43, 0xB6,
                                       0x75, 0x12, 0x54, 0xC3, 0x67, 0x00, 0x02, 0x06};
    for (int i = 0; i < 60; ++i) mkv.out().push_back(kBytes[random() % sizeof(kBytes)]);
    ReadEveryWay(mkv.Take());
    ASSERT_FALSE(HasFailure()) << "seed " << kSeed << ", round " << round;
  }
}

// A sender that claims much and sends little costs little.
TEST(Hostile, ClaimedSizesAreNotAllocated) {
  for (const ElementId id : {ElementId::kSimpleBlock, ElementId::kVoid, static_cast<ElementId>(0x4FFF)}) {
    for (const std::uint64_t size : {kVintMax, std::uint64_t{1} << 32, std::uint64_t{31} << 20}) {
      MkvBuilder mkv;
      mkv.Header().Tracks().StartCluster(0, SizeForm::kUnknown8);
      AppendElementHeader(mkv.out(), id, size);
      const SharedBytes bytes(mkv.Raw(Bytes(1000, 0x81)).Take());
      largest_allocation = 0;
      LoggingHandler handler;
      FragmentReader reader(handler);
      Result<void> result = reader.Push(bytes.span());
      if (result) result = reader.Finish();
      EXPECT_FALSE(result);
      EXPECT_FALSE(ParseFragment(bytes));
      EXPECT_LE(largest_allocation.load(), std::size_t{256} << 10) << ElementName(id) << " of " << size;
    }
  }
}

TEST(Hostile, AFrameTakesNoMoreThanItsSize) {
  constexpr std::size_t kFrame = 5 << 20;
  MkvBuilder mkv;
  mkv.Header().Tracks().StartCluster(0, SizeForm::kUnknown8).Simple(1, 0, true, std::string(kFrame, 'f'));
  const Bytes bytes = mkv.Take();
  class Counter final : public FragmentHandler {
   public:
    Result<void> OnFrame(const MkvFragment& /*fragment*/, const MkvFrame& frame) override {
      size = frame.data.span().size();
      return {};
    }
    std::size_t size = 0;
  };
  Counter counter;
  FragmentReader reader(counter);
  largest_allocation = 0;
  for (std::size_t at = 0; at < bytes.size(); at += 1000) {
    ASSERT_TRUE(reader.Push(ByteSpan(bytes).subspan(at, std::min<std::size_t>(1000, bytes.size() - at))));
  }
  EXPECT_EQ(counter.size, kFrame);
  EXPECT_LE(largest_allocation.load(), kFrame + 4) << "track, timestamp and flags are gathered with it";
}

// Each of these grows with the input's length and no faster: a quadratic one would take minutes here.
TEST(Hostile, ManySmallThings) {
  constexpr int kMany = 200'000;
  MkvBuilder mkv;
  mkv.Header().Tracks().StartCluster(0, SizeForm::kUnknown8);
  for (int i = 0; i < kMany; ++i) mkv.out().insert(mkv.out().end(), {0xEC, 0x80});  // empty Voids
  for (int i = 0; i < kMany; ++i) mkv.Simple(1, 0, false, "");
  mkv.out().insert(mkv.out().end(), {0x1F, 0x43, 0xB6, 0x75, 0xFF, 0xE7, 0x80});
  for (int i = 0; i < kMany / 10; ++i) mkv.Tags({});
  for (int i = 0; i < kMany / 10; ++i) mkv.StartCluster(0, SizeForm::kUnknown1);
  const Bytes bytes = mkv.Take();
  EXPECT_EQ(ReadByteByByte(bytes).error, "");
  const Result<ParsedFragment> fragment = ParseFragment(SharedBytes(bytes));
  ASSERT_TRUE(fragment) << fragment.error().message;
  EXPECT_EQ(fragment->frames.size(), static_cast<std::size_t>(kMany));
}

TEST(Hostile, ManyDocuments) {
  MkvBuilder mkv;
  for (int i = 0; i < 3000; ++i) mkv.Header(SizeForm::kUnknown1).Tracks();
  EXPECT_EQ(ReadByteByByte(mkv.Take()).error, "");
}

}  // namespace
}  // namespace millrace::testing
