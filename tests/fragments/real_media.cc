#include "tests/fragments/real_media.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "media/libav_handles.h"

namespace millrace::test {
namespace {

std::string Slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void Check(int code, const char* what) {
  if (code < 0) throw std::runtime_error(std::string(what) + ": " + AvErrorText(code));
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  std::string name = testing::TempDir() + "millrace-fragments-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
  path_ = name;
}
TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

CommandResult RunCommand(const std::string& command) {
  const TemporaryDirectory files;
  const std::string line =
      "timeout 60 sh -c '" + command + "' >" + files.Path("out") + " 2>" + files.Path("err") + " </dev/null";
  const int status = std::system(line.c_str());  // NOLINT: test tools, fixed commands
  return {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
          .out = Slurp(files.Path("out")),
          .err = Slurp(files.Path("err"))};
}

void MakeMp4(const std::string& path, int seconds, const std::string& x264, bool audio) {
  const std::string length = std::to_string(seconds);
  std::string command = "ffmpeg -v error -y -f lavfi -i testsrc2=size=160x120:rate=25:duration=" + length;
  if (audio) command += " -f lavfi -i sine=frequency=440:sample_rate=48000:duration=" + length;
  command +=
      " -c:v libx264 -preset veryfast -threads 1 -pix_fmt yuv420p -x264-params " + x264 + ":scenecut=0";
  if (audio) command += " -c:a aac -b:a 64k -ac 2";
  const CommandResult made = RunCommand(command + " " + path);
  if (made.exit_code != 0) throw std::runtime_error("ffmpeg: " + made.err);
}

Media ReadMp4(const std::string& path, Timestamp start) {
  AVFormatContext* opened = nullptr;
  AVDictionary* options = nullptr;
  av_dict_set(&options, "ignore_editlist", "1", 0);
  const int code = avformat_open_input(&opened, path.c_str(), nullptr, &options);
  av_dict_free(&options);
  Check(code, "avformat_open_input");
  const AvInputPtr input(opened);
  Check(avformat_find_stream_info(input.get(), nullptr), "avformat_find_stream_info");
  Media media;
  for (unsigned i = 0; i < input->nb_streams; ++i) {
    const AVCodecParameters& parameters = *input->streams[i]->codecpar;
    TrackInfo track;
    track.number = i + 1;
    track.codec = parameters.codec_id == AV_CODEC_ID_H264 ? Codec::kH264 : Codec::kAac;
    track.codec_private.assign(parameters.extradata, parameters.extradata + parameters.extradata_size);
    track.width = static_cast<std::uint32_t>(parameters.width);
    track.height = static_cast<std::uint32_t>(parameters.height);
    track.sample_rate = static_cast<std::uint32_t>(parameters.sample_rate);
    track.channels = static_cast<std::uint32_t>(parameters.ch_layout.nb_channels);
    media.tracks.push_back(std::move(track));
  }
  const AvPacketPtr packet(av_packet_alloc());
  while (av_read_frame(input.get(), packet.get()) >= 0) {
    const auto index = static_cast<std::size_t>(packet->stream_index);
    const AVRational base = input->streams[index]->time_base;
    Frame frame;
    frame.track = media.tracks[index].number;
    frame.pts = start + Duration{av_rescale_q(packet->pts, base, {1, 1'000'000'000})};
    frame.arrival = frame.pts;
    frame.key_frame = (packet->flags & AV_PKT_FLAG_KEY) != 0;
    frame.data = SharedBytes(Bytes(packet->data, packet->data + packet->size));
    media.frames.push_back(std::move(frame));
    av_packet_unref(packet.get());
  }
  return media;
}

void WriteFile(const std::string& path, ByteSpan bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

std::vector<std::string> FrameDigests(const std::string& path, const std::string& stream, bool copy) {
  const bool mp4 = path.ends_with(".mp4");
  const CommandResult digests =
      RunCommand(std::string("ffmpeg -v error ") + (mp4 ? "-ignore_editlist 1 " : "") + "-i " + path +
                 " -map 0:" + stream + (copy ? " -c copy" : " -fps_mode passthrough") + " -f framemd5 -");
  std::vector<std::string> out;
  std::istringstream lines(digests.out);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    out.push_back(line.substr(line.rfind(' ') + 1));
  }
  if (!digests.err.empty()) out.push_back(digests.err);
  return out;
}

std::string ToolComplaints(const std::string& path) {
  std::string complaints;
  const auto complain = [&](const std::string& tool, const std::string& what) {
    complaints += tool + ": " + what + "\n";
  };
  const CommandResult probe =
      RunCommand("ffprobe -v warning -show_packets -show_streams -show_format " + path);
  if (probe.exit_code != 0 || !probe.err.empty()) complain("ffprobe", probe.err);
  const CommandResult info = RunCommand("mkvinfo --all " + path);
  if (info.exit_code != 0 || !info.err.empty() || info.out.find("arning") != std::string::npos ||
      info.out.find("rror") != std::string::npos || info.out.find("nknown element") != std::string::npos) {
    complain("mkvinfo", info.out + info.err);
  }
  const CommandResult merge = RunCommand("mkvmerge -J " + path);
  if (merge.exit_code != 0 || !merge.err.empty() || merge.out.find("\"warnings\": []") == std::string::npos ||
      merge.out.find("\"errors\": []") == std::string::npos) {
    complain("mkvmerge", merge.out + merge.err);
  }
  // basesrc warns of filesrc's own start, whatever the file.
  const bool two_tracks = merge.out.find("\"type\": \"audio\"") != std::string::npos &&
                          merge.out.find("\"type\": \"video\"") != std::string::npos;
  // The first program of a machine that uses GStreamer also says what it thinks of every plugin.
  RunCommand("gst-inspect-1.0 filesrc");
  const CommandResult run =
      RunCommand("GST_DEBUG=2,basesrc:0 GST_DEBUG_NO_COLOR=1 gst-launch-1.0 -q filesrc location=" + path +
                 " ! matroskademux name=d ! queue ! fakesink sync=false" +
                 (two_tracks ? " d. ! queue ! fakesink sync=false" : ""));
  if (run.exit_code != 0 || !run.err.empty() || !run.out.empty()) complain("GStreamer", run.out + run.err);
  return complaints;
}

}  // namespace millrace::test
