// Matroska tags as name and value, and those of them by which Kinesis Video says what a fragment is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"

namespace millrace {

// One SimpleTag with a text (RFC 9559 section 5.1.8.1.2). Nested ones are given one by one, inner before
// outer.
struct MkvTag {
  std::string name;
  std::string value;            // as it stands; not checked to be UTF-8
  std::uint64_t track_uid = 0;  // the track that it speaks of; 0: the whole Segment

  friend bool operator==(const MkvTag&, const MkvTag&) = default;
};

// The tags that the service adds to each fragment of a GetMedia body. What a body does not say is empty.
struct ServiceTags {
  // Before the Cluster.
  std::optional<std::string> fragment_number;
  std::optional<Timestamp> server_timestamp;
  std::optional<Timestamp> producer_timestamp;
  // After the Cluster (GetMedia only).
  std::optional<std::int64_t> millis_behind_now;
  std::optional<std::string> continuation_token;
  // In place of a Cluster, when the service could not go on.
  std::optional<std::int64_t> error_id;
  std::optional<std::string> error_code;

  // Takes the tag's value when it is one of these. False, and nothing is changed, where it is another tag or
  // its value has not the wanted form.
  bool Take(const MkvTag& tag);

  friend bool operator==(const ServiceTags&, const ServiceTags&) = default;
};

// What the service says in place of a fragment, for those who end there: kUnavailable, with its code and
// text.
Error ServiceError(const ServiceTags& service);

inline constexpr const char* kFragmentNumberTag = "AWS_KINESISVIDEO_FRAGMENT_NUMBER";
inline constexpr const char* kServerTimestampTag = "AWS_KINESISVIDEO_SERVER_TIMESTAMP";
inline constexpr const char* kProducerTimestampTag = "AWS_KINESISVIDEO_PRODUCER_TIMESTAMP";
inline constexpr const char* kMillisBehindNowTag = "AWS_KINESISVIDEO_MILLIS_BEHIND_NOW";
inline constexpr const char* kContinuationTokenTag = "AWS_KINESISVIDEO_CONTINUATION_TOKEN";
inline constexpr const char* kErrorIdTag = "AWS_KINESISVIDEO_ERROR_ID";
inline constexpr const char* kErrorCodeTag = "AWS_KINESISVIDEO_ERROR_CODE";
// A producer's own: the fragment is complete although no further Cluster has begun.
inline constexpr const char* kEndOfFragmentTag = "AWS_KINESISVIDEO_END_OF_FRAGMENT";

}  // namespace millrace
