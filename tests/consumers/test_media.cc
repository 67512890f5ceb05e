#include "test_media.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <utility>

#include "media/libav_handles.h"

namespace millrace::testing {
namespace {

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty() && line[0] != '#') lines.push_back(line);
  }
  return lines;
}

std::vector<std::string> Split(const std::string& line, char separator) {
  std::vector<std::string> fields;
  std::istringstream stream(line);
  for (std::string field; std::getline(stream, field, separator);) fields.push_back(field);
  return fields;
}

TrackInfo TrackOf(const AVStream& stream) {
  const AVCodecParameters& parameters = *stream.codecpar;
  TrackInfo track;
  track.codec_private.assign(parameters.extradata, parameters.extradata + parameters.extradata_size);
  if (parameters.codec_type == AVMEDIA_TYPE_VIDEO) {
    track.number = 1;
    track.codec = Codec::kH264;
    track.width = static_cast<std::uint32_t>(parameters.width);
    track.height = static_cast<std::uint32_t>(parameters.height);
  } else {
    track.number = 2;
    track.codec = Codec::kAac;
    track.sample_rate = static_cast<std::uint32_t>(parameters.sample_rate);
    track.channels = static_cast<std::uint32_t>(parameters.ch_layout.nb_channels);
  }
  return track;
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  std::string name = ::testing::TempDir() + "/consumers-XXXXXX";
  path_ = mkdtemp(name.data());
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

CommandResult RunCommand(const TemporaryDirectory& directory, const std::string& command) {
  static int count = 0;
  const std::string name = directory.File("command" + std::to_string(count++));
  const std::string line =
      "timeout 300 sh -c '" + command + "' >" + name + ".out 2>" + name + ".err </dev/null";
  CommandResult result;
  const int status = std::system(line.c_str());
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  result.output = ReadTextFile(name + ".out");
  result.errors = ReadTextFile(name + ".err");
  return result;
}

std::string ReadTextFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void WriteFile(const std::string& path, const std::vector<SharedBytes>& parts) {
  std::ofstream out(path, std::ios::binary);
  for (const SharedBytes& part : parts) {
    out.write(reinterpret_cast<const char*>(part.data()), static_cast<std::streamsize>(part.size()));
  }
}

std::vector<std::string> DecodedMd5(const TemporaryDirectory& directory, const std::string& input,
                                    const std::string& stream, const std::string& level) {
  CommandResult result =
      RunCommand(directory, "ffmpeg -nostdin -v " + level + " -i \"" + input + "\" -map 0:" + stream +
                                " -fps_mode passthrough -f framemd5 -");
  EXPECT_EQ(result.exit_code, 0) << input;
  EXPECT_EQ(result.errors, "") << input;
  std::vector<std::string> hashes;
  for (const std::string& line : Lines(result.output)) hashes.push_back(Split(line, ',').back());
  return hashes;
}

std::vector<ProbedPacket> ProbePackets(const TemporaryDirectory& directory, const std::string& input,
                                       const std::string& stream) {
  CommandResult result = RunCommand(
      directory, "ffprobe -v warning -select_streams " + stream +
                     " -show_entries packet=pts,dts,duration,size,flags -of csv=p=0 \"" + input + "\"");
  EXPECT_EQ(result.exit_code, 0) << input;
  EXPECT_EQ(result.errors, "") << input;
  std::vector<ProbedPacket> packets;
  for (const std::string& line : Lines(result.output)) {
    std::vector<std::string> fields = Split(line, ',');
    if (fields.size() < 5) continue;
    packets.push_back({std::atoll(fields[0].c_str()), std::atoll(fields[1].c_str()),
                       std::atoll(fields[2].c_str()), std::atoll(fields[3].c_str()),
                       fields[4].starts_with("K")});
  }
  return packets;
}

TestMedia MakeMedia(const TemporaryDirectory& directory, const MediaOptions& options, Timestamp start) {
  TestMedia media;
  const std::string mp4 = directory.File("source.mp4");
  std::ostringstream command;
  command << "ffmpeg -v error -nostdin -y -f lavfi -i testsrc2=size=" << options.width << "x"
          << options.height << ":rate=" << options.fps << ":duration=" << options.seconds;
  if (options.audio) {
    // Without noise substitution, whose generator makes a decoder's output depend on all that it heard
    // before.
    command << " -f lavfi -i \"aevalsrc=0.5*sin(2*PI*t*(200+20*t))|0.5*sin(2*PI*t*(900+7*t)):s="
            << options.sample_rate << ":d=" << options.seconds << "\" -c:a aac -b:a 64k -aac_pns 0";
  }
  command << " -c:v libx264 -preset ultrafast -pix_fmt yuv420p -bf " << options.b_frames << " -g "
          << options.key_frame_interval << " -keyint_min " << options.key_frame_interval;
  if (options.bitrate_kbps > 0) {
    command << " -b:v " << options.bitrate_kbps << "k -minrate " << options.bitrate_kbps << "k -maxrate "
            << options.bitrate_kbps << "k -bufsize " << options.bitrate_kbps
            << "k -x264-params nal-hrd=cbr:force-cfr=1";
  }
  command << " " << mp4;
  CommandResult made = RunCommand(directory, command.str());
  EXPECT_EQ(made.exit_code, 0) << made.errors;

  AVFormatContext* context = nullptr;
  if (avformat_open_input(&context, mp4.c_str(), nullptr, nullptr) < 0) {
    ADD_FAILURE() << "cannot open " << mp4;
    return media;
  }
  AvInputPtr input(context);
  EXPECT_GE(avformat_find_stream_info(input.get(), nullptr), 0);
  std::vector<std::int64_t> first_pts(input->nb_streams, AV_NOPTS_VALUE);
  for (unsigned i = 0; i < input->nb_streams; ++i) media.tracks.push_back(TrackOf(*input->streams[i]));

  AvPacketPtr packet(av_packet_alloc());
  while (av_read_frame(input.get(), packet.get()) >= 0) {
    const auto index = static_cast<std::size_t>(packet->stream_index);
    const AVStream& stream = *input->streams[index];
    // The encoder's priming lies before zero: here sound begins with the picture, as a camera sends it.
    if (first_pts[index] == AV_NOPTS_VALUE) first_pts[index] = packet->pts;
    Frame frame;
    frame.track = media.tracks[index].number;
    frame.pts =
        start + Duration{av_rescale_q(packet->pts - first_pts[index], stream.time_base, {1, 1'000'000'000})};
    frame.arrival = frame.pts;
    frame.key_frame = (packet->flags & AV_PKT_FLAG_KEY) != 0;
    frame.data = SharedBytes(Bytes(packet->data, packet->data + packet->size));
    media.frames.push_back(std::move(frame));
    av_packet_unref(packet.get());
  }

  RunCommand(directory, "ffmpeg -v error -nostdin -y -i " + mp4 +
                            " -map 0:v -c copy -bsf:v h264_mp4toannexb " + directory.File("source.h264"));
  media.video_md5 = DecodedMd5(directory, directory.File("source.h264"), "v");
  if (options.audio) {
    RunCommand(directory, "ffmpeg -v error -nostdin -y -i " + mp4 + " -map 0:a -c copy -f adts " +
                              directory.File("source.aac"));
    media.audio_md5 = DecodedMd5(directory, directory.File("source.aac"), "a", "error");
  }
  return media;
}

}  // namespace millrace::testing
