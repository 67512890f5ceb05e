// Goal: GetClip gives the whole range as one file, and each request that cannot have one the service's error,
// with the way round. Method: real footage in a real log, raw requests, the file read back by ffmpeg.
#include <gmock/gmock.h>

#include "footage_server.h"
#include "tests/consumers/memory_fragment_store.h"
#include "tests/consumers/test_media.h"
#include "tests/wait.h"

namespace millrace::api::testing {
namespace {

using millrace::testing::DecodedMd5;
using millrace::testing::MakeMedia;
using millrace::testing::MemoryFragmentStore;
using millrace::testing::TemporaryDirectory;
using millrace::testing::TestMedia;
using millrace::testing::TestRecorder;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class GetClipTest : public FootageServerTest {
 protected:
  void Append(Fragment fragment) {
    const VideoStream stream = *store_->GetStream("door");
    fragment.facts.number = *store_->OpenFragment(stream);
    std::promise<Result<FragmentNumber>> done;
    store_->Append(stream, std::move(fragment),
                   [&](Result<FragmentNumber> result) { done.set_value(std::move(result)); });
    const auto appended = done.get_future().get();
    ASSERT_TRUE(appended) << appended.error().ToString();
  }
  // A key frame, and so a fragment, every two seconds. `change` sees each before it is stored.
  TestMedia Record(int seconds, const std::function<void(Fragment&)>& change = {}) {
    const TestMedia media = MakeMedia(files_, {.seconds = seconds}, kNow);
    MemoryFragmentStore memory;
    EXPECT_TRUE(memory.CreateStream("door", std::chrono::hours(1)));
    TestRecorder(memory, *memory.GetStream("door")).Record(media.tracks, media.frames);
    const auto recorded = memory.List("door", {});
    for (const FragmentFacts& facts : *recorded) {
      Fragment fragment = *memory.Read("door", facts.number);
      if (change) change(fragment);
      Append(std::move(fragment));
    }
    return media;
  }
  AwsAnswer Ask(Timestamp start, Timestamp end, const std::string& clock = "PRODUCER_TIMESTAMP",
                const std::string& stream = "door") {
    WaitForExports();
    return Rest("/getClip", R"({"StreamName":")" + stream +
                                R"(","ClipFragmentSelector":{"FragmentSelectorType":")" + clock +
                                R"(","TimestampRange":{"StartTimestamp":)" + Seconds(start) +
                                R"(,"EndTimestamp":)" + Seconds(end) + "}}}");
  }
  std::string Written(const AwsAnswer& answer) {
    EXPECT_EQ(answer.status(), 200) << answer.Fault();
    const std::string path = files_.File("clip.mp4");
    millrace::testing::WriteFile(path, {SharedBytes(Bytes(answer.raw.body.begin(), answer.raw.body.end()))});
    return path;
  }

  TemporaryDirectory files_;
};

TEST_F(GetClipTest, TheWholeRangeIsOneFile) {
  const TestMedia media = Record(12);
  const auto answer = Ask(At(0), At(60'000));
  const std::string path = Written(answer);
  EXPECT_EQ(answer.raw.Header("Content-Type"), "video/mp4");
  EXPECT_EQ(answer.raw.Header("Content-Length"), std::to_string(answer.raw.body.size()));
  EXPECT_EQ(DecodedMd5(files_, path, "v"), media.video_md5);
  EXPECT_EQ(DecodedMd5(files_, path, "a"), media.audio_md5);
  EXPECT_LT(answer.raw.body.find("moov"), answer.raw.body.find("mdat"));
  // Whole fragments, both ends included.
  const auto part = Ask(At(2'000), At(4'000));
  EXPECT_EQ(DecodedMd5(files_, Written(part), "v"),
            std::vector<std::string>(media.video_md5.begin() + 50, media.video_md5.begin() + 150));
  test::WaitUntil([&] { return media_budget_.taken() == 0; });
  EXPECT_EQ(media_budget_.taken(), 0U);
}

TEST_F(GetClipTest, WhatCannotBeHadIsSaid) {
  Record(4);
  ASSERT_TRUE(store_->CreateStream("ring", Duration{0}));
  EXPECT_THAT(
      Ask(At(60'000), At(70'000)).Fault(),
      AllOf(StartsWith("ResourceNotFoundException: No fragments found"), HasSubstr("it has some from")));
  EXPECT_EQ(Ask(At(60'000), At(70'000)).status(), 404);
  EXPECT_EQ(Ask(At(0), At(1'000), "PRODUCER_TIMESTAMP", "nowhere").Fault(),
            "ResourceNotFoundException: The requested stream is not found or not active.");
  EXPECT_THAT(Ask(At(0), At(1'000), "PRODUCER_TIMESTAMP", "ring").Fault(),
              StartsWith("NoDataRetentionException: "));
  EXPECT_THAT(Ask(At(1'000), At(1'000)).Fault(), StartsWith("InvalidArgumentException: "));
  EXPECT_THAT(Ask(At(1'000), At(0)).Fault(), StartsWith("InvalidArgumentException: "));
  EXPECT_THAT(Ask(At(0), At(1'000), "WALL_CLOCK").Fault(), StartsWith("InvalidArgumentException: "));
  for (const char* body :
       {R"({"StreamName":"door"})", R"({"StreamName":"door","ClipFragmentSelector":{}})",
        R"({"StreamName":"door","ClipFragmentSelector":{"FragmentSelectorType":"SERVER_TIMESTAMP"}})"}) {
    EXPECT_THAT(Rest("/getClip", body).Fault(), StartsWith("InvalidArgumentException: ")) << body;
  }
}

TEST_F(GetClipTest, ACodecThatMp4CannotHoldIsNamed) {
  Record(4, [](Fragment& fragment) {
    fragment.facts.tracks[0].codec = Codec::kVp8;
    fragment.facts.tracks_id = TracksId(fragment.facts.tracks);
  });
  EXPECT_THAT(
      Ask(At(0), At(9'000)).Fault(),
      AllOf(StartsWith("UnsupportedStreamMediaTypeException: track 1 (vp8)"), HasSubstr("format=mkv")));
}

TEST_F(GetClipTest, AMissingCodecPrivateIsSaid) {
  Record(4, [](Fragment& fragment) {
    fragment.facts.tracks[0].codec_private.clear();
    fragment.facts.tracks_id = TracksId(fragment.facts.tracks);
  });
  EXPECT_THAT(Ask(At(0), At(9'000)).Fault(), StartsWith("MissingCodecPrivateDataException: track 1 (h264)"));
}

TEST_F(GetClipTest, ADamagedCodecPrivateIsSaid) {
  Record(4, [](Fragment& fragment) {
    fragment.facts.tracks[0].codec_private = {9, 9};
    fragment.facts.tracks_id = TracksId(fragment.facts.tracks);
  });
  EXPECT_THAT(Ask(At(0), At(9'000)).Fault(), StartsWith("InvalidCodecPrivateDataException: track 1 (h264)"));
}

TEST_F(GetClipTest, AChangeOfParametersIsSaidWithItsTime) {
  int count = 0;
  Record(6, [&](Fragment& fragment) {
    if (++count < 3) return;
    fragment.facts.tracks[0].width = 640;
    fragment.facts.tracks_id = TracksId(fragment.facts.tracks);
  });
  EXPECT_THAT(Ask(At(0), At(9'000)).Fault(),
              AllOf(StartsWith("InvalidCodecPrivateDataException: "), HasSubstr(FormatRfc3339(At(4'000)))));
  EXPECT_EQ(Ask(At(0), At(3'999)).status(), 200);
  const std::string range = "start=" + FormatRfc3339(At(0)) + "&end=" + FormatRfc3339(At(9'000));
  const auto stretches = Parse(Get("/v1/streams/door/export/stretches?" + range));
  ASSERT_EQ(stretches.status(), 200) << stretches.raw.body;
  ASSERT_EQ(stretches.object().at("stretches").as_array().size(), 2U);
  const auto& second = stretches.object().at("stretches").as_array()[1].as_object();
  EXPECT_EQ(second.at("start").as_string(), FormatRfc3339(At(4'000)));
  EXPECT_EQ(second.at("tracks").as_array()[0].at("width"), 640);
  EXPECT_EQ(second.at("formats").as_array().size(), 2U);
  EXPECT_EQ(Get("/v1/streams/door/export?" + range).status, 409);
  const auto one =
      Get("/v1/streams/door/export?" + range + "&stretch=" + second.at("stretch").as_string().c_str());
  EXPECT_EQ(one.status, 200) << one.body.substr(0, 300);
  EXPECT_EQ(Get("/v1/streams/door/export?" + range + "&stretch=x").status, 400);
  EXPECT_EQ(Get("/v1/streams/door/export?" + range + "&stretches=1").status, 400);
}

TEST_F(GetClipTest, FramesThatContradictOneAnotherAreSaid) {
  Record(4, [](Fragment& fragment) { fragment.facts.track_facts[0].end_dts = Timestamp{0}; });
  EXPECT_THAT(Ask(At(0), At(9'000)).Fault(), StartsWith("InvalidMediaFrameException: "));
}

}  // namespace
}  // namespace millrace::api::testing
