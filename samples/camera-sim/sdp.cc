#include "samples/camera-sim/sdp.h"

#include <cstdio>

#include "samples/camera-sim/h264_nal.h"
#include "samples/camera-sim/rtsp_message.h"

namespace millrace::camera_sim {
namespace {

std::string Hex(ByteSpan bytes) {
  std::string text;
  for (std::uint8_t byte : bytes) {
    char two[3];
    std::snprintf(two, sizeof(two), "%02X", byte);
    text += two;
  }
  return text;
}

std::string VideoLines(const PacketTrack& track, const std::string& type) {
  std::string text = "a=rtpmap:" + type + " H264/90000\r\na=fmtp:" + type + " packetization-mode=1";
  if (const auto sets = ParseAvcC(track.info.codec_private)) {
    text += ";profile-level-id=" + Hex(sets->sps.subspan(1, 3)) +
            ";sprop-parameter-sets=" + Base64(AsText(sets->sps)) + "," + Base64(AsText(sets->pps));
  }
  return text + "\r\n";
}

std::string AudioLines(const PacketTrack& track, const std::string& type) {
  return "a=rtpmap:" + type + " mpeg4-generic/" + std::to_string(track.timescale) + "/" +
         std::to_string(track.info.channels) + "\r\na=fmtp:" + type +
         " streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;"
         "config=" +
         Hex(track.info.codec_private) + "\r\n";
}

}  // namespace

std::string MakeSdp(const PacketClip& clip, int camera, bool hide_audio) {
  std::string text = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera-sim " + std::to_string(camera) +
                     "\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\na=range:npt=now-\r\n";
  for (std::size_t i = 0; i < clip.tracks.size(); ++i) {
    const PacketTrack& track = clip.tracks[i];
    const std::string type = std::to_string(track.payload_type);
    const bool video = track.info.kind() == TrackKind::kVideo;
    if (!video && hide_audio) continue;
    text += std::string("m=") + (video ? "video" : "audio") + " 0 RTP/AVP " + type + "\r\n";
    text += video ? VideoLines(track, type) : AudioLines(track, type);
    text += "a=control:track" + std::to_string(i + 1) + "\r\n";
  }
  return text;
}

}  // namespace millrace::camera_sim
