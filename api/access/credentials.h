// Who may call: users with their access keys and policies, as of one moment, and the place that holds the
// newest of these.
//
// Threads: Credentials are never changed once made; CredentialStore any.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "api/access/access_policy.h"
#include "base/result.h"
#include "wire/signature_v4.h"

namespace millrace::api {

struct User {
  std::string name;
  std::vector<wire::AccessKey> keys;
  Policies policies;
};

class Credentials {
 public:
  struct Owner {
    std::shared_ptr<const User> user;
    std::string secret;
  };

  // Errors: kInvalidArgument (a user or a key id stands twice).
  static Result<std::shared_ptr<const Credentials>> Make(std::vector<User> users);

  // Null: nobody has this key. Lives as long as this.
  const Owner* Find(std::string_view key_id) const;
  std::size_t users() const { return users_; }

 private:
  std::map<std::string, Owner, std::less<>> owners_;  // by key id
  std::size_t users_ = 0;
};

class CredentialStore {
 public:
  std::shared_ptr<const Credentials> Now() const;

  // Puts these users in the place of those that were put before. Errors: those of Credentials::Make; then all
  // stays as it was.
  Result<void> Replace(std::vector<User> users);
  // A user of the server's own, beside the others: the analyzers that it starts. Errors: as Replace.
  Result<void> AddBuiltIn(User user);

 private:
  Result<void> Update(std::vector<User> users, std::vector<User> built_in);

  mutable std::mutex mutex_;
  std::vector<User> users_;                                                         // GUARDED_BY(mutex_)
  std::vector<User> built_in_;                                                      // GUARDED_BY(mutex_)
  std::shared_ptr<const Credentials> now_ = std::make_shared<const Credentials>();  // GUARDED_BY(mutex_)
};

// A new key: an id of 20 letters and digits that begins with "MR", and a secret of 240 random bits as base64.
wire::AccessKey MakeAccessKey();

}  // namespace millrace::api
