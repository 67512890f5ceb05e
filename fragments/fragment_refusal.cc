#include "fragments/fragment_refusal.h"

namespace millrace {

std::string_view RefusalCode(RefusalId id) {
  switch (id) {
    case RefusalId::kStreamRead:
      return "STREAM_READ_ERROR";
    case RefusalId::kFragmentSize:
      return "MAX_FRAGMENT_SIZE_REACHED";
    case RefusalId::kFragmentDuration:
      return "MAX_FRAGMENT_DURATION_REACHED";
    case RefusalId::kConnectionDuration:
      return "MAX_CONNECTION_DURATION_REACHED";
    case RefusalId::kTimecodeGoesBack:
      return "FRAGMENT_TIMECODE_LESSER_THAN_PREVIOUS";
    case RefusalId::kInvalidMkv:
      return "INVALID_MKV_DATA";
    case RefusalId::kProducerTimestamp:
      return "INVALID_PRODUCER_TIMESTAMP";
    case RefusalId::kStreamNotActive:
      return "STREAM_NOT_ACTIVE";
    case RefusalId::kMetadata:
      return "FRAGMENT_METADATA_LIMIT_REACHED";
    case RefusalId::kTrackMismatch:
      return "TRACK_NUMBER_MISMATCH";
    case RefusalId::kFramesMissing:
      return "FRAMES_MISSING_FOR_TRACK";
    case RefusalId::kTooManyTracks:
      return "MORE_THAN_ALLOWED_TRACKS_FOUND";
    case RefusalId::kTooManyFragments:
      return "MIN_FRAGMENT_DURATION_REACHED";
    case RefusalId::kInternal:
      return "INTERNAL_ERROR";
    case RefusalId::kArchival:
      return "ARCHIVAL_ERROR";
  }
  return "INTERNAL_ERROR";
}

}  // namespace millrace
