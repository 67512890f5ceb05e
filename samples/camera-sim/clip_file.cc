#include "samples/camera-sim/clip_file.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <utility>

#include "media/libav_handles.h"
#include "samples/camera-sim/h264_nal.h"

namespace millrace::camera_sim {
namespace {

constexpr std::uint32_t kFileTimescale = 90000;

std::vector<std::int64_t> SortedPts(const ClipTrack& track) {
  std::vector<std::int64_t> sorted;
  for (const Unit& unit : track.units) sorted.push_back(unit.pts);
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

// Decode times: the display times in order, early enough that none comes after its own display.
std::vector<std::int64_t> DecodeTimes(const ClipTrack& track) {
  std::vector<std::int64_t> dts = SortedPts(track);
  std::int64_t delay = 0;
  for (std::size_t i = 0; i < dts.size(); ++i) delay = std::max(delay, dts[i] - track.units[i].pts);
  for (std::int64_t& time : dts) time -= delay;
  return dts;
}

// The track's parameters and empty units; nothing where libav's stream is no such track.
Result<ClipTrack> ReadTrackInfo(const AVStream& stream) {
  const AVCodecParameters& parameters = *stream.codecpar;
  ClipTrack track;
  track.info.codec_private.assign(parameters.extradata, parameters.extradata + parameters.extradata_size);
  if (parameters.codec_id == AV_CODEC_ID_H264) {
    track.timescale = kFileTimescale;
    track.info.number = 1;
    track.info.codec = Codec::kH264;
    track.info.width = static_cast<std::uint32_t>(parameters.width);
    track.info.height = static_cast<std::uint32_t>(parameters.height);
    if (track.info.codec_private.empty())
      return Error{ErrorCode::kUnsupported, "H.264 without parameter sets"};
    return track;
  }
  track.timescale = static_cast<std::uint32_t>(parameters.sample_rate);
  track.info.number = 2;
  track.info.codec = Codec::kAac;
  track.info.sample_rate = track.timescale;
  track.info.channels = static_cast<std::uint32_t>(parameters.ch_layout.nb_channels);
  if (track.timescale == 0 || track.info.codec_private.size() < 2) {
    return Error{ErrorCode::kUnsupported,
                 "AAC without a configuration (ADTS): convert the file to MP4 first"};
  }
  return track;
}

void AddPacket(ClipTrack& track, const AVPacket& packet, AVRational time_base) {
  const AVRational ticks{1, static_cast<int>(track.timescale)};
  Unit unit;
  const std::int64_t pts = packet.pts != AV_NOPTS_VALUE ? packet.pts : packet.dts;
  unit.pts = av_rescale_q(pts, time_base, ticks);
  unit.key = (packet.flags & AV_PKT_FLAG_KEY) != 0;
  unit.data.assign(packet.data, packet.data + packet.size);
  const std::int64_t end = unit.pts + av_rescale_q(packet.duration, time_base, ticks);
  track.duration = std::max(track.duration, end);
  track.units.push_back(std::move(unit));
}

// Length-prefixed data throughout, times from zero, a sane duration.
Result<void> Normalize(ClipTrack& track) {
  if (track.units.empty()) return Error{ErrorCode::kUnsupported, "a track is empty"};
  if (track.info.codec == Codec::kH264) {
    if (track.info.codec_private[0] != 1) {  // Annex B
      ByteSpan sps;
      ByteSpan pps;
      const Bytes sets = track.info.codec_private;
      for (ByteSpan nal : SplitAnnexB(sets)) {
        if (NalType(nal) == kNalSps && sps.empty()) sps = nal;
        if (NalType(nal) == kNalPps && pps.empty()) pps = nal;
      }
      MILLRACE_ASSIGN_OR_RETURN(track.info.codec_private, MakeAvcC(sps, pps));
      for (Unit& unit : track.units) {
        Bytes data;
        for (ByteSpan nal : SplitAnnexB(unit.data)) AppendLengthPrefixed(data, nal);
        unit.data = std::move(data);
      }
    }
    MILLRACE_RETURN_IF_ERROR(ParseAvcC(track.info.codec_private));
    for (const Unit& unit : track.units) MILLRACE_RETURN_IF_ERROR(SplitLengthPrefixed(unit.data));
    if (!track.units.front().key)
      return Error{ErrorCode::kUnsupported, "the video does not start with a key frame"};
  }
  const std::vector<std::int64_t> sorted = SortedPts(track);
  const std::int64_t start = sorted.front();
  track.duration -= start;
  const std::int64_t last = sorted.back() - start;
  if (track.duration <= last) {  // the last unit's duration is unknown: as long as the mean
    track.duration =
        last + std::max<std::int64_t>(1, last / std::max<std::int64_t>(1, std::ssize(sorted) - 1));
  }
  for (Unit& unit : track.units) unit.pts -= start;
  SetSendTimes(track);
  return {};
}

AVStream* AddStream(AVFormatContext* output, const ClipTrack& track) {
  AVStream* stream = avformat_new_stream(output, nullptr);
  if (stream == nullptr) return nullptr;
  AVCodecParameters& parameters = *stream->codecpar;
  const bool video = track.info.kind() == TrackKind::kVideo;
  parameters.codec_type = video ? AVMEDIA_TYPE_VIDEO : AVMEDIA_TYPE_AUDIO;
  parameters.codec_id = video ? AV_CODEC_ID_H264 : AV_CODEC_ID_AAC;
  parameters.width = static_cast<int>(track.info.width);
  parameters.height = static_cast<int>(track.info.height);
  if (!video) {
    parameters.sample_rate = static_cast<int>(track.info.sample_rate);
    parameters.frame_size = 1024;
    av_channel_layout_default(&parameters.ch_layout, static_cast<int>(track.info.channels));
  }
  const Bytes& extra = track.info.codec_private;
  parameters.extradata = static_cast<std::uint8_t*>(av_mallocz(extra.size() + AV_INPUT_BUFFER_PADDING_SIZE));
  if (parameters.extradata == nullptr) return nullptr;
  std::memcpy(parameters.extradata, extra.data(), extra.size());
  parameters.extradata_size = static_cast<int>(extra.size());
  stream->time_base = {1, static_cast<int>(track.timescale)};
  return stream;
}

int WriteTracks(AVFormatContext* output, const std::vector<const ClipTrack*>& tracks) {
  std::vector<std::vector<std::int64_t>> dts;
  for (const ClipTrack* track : tracks) dts.push_back(DecodeTimes(*track));
  std::vector<std::size_t> next(tracks.size(), 0);
  AvPacketPtr packet(av_packet_alloc());
  for (;;) {
    // The track whose next unit is due first.
    std::size_t chosen = tracks.size();
    double earliest = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < tracks.size(); ++i) {
      if (next[i] == tracks[i]->units.size()) continue;
      const double time = static_cast<double>(dts[i][next[i]]) / tracks[i]->timescale;
      if (time < earliest) {
        earliest = time;
        chosen = i;
      }
    }
    if (chosen == tracks.size()) return 0;
    const ClipTrack& track = *tracks[chosen];
    const std::size_t index = next[chosen]++;
    const Unit& unit = track.units[index];
    if (int code = av_new_packet(packet.get(), static_cast<int>(unit.data.size())); code < 0) return code;
    std::memcpy(packet->data, unit.data.data(), unit.data.size());
    packet->pts = unit.pts;
    packet->dts = dts[chosen][index];
    const std::int64_t delay = -dts[chosen][0];
    packet->duration =
        (index + 1 < dts[chosen].size() ? dts[chosen][index + 1] : track.duration - delay) - packet->dts;
    packet->flags = unit.key ? AV_PKT_FLAG_KEY : 0;
    packet->stream_index = static_cast<int>(chosen);
    av_packet_rescale_ts(packet.get(), {1, static_cast<int>(track.timescale)},
                         output->streams[chosen]->time_base);
    if (int code = av_interleaved_write_frame(output, packet.get()); code < 0) return code;
  }
}

}  // namespace

void SetSendTimes(ClipTrack& track) {
  if (track.info.kind() == TrackKind::kAudio) {
    for (std::size_t i = 0; i < track.units.size(); ++i) {  // a packet is there once its last sample is
      track.units[i].send = i + 1 < track.units.size() ? track.units[i + 1].pts : track.duration;
    }
    return;
  }
  const std::vector<std::int64_t> sorted = SortedPts(track);
  std::int64_t delay = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) delay = std::max(delay, track.units[i].pts - sorted[i]);
  for (std::size_t i = 0; i < sorted.size(); ++i) track.units[i].send = sorted[i] + delay;
}

Result<ClipFile> LoadClip(const std::string& path) {
  if (!std::filesystem::exists(path)) return Error{ErrorCode::kNotFound, "no file " + path};
  AVFormatContext* opened = nullptr;
  if (int code = avformat_open_input(&opened, path.c_str(), nullptr, nullptr); code < 0) {
    return Error{ErrorCode::kCorruption, path + ": " + AvErrorText(code)};
  }
  AvInputPtr input(opened);
  if (int code = avformat_find_stream_info(input.get(), nullptr); code < 0) {
    return Error{ErrorCode::kCorruption, path + ": " + AvErrorText(code)};
  }
  int video = -1;
  int audio = -1;
  for (unsigned i = 0; i < input->nb_streams; ++i) {
    const AVCodecID codec = input->streams[i]->codecpar->codec_id;
    if (codec == AV_CODEC_ID_H264 && video < 0) video = static_cast<int>(i);
    if (codec == AV_CODEC_ID_AAC && audio < 0) audio = static_cast<int>(i);
  }
  if (video < 0) return Error{ErrorCode::kUnsupported, path + ": holds no H.264"};
  ClipFile file;
  if (const AVDictionaryEntry* entry = av_dict_get(input->metadata, "comment", nullptr, 0)) {
    file.comment = entry->value;
  }
  MILLRACE_ASSIGN_OR_RETURN(file.clip.video, ReadTrackInfo(*input->streams[video]));
  if (audio >= 0) {
    MILLRACE_ASSIGN_OR_RETURN(file.clip.audio, ReadTrackInfo(*input->streams[audio]));
  }
  AvPacketPtr packet(av_packet_alloc());
  while (av_read_frame(input.get(), packet.get()) >= 0) {
    const AVRational time_base = input->streams[packet->stream_index]->time_base;
    if (packet->stream_index == video) AddPacket(file.clip.video, *packet, time_base);
    if (packet->stream_index == audio) AddPacket(*file.clip.audio, *packet, time_base);
    av_packet_unref(packet.get());
  }
  MILLRACE_RETURN_IF_ERROR(Normalize(file.clip.video));
  if (file.clip.audio) MILLRACE_RETURN_IF_ERROR(Normalize(*file.clip.audio));
  return file;
}

Result<void> SaveClip(const Clip& clip, const std::string& path, const std::string& comment) {
  const bool mkv = path.ends_with(".mkv");
  const std::string unfinished = path + ".part";
  AVFormatContext* output = nullptr;
  if (int code =
          avformat_alloc_output_context2(&output, nullptr, mkv ? "matroska" : "mp4", unfinished.c_str());
      code < 0) {
    return Error{ErrorCode::kIo, path + ": " + AvErrorText(code)};
  }
  const std::unique_ptr<AVFormatContext, void (*)(AVFormatContext*)> owner(output, avformat_free_context);
  av_dict_set(&output->metadata, "comment", comment.c_str(), 0);
  std::vector<const ClipTrack*> tracks{&clip.video};
  if (clip.audio) tracks.push_back(&*clip.audio);
  for (const ClipTrack* track : tracks) {
    if (AddStream(output, *track) == nullptr) return Error{ErrorCode::kIo, path + ": out of memory"};
  }
  int code = avio_open(&output->pb, unfinished.c_str(), AVIO_FLAG_WRITE);
  if (code >= 0) code = avformat_write_header(output, nullptr);
  if (code >= 0) code = WriteTracks(output, tracks);
  if (code >= 0) code = av_write_trailer(output);
  if (output->pb != nullptr) {
    const int closed = avio_closep(&output->pb);
    if (code >= 0) code = closed;
  }
  if (code < 0 || std::rename(unfinished.c_str(), path.c_str()) != 0) {
    std::remove(unfinished.c_str());
    return Error{ErrorCode::kIo, "cannot write " + path + (code < 0 ? ": " + AvErrorText(code) : "")};
  }
  return {};
}

}  // namespace millrace::camera_sim
