// Changing the credentials' file by command: lines go in and out between the others, so that comments and
// order stay as somebody wrote them.
//
// Whatever would not read as it did but for the change is not written: users that are written in a way that
// these do not know (an anchor that several share) stay to be changed by hand. What is written is there whole
// or not at all, mode 0600 (base/private_file.h), and one change waits for another one.
//
// Errors:  those of LoadCredentials; kNotFound (no such file, user or key), kAlreadyExists, kInvalidArgument
//          (a name or policy that cannot be; a file to be changed by hand), kFailedPrecondition (the last key
//          of all: no server would take the file).
// Threads: any.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "wire/signature_v4.h"

namespace millrace::server {

// A user with a new key; the file is made where it is not there.
Result<wire::AccessKey> AddUser(const std::filesystem::path& file, const std::string& name,
                                const std::vector<std::string>& policies);
// One more key: then a client can change from one to the other.
Result<wire::AccessKey> AddKey(const std::filesystem::path& file, const std::string& name);
Result<void> RemoveKey(const std::filesystem::path& file, const std::string& name, const std::string& key_id);
Result<void> RemoveUser(const std::filesystem::path& file, const std::string& name);

}  // namespace millrace::server
