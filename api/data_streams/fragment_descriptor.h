// A record of the fragment log as it is seen over the Data Streams protocol: a small JSON object in place of
// the media, which GetMediaForFragmentList gives. docs/http-api.md lists its members.
//
// Threads: pure functions, any thread.
#pragma once

#include <string>

#include "api/aws/aws_identity.h"
#include "base/result.h"
#include "storage/record_log.h"

namespace millrace::api {

// Errors: kCorruption, kUnsupported (facts of a newer version).
Result<std::string> DescribeFragmentRecord(const AwsIdentity& identity, const storage::RecordInfo& record);

}  // namespace millrace::api
