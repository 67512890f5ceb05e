// Files of the muxers that people have, made here and compared packet by packet with what ffprobe says of
// them.
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "parser/parse_fragment.h"
#include "tests/parser/mkv_builder.h"
#include "tests/parser/read_log.h"

namespace millrace::testing {
namespace {

namespace fs = std::filesystem;

// A directory of this test's own, gone when it ends.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string pattern = ::testing::TempDir() + "/millrace-parser-XXXXXX";
    const char* made = mkdtemp(pattern.data());
    if (made != nullptr) path_ = made;
  }
  ~ScratchDirectory() { fs::remove_all(path_); }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// Runs a shell command in `directory`, for a minute at most; its output is the test's.
void Shell(const ScratchDirectory& directory, const std::string& command) {
  const std::string line =
      "cd '" + directory.path().string() + "' && timeout 60 sh -c \"" + command + "\" </dev/null";
  ASSERT_EQ(std::system(line.c_str()), 0) << command;
}

Bytes ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return Bytes(std::istreambuf_iterator<char>(in), {});
}

std::string Md5(ByteSpan bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_md5(), nullptr);
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    char hex[3];
    std::snprintf(hex, sizeof(hex), "%02x", digest[i]);
    text += hex;
  }
  return text;
}

struct Packet {
  std::size_t stream = 0;  // in the order of TrackEntry
  std::int64_t pts_ms = 0;
  std::size_t size = 0;
  bool key = false;
  std::string md5;
};

std::vector<Packet> Ffprobe(const ScratchDirectory& directory, const std::string& file) {
  Shell(directory,
        "ffprobe -v error -show_packets -show_data_hash md5 -of compact=p=0 "
        "-show_entries packet=stream_index,pts_time,size,flags,data_hash " +
            file + " > packets.txt");
  std::ifstream in(directory / "packets.txt");
  std::vector<Packet> packets;
  for (std::string line; std::getline(in, line);) {
    std::map<std::string, std::string> fields;
    std::istringstream parts(line);
    for (std::string part; std::getline(parts, part, '|');) {
      const std::size_t equals = part.find('=');
      if (equals != std::string::npos) fields[part.substr(0, equals)] = part.substr(equals + 1);
    }
    // Side data breaks a packet's line: its hash then stands on the next one.
    if (fields.contains("stream_index")) {
      packets.push_back({.stream = std::stoul(fields["stream_index"]),
                         .pts_ms = std::llround(std::stod(fields["pts_time"]) * 1000),
                         .size = std::stoul(fields["size"]),
                         .key = fields["flags"].starts_with("K"),
                         .md5 = {}});
    }
    if (fields.contains("data_hash") && !packets.empty()) packets.back().md5 = fields["data_hash"].substr(4);
  }
  return packets;
}

std::vector<Packet> Ours(const ParsedFragment& fragment) {
  const std::vector<MkvTrack>& tracks = fragment.document.tracks;
  std::vector<Packet> packets;
  for (const ParsedFrame& frame : fragment.frames) {
    const MkvTrack* track = fragment.document.FindTrack(frame.track);
    // libavformat takes CodecDelay off, in its own ticks.
    const auto delay_ms = std::llround(static_cast<double>(track->codec_delay.count()) / 1e6);
    packets.push_back({.stream = static_cast<std::size_t>(track - tracks.data()),
                       .pts_ms = frame.timestamp_ns / 1'000'000 - delay_ms,
                       .size = frame.data.size(),
                       .key = frame.key_frame,
                       .md5 = Md5(frame.data)});
  }
  return packets;
}

// `bytes` are those of out.mkv.
void ExpectFfprobesPackets(const ScratchDirectory& directory, const Bytes& bytes,
                           std::int64_t pts_tolerance_ms) {
  const Result<ParsedFragment> fragment = ParseFragment(SharedBytes(bytes));
  ASSERT_TRUE(fragment) << fragment.error().message;
  const std::vector<Packet> expected = Ffprobe(directory, "out.mkv");
  const std::vector<Packet> ours = Ours(*fragment);
  ASSERT_GT(expected.size(), 40u);
  ASSERT_EQ(ours.size(), expected.size());
  for (std::size_t i = 0; i < ours.size(); ++i) {
    EXPECT_EQ(ours[i].stream, expected[i].stream) << "packet " << i;
    EXPECT_LE(std::abs(ours[i].pts_ms - expected[i].pts_ms), pts_tolerance_ms) << "packet " << i;
    EXPECT_EQ(ours[i].size, expected[i].size) << "packet " << i;
    EXPECT_EQ(ours[i].key, expected[i].key) << "packet " << i;
    EXPECT_EQ(ours[i].md5, expected[i].md5) << "packet " << i;
  }
}

// Where a document's Tracks stand.
struct MkvParts final : public MkvVisitor {
  Result<void> OnEndMaster(const ElementHeader& element, std::uint64_t end_offset) override {
    if (element.id == ElementId::kTracks) {
      begin = static_cast<std::ptrdiff_t>(element.offset);
      end = static_cast<std::ptrdiff_t>(end_offset);
    }
    return {};
  }
  Result<void> OnData(const ElementHeader&, const ElementData&) override { return {}; }

  std::ptrdiff_t begin = 0;
  std::ptrdiff_t end = 0;
  Bytes tracks;
};

struct RealFile {
  const char* name;
  const char* command;  // makes out.mkv
  std::vector<Codec> codecs;
  // libavformat counts the frames of a lace on in whole milliseconds; we do in nanoseconds.
  std::int64_t pts_tolerance_ms = 0;
};
void PrintTo(const RealFile& file, std::ostream* out) { *out << file.name; }

constexpr const char* kSource =
    "ffmpeg -v error -y -f lavfi -i testsrc=size=320x240:rate=25:duration=2 "
    "-f lavfi -i sine=frequency=440:sample_rate=48000:duration=2 "
    "-c:v libx264 -preset ultrafast -bf 2 -g 25 -threads 1 -c:a aac source.mkv";

class RealFiles : public ::testing::TestWithParam<RealFile> {
 protected:
  void SetUp() override {
    ASSERT_FALSE(directory_.path().empty());
    ASSERT_NO_FATAL_FAILURE(Shell(directory_, kSource));
    ASSERT_NO_FATAL_FAILURE(Shell(directory_, GetParam().command));
  }
  ScratchDirectory directory_;
};

TEST_P(RealFiles, GiveFfprobesPackets) {
  const Bytes bytes = ReadFile(directory_ / "out.mkv");
  ASSERT_FALSE(bytes.empty());
  const ReadLog log = ReadEveryWay(bytes);
  EXPECT_EQ(log.error, "") << log.message;

  const Result<ParsedFragment> fragment = ParseFragment(SharedBytes(bytes));
  ASSERT_TRUE(fragment) << fragment.error().message;
  std::vector<Codec> codecs;
  for (const TrackInfo& info : fragment->document.TrackInfos()) codecs.push_back(info.codec);
  EXPECT_EQ(codecs, GetParam().codecs);

  ExpectFfprobesPackets(directory_, bytes, GetParam().pts_tolerance_ms);
}

INSTANTIATE_TEST_SUITE_P(
    Muxers, RealFiles,
    ::testing::Values(
        RealFile{"FfmpegMatroska", "mv source.mkv out.mkv", {Codec::kH264, Codec::kAac}},
        RealFile{"FfmpegLive",
                 "ffmpeg -v error -i source.mkv -c copy -f matroska -live 1 out.mkv",
                 {Codec::kH264, Codec::kAac}},
        RealFile{"FfmpegShortClusters",
                 "ffmpeg -v error -i source.mkv -c copy -cluster_time_limit 100 -write_crc32 1 out.mkv",
                 {Codec::kH264, Codec::kAac}},
        RealFile{"FfmpegWebm",
                 "ffmpeg -v error -i source.mkv -c:v libvpx -b:v 200k -c:a libopus -f webm out.mkv",
                 {Codec::kVp8, Codec::kOpus}},
        RealFile{"FfmpegAudioOnly", "ffmpeg -v error -i source.mkv -vn -c copy out.mkv", {Codec::kAac}},
        RealFile{"FfmpegMulaw",
                 "ffmpeg -v error -i source.mkv -c:v copy -c:a pcm_mulaw -ar 8000 out.mkv",
                 {Codec::kH264, Codec::kPcmMulaw}},
        RealFile{"FfmpegSubtitles",
                 "printf '1\\n00:00:00,000 --> 00:00:01,000\\nhello\\n' > s.srt && "
                 "ffmpeg -v error -i source.mkv -i s.srt -c copy -map 0 -map 1 out.mkv",
                 {Codec::kH264, Codec::kAac}},
        RealFile{"Mkvmerge", "mkvmerge -q -o out.mkv source.mkv", {Codec::kH264, Codec::kAac}, 3},
        RealFile{"MkvmergeUnlaced",
                 "mkvmerge -q --disable-lacing -o out.mkv source.mkv",
                 {Codec::kH264, Codec::kAac},
                 1},
        RealFile{"MkvmergeSplitUp",
                 "mkvmerge -q --cluster-length 300ms --engage no_simpleblocks -o out.mkv source.mkv",
                 {Codec::kH264, Codec::kAac},
                 3},
        RealFile{"GStreamer",
                 "gst-launch-1.0 -q videotestsrc num-buffers=75 ! "
                 "video/x-raw,width=160,height=120,framerate=25/1 ! "
                 "x264enc bframes=2 key-int-max=25 threads=1 ! h264parse ! matroskamux ! filesink "
                 "location=out.mkv",
                 {Codec::kH264}},
        RealFile{
            "FfmpegH265CuesInFront",
            "ffmpeg -v error -i source.mkv -c:v libx265 -preset ultrafast -x265-params log-level=none -g 25 "
            "-c:a libopus -reserve_index_space 4096 out.mkv",
            {Codec::kH265, Codec::kOpus}},
        RealFile{"FfmpegAv1",
                 "ffmpeg -v error -i source.mkv -c:v libaom-av1 -cpu-used 8 -usage realtime -g 25 -c:a copy "
                 "out.mkv",
                 {Codec::kAv1, Codec::kAac}},
        RealFile{"FfmpegAlaw",
                 "ffmpeg -v error -i source.mkv -c:v copy -c:a pcm_alaw -ar 8000 out.mkv",
                 {Codec::kH264, Codec::kPcmAlaw}},
        RealFile{
            "MkvmergeVp9",
            "ffmpeg -v error -i source.mkv -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25 -c:a libopus "
            "v.webm && mkvmerge -q -o out.mkv v.webm",
            {Codec::kVp9, Codec::kOpus},
            3},
        RealFile{
            "MkvmergeH265NoCues",
            "ffmpeg -v error -i source.mkv -c:v libx265 -preset ultrafast -x265-params log-level=none -g 25 "
            "-c:a copy v.mkv && mkvmerge -q --no-cues --cluster-length 10 -o out.mkv v.mkv",
            {Codec::kH265, Codec::kAac},
            3},
        RealFile{"GStreamerVp9Opus",
                 "gst-launch-1.0 -q videotestsrc num-buffers=50 ! "
                 "video/x-raw,width=160,height=120,framerate=25/1 ! "
                 "vp9enc deadline=1 cpu-used=8 ! matroskamux name=m ! filesink location=out.mkv "
                 "audiotestsrc num-buffers=100 ! opusenc ! m.",
                 {Codec::kVp9, Codec::kOpus}},
        RealFile{"LibwebmVp8",
                 "ffmpeg -v error -i source.mkv -pix_fmt yuv420p v.y4m && "
                 "vpxenc --quiet --codec=vp8 --rt --cpu-used=8 --kf-max-dist=25 -o out.mkv v.y4m",
                 {Codec::kVp8}},
        RealFile{"LibwebmVp9",
                 "ffmpeg -v error -i source.mkv -pix_fmt yuv420p v.y4m && "
                 "vpxenc --quiet --codec=vp9 --rt --cpu-used=8 --kf-max-dist=25 -o out.mkv v.y4m",
                 {Codec::kVp9}},
        RealFile{"X264",  // it writes Matroska by itself
                 "ffmpeg -v error -i source.mkv -pix_fmt yuv420p v.y4m && "
                 "x264 --quiet --no-progress --preset veryfast --bframes 2 --keyint 25 -o out.mkv v.y4m",
                 {Codec::kH264}},
        RealFile{
            "GStreamerStreamable",
            "gst-launch-1.0 -q videotestsrc num-buffers=75 ! video/x-raw,width=160,height=120,framerate=25/1 "
            "! "
            "x264enc tune=zerolatency key-int-max=25 threads=1 ! h264parse ! matroskamux streamable=true ! "
            "filesink location=out.mkv",
            {Codec::kH264}}),
    [](const auto& tested) { return std::string(tested.param.name); });

// The frames of a real file, written anew by our own writing primitives in every form that Matroska has for
// them.
struct Rewritten {
  const char* name;
  SizeForm segment;
  SizeForm cluster;
  bool groups;   // BlockGroups in place of SimpleBlocks
  bool padding;  // Void and CRC-32 between the elements
};
void PrintTo(const Rewritten& form, std::ostream* out) { *out << form.name; }

Bytes Rewrite(const ParsedFragment& fragment, const MkvParts& parts, const Rewritten& form) {
  MkvBuilder mkv;
  mkv.Header(form.segment).Raw(parts.tracks);
  const auto pad = [&] {
    if (form.padding) AppendText(mkv.out(), ElementId::kVoid, "padding");
  };
  pad();
  bool open = false;
  std::int64_t cluster_ms = 0;
  for (const ParsedFrame& frame : fragment.frames) {
    const std::int64_t ms = frame.timestamp_ns / 1'000'000;
    const bool video = !fragment.document.FindTrack(frame.track)->is_audio();
    if (!open || (video && frame.key_frame)) {
      if (open) mkv.EndCluster();
      pad();
      mkv.StartCluster(static_cast<std::uint64_t>(ms), form.cluster);
      if (form.padding) AppendBinary(mkv.out(), ElementId::kCrc32, Bytes{1, 2, 3, 4});
      cluster_ms = ms;
      open = true;
    }
    const auto relative = static_cast<std::int16_t>(ms - cluster_ms);
    if (form.groups) {
      mkv.Group(frame.track, relative, AsText(frame.data), 0, !frame.key_frame);
    } else {
      mkv.Simple(frame.track, relative, frame.key_frame, AsText(frame.data));
    }
    pad();
  }
  mkv.EndCluster();
  return mkv.Take();
}

class RewrittenFiles : public ::testing::TestWithParam<Rewritten> {};

TEST_P(RewrittenFiles, GiveFfprobesPackets) {
  const ScratchDirectory directory;
  ASSERT_NO_FATAL_FAILURE(Shell(directory, kSource));
  const Bytes source = ReadFile(directory / "source.mkv");
  const auto parsed = ParseFragment(SharedBytes(source));
  ASSERT_TRUE(parsed);
  MkvParts parts;
  MkvParser finder(parts);
  ASSERT_TRUE(finder.Push(ByteSpan(source)));
  parts.tracks.assign(source.begin() + parts.begin, source.begin() + parts.end);
  const Bytes bytes = Rewrite(*parsed, parts, GetParam());
  std::ofstream(directory / "out.mkv", std::ios::binary).write(AsText(bytes).data(), std::ssize(bytes));
  ExpectFfprobesPackets(directory, bytes, 0);
}

INSTANTIATE_TEST_SUITE_P(
    OurOwn, RewrittenFiles,
    ::testing::Values(Rewritten{"Known", SizeForm::kKnown, SizeForm::kKnown, false, false},
                      Rewritten{"KnownGroupsPadded", SizeForm::kKnown, SizeForm::kKnown, true, true},
                      Rewritten{"Unknown", SizeForm::kUnknown8, SizeForm::kUnknown8, false, true},
                      Rewritten{"UnknownShort", SizeForm::kUnknown1, SizeForm::kUnknown1, true, false}),
    [](const auto& tested) { return std::string(tested.param.name); });

class RealDocument : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(Shell(directory_, kSource));
    bytes_ = ReadFile(directory_ / "source.mkv");
    ASSERT_FALSE(bytes_.empty());
  }
  ScratchDirectory directory_;
  Bytes bytes_;
};

TEST_F(RealDocument, TwoEndToEndGiveTheFramesOfBoth) {
  const ReadLog once = ReadWhole(bytes_);
  Bytes both = bytes_;
  both.insert(both.end(), bytes_.begin(), bytes_.end());
  const ReadLog twice = ReadEveryWay(both);
  EXPECT_EQ(twice.error, "");
  EXPECT_EQ(twice.lines.size(), 2 * once.lines.size());
}

TEST_F(RealDocument, TracksAreDescribed) {
  const Result<ParsedFragment> fragment = ParseFragment(SharedBytes(bytes_));
  ASSERT_TRUE(fragment);
  const std::vector<TrackInfo> infos = fragment->document.TrackInfos();
  ASSERT_EQ(infos.size(), 2u);
  EXPECT_EQ(infos[0].width, 320u);
  EXPECT_EQ(infos[0].height, 240u);
  ASSERT_GE(infos[0].codec_private.size(), 7u);
  EXPECT_EQ(infos[0].codec_private[0], 1) << "avcC's version";
  EXPECT_EQ(infos[1].sample_rate, 48000u);
  EXPECT_EQ(infos[1].channels, 1u);
  EXPECT_EQ(fragment->document.timestamp_scale_ns, 1'000'000);
  ASSERT_TRUE(fragment->document.duration);
  EXPECT_NEAR(static_cast<double>(fragment->document.duration->count()), 2e9, 2e8);
}

// The readers agree on what a damaged file holds, whichever byte it is that is damaged.
TEST_F(RealDocument, OneByteDamaged) {
  // The header and a bit of the first Cluster byte by byte, then some bytes of all the rest.
  for (std::size_t at = 0; at < bytes_.size(); at += at < 1200 ? 1 : 997) {
    Bytes damaged = bytes_;
    damaged[at] = static_cast<std::uint8_t>(damaged[at] ^ (1u << (at % 8)));
    const ReadLog whole = ReadWhole(damaged);
    const ReadLog split = ReadInPieces(damaged, [&] { return at % 50 + 1; });
    ASSERT_EQ(whole, split) << "byte " << at;
    const Result<ParsedFragment> fragment = ParseFragment(SharedBytes(std::move(damaged)));
    ASSERT_EQ(fragment.has_value(), whole.error.empty()) << "byte " << at << ": " << whole.message;
  }
}

TEST_F(RealDocument, CutShort) {
  for (std::size_t size = 0; size < bytes_.size(); size += size < 1200 ? 1 : 997) {
    const ReadLog whole = ReadWhole(ByteSpan(bytes_).first(size));
    const ReadLog split = ReadInPieces(ByteSpan(bytes_).first(size), [&] { return size % 50 + 1; });
    ASSERT_EQ(whole, split) << "cut at " << size;
  }
}

}  // namespace
}  // namespace millrace::testing
