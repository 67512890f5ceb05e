// What operations of the kinesisvideo model share with each other, and with no other service: regular
// expressions and enums.
//
// Threads: constants, any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "api/aws/aws_input.h"

namespace millrace::api {

// By which clock fragments are chosen: FragmentSelectorType, ImageSelectorType.
inline constexpr std::string_view kProducerTimestamp = "PRODUCER_TIMESTAMP";
inline constexpr std::string_view kServerTimestamp = "SERVER_TIMESTAMP";
inline constexpr std::array<std::string_view, 2> kTimestampSelectors{kProducerTimestamp, kServerTimestamp};

// Of images.
inline constexpr std::string_view kJpegFormat = "JPEG";
inline constexpr std::string_view kPngFormat = "PNG";
inline constexpr std::array<std::string_view, 2> kImageFormats{kJpegFormat, kPngFormat};
inline constexpr std::int64_t kSamplingMsMin = 200;  // SamplingInterval

extern const AwsPattern kMediaTypePattern;          // "video/h264,audio/aac"
extern const AwsPattern kKmsKeyIdPattern;           // .+
extern const AwsPattern kVideoVersionPattern;       // [a-zA-Z0-9]+
extern const AwsPattern kVideoTokenPattern;         // [a-zA-Z0-9+/=]*
extern const AwsPattern kTagKeyPattern;             // letters, separators, digits, and _.:/=+-@
extern const AwsPattern kTagValuePattern;           // the same
extern const AwsPattern kDestinationUriPattern;     // "s3://bucket/prefix", "arn:aws:sns:…"
extern const AwsPattern kDestinationRegionPattern;  // "us-east-1"
extern const AwsPattern kFormatConfigValuePattern;  // begins with [a-zA-Z_0-9]
extern const AwsPattern kHubDeviceArnPattern;       // "arn:aws:iot:us-east-1:000000000000:thing/hub"
extern const AwsPattern kSecretArnPattern;  // "arn:aws:secretsmanager:us-east-1:000000000000:secret:door"
extern const AwsPattern kScheduleExpressionPattern;  // [^\n]{11,100}

}  // namespace millrace::api
