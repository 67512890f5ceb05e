// What stands in a Matroska document before its first Cluster: Info, Tracks and Tags, and their collector.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "media/codec.h"
#include "parser/ebml.h"
#include "parser/limits.h"
#include "parser/tags.h"

namespace millrace {

// A TrackEntry (RFC 9559 section 5.1.4.1).
struct MkvTrack {
  std::uint32_t number = 0;  // TrackNumber, as blocks name it
  std::uint64_t uid = 0;
  std::uint8_t type = 0;  // TrackType: 1 video, 2 audio, 17 subtitles, …
  std::string codec_id;
  std::string name;
  std::string language;          // "eng", or as LanguageBCP47 has it
  Duration default_duration{0};  // of a frame; zero where the file does not say
  Duration codec_delay{0};       // to be taken from each frame's timestamp before it is played (Opus)
  Duration seek_pre_roll{0};
  // For a codec that Millrace knows; its codec_private is TrackInfo's then, else it is here.
  std::optional<TrackInfo> info;
  Bytes codec_private;

  bool is_audio() const { return type == 2; }
  friend bool operator==(const MkvTrack&, const MkvTrack&) = default;
};

struct MkvDocument {
  std::string doc_type;  // "matroska" or "webm"
  std::int64_t timestamp_scale_ns = 1'000'000;
  std::optional<Duration> duration;  // of the whole Segment, where the writer knew it
  std::optional<Timestamp> date;     // when it was made
  std::string title;
  std::string muxing_app;
  std::string writing_app;
  std::vector<MkvTrack> tracks;  // in the file's order
  std::vector<MkvTag> tags;      // those before the first Cluster, without the service's

  // nullptr where no TrackEntry has this number.
  const MkvTrack* FindTrack(std::uint64_t number) const;
  // Of the tracks whose codec Millrace knows.
  std::vector<TrackInfo> TrackInfos() const;
};

// From one frame of a lace of this track to the next: the block's duration shared out, or the track's
// default, or what the codec says of the lace's first frame; zero where nobody says it, so that the lace's
// frames have its timestamp. A hostile default that cannot be summed up counts as not known.
std::int64_t LaceStepNs(const MkvTrack& track, std::int64_t block_duration_ns, std::int64_t count,
                        ByteSpan first_frame);

// Collects a document from element events: those of everything outside of Clusters go in.
class DocumentBuilder {
 public:
  explicit DocumentBuilder(const ParserLimits& limits) : limits_(limits) {}

  // Forgets what it has, for the next document.
  void Reset();

  Result<void> StartMaster(const ElementHeader& element);
  Result<void> EndMaster(const ElementHeader& element);
  Result<void> Data(const ElementHeader& element, ByteSpan payload);

  const MkvDocument& document() const { return document_; }
  MkvDocument TakeDocument() { return std::move(document_); }
  void AddTag(MkvTag tag) { document_.tags.push_back(std::move(tag)); }

  // The tags of the Tags elements that ended since the last call.
  std::vector<MkvTag> TakeTags();

 private:
  // A TrackEntry's values while it is open; MkvTrack is made of them when it ends.
  struct OpenTrack {
    MkvTrack track;
    std::uint64_t number = 0;
    std::uint64_t pixel_width = 0;
    std::uint64_t pixel_height = 0;
    std::uint64_t crop_x = 0;
    std::uint64_t crop_y = 0;
    double sampling_frequency = 8000;  // RFC 9559's defaults
    std::uint64_t channels = 1;
    bool content_encoded = false;
  };

  Result<void> InfoValue(const ElementHeader& element, ByteSpan payload);
  Result<void> TrackValue(const ElementHeader& element, ByteSpan payload);
  Result<void> TagValue(const ElementHeader& element, ByteSpan payload);
  Result<void> EndTrack(const ElementHeader& element);
  Result<void> EndTracks(const ElementHeader& element);
  Result<void> EndSimpleTag(const ElementHeader& element);

  const ParserLimits limits_;
  MkvDocument document_;
  std::uint64_t header_bytes_ = 0;
  bool info_read_ = false;  // Info and Tracks may recur, with the same content
  bool tracks_read_ = false;
  std::optional<double> duration_ticks_;
  std::vector<MkvTrack> tracks_;  // of the open Tracks
  OpenTrack open_track_;

  std::uint64_t tag_bytes_ = 0;
  std::vector<MkvTag> open_tags_;    // SimpleTags in SimpleTags, outermost first
  std::vector<MkvTag> tags_;         // ended
  std::size_t first_of_tag_ = 0;     // in tags_: where the open Tag's begin
  std::uint64_t tag_track_uid_ = 0;  // the open Tag's target
};

}  // namespace millrace
