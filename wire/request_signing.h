// Signing the requests of a client.
//
// Threads: pure functions, any thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "wire/access_key.h"
#include "wire/http_client.h"

namespace millrace::wire {

// The header fields that sign `request`, which goes to `authority` as it stands, now. All of its own header
// fields, its query and its body are signed.
std::vector<std::pair<std::string, std::string>> SigningFields(const AccessKey& key,
                                                               const HttpRequest& request,
                                                               const std::string& authority);

}  // namespace millrace::wire
