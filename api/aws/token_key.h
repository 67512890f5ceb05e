// The key that this server's tokens are sealed with: made once, kept in the log's metadata, so that sessions,
// shard iterators and listing tokens outlive a restart. It is in no backup: what is restored makes another.
#pragma once

#include "base/result.h"
#include "storage/record_log.h"
#include "wire/sealed_token.h"

namespace millrace::api {

// Makes the key where there is none yet. May wait for the disk.
Result<wire::TokenSealer> OpenTokenSealer(storage::RecordLog& log);

}  // namespace millrace::api
