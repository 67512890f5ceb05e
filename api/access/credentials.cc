#include "api/access/credentials.h"

#include <openssl/rand.h>

#include <array>
#include <set>
#include <stdexcept>
#include <utility>

#include "wire/base64.h"

namespace millrace::api {
namespace {

template <std::size_t kBytes>
std::array<std::uint8_t, kBytes> Random() {
  std::array<std::uint8_t, kBytes> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    throw std::runtime_error("the system has no random numbers for a key");
  }
  return bytes;
}

}  // namespace

Result<std::shared_ptr<const Credentials>> Credentials::Make(std::vector<User> users) {
  auto made = std::make_shared<Credentials>();
  std::set<std::string> names;
  for (User& user : users) {
    if (!names.insert(user.name).second) {
      return Error{ErrorCode::kInvalidArgument, "user '" + user.name + "' is there twice"};
    }
    auto shared = std::make_shared<const User>(std::move(user));
    for (const wire::AccessKey& key : shared->keys) {
      if (!made->owners_.emplace(key.id, Owner{shared, key.secret}).second) {
        return Error{ErrorCode::kInvalidArgument, "access key '" + key.id + "' is there twice"};
      }
    }
  }
  made->users_ = names.size();
  return std::shared_ptr<const Credentials>(std::move(made));
}

const Credentials::Owner* Credentials::Find(std::string_view key_id) const {
  const auto found = owners_.find(key_id);
  return found == owners_.end() ? nullptr : &found->second;
}

std::shared_ptr<const Credentials> CredentialStore::Now() const {
  std::lock_guard lock(mutex_);
  return now_;
}

Result<void> CredentialStore::Update(std::vector<User> users, std::vector<User> built_in) {
  std::vector<User> all = users;
  all.insert(all.end(), built_in.begin(), built_in.end());
  MILLRACE_ASSIGN_OR_RETURN(auto made, Credentials::Make(std::move(all)));
  users_ = std::move(users);
  built_in_ = std::move(built_in);
  now_ = std::move(made);
  return {};
}

Result<void> CredentialStore::Replace(std::vector<User> users) {
  std::lock_guard lock(mutex_);
  return Update(std::move(users), built_in_);
}

Result<void> CredentialStore::AddBuiltIn(User user) {
  std::lock_guard lock(mutex_);
  std::vector<User> built_in = built_in_;
  built_in.push_back(std::move(user));
  return Update(users_, std::move(built_in));
}

wire::AccessKey MakeAccessKey() {
  // Without 0, 1, I and O: an id is read out and typed.
  constexpr std::string_view kLetters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
  wire::AccessKey key{"MR", wire::EncodeBase64(Random<30>())};
  for (const std::uint8_t byte : Random<18>()) key.id.push_back(kLetters[byte % 32]);
  return key;
}

}  // namespace millrace::api
