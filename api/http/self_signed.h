// A certificate of one's own, for a server that was given none.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "api/http/tls_context.h"
#include "base/result.h"
#include "base/time.h"

namespace millrace::api {

// This machine's names as a certificate needs them: localhost, 127.0.0.1, ::1, the host's name, and
// `addresses` (numeric).
std::vector<std::string> LocalNames(const std::vector<std::string>& addresses);

// Makes sure that `files` are a certificate for `names` with its key that is valid for a while: leaves what
// is there when it is, else makes a new pair (P-256, 820 days: what browsers take at most), mode 0600, each
// file whole or not there. A certificate for itself alone: its key cannot sign others. Errors: kIo, kNoSpace
// (the files), kUnavailable (no random numbers).
Result<void> EnsureSelfSigned(const TlsFiles& files, const std::vector<std::string>& names,
                              const Clock& clock);

}  // namespace millrace::api
