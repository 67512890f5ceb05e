// Sources of bytes, and what reads them when it is asked to: elements, frames, whole fragments.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <thread>
#include <vector>

#include "parser/element_reader.h"
#include "parser/element_visitors.h"
#include "parser/fragment_gatherer.h"
#include "parser/frame_reader.h"
#include "tests/parser/mkv_builder.h"
#include "tests/wait.h"

namespace millrace::testing {
namespace {

Bytes TwoFragments(SizeForm form = SizeForm::kKnown) {
  MkvBuilder mkv;
  mkv.Header().Tracks().Tags({{kFragmentNumberTag, "7"}});
  mkv.StartCluster(1000, form)
      .Simple(1, 0, true, "key")
      .Simple(2, 5, true, "sound")
      .Group(1, 40, "delta", 40, true);
  mkv.EndCluster().Tags({{kContinuationTokenTag, "7"}});
  mkv.StartCluster(2000, form).Simple(1, 0, true, "key two").EndCluster();
  return mkv.Take();
}

// Gives `step` bytes at a time, and counts how often it was asked.
class SlowSource final : public ByteSource {
 public:
  SlowSource(Bytes bytes, std::size_t step) : bytes_(std::move(bytes)), step_(step) {}
  Result<std::size_t> Read(std::span<std::uint8_t> room) override {
    ++reads;
    if (fail_at && at_ >= *fail_at) return Error{ErrorCode::kUnavailable, "the peer is gone"};
    const std::size_t count = std::min({room.size(), step_, bytes_.size() - at_});
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(at_), count, room.begin());
    at_ += count;
    return count;
  }
  int reads = 0;
  std::optional<std::size_t> fail_at;

 private:
  const Bytes bytes_;
  const std::size_t step_;
  std::size_t at_ = 0;
};

std::vector<std::string> Frames(ByteSource& source, std::string* error = nullptr) {
  FrameReader reader(source);
  std::vector<std::string> frames;
  for (;;) {
    auto frame = reader.Next();
    if (!frame && error != nullptr) *error = ToString(frame.error().code);
    if (!frame || !*frame) return frames;
    frames.push_back(std::to_string((*frame)->track) + "@" +
                     std::to_string((*frame)->timestamp_ns / 1'000'000) +
                     ((*frame)->key_frame ? "k " : "  ") + std::string(AsText((*frame)->data.span())) +
                     " of " + (*frame)->fragment->service.fragment_number.value_or("-"));
  }
}

const std::vector<std::string> kFrames = {"1@1000k key of 7", "2@1005k sound of 7", "1@1040  delta of 7",
                                          "1@2000k key two of -"};

class FrameReaderSteps : public ::testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Sizes, FrameReaderSteps, ::testing::Values(1, 3, 7, 64, 100000));

TEST_P(FrameReaderSteps, GivesEachFrameOnce) {
  for (const SizeForm form : {SizeForm::kKnown, SizeForm::kUnknown1}) {
    SlowSource source(TwoFragments(form), GetParam());
    EXPECT_EQ(Frames(source), kFrames);
  }
}

TEST(FrameReader, ReadsNoFurtherThanItIsAsked) {
  SlowSource source(TwoFragments(), 1);
  FrameReader reader(source);
  const auto frame = reader.Next();
  ASSERT_TRUE(frame && *frame);
  const int reads = source.reads;
  EXPECT_LT(static_cast<std::size_t>(reads), TwoFragments().size() / 2 + 200);
  ASSERT_TRUE(reader.Next());
  EXPECT_GT(source.reads, reads);
}

TEST(FrameReader, GivesWhatCameBeforeAnErrorThenTheErrorAgainAndAgain) {
  const Bytes bytes = TwoFragments();
  SlowSource source(bytes, 1);
  source.fail_at = bytes.size() - 3;
  std::string error;
  EXPECT_EQ(Frames(source, &error).size(), 3u);
  EXPECT_EQ(error, "unavailable");

  SlowSource cut(Bytes(bytes.begin(), bytes.end() - 3), 10);
  FrameReader reader(cut);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(reader.Next());
  for (int i = 0; i < 2; ++i) {
    const auto none = reader.Next();
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, ErrorCode::kCorruption);
  }
}

TEST(FrameReader, TheServicesErrorIsAnError) {
  MkvBuilder mkv;
  mkv.Header().Tracks().Tags({{kFragmentNumberTag, "9"}, {kErrorIdTag, "4000"}, {kErrorCodeTag, "gone"}});
  MemorySource source(SharedBytes(mkv.Take()));
  FrameReader reader(source);
  const auto none = reader.Next();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(none.error().message.find("fragment 9: gone (4000)"), std::string::npos) << none.error().message;
}

TEST(DescriptorSource, ReadsASocketAsItsPeerWrites) {
  std::array<int, 2> ends{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  std::thread writer([&] {
    const Bytes bytes = TwoFragments();
    for (std::size_t at = 0; at < bytes.size(); at += 50) {
      const std::size_t count = std::min<std::size_t>(50, bytes.size() - at);
      ASSERT_EQ(write(ends[1], bytes.data() + at, count), static_cast<ssize_t>(count));
    }
    close(ends[1]);
  });
  DescriptorSource source(ends[0], test::kPatience);
  EXPECT_EQ(Frames(source), kFrames);
  writer.join();
  close(ends[0]);
}

TEST(DescriptorSource, SilenceEndsAtTheTimeLimit) {
  std::array<int, 2> ends{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  DescriptorSource source(ends[0], std::chrono::milliseconds(5));
  std::array<std::uint8_t, 8> room{};
  const auto read = source.Read(room);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kDeadlineExceeded);
  close(ends[0]);
  close(ends[1]);
}

TEST(FileSource, ReadsFromAnywhereAndSaysWhatIsMissing) {
  std::string path = ::testing::TempDir() + "/millrace-source-XXXXXX";
  const int descriptor = mkstemp(path.data());
  ASSERT_GE(descriptor, 0);
  const Bytes bytes = TwoFragments();
  ASSERT_EQ(write(descriptor, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  close(descriptor);
  auto source = FileSource::Open(path);
  ASSERT_TRUE(source);
  EXPECT_EQ((*source)->size(), bytes.size());
  EXPECT_EQ(Frames(**source), kFrames);
  std::array<std::uint8_t, 4> room{};
  const auto got = (*source)->ReadAt(bytes.size() - 2, room);
  ASSERT_TRUE(got);
  EXPECT_EQ(*got, 2u);
  EXPECT_EQ(room[1], bytes.back());
  EXPECT_EQ(*(*source)->ReadAt(~std::uint64_t{0}, room), 0u);
  unlink(path.c_str());

  const auto none = FileSource::Open(path);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
  EXPECT_NE(none.error().message.find(path), std::string::npos);
  const auto directory = FileSource::Open(::testing::TempDir());
  ASSERT_TRUE(directory);
  EXPECT_EQ((*directory)->Read(room).error().code, ErrorCode::kIo);
}

TEST(ElementReader, GivesWhatMkvParserTells) {
  SlowSource source(TwoFragments(SizeForm::kUnknown1), 5);
  ElementReader reader(source);
  int depth = 0;
  std::vector<std::string> codecs;
  std::uint64_t last_end = 0;
  for (;;) {
    const auto element = reader.Next();
    ASSERT_TRUE(element) << element.error().message;
    if (!*element) break;
    if ((*element)->kind == MkvElement::Kind::kStart) ++depth;
    if ((*element)->kind == MkvElement::Kind::kEnd) --depth;
    if ((*element)->header.id == ElementId::kCodecId)
      codecs.emplace_back(DecodeText((*element)->data.span()));
    last_end = std::max(last_end, (*element)->end_offset);
  }
  EXPECT_EQ(depth, 0);
  EXPECT_EQ(codecs, (std::vector<std::string>{"V_MPEG4/ISO/AVC", "A_AAC"}));
  EXPECT_EQ(last_end, TwoFragments(SizeForm::kUnknown1).size());
}

TEST(ElementVisitors, CountAndMapInOnePass) {
  const Bytes bytes = TwoFragments(SizeForm::kUnknown1);
  ElementCounter counter;
  ElementMap map;
  VisitorList both({&counter, &map});
  MkvParser parser(both);
  ASSERT_TRUE(parser.Push(ByteSpan(bytes)));
  ASSERT_TRUE(parser.Finish());
  EXPECT_EQ(counter.count(ElementId::kCluster), 2u);
  EXPECT_EQ(counter.count(ElementId::kSimpleBlock), 3u);
  EXPECT_EQ(counter.count(ElementId::kBlockGroup), 1u);
  EXPECT_EQ(counter.count(ElementId::kCues), 0u);
  EXPECT_EQ(counter.counts().at(ElementId::kTrackEntry), 2u);
  ASSERT_FALSE(map.entries().empty());
  // Each begins where its id stands, and lies in the master around it.
  std::vector<const ElementMap::Entry*> around;
  for (const ElementMap::Entry& entry : map.entries()) {
    const auto at = static_cast<std::size_t>(entry.header.offset);
    EXPECT_EQ(DecodeElementId(ByteSpan(bytes).subspan(at)).value,
              static_cast<std::uint64_t>(entry.header.id));
    around.resize(entry.depth);
    EXPECT_LE(entry.end_offset, around.empty() ? bytes.size() : around.back()->end_offset);
    around.push_back(&entry);
  }
  EXPECT_EQ(map.entries().back().end_offset, bytes.size());
}

TEST(ElementVisitors, AMapIsBounded) {
  ElementMap map(10);
  MkvParser parser(map);
  const Bytes bytes = TwoFragments();
  const auto pushed = parser.Push(ByteSpan(bytes));
  ASSERT_FALSE(pushed);
  EXPECT_EQ(pushed.error().code, ErrorCode::kResourceExhausted);
}

class Refusing final : public MkvVisitor {
 public:
  Result<void> OnData(const ElementHeader&, const ElementData&) override {
    return Error{ErrorCode::kCancelled, "enough"};
  }
};

TEST(ElementVisitors, TheFirstErrorEndsTheList) {
  Refusing refusing;
  ElementCounter counter;
  VisitorList both({&refusing, &counter});
  MkvParser parser(both);
  const auto pushed = parser.Push(ByteSpan(TwoFragments()));
  ASSERT_FALSE(pushed);
  EXPECT_EQ(pushed.error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(counter.counts().empty());
}

TEST(FragmentGatherer, GivesWhatParseFragmentGives) {
  MkvBuilder mkv;
  mkv.Header().Tracks().StartCluster(1000).Simple(1, 0, true, "key").Simple(2, 5, true, "sound").EndCluster();
  const Bytes bytes = mkv.Take();
  const auto parsed = ParseFragment(SharedBytes(bytes));
  ASSERT_TRUE(parsed);
  int fragments = 0;
  FragmentGatherer gatherer([&](const ParsedFragment& whole) -> Result<void> {
    ++fragments;
    EXPECT_EQ(whole.document.tracks, parsed->document.tracks);
    EXPECT_EQ(whole.timestamp_ns, parsed->timestamp_ns);
    EXPECT_EQ(whole.clusters, 1u);
    EXPECT_EQ(whole.frames.size(), parsed->frames.size());
    for (std::size_t i = 0; i < whole.frames.size(); ++i) {
      EXPECT_EQ(AsText(whole.frames[i].data), AsText(parsed->frames[i].data));
      EXPECT_EQ(AsText(whole.Share(whole.frames[i]).span()), AsText(parsed->frames[i].data));
      EXPECT_EQ(whole.frames[i].timestamp_ns, parsed->frames[i].timestamp_ns);
    }
    return {};
  });
  SlowSource source(bytes, 11);
  ASSERT_TRUE(ReadFragments(source, gatherer));
  EXPECT_EQ(fragments, 1);
}

TEST(FragmentGatherer, DropsWhatIsCutAndBoundsItsFrames) {
  const Bytes bytes = TwoFragments();
  int fragments = 0;
  FragmentGatherer gatherer([&](const ParsedFragment&) -> Result<void> {
    ++fragments;
    return {};
  });
  SlowSource cut(Bytes(bytes.begin(), bytes.end() - 3), 10);
  EXPECT_FALSE(ReadFragments(cut, gatherer));
  EXPECT_EQ(fragments, 1);
  // The same gatherer goes on with the next connection.
  SlowSource again(bytes, 10);
  EXPECT_TRUE(ReadFragments(again, gatherer));
  EXPECT_EQ(fragments, 3);

  ParserLimits limits;
  limits.frames_max = 2;
  FragmentGatherer bounded([](const ParsedFragment&) -> Result<void> { return {}; }, limits);
  SlowSource many(bytes, 10);
  const auto read = ReadFragments(many, bounded);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kResourceExhausted);
}

}  // namespace
}  // namespace millrace::testing
