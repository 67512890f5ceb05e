// The configuration's mapping `webhooks` (docs/webhooks.md).
//
// Threads: functions, any.
#pragma once

#include <yaml-cpp/yaml.h>

#include <map>
#include <set>
#include <string>

#include "base/result.h"
#include "consumers/webhooks/webhook_settings.h"

namespace millrace::server {

using WebhooksConfig = std::map<std::string, WebhookSettings>;

// `node` may be undefined; `file` stands in errors; `analyzers` are the names of those that there are. The
// files of secrets are read. Errors: kInvalidArgument, with the line; those of reading a file.
Result<WebhooksConfig> ReadWebhooks(const YAML::Node& node, const std::string& file,
                                    const std::set<std::string>& analyzers);

}  // namespace millrace::server
