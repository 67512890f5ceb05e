// Files read from any time on, with Cues and without.
#include "parser/mkv_file.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/parser/mkv_builder.h"

namespace millrace::testing {
namespace {

constexpr std::int64_t kMs = 1'000'000;

enum class CuesPlace { kNone, kBehind, kInFront, kWrong };

// Ten Clusters of a second; each has a key frame at its beginning and after 500 ms but the fifth, which has
// none.
Bytes TenSeconds(SizeForm cluster_form, CuesPlace cues) {
  MkvBuilder mkv;
  mkv.Header(SizeForm::kKnown);
  // A SeekHead of a fixed size, filled in at the end.
  const std::size_t segment_payload = [&] {
    const std::string bytes(AsText(mkv.out()));
    return bytes.find(std::string("\x15\x49\xA9\x66", 4));
  }();
  const std::size_t head = mkv.out().size();
  const auto seek_head = [&](std::uint64_t position) {
    Bytes out;
    const std::size_t master = BeginMaster(out, ElementId::kSeekHead, 1);
    const std::size_t seek = BeginMaster(out, static_cast<ElementId>(0x4DBB), 1);
    AppendBinary(out, static_cast<ElementId>(0x53AB), Bytes{0x1C, 0x53, 0xBB, 0x6B});
    AppendUnsigned64(out, static_cast<ElementId>(0x53AC), position);
    EndMaster(out, seek, 1);
    EndMaster(out, master, 1);
    return out;
  };
  mkv.Raw(seek_head(0)).Tracks();
  const auto cue_points = [&](const std::vector<std::uint64_t>& clusters) {
    Bytes out;
    const std::size_t master = BeginMaster(out, ElementId::kCues, 4);
    for (std::size_t i = 0; i < clusters.size(); ++i) {
      const std::size_t point = BeginMaster(out, static_cast<ElementId>(0xBB), 1);
      AppendUnsigned64(out, static_cast<ElementId>(0xB3), 1000 * i);
      const std::size_t positions = BeginMaster(out, static_cast<ElementId>(0xB7), 1);
      AppendUnsigned(out, static_cast<ElementId>(0xF7), 1);
      AppendUnsigned64(out, static_cast<ElementId>(0xF1), clusters[i]);
      EndMaster(out, positions, 1);
      EndMaster(out, point, 1);
    }
    EndMaster(out, master, 4);
    return out;
  };
  const std::size_t front = mkv.out().size();
  if (cues == CuesPlace::kInFront) mkv.Raw(cue_points(std::vector<std::uint64_t>(10)));
  std::vector<std::uint64_t> clusters;
  for (std::uint64_t i = 0; i < 10; ++i) {
    clusters.push_back(mkv.out().size() - segment_payload);
    mkv.StartCluster(1000 * i, cluster_form);
    mkv.Simple(2, 0, true, "sound").Simple(1, 0, i != 5, "a" + std::to_string(i));
    mkv.Simple(1, 250, false, "b" + std::to_string(i))
        .Simple(1, 500, i != 5, "c" + std::to_string(i))
        .EndCluster();
  }
  const std::size_t behind = mkv.out().size();
  if (cues == CuesPlace::kBehind) mkv.Raw(cue_points(clusters));
  if (cues == CuesPlace::kWrong) {
    for (std::size_t i = 1; i + 1 < clusters.size(); ++i) clusters[i] += 5;
    mkv.Raw(cue_points(clusters));
  }
  const auto put = [&](std::size_t at, const Bytes& bytes) {
    std::copy(bytes.begin(), bytes.end(), mkv.out().begin() + static_cast<std::ptrdiff_t>(at));
  };
  if (cues == CuesPlace::kInFront) put(front, cue_points(clusters));
  put(head, seek_head((cues == CuesPlace::kInFront ? front : behind) - segment_payload));
  return mkv.Take();
}

struct SeekCase {
  SizeForm form;
  CuesPlace cues;
};

class SeekingFiles : public ::testing::TestWithParam<SeekCase> {
 protected:
  void SetUp() override {
    auto file = MkvFile::Open(
        std::make_unique<MemorySource>(SharedBytes(TenSeconds(GetParam().form, GetParam().cues))));
    ASSERT_TRUE(file) << file.error().message;
    file_ = std::move(*file);
  }
  // The next frame of video, as "c4@4500"; "" at the end.
  std::string NextVideo() {
    for (;;) {
      const auto frame = file_->Next();
      if (!frame) return frame.error().ToString();
      if (!*frame) return "";
      if ((*frame)->track != 1) continue;
      return std::string(AsText((*frame)->data.span())) + "@" + std::to_string((*frame)->timestamp_ns / kMs);
    }
  }
  std::unique_ptr<MkvFile> file_;
};

INSTANTIATE_TEST_SUITE_P(All, SeekingFiles,
                         ::testing::Values(SeekCase{SizeForm::kKnown, CuesPlace::kNone},
                                           SeekCase{SizeForm::kKnown, CuesPlace::kBehind},
                                           SeekCase{SizeForm::kKnown, CuesPlace::kInFront},
                                           SeekCase{SizeForm::kKnown, CuesPlace::kWrong},
                                           SeekCase{SizeForm::kUnknown1, CuesPlace::kNone},
                                           SeekCase{SizeForm::kUnknown8, CuesPlace::kBehind}));

TEST_P(SeekingFiles, BeginAtTheFirstFrame) {
  EXPECT_EQ(file_->document().tracks.size(), 2u);
  EXPECT_EQ(NextVideo(), "a0@0");
  EXPECT_EQ(NextVideo(), "b0@250");
  int frames = 2;
  while (!NextVideo().empty()) ++frames;
  EXPECT_EQ(frames, 30);
  EXPECT_EQ(NextVideo(), "");
}

TEST_P(SeekingFiles, GoToTheKeyFrameAtOrBefore) {
  const struct {
    std::int64_t ms;
    const char* frame;
  } cases[] = {{3000, "a3@3000"}, {3499, "a3@3000"},    {3500, "c3@3500"}, {3999, "c3@3500"},
               {5999, "c4@4500"}, {6000, "a6@6000"},    {0, "a0@0"},       {-1, "a0@0"},
               {9400, "a9@9000"}, {100'000, "c9@9500"}, {2000, "a2@2000"}, {1, "a0@0"},
               {5'000, "c4@4500"}};
  for (const auto& one : cases) {
    ASSERT_TRUE(file_->Seek(one.ms * kMs));
    EXPECT_EQ(NextVideo(), one.frame) << "sought " << one.ms << " ms";
  }
  EXPECT_EQ(file_->has_cues(),
            GetParam().cues == CuesPlace::kBehind || GetParam().cues == CuesPlace::kInFront);
}

TEST_P(SeekingFiles, ReadOnFromThere) {
  ASSERT_TRUE(file_->Seek(8'700 * kMs));
  EXPECT_EQ(NextVideo(), "c8@8500");
  EXPECT_EQ(NextVideo(), "a9@9000");
  EXPECT_EQ(NextVideo(), "b9@9250");
  EXPECT_EQ(NextVideo(), "c9@9500");
  EXPECT_EQ(NextVideo(), "");
  ASSERT_TRUE(file_->Seek(0));
  EXPECT_EQ(NextVideo(), "a0@0");
}

Result<std::unique_ptr<MkvFile>> OpenBytes(Bytes bytes, const ParserLimits& limits = {}) {
  return MkvFile::Open(std::make_unique<MemorySource>(SharedBytes(std::move(bytes))), limits);
}

TEST(MkvFile, RefusesWhatIsNoMatroskaFile) {
  EXPECT_FALSE(OpenBytes({}));
  EXPECT_FALSE(OpenBytes(Bytes(1000, 0)));
  EXPECT_FALSE(OpenBytes(Bytes(1000, 'x')));
  MkvBuilder trackless;
  trackless.Header().StartCluster(0).Simple(1, 0, true, "x").EndCluster();
  const auto file = OpenBytes(trackless.Take());
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kCorruption);
  ParserLimits limits;
  limits.header_bytes_max = 100;
  const auto large = OpenBytes(TenSeconds(SizeForm::kKnown, CuesPlace::kNone), limits);
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, ErrorCode::kResourceExhausted);
}

// As a saved body of GetMedia is: a document for each fragment.
TEST(MkvFile, ManyDocumentsAreReadAndSoughtEachWithItsOwnHeader) {
  for (const SizeForm form : {SizeForm::kKnown, SizeForm::kUnknown8}) {
    MkvBuilder mkv;
    for (std::uint64_t i = 0; i < 5; ++i) {
      mkv.Header().Tracks().Tags({{kFragmentNumberTag, std::to_string(i)}});
      mkv.StartCluster(1000 * i, form).Simple(1, 0, true, "a").Simple(1, 500, false, "b").EndCluster();
      mkv.Tags({{kContinuationTokenTag, "token"}});
    }
    auto opened = OpenBytes(mkv.Take());
    ASSERT_TRUE(opened) << opened.error().ToString();
    MkvFile& file = **opened;
    const auto next = [&]() -> std::string {
      const auto frame = file.Next();
      if (!frame) return frame.error().ToString();
      if (!*frame) return "";
      return std::string(AsText((*frame)->data.span())) + "@" + std::to_string((*frame)->timestamp_ns / kMs) +
             " of " + (*frame)->fragment->service.fragment_number.value_or("-");
    };
    EXPECT_EQ(next(), "a@0 of 0");
    ASSERT_TRUE(file.Seek(2600 * kMs));
    for (const char* frame : {"a@2000 of 2", "b@2500 of 2", "a@3000 of 3", "b@3500 of 3", "a@4000 of 4"}) {
      EXPECT_EQ(next(), frame);
    }
    ASSERT_TRUE(file.Seek(1000 * kMs));
    EXPECT_EQ(next(), "a@1000 of 1");
    ASSERT_TRUE(file.Seek(0));
    EXPECT_EQ(next(), "a@0 of 0");
  }
}

TEST(MkvFile, SeekingCostsSoManyHeaders) {
  ParserLimits limits;
  limits.header_bytes_max = 8 * 1024;
  const std::string text(4 * 1024, 'x');
  for (const int clusters : {10, 200}) {
    MkvBuilder mkv;
    mkv.Header().Tracks().Tags({{"large", text}});
    for (int i = 0; i < clusters; ++i) {
      mkv.StartCluster(static_cast<std::uint64_t>(1000 * i)).Simple(1, 0, false, "no key").EndCluster();
    }
    auto file = OpenBytes(mkv.Take(), limits);
    ASSERT_TRUE(file) << file.error().ToString();
    const auto sought = (*file)->Seek(std::int64_t{1'000'000} * kMs);
    EXPECT_EQ(sought.has_value(), clusters == 10);
    if (!sought) {
      EXPECT_EQ(sought.error().code, ErrorCode::kResourceExhausted);
    }
    // It can still be sought in.
    ASSERT_TRUE((*file)->Seek(0));
    const auto frame = (*file)->Next();
    ASSERT_TRUE(frame && *frame);
    EXPECT_EQ((*frame)->timestamp_ns, 0);
  }
}

class CountingSource final : public RandomAccess {
 public:
  CountingSource(SharedBytes bytes, std::size_t& reads) : source_(std::move(bytes)), reads_(reads) {}
  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::uint8_t> room) override {
    ++reads_;
    return source_.ReadAt(offset, room);
  }
  std::uint64_t size() const override { return source_.size(); }

 private:
  MemorySource source_;
  std::size_t& reads_;
};

TEST(MkvFile, FindsTheTimeOfAClusterByOneRead) {
  constexpr std::size_t kClusters = 1000;
  MkvBuilder mkv;
  mkv.Header().Tracks();
  for (std::uint64_t i = 0; i < kClusters; ++i) {
    mkv.StartCluster(1000 * i).Simple(1, 0, true, std::to_string(i)).EndCluster();
  }
  std::size_t reads = 0;
  auto file = MkvFile::Open(std::make_unique<CountingSource>(SharedBytes(mkv.Take()), reads));
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_TRUE((*file)->Seek(500'000 * kMs));
  EXPECT_LT(reads, kClusters + 100);
  const auto frame = (*file)->Next();
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ(AsText((*frame)->data.span()), "500");
}

// Cut or changed anywhere, a file ends in frames or an error, never in a loop or out of bounds.
TEST(MkvFile, TakesDamagedFiles) {
  for (const CuesPlace cues : {CuesPlace::kBehind, CuesPlace::kNone}) {
    const Bytes good = TenSeconds(cues == CuesPlace::kNone ? SizeForm::kUnknown1 : SizeForm::kKnown, cues);
    for (std::size_t at = 0; at < good.size(); at += 1) {
      Bytes bytes = good;
      if (at % 2 == 0) bytes.resize(at);
      if (at % 2 == 1) bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ (1u << at % 8));
      auto file = OpenBytes(std::move(bytes));
      if (!file) continue;
      for (const std::int64_t ms : {9000, 0}) {
        if (!(*file)->Seek(ms * kMs)) continue;
        int frames = 0;
        for (;;) {
          const auto frame = (*file)->Next();
          if (!frame || !*frame) break;
          ASSERT_LT(++frames, 100);
        }
      }
    }
  }
}

}  // namespace
}  // namespace millrace::testing
