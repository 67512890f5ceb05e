// Goal: what HLS serves is the recorded footage, frame by frame, however it is asked for. Method: real H.264
// with B-frames and AAC is recorded, served, written to files, and decoded by ffmpeg.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "consumers/hls/hls_service.h"
#include "memory_fragment_store.h"
#include "test_media.h"

namespace millrace {
namespace {

using testing::MakeMedia;
using testing::MemoryFragmentStore;
using testing::ProbedPacket;
using testing::TemporaryDirectory;
using testing::TestMedia;
using testing::TestRecorder;

constexpr Timestamp kStart = Timestamp::FromMillis(1'763'690'820'123);

std::string TextOf(const HlsResource& resource) {
  std::string text;
  for (const SharedBytes& part : resource.parts) text += AsText(part.span());
  return text;
}

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// Everything that a playlist names, as files: <directory>/<name>/media.m3u8, and all of it as one file,
// all.mp4.
struct Downloaded {
  std::string playlist;  // path
  std::string joined;
  std::vector<std::string> segments;  // names
};

Downloaded Download(HlsService& hls, const TemporaryDirectory& directory, const std::string& name,
                    const HlsRange& range) {
  Downloaded downloaded;
  const std::filesystem::path folder = directory.path() / name;
  std::filesystem::create_directory(folder);
  auto playlist = hls.Get("door", "media.m3u8", range);
  EXPECT_TRUE(playlist) << playlist.error().ToString();
  if (!playlist) return downloaded;
  testing::WriteFile((folder / "media.m3u8").string(), playlist->parts);
  downloaded.playlist = (folder / "media.m3u8").string();
  downloaded.joined = (folder / "all.mp4").string();

  std::vector<SharedBytes> all;
  auto fetch = [&](const std::string& resource_name) {
    auto resource = hls.Get("door", resource_name, {});
    ASSERT_TRUE(resource) << resource.error().ToString();
    testing::WriteFile((folder / resource_name).string(), resource->parts);
    all.insert(all.end(), resource->parts.begin(), resource->parts.end());
  };
  bool gap = false;
  for (const std::string& line : LinesOf(TextOf(*playlist))) {
    if (line.starts_with("#EXT-X-MAP:URI=\"")) fetch(line.substr(16, line.size() - 17));
    if (line == "#EXT-X-GAP") gap = true;
    if (line.starts_with("#")) continue;
    if (!gap) {
      fetch(line);
      downloaded.segments.push_back(line);
    }
    gap = false;
  }
  testing::WriteFile(downloaded.joined, all);
  return downloaded;
}

// As EXPECT_EQ, without printing thousands of hashes.
void ExpectSame(const std::vector<std::string>& decoded, const std::vector<std::string>& source) {
  EXPECT_EQ(decoded.size(), source.size());
  for (std::size_t i = 0; i < std::min(decoded.size(), source.size()); ++i) {
    ASSERT_EQ(decoded[i], source[i]) << "frame " << i;
  }
}

class HlsPlayback : public ::testing::Test {
 protected:
  void Record(const TestMedia& media, BuilderLimits limits = {}) {
    if (!store_.GetStream("door")) {
      ASSERT_TRUE(store_.CreateStream("door", std::chrono::hours(1)));
    }
    TestRecorder(store_, *store_.GetStream("door"), limits).Record(media.tracks, media.frames);
  }

  TemporaryDirectory directory_;
  MemoryFragmentStore store_;
  ManualClock clock_{kStart + std::chrono::hours(2)};
  HlsOptions options_{.clock = &clock_};
};

TEST_F(HlsPlayback, AMinuteDecodesToTheSource) {
  TestMedia media = MakeMedia(directory_, {.seconds = 62, .b_frames = 3}, kStart);
  ASSERT_EQ(media.video_md5.size(), 62U * 25);
  Record(media);
  HlsService hls(store_, options_);
  Downloaded all =
      Download(hls, directory_, "all", {kStart - std::chrono::seconds(5), kStart + std::chrono::seconds(70)});

  EXPECT_GE(all.segments.size(), 30U);
  // As HLS, segment by segment, and as one file.
  ExpectSame(testing::DecodedMd5(directory_, all.playlist, "v"), media.video_md5);
  ExpectSame(testing::DecodedMd5(directory_, all.playlist, "a"), media.audio_md5);
  ExpectSame(testing::DecodedMd5(directory_, all.joined, "v"), media.video_md5);
  ExpectSame(testing::DecodedMd5(directory_, all.joined, "a"), media.audio_md5);

  // Decode times rise without a hole: each packet lasts up to the next one, over segment boundaries too.
  std::vector<ProbedPacket> video = testing::ProbePackets(directory_, all.joined, "v:0");
  ASSERT_EQ(video.size(), media.video_md5.size());
  EXPECT_EQ(video.front().pts, kStart.millis() * 90);  // since 1970
  for (std::size_t i = 0; i + 1 < video.size(); ++i) {
    ASSERT_EQ(video[i].dts + video[i].duration, video[i + 1].dts) << "packet " << i;
    ASSERT_GE(video[i].pts, video[i].dts) << "packet " << i;
  }
  std::vector<ProbedPacket> audio = testing::ProbePackets(directory_, all.joined, "a:0");
  ASSERT_EQ(audio.size(), media.audio_md5.size());
  for (std::size_t i = 0; i + 1 < audio.size(); ++i) {
    ASSERT_EQ(audio[i].dts + 1024, audio[i + 1].dts) << "packet " << i;
  }
  // Sound and picture keep their distance: both began at kStart.
  const double video_s = static_cast<double>(video.front().pts) / 90'000;
  const double audio_s = static_cast<double>(audio.front().pts) / 48'000;
  EXPECT_NEAR(video_s, audio_s, 0.001);
}

TEST_F(HlsPlayback, SegmentsDoNotDependOnWhatElseIsAskedFor) {
  TestMedia media = MakeMedia(directory_, {.seconds = 20}, kStart);
  Record(media);
  HlsService one(store_, options_);
  HlsOptions no_cache = options_;
  no_cache.segment_cache_bytes = 0;
  HlsService other(store_, no_cache);
  auto facts = store_.List("door", {});
  ASSERT_TRUE(facts);
  ASSERT_GE(facts->size(), 8U);
  std::vector<std::string> forwards;
  for (const FragmentFacts& fragment : *facts)
    forwards.push_back(TextOf(*one.Segment("door", fragment.number)));
  std::vector<std::string> backwards;
  for (auto fragment = facts->rbegin(); fragment != facts->rend(); ++fragment) {
    backwards.push_back(TextOf(*other.Segment("door", fragment->number)));
  }
  std::reverse(backwards.begin(), backwards.end());
  EXPECT_EQ(forwards, backwards);
}

// Each segment behind its init segment alone is a file of its own, whose packets are those that the one long
// file has.
TEST_F(HlsPlayback, OneByOneEqualsOneLong) {
  TestMedia media = MakeMedia(directory_, {.seconds = 12}, kStart);
  Record(media);
  HlsService hls(store_, options_);
  Downloaded all = Download(hls, directory_, "all", {kStart, kStart + std::chrono::seconds(60)});
  for (const char* stream : {"v:0", "a:0"}) {
    std::vector<ProbedPacket> one_long = testing::ProbePackets(directory_, all.joined, stream);
    std::vector<ProbedPacket> one_by_one;
    for (const std::string& name : all.segments) {
      auto facts = store_.List("door", {});
      auto init = hls.Init("door", facts->front().tracks_id);
      auto segment = hls.Get("door", name, {});
      std::vector<SharedBytes> parts = init->parts;
      parts.insert(parts.end(), segment->parts.begin(), segment->parts.end());
      testing::WriteFile(directory_.File("single.mp4"), parts);
      auto packets = testing::ProbePackets(directory_, directory_.File("single.mp4"), stream);
      one_by_one.insert(one_by_one.end(), packets.begin(), packets.end());
    }
    ASSERT_EQ(one_by_one.size(), one_long.size());
    for (std::size_t i = 0; i < one_long.size(); ++i) {
      ASSERT_EQ(one_by_one[i].dts, one_long[i].dts) << stream << " packet " << i;
      ASSERT_EQ(one_by_one[i].pts, one_long[i].pts) << stream << " packet " << i;
      ASSERT_EQ(one_by_one[i].size, one_long[i].size) << stream << " packet " << i;
      ASSERT_EQ(one_by_one[i].key, one_long[i].key) << stream << " packet " << i;
    }
  }
}

TEST_F(HlsPlayback, LongKeyFrameIntervalsPlayAcrossFragmentsThatAreNotIndependent) {
  TestMedia media = MakeMedia(directory_, {.seconds = 20, .b_frames = 2, .key_frame_interval = 250}, kStart);
  Record(media, {.duration_max = std::chrono::seconds(3)});
  HlsService hls(store_, options_);
  // Asked for from the middle of a group of pictures: begins at its key frame.
  Downloaded all =
      Download(hls, directory_, "all", {kStart + std::chrono::seconds(7), kStart + std::chrono::seconds(60)});
  ExpectSame(testing::DecodedMd5(directory_, all.playlist, "v"), media.video_md5);
  const std::string text = testing::ReadTextFile(all.playlist);
  EXPECT_THAT(text, ::testing::Not(::testing::HasSubstr("INDEPENDENT-SEGMENTS")));
  EXPECT_THAT(text, ::testing::HasSubstr("#EXT-X-START:TIME-OFFSET=7.0"));
}

TEST_F(HlsPlayback, ACameraThatRestartsIsADiscontinuityAndNothingElse) {
  TestMedia before = MakeMedia(directory_, {.seconds = 6}, kStart);
  Record(before);
  TestMedia after = MakeMedia(directory_, {.seconds = 6}, kStart + std::chrono::seconds(40));
  Record(after);
  HlsService hls(store_, options_);
  Downloaded all = Download(hls, directory_, "all", {kStart, kStart + std::chrono::seconds(60)});
  std::vector<std::string> video = before.video_md5, audio = before.audio_md5;
  video.insert(video.end(), after.video_md5.begin(), after.video_md5.end());
  audio.insert(audio.end(), after.audio_md5.begin(), after.audio_md5.end());
  ExpectSame(testing::DecodedMd5(directory_, all.playlist, "v"), video);
  // The first block after the break overlaps with what the decoder heard before: AAC has no start of its own.
  std::vector<std::string> heard = testing::DecodedMd5(directory_, all.playlist, "a");
  ASSERT_EQ(heard.size(), audio.size());
  heard[before.audio_md5.size()] = audio[before.audio_md5.size()];
  ExpectSame(heard, audio);
  const std::vector<std::string> lines = LinesOf(testing::ReadTextFile(all.playlist));
  EXPECT_EQ(std::count(lines.begin(), lines.end(), "#EXT-X-DISCONTINUITY"), 1);
  EXPECT_EQ(
      std::count_if(lines.begin(), lines.end(), [](auto& line) { return line.starts_with("#EXT-X-MAP"); }),
      1);
}

TEST_F(HlsPlayback, VideoAloneAndSoundAlone) {
  TestMedia silent = MakeMedia(directory_, {.seconds = 5, .b_frames = 0, .audio = false}, kStart);
  Record(silent);
  HlsService hls(store_, options_);
  Downloaded all = Download(hls, directory_, "silent", {kStart, kStart + std::chrono::seconds(60)});
  ExpectSame(testing::DecodedMd5(directory_, all.playlist, "v"), silent.video_md5);

  TestMedia both =
      MakeMedia(directory_, {.seconds = 5, .sample_rate = 44'100}, kStart + std::chrono::hours(1));
  both.tracks.erase(both.tracks.begin());
  std::erase_if(both.frames, [](const Frame& frame) { return frame.track == 1; });
  Record(both);
  Downloaded sound = Download(hls, directory_, "sound",
                              {kStart + std::chrono::hours(1), kStart + std::chrono::seconds(3660)});
  ExpectSame(testing::DecodedMd5(directory_, sound.playlist, "a"), both.audio_md5);
}

TEST_F(HlsPlayback, LiveIsTheNewestFootage) {
  TestMedia media = MakeMedia(directory_, {.seconds = 40, .key_frame_interval = 25}, kStart);
  Record(media);
  HlsService hls(store_, options_);
  Downloaded live = Download(hls, directory_, "live", {});
  EXPECT_EQ(live.segments.size(), 20U);  // of one second: 20 s
  std::vector<std::string> newest(media.video_md5.end() - 500, media.video_md5.end());
  ExpectSame(testing::DecodedMd5(directory_, live.joined, "v"), newest);

  auto index = hls.Get("door", "index.m3u8", {});
  ASSERT_TRUE(index) << index.error().ToString();
  EXPECT_THAT(TextOf(*index), ::testing::ContainsRegex("CODECS=\"avc1\\.4d40[0-9a-f]+,mp4a\\.40\\.2\""));
  EXPECT_THAT(TextOf(*index), ::testing::HasSubstr("RESOLUTION=192x108,FRAME-RATE=25.000\nmedia.m3u8\n"));
}

}  // namespace
}  // namespace millrace
