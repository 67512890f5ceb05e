// Goal: a clip holds exactly the footage that was asked for. Method: real media is recorded, exported, and
// decoded by ffmpeg.
#include "consumers/clips/clip_exporter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "memory_fragment_store.h"
#include "test_media.h"

namespace millrace {
namespace {

using testing::DecodedMd5;
using ::testing::HasSubstr;
using testing::MakeMedia;
using testing::MemoryFragmentStore;
using testing::ProbedPacket;
using testing::TemporaryDirectory;
using testing::TestMedia;
using testing::TestRecorder;

constexpr Timestamp kStart = Timestamp::FromMillis(1'763'690'820'123);

class ClipExport : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(store_.CreateStream("door", std::chrono::hours(1))); }

  void Record(const TestMedia& media, BuilderLimits limits = {}) {
    TestRecorder(store_, *store_.GetStream("door"), limits).Record(media.tracks, media.frames);
  }
  ClipRequest Request(Duration from, Duration to, ClipFormat format = ClipFormat::kMp4) {
    return {"door", kStart + from, kStart + to, format};
  }
  // Exports to a sink, and writes down what came.
  Result<ClipSummary> ToSinkFile(const ClipRequest& request, const std::string& path) {
    Bytes bytes;
    auto summary = exporter_.ToSink(request, [&](ByteSpan part) -> Result<void> {
      bytes.insert(bytes.end(), part.begin(), part.end());
      return {};
    });
    EXPECT_EQ(summary ? summary->bytes : bytes.size(), bytes.size());
    testing::WriteFile(path, {SharedBytes(std::move(bytes))});
    return summary;
  }
  std::size_t FilesIn(const TemporaryDirectory& directory) {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(directory.path()), {}));
  }

  TemporaryDirectory directory_;
  MemoryFragmentStore store_;
  ClipExporter exporter_{store_};
};

void ExpectSame(const std::vector<std::string>& decoded, const std::vector<std::string>& source) {
  EXPECT_EQ(decoded.size(), source.size());
  for (std::size_t i = 0; i < std::min(decoded.size(), source.size()); ++i) {
    ASSERT_EQ(decoded[i], source[i]) << "frame " << i;
  }
}

TEST_F(ClipExport, AMinuteIsTheSourceInEveryForm) {
  TestMedia media = MakeMedia(directory_, {.seconds = 61, .b_frames = 2}, kStart);
  Record(media);
  struct Form {
    const char* name;
    ClipFormat format;
    bool sink;
  };
  for (const Form& form :
       {Form{"file.mp4", ClipFormat::kMp4, false}, Form{"file.mkv", ClipFormat::kMkv, false},
        Form{"sink.mp4", ClipFormat::kMp4, true}, Form{"sink.mkv", ClipFormat::kMkv, true}}) {
    SCOPED_TRACE(form.name);
    const std::string path = directory_.File(form.name);
    ClipRequest request = Request(Duration{0}, std::chrono::minutes(5), form.format);
    auto summary = form.sink ? ToSinkFile(request, path) : exporter_.ToFile(request, path);
    ASSERT_TRUE(summary) << summary.error().ToString();
    EXPECT_EQ(summary->video_frames, media.video_md5.size());
    EXPECT_EQ(summary->audio_frames, media.audio_md5.size());
    EXPECT_EQ(summary->gaps, 0U);
    EXPECT_EQ(summary->first, kStart);
    EXPECT_EQ(summary->bytes, std::filesystem::file_size(path));
    ExpectSame(DecodedMd5(directory_, path, "v"), media.video_md5);
    ExpectSame(DecodedMd5(directory_, path, "a"), media.audio_md5);
    auto tags = testing::RunCommand(
        directory_,
        "ffprobe -v warning -show_entries format_tags=creation_time:format=start_time -of csv=p=0 " + path);
    EXPECT_THAT(tags.output, HasSubstr("2025-11-21T02:07:00"));
    if (!form.sink) {
      EXPECT_THAT(tags.output, HasSubstr("0.000000"));
    }
  }
  // Sound and picture begin together, also where no edit list says so.
  for (const char* name : {"file.mp4", "sink.mp4"}) {
    const double video_s =
        static_cast<double>(testing::ProbePackets(directory_, directory_.File(name), "v:0").front().pts);
    const double audio_s =
        static_cast<double>(testing::ProbePackets(directory_, directory_.File(name), "a:0").front().pts);
    EXPECT_NEAR(video_s / 90'000, audio_s / 48'000, 0.001) << name;
  }
  // The progressive file's index stands in front of its media.
  const std::string mp4 = testing::ReadTextFile(directory_.File("file.mp4"));
  EXPECT_LT(mp4.find("moov"), mp4.find("mdat"));
  std::vector<ProbedPacket> video = testing::ProbePackets(directory_, directory_.File("file.mp4"), "v:0");
  for (std::size_t i = 0; i + 1 < video.size(); ++i) ASSERT_LT(video[i].dts, video[i + 1].dts);
  std::vector<ProbedPacket> audio = testing::ProbePackets(directory_, directory_.File("file.mp4"), "a:0");
  for (std::size_t i = 0; i + 1 < audio.size(); ++i) ASSERT_EQ(audio[i].dts + 1024, audio[i + 1].dts);
}

TEST_F(ClipExport, BeginsAtTheKeyFrameAndEndsToTheFrame) {
  TestMedia media = MakeMedia(directory_, {.seconds = 20, .b_frames = 0}, kStart);  // a key frame every 2 s
  Record(media);
  const std::string path = directory_.File("clip.mp4");
  auto summary =
      exporter_.ToFile(Request(std::chrono::milliseconds(7'300), std::chrono::milliseconds(11'010)), path);
  ASSERT_TRUE(summary) << summary.error().ToString();
  EXPECT_EQ(summary->first, kStart + std::chrono::seconds(6));
  EXPECT_EQ(summary->video_frames, 126U);  // 6.00 s to 11.00 s
  ExpectSame(DecodedMd5(directory_, path, "v"),
             {media.video_md5.begin() + 150, media.video_md5.begin() + 276});
}

TEST_F(ClipExport, GapsAreJoinedAndChaptersSayTheTime) {
  TestMedia before = MakeMedia(directory_, {.seconds = 4}, kStart);
  Record(before);
  TestMedia after = MakeMedia(directory_, {.seconds = 4}, kStart + std::chrono::hours(3));
  after.tracks = before.tracks;
  Record(after);
  std::vector<std::string> video = before.video_md5;
  video.insert(video.end(), after.video_md5.begin(), after.video_md5.end());
  for (const char* name : {"clip.mp4", "clip.mkv"}) {
    SCOPED_TRACE(name);
    const std::string path = directory_.File(name);
    auto format = *ClipFormatFromString(std::string_view(name).substr(5));
    auto summary = exporter_.ToFile(Request(Duration{0}, std::chrono::hours(4), format), path);
    ASSERT_TRUE(summary) << summary.error().ToString();
    EXPECT_EQ(summary->gaps, 1U);
    EXPECT_LT(summary->duration, std::chrono::milliseconds(8'300));
    ExpectSame(DecodedMd5(directory_, path, "v:0"), video);
    if (format == ClipFormat::kMkv) {
      auto chapters = testing::RunCommand(
          directory_, "ffprobe -v warning -show_entries chapter_tags=title -of csv=p=0 " + path);
      EXPECT_EQ(chapters.output, "2025-11-21T02:07:00.123Z\n2025-11-21T05:07:00.123Z\n");
    }
    std::vector<ProbedPacket> packets = testing::ProbePackets(directory_, path, "v:0");
    if (path.ends_with("mp4")) {
      for (std::size_t i = 0; i + 1 < packets.size(); ++i) ASSERT_LT(packets[i].dts, packets[i + 1].dts);
    }
  }
  // As a stream too.
  auto summary = ToSinkFile(Request(Duration{0}, std::chrono::hours(4)), directory_.File("sink.mp4"));
  ASSERT_TRUE(summary) << summary.error().ToString();
  ExpectSame(DecodedMd5(directory_, directory_.File("sink.mp4"), "v"), video);
}

TEST_F(ClipExport, AMissingFragmentIsAGap) {
  TestMedia media = MakeMedia(directory_, {.seconds = 12, .key_frame_interval = 25, .audio = false}, kStart);
  Record(media);
  store_.Remove("door", 4);
  const std::string path = directory_.File("clip.mp4");
  auto summary = exporter_.ToFile(Request(Duration{0}, std::chrono::minutes(1)), path);
  ASSERT_TRUE(summary) << summary.error().ToString();
  EXPECT_EQ(summary->gaps, 1U);
  std::vector<std::string> expected = media.video_md5;
  expected.erase(expected.begin() + 75, expected.begin() + 100);
  ExpectSame(DecodedMd5(directory_, path, "v:0"), expected);
}

TEST_F(ClipExport, ChangedParametersAreAClearError) {
  Record(MakeMedia(directory_, {.seconds = 3, .audio = false}, kStart));
  Record(MakeMedia(directory_, {.seconds = 3, .width = 320, .height = 180, .audio = false},
                   kStart + std::chrono::seconds(10)));
  auto summary =
      exporter_.ToFile(Request(Duration{0}, std::chrono::minutes(1)), directory_.File("changed-clip.mp4"));
  ASSERT_FALSE(summary);
  EXPECT_EQ(summary.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(summary.error().message, HasSubstr("2025-11-21T02:07:10.123Z"));
  EXPECT_THAT(summary.error().message, HasSubstr("192x108"));
  EXPECT_FALSE(exporter_.Check(Request(Duration{0}, std::chrono::minutes(1))));
  EXPECT_TRUE(exporter_.Check(Request(Duration{0}, std::chrono::seconds(9))));
  EXPECT_TRUE(exporter_.Check(Request(std::chrono::seconds(9), std::chrono::minutes(1))));
}

TEST_F(ClipExport, BadRequestsAndFailuresLeaveNothingBehind) {
  TestMedia media = MakeMedia(directory_, {.seconds = 4}, kStart);
  Record(media);
  TemporaryDirectory out;
  struct Case {
    const char* name;
    ClipRequest request;
    ErrorCode code;
  };
  for (const Case& bad : {
           Case{"empty", Request(std::chrono::seconds(1), std::chrono::seconds(1)),
                ErrorCode::kInvalidArgument},
           Case{"backwards", Request(std::chrono::seconds(3), std::chrono::seconds(1)),
                ErrorCode::kInvalidArgument},
           Case{"later", Request(std::chrono::hours(3), std::chrono::hours(4)), ErrorCode::kNotFound},
           Case{"stream",
                {"no\nsuch", kStart, kStart + std::chrono::seconds(1), ClipFormat::kMp4},
                ErrorCode::kNotFound},
       }) {
    auto summary = exporter_.ToFile(bad.request, out.path() / "clip.mp4");
    ASSERT_FALSE(summary) << bad.name;
    EXPECT_EQ(summary.error().code, bad.code) << bad.name;
  }
  const ClipRequest good = Request(Duration{0}, std::chrono::seconds(9));
  EXPECT_EQ(exporter_.ToFile(good, out.path() / "no" / "such" / "clip.mp4").error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(exporter_.ToFile(good, out.path() / "clip.mp4", [] { return true; }).error().code,
            ErrorCode::kCancelled);
  EXPECT_EQ(ClipExporter(store_, {.fragments_max = 1}).ToFile(good, out.path() / "clip.mp4").error().code,
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(ClipExporter(store_, {.frames_max = 10}).ToFile(good, out.path() / "clip.mp4").error().code,
            ErrorCode::kInvalidArgument);
  auto full = exporter_.ToSink(good, [](ByteSpan) -> Result<void> {
    return Error{ErrorCode::kNoSpace, "full"};
  });
  EXPECT_EQ(full.error().code, ErrorCode::kNoSpace);
  store_.SetReadHook([&] { store_.Remove("door", 2); });  // expires while it is exported
  EXPECT_EQ(exporter_.ToFile(good, out.path() / "clip.mp4").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(FilesIn(out), 0U);
}

}  // namespace
}  // namespace millrace
