// Goal: what the muxers that people have write is taken apart into fragments without losing or changing a
// frame, and each fragment can be remuxed. Method: files made here by ffmpeg, mkvmerge and GStreamer, pushed
// in random pieces and held against the whole file's frames.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <ostream>
#include <string>

#include "fragments/decode_times.h"
#include "tests/fragments/assembled.h"
#include "tests/fragments/real_media.h"

namespace millrace::test {
namespace {

constexpr Timestamp kEpoch = Timestamp::FromMillis(1'763'690'820'250);

struct Muxed {
  const char* name;
  const char* command;  // from source.mkv to out.mkv, in their directory
  std::vector<Codec> codecs;
  std::size_t fragments_min = 2;
  std::optional<RefusalId> refused{};
};
void PrintTo(const Muxed& muxed, std::ostream* out) { *out << muxed.name; }

constexpr char kSource[] =
    "ffmpeg -v error -y -f lavfi -i testsrc2=size=160x120:rate=25:duration=2 "
    "-f lavfi -i sine=frequency=440:sample_rate=48000:duration=2 "
    "-c:v libx264 -preset ultrafast -bf 2 -g 25 -threads 1 -c:a aac source.mkv";

Bytes ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(in), {});
}

class Muxers : public ::testing::TestWithParam<Muxed> {
 protected:
  void Run(const std::string& command) {
    const CommandResult made = RunCommand("cd " + directory_.path() + " && " + command);
    ASSERT_EQ(made.exit_code, 0) << command << "\n" << made.err;
  }
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(Run(kSource));
    ASSERT_NO_FATAL_FAILURE(Run(GetParam().command));
    bytes_ = ReadFile(directory_.Path("out.mkv"));
    ASSERT_FALSE(bytes_.empty());
  }
  TemporaryDirectory directory_;
  Bytes bytes_;
};

// Decode times increase over the fragments of a run, and no sample is said twice.
void CheckFacts(const std::vector<AssembledFragment>& fragments) {
  std::map<std::uint32_t, Timestamp> ends;
  std::map<std::uint32_t, std::uint64_t> samples;
  for (const AssembledFragment& assembled : fragments) {
    if (assembled.starts_run) {
      ends.clear();
      samples.clear();
    }
    const FragmentFacts& facts = assembled.fragment.facts;
    const Duration shift = facts.start - Timestamp{assembled.parsed.timestamp_ns};
    for (std::size_t i = 0; i < facts.tracks.size(); ++i) {
      const TrackFacts& track = facts.track_facts[i];
      if (track.frames == 0) continue;
      if (facts.tracks[i].kind() == TrackKind::kVideo) {
        std::vector<Timestamp> pts;
        for (const ParsedFrame& frame : assembled.parsed.frames) {
          if (frame.track == track.track) pts.push_back(Timestamp{frame.timestamp_ns} + shift);
        }
        const auto times = VideoDecodeTimes(track, pts);
        ASSERT_TRUE(times) << times.error().ToString();
        if (ends.contains(track.track)) {
          EXPECT_GE(times->front().dts, ends[track.track]);
        }
        ends[track.track] = track.end_dts;
      } else {
        const auto spans = AudioSamples(track);
        ASSERT_TRUE(spans) << spans.error().ToString();
        EXPECT_GE(spans->front().sample, samples[track.track]);
        samples[track.track] = spans->back().sample + spans->back().samples;
      }
    }
  }
}

TEST_P(Muxers, KeepEveryFrame) {
  AssemblerOptions options{.relative_to = kEpoch, .limits = {}};
  const Assembled assembled = AssembleSplit(bytes_, 7, options);
  if (GetParam().refused) {
    ASSERT_TRUE(assembled.refusal);
    EXPECT_EQ(RefusalCode(assembled.refusal->id), RefusalCode(*GetParam().refused))
        << assembled.refusal->message;
    if (GetParam().refused == RefusalId::kTimecodeGoesBack) return;
    options.limits.frames_of_every_track = false;
  }
  const Assembled taken = AssembleSplit(bytes_, 8, options);
  ASSERT_FALSE(taken.refusal) << taken.refusal->message;
  EXPECT_GE(taken.fragments.size(), GetParam().fragments_min);

  const auto whole = ParseFragment(SharedBytes(bytes_));
  ASSERT_TRUE(whole) << whole.error().ToString();
  std::size_t at = 0;
  for (const AssembledFragment& fragment : taken.fragments) {
    ASSERT_EQ(fragment.parsed.document.tracks, whole->document.tracks);
    for (const ParsedFrame& frame : fragment.parsed.frames) {
      ASSERT_LT(at, whole->frames.size());
      const ParsedFrame& expected = whole->frames[at++];
      ASSERT_EQ(frame.track, expected.track) << at;
      ASSERT_EQ(frame.timestamp_ns, expected.timestamp_ns) << at;
      ASSERT_EQ(frame.key_frame, expected.key_frame) << at;
      ASSERT_TRUE(
          std::equal(frame.data.begin(), frame.data.end(), expected.data.begin(), expected.data.end()));
    }
  }
  EXPECT_EQ(at, whole->frames.size());
  std::vector<Codec> codecs;
  for (const TrackInfo& track : taken.fragments[0].fragment.facts.tracks) codecs.push_back(track.codec);
  EXPECT_EQ(codecs, GetParam().codecs);
  CheckFacts(taken.fragments);
}

INSTANTIATE_TEST_SUITE_P(
    Real, Muxers,
    ::testing::Values(
        Muxed{"Ffmpeg", "mv source.mkv out.mkv", {Codec::kH264, Codec::kAac}},
        // It begins a Cluster each second wherever that is: pictures that are reordered reach over.
        Muxed{"FfmpegPiped",
              "ffmpeg -v error -i source.mkv -c copy -f matroska pipe:1 >out.mkv",
              {Codec::kH264, Codec::kAac},
              2,
              RefusalId::kTimecodeGoesBack},
        Muxed{"FfmpegPipedAtKeyFrames",
              "ffmpeg -v error -i source.mkv -c copy -cluster_time_limit 20000 -cluster_size_limit 50M "
              "-f matroska pipe:1 >out.mkv",
              {Codec::kH264, Codec::kAac}},
        Muxed{"FfmpegLiveWithoutReordering",
              "ffmpeg -v error -i source.mkv -c:v libx264 -bf 0 -g 25 -c:a copy -f matroska -live 1 out.mkv",
              {Codec::kH264, Codec::kAac},
              2,
              RefusalId::kFramesMissing},
        Muxed{"FfmpegChecksums",
              "ffmpeg -v error -i source.mkv -c copy -write_crc32 1 -reserve_index_space 4096 out.mkv",
              {Codec::kH264, Codec::kAac}},
        Muxed{"FfmpegVp8Opus",
              "ffmpeg -v error -i source.mkv -c:v libvpx -deadline realtime -cpu-used 8 -b:v 200k -g 25 -c:a "
              "libopus -f webm out.mkv",
              {Codec::kVp8, Codec::kOpus}},
        Muxed{"FfmpegVp9",
              "ffmpeg -v error -i source.mkv -an -c:v libvpx-vp9 -deadline realtime -g 25 -f webm out.mkv",
              {Codec::kVp9}},
        Muxed{"FfmpegAv1",
              "ffmpeg -v error -i source.mkv -an -c:v libsvtav1 -preset 12 -g 25 -cluster_time_limit 20000 "
              "out.mkv 2>/dev/null",
              {Codec::kAv1}},
        Muxed{"FfmpegHevc",
              "ffmpeg -v error -i source.mkv -c:v libx265 -preset ultrafast -x265-params "
              "log-level=none:keyint=25:pools=1 -c:a copy out.mkv",
              {Codec::kH265, Codec::kAac}},
        Muxed{"FfmpegMulaw",
              "ffmpeg -v error -i source.mkv -c:v copy -c:a pcm_mulaw -ar 8000 out.mkv",
              {Codec::kH264, Codec::kPcmMulaw}},
        Muxed{"GStreamerAlaw",
              "gst-launch-1.0 -q audiotestsrc num-buffers=100 samplesperbuffer=160 ! "
              "audio/x-raw,rate=8000,channels=1 "
              "! alawenc ! matroskamux max-cluster-duration=1000000000 ! filesink location=out.mkv",
              {Codec::kPcmAlaw}},
        Muxed{"FfmpegAudioOnly",
              "ffmpeg -v error -i source.mkv -vn -c copy -cluster_time_limit 500 out.mkv",
              {Codec::kAac}},
        Muxed{"FfmpegOtherCodecs",
              "ffmpeg -v error -i source.mkv -c:v mjpeg -c:a flac -cluster_time_limit 500 out.mkv",
              {},
              1,
              RefusalId::kFramesMissing},
        Muxed{"FfmpegSubtitles",
              "printf \"1\\n00:00:00,000 --> 00:00:01,000\\nhello\\n\" > s.srt && "
              "ffmpeg -v error -i source.mkv -i s.srt -c copy -map 0 -map 1 out.mkv",
              {Codec::kH264, Codec::kAac},
              2,
              RefusalId::kFramesMissing},
        Muxed{"Mkvmerge", "mkvmerge -q -o out.mkv source.mkv", {Codec::kH264, Codec::kAac}, 1},
        Muxed{"MkvmergeBlockGroups",
              "mkvmerge -q --cluster-length 1000ms --engage no_simpleblocks -o out.mkv source.mkv",
              {Codec::kH264, Codec::kAac},
              2,
              RefusalId::kFramesMissing},
        Muxed{"MkvmergeUnlaced",
              "mkvmerge -q --disable-lacing -o out.mkv source.mkv",
              {Codec::kH264, Codec::kAac},
              1},
        Muxed{
            "GStreamer",
            "gst-launch-1.0 -q videotestsrc num-buffers=50 ! video/x-raw,width=160,height=120,framerate=25/1 "
            "! x264enc bframes=2 key-int-max=25 threads=1 ! h264parse ! matroskamux ! filesink "
            "location=out.mkv",
            {Codec::kH264}},
        Muxed{
            "GStreamerStreamable",
            "gst-launch-1.0 -q videotestsrc num-buffers=50 ! video/x-raw,width=160,height=120,framerate=25/1 "
            "! x264enc tune=zerolatency key-int-max=25 threads=1 ! h264parse ! matroskamux "
            "streamable=true ! filesink location=out.mkv",
            {Codec::kH264}}),
    [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace millrace::test
