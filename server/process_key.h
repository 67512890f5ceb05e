// Access keys for what the server runs itself: an analyzer's process, a webhook.
//
// Threads: any.
#pragma once

#include <string>
#include <vector>

#include "api/access/credentials.h"

namespace millrace::server {

// A new key, of a user of its own, who runs this application, does what the statements allow, and no more.
// Errors: as CredentialStore::AddBuiltIn.
Result<wire::AccessKey> AddProcessKey(api::CredentialStore& credentials, const std::string& application,
                                      std::vector<api::PolicyStatement> statements);

}  // namespace millrace::server
